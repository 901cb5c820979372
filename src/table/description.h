/*
 * description.h - what docstore knows of a table that it works on
 */
#ifndef DS_DESCRIPTION_H
#define DS_DESCRIPTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "access/transam.h"
#include "datatype/timestamp.h"
#include "table/id.h"

/* What the rows of a table are; the room that knows a kind registers it, see kind.h. */
typedef enum DsKind
{
	DS_DOCUMENTS,				/* a collection */
	DS_STREAMS,					/* of a log: the heads, one row for each stream */
	DS_EVENTS,					/* of a log: the events; the table that is the log */
	DS_HISTORY,					/* of a collection that is tracked, or was */
	DS_HISTORY_PART,			/* a partition of that */
	DS_KINDS
} DsKind;

/* The columns of a collection. */
typedef enum DsDocumentColumn
{
	DS_DOCUMENT_ID,
	DS_DOCUMENT_VERSION,
	DS_DOCUMENT_DATA,
	DS_DOCUMENT_CREATED_AT,		/* can be missing, as the next */
	DS_DOCUMENT_UPDATED_AT
} DsDocumentColumn;

/* How readers and writers of a table go on whose rows have an order of readers; see feed.c. */
typedef struct DsFeed
{
	Oid			index;			/* on generation, transaction_id and the position; invalid: there is no such order */
	Oid			positions;		/* the sequence that positions are drawn from */
	int64		current_generation; /* see generation.c; 0: the server was in recovery */
	int64		latest_generation;	/* of the latest row, 0: none */

	/* The last row before that generation which can still get others; 0: none. */
	int64		unsettled_generation;
	FullTransactionId unsettled_transaction_id;

	/* Of what is partitioned by time; see cursor_check.c. */
	AttrNumber	time;			/* the column; 0: it is not */
	bool		has_dropped;	/* partitions are gone */
	TimestampTz kept_from;		/* those from then on are there */
} DsFeed;

/* No kind of table has more columns that are docstore's. */
#define DS_MAX_COLUMNS 14

/*
 * A description, never a decision: nothing that is remembered depends on the
 * role, the search_path or a setting.  Copied to the caller by value, so that no
 * invalidation can pull it away; whoever has the copy looks again before each
 * use, as a trigger of the call can alter the table: ds_collection_look_again().
 */
typedef struct DsCollection
{
	Oid			relid;			/* hash key: must be first */
	DsKind		kind;
	uint64		edition;		/* tells this description from all others */

	/* What it goes by; that of the tables of a log is how they are found. */
	NameData	name;
	Oid			schema;
	Oid			owner;

	/* What it is made of: rows are found again by their place in the storage. */
	Oid			storage;
	const DsIdType *id_type;
	bool		partitioned;
	AttrNumber	id;				/* of streams: the column stream */
	AttrNumber	version;
	AttrNumber	data;			/* of streams: the column properties */
	AttrNumber	columns[DS_MAX_COLUMNS];	/* all that are docstore's, in the order of the kind; 0: no such column */
	Oid			key;			/* the index of the primary key; of events: on stream and version */
	bool		has_other_unique;	/* a unique or exclusion constraint besides id */
	bool		has_deferrable; /* one of these can be checked later than at once */
	bool		has_before_triggers;	/* for each row: they can undo or change a write */
	bool		is_plain;		/* needs nothing of the executor: see plain.c */
	bool		is_plain_insert;	/* nor to insert */
	bool		distributed;	/* its rows are elsewhere: see distributed.c */
	bool		is_shard;		/* it has some of the rows of such a table */
	bool		is_copy;		/* all of them, which another node writes */
	DsFeed		feed;

	/* Not remembered, but found out for each batch: see ds_collection_prepare(). */
	bool		by_place;		/* rows that are locked are found again by ctid */
	bool		by_row;			/* statements on many rows are on one each: see engine_setting.c */
	Oid			root;			/* the table in which an id stands for one row: the partitioned one */

	/* What is there of its kind only. */
	union
	{
		struct
		{
			Oid			floor;	/* the sequence, see floor.c */
			bool		hides_floor;	/* here is only what another node has for it */
			bool		has_partitions; /* or is one */
			int64		attached_floor; /* of partitions */
			Oid			history;	/* where writes are recorded, see tracking.c; invalid: nowhere */
		}			document;
		struct
		{
			Oid			ids;	/* the index on stream, event_id, where there is one; else invalid */
			bool		takes_streamless;	/* events without a stream */
			bool		has_tags_default;	/* which only those events get that are stored without docstore */
			bool		has_tags_index; /* on the tags of all events that have some */
			Oid			tags;	/* one that has no others; else invalid */
			bool		has_index[DS_MAX_COLUMNS];	/* on that column and log_position */
			bool		has_feed_index[DS_MAX_COLUMNS]; /* on that column, and what the feed's is on */
		}			event;
		struct
		{
			const char *obstacle;	/* to putting rows into it without the executor, or NULL */
			bool		has_more_indexes;	/* than its key and that of the feed */
			bool		notifies;	/* of changes */
		}			history;
	};
} DsCollection;

#endif							/* DS_DESCRIPTION_H */

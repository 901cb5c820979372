/*
 * collection.h - what docstore knows of a table that it works on
 */
#ifndef DS_COLLECTION_H
#define DS_COLLECTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "base/compat.h"
#include "feed/cursor.h"
#include "lib/stringinfo.h"
#include "nodes/primnodes.h"
#include "storage/lockdefs.h"
#include "table/id.h"

/* What the rows of a table are. */
typedef enum DsKind
{
	DS_DOCUMENTS,				/* a collection */
	DS_STREAMS,					/* of a log: the heads, one row for each stream */
	DS_EVENTS					/* of a log: the events; the table that is the log */
} DsKind;

/* The columns of a table of events, in the order in which it is made. */
typedef enum DsEventColumn
{
	DS_LOG_POSITION,
	DS_VERSION,
	DS_RECORDED_AT,
	DS_GENERATION,
	DS_TRANSACTION_ID,
	DS_EVENT_ID,
	DS_STREAM,
	DS_TYPE,
	DS_SOURCE_TYPE,
	DS_STREAM_TYPE,
	DS_STREAM_ID,
	DS_DATA,
	DS_METADATA,
	DS_EVENT_COLUMNS
} DsEventColumn;

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
	AttrNumber	created_at;		/* 0: no such column */
	AttrNumber	updated_at;
	Oid			key;			/* the index of the primary key */
	bool		has_other_unique;	/* a unique or exclusion constraint besides id */
	bool		has_deferrable; /* one of these can be checked later than at once */
	bool		has_before_triggers;	/* for each row: they can undo or change a write */
	bool		is_plain;		/* needs nothing of the executor: see direct.c */
	bool		is_plain_insert;	/* nor to insert */
	bool		distributed;	/* its rows are elsewhere: see distributed.c */
	bool		hides_floor;	/* here is only what another node has for its floor */
	Oid			floor;			/* see floor.c; ds_collection_floor() knows it as it is now */
	int64		attached_floor; /* of partitions; see ds_collection_attached_floor() */

	/* of streams */
	AttrNumber	revision;
	AttrNumber	closed_at;
	AttrNumber	generation;
	AttrNumber	transaction_id;

	/* of events */
	AttrNumber	columns[DS_EVENT_COLUMNS];
	Oid			positions;		/* the sequence that log_position takes its values from */
	Oid			ids;			/* the index on stream, event_id, where there is one; else invalid */
	Oid			feed;			/* the index on generation, transaction_id, log_position */
	bool		has_index[DS_EVENT_COLUMNS];	/* on that column and log_position */
	int64		current_generation; /* see generation.c; 0: the server was in recovery */
	int64		latest_generation;	/* of the latest event, 0: none; see feed.c */
	DsCursor	unsettled;		/* the last event before that generation which can still get others */

	/* Not remembered, but found out for each batch: see ds_collection_prepare(). */
	Oid			root;			/* the table in which an id stands for one row: the partitioned one */
	bool		by_place;		/* rows that are locked are found again by ctid */
} DsCollection;

extern void ds_collection_init(void);
extern const char *ds_collection_lock(Oid relid, LOCKMODE lock);
extern void ds_collection_open(Oid relid, LOCKMODE lock, int item, DsCollection *collection);
extern bool ds_collection_describe(Oid relid, DsKind kind, DsCollection *collection,
								   const char **obstacle);
extern void ds_collection_look_again(const DsCollection *described);
extern void ds_collection_forget(Oid relid);
extern bool ds_collection_recognise(Oid relid, DsCollection *collection);
extern bool ds_collection_is(Oid relid, DsKind kind);
extern Oid	ds_collection_floor(Oid relid);
extern int64 ds_collection_attached_floor(Oid relid);
extern void ds_collection_prepare(DsCollection *collection);
extern void ds_collection_require_short_id(const DsCollection *collection, Datum id, int item);

/* Names: collection_name.c. */
extern RangeVar *ds_collection_read_name(const char *name, int item);
extern Oid	ds_collection_find(const char *name, LOCKMODE lock, int item);
extern char *ds_collection_name(Oid relid);
pg_noreturn extern void ds_collection_refuse_unknown(const char *name, int item);

/* For those who describe a table of their kind. */
extern AttrNumber ds_collection_column(Oid relid, const char *name, Oid type);
extern void ds_collection_lacks(StringInfo missing, const char *what);

#endif							/* DS_COLLECTION_H */

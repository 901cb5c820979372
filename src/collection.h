/*
 * collection.h - what docstore knows of a table that it works on
 */
#ifndef DS_COLLECTION_H
#define DS_COLLECTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "id.h"
#include "lib/stringinfo.h"
#include "nodes/primnodes.h"
#include "storage/lockdefs.h"

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
 * invalidation can pull it away.
 */
typedef struct DsCollection
{
	Oid			relid;			/* hash key: must be first */
	DsKind		kind;
	const DsIdType *id_type;
	bool		partitioned;
	AttrNumber	id;				/* of streams: the column stream */
	AttrNumber	version;
	AttrNumber	data;			/* of streams: the column properties */
	AttrNumber	created_at;		/* 0: no such column */
	AttrNumber	updated_at;
	Oid			key;			/* the index of the primary key */
	bool		has_other_unique;	/* a unique or exclusion constraint besides id */
	bool		has_before_triggers;	/* for each row: they can undo or change a write */
	bool		has_after_triggers; /* of any kind, those that do not fire now included */
	bool		is_plain;		/* needs nothing of the executor: see direct.c */
	bool		is_plain_insert;	/* nor to insert */
	bool		distributed;	/* its rows are elsewhere: see distributed.c */
	bool		hides_floor;	/* here is only what another node has for its floor */
	Oid			floor;			/* see floor.c; ds_collection_floor() knows it as it is now */

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
	int64		current_generation; /* see feed.c */

	/* Not remembered, as it depends on the role: see ds_collection_find_places(). */
	bool		by_place;		/* rows that are locked are found again by ctid */
} DsCollection;

extern void ds_collection_init(void);
extern void ds_collection_open(Oid relid, LOCKMODE lock, int item, DsCollection *collection);
extern bool ds_collection_open_as(Oid relid, DsKind kind, LOCKMODE lock, DsCollection *collection,
								  const char **obstacle);
extern RangeVar *ds_collection_read_name(const char *name, int item);
extern Oid	ds_collection_find(const char *name, LOCKMODE lock, int item);
extern bool ds_collection_recognise(Oid relid, DsCollection *collection);
extern bool ds_collection_is(Oid relid, DsKind kind);
extern Oid	ds_collection_floor(Oid relid);
extern void ds_collection_find_places(DsCollection *collection);
extern char *ds_collection_name(Oid relid);

/* For those who describe a table of their kind. */
extern AttrNumber ds_collection_column(Oid relid, const char *name, Oid type);
extern void ds_collection_lacks(StringInfo missing, const char *what);

#endif							/* DS_COLLECTION_H */

/*
 * log.h - what docstore knows of an event log
 *
 * The room log/ knows which tables make a log, and which columns and indexes
 * they must have; it enforces that they are found together, are of one owner,
 * and are locked before they are described.  What is in them is known above:
 * heads and events in stream/.
 *
 *	log.c			recognises the tables
 *	event_table.c	that events have an order of readers (feed/), whose end the
 *					heads remember
 *	create_log.c	makes them and their triggers; a log that is made to notify
 *					does so once for each commit
 *
 * It may call feed/ (the order of readers), table/ and base/.
 */
#ifndef DS_LOG_H
#define DS_LOG_H

#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "table/collection.h"

/* What the names of the tables beside a log's end with. */
#define DS_LOG_STREAMS		"_streams"
#define DS_LOG_CONSUMERS	"_consumers"

/* The trigger of a table of events that acts where logical replication applies changes; see replicate_event.c. */
#define DS_LOG_REPLICATE	"docstore_replicate_event"

/* The columns of a table of streams. */
typedef enum DsHeadColumn
{
	DS_HEAD_STREAM,
	DS_HEAD_VERSION,
	DS_HEAD_REVISION,
	DS_HEAD_PROPERTIES,
	DS_HEAD_CREATED_AT,
	DS_HEAD_CLOSED_AT,
	DS_HEAD_GENERATION,
	DS_HEAD_TRANSACTION_ID
} DsHeadColumn;

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
	DS_TAGS,					/* can be missing: logs had none before 0.9.0 */
	DS_EVENT_COLUMNS
} DsEventColumn;

StaticAssertDecl(DS_EVENT_COLUMNS <= DS_MAX_COLUMNS, "a description has no room for the columns of an event");

/* How many columns of an event readers get. */
#define DS_LOG_READ_COLUMNS 12

/* Copied to the caller by value; both tables are locked. */
typedef struct DsLog
{
	DsCollection events;		/* its table is the log */
	DsCollection streams;
} DsLog;

extern const char *const ds_log_event_columns[DS_EVENT_COLUMNS];
extern const Oid ds_log_event_types[DS_EVENT_COLUMNS];

extern void ds_log_recognise_streams(DsCollection *streams, StringInfo missing);
extern void ds_log_recognise_events(DsCollection *events, StringInfo missing);
pg_noreturn extern void ds_log_refuse_unknown(const char *name, int item);
extern void ds_log_open(Oid relid, LOCKMODE lock, int item, DsLog *log);
extern bool ds_log_has_tags(const DsLog *log);
extern int64 ds_log_end_position(const DsLog *log);
extern char *ds_log_read_columns(const DsLog *log, int count);
extern Oid	ds_log_find(const char *name, LOCKMODE lock, int item);
extern Oid	ds_log_consumers(Oid relid, LOCKMODE lock);
extern bool ds_log_is(Oid relid);
extern Oid	ds_log_lock_companion(Oid relid, const char *suffix, LOCKMODE lock);
extern Oid	ds_log_companion_of(Oid relid, const char *suffix);
extern void ds_log_refuse_guard(Oid relid, const char *version_column);
extern char *ds_log_companion(const char *name, const char *suffix);

#endif							/* DS_LOG_H */

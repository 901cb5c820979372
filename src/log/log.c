/*
 * log.c - recognise the tables that are an event log
 *
 * A log is its table of events.  Two tables beside it, in the same schema and
 * of the same owner, go by its name: <log>_streams has one row for each
 * stream, its head; <log>_consumers is a collection of cursors.  There is no
 * registry, so a log is renamed by renaming all three.
 *
 * What was seen is kept as for collections (collection.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "feed/place.h"
#include "log/log.h"
#include "storage/lmgr.h"
#include "storage/sinval.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/kind.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

const char *const ds_log_event_columns[DS_EVENT_COLUMNS] = {
	[DS_LOG_POSITION] = "log_position",
	[DS_VERSION] = "version",
	[DS_RECORDED_AT] = "recorded_at",
	[DS_GENERATION] = "generation",
	[DS_TRANSACTION_ID] = "transaction_id",
	[DS_EVENT_ID] = "event_id",
	[DS_STREAM] = "stream",
	[DS_TYPE] = "type",
	[DS_SOURCE_TYPE] = "source_type",
	[DS_STREAM_TYPE] = "stream_type",
	[DS_STREAM_ID] = "stream_id",
	[DS_DATA] = "data",
	[DS_METADATA] = "metadata",
	[DS_TAGS] = "tags",
};

const Oid	ds_log_event_types[DS_EVENT_COLUMNS] = {
	[DS_LOG_POSITION] = INT8OID,
	[DS_VERSION] = INT8OID,
	[DS_RECORDED_AT] = TIMESTAMPTZOID,
	[DS_GENERATION] = INT8OID,
	[DS_TRANSACTION_ID] = XID8OID,
	[DS_EVENT_ID] = UUIDOID,
	[DS_STREAM] = TEXTOID,
	[DS_TYPE] = TEXTOID,
	[DS_SOURCE_TYPE] = TEXTOID,
	[DS_STREAM_TYPE] = TEXTOID,
	[DS_STREAM_ID] = TEXTOID,
	[DS_DATA] = JSONBOID,
	[DS_METADATA] = JSONBOID,
	[DS_TAGS] = TEXTARRAYOID,
};

/*
 * A column that a table must have; notes what it lacks of it.  Two texts must
 * never be equal to the server while their bytes differ: locks go by bytes.
 */
static AttrNumber
require_column(Oid relid, const char *name, Oid type, StringInfo missing)
{
	DsColumn	column;

	if (!ds_catalogue_column(relid, name, &column) || column.type != type || column.is_generated)
	{
		ds_kind_lacks(missing, psprintf("a column \"%s\" of type %s", name, format_type_be(type)));
		return InvalidAttrNumber;
	}
	if (!ds_catalogue_is_deterministic(column.collation))
		ds_kind_lacks(missing, psprintf("a deterministic collation of column \"%s\"", name));
	return column.number;
}

/* The same of a column that is never NULL. */
static AttrNumber
require_filled_column(Oid relid, const char *name, Oid type, StringInfo missing)
{
	AttrNumber	number = require_column(relid, name, type, missing);
	DsColumn	column;

	if (number != InvalidAttrNumber && ds_catalogue_column(relid, name, &column) && !column.is_not_null)
		ds_kind_lacks(missing, psprintf("NOT NULL on column \"%s\"", name));
	return number;
}

/* The same of a number that updates change. */
static AttrNumber
require_counter(Oid relid, const char *name, StringInfo missing)
{
	AttrNumber	number = require_filled_column(relid, name, INT8OID, missing);
	DsColumn	column;

	if (number != InvalidAttrNumber && ds_catalogue_column(relid, name, &column) && column.is_always_identity)
		ds_kind_lacks(missing, psprintf("a column \"%s\" that takes values: it is GENERATED ALWAYS AS IDENTITY", name));
	return number;
}

/* Describe a table of streams, or list what it lacks. */
void
ds_log_recognise_streams(DsCollection *streams, StringInfo missing)
{
	Oid			relid = streams->relid;
	AttrNumber *columns = streams->columns;

	streams->id_type = ds_id_type(TEXTOID);
	columns[DS_HEAD_STREAM] = require_column(relid, "stream", TEXTOID, missing);
	columns[DS_HEAD_VERSION] = require_counter(relid, "version", missing);
	columns[DS_HEAD_REVISION] = require_counter(relid, "revision", missing);
	columns[DS_HEAD_PROPERTIES] = require_column(relid, "properties", JSONBOID, missing);
	columns[DS_HEAD_CREATED_AT] = require_column(relid, "created_at", TIMESTAMPTZOID, missing);
	columns[DS_HEAD_CLOSED_AT] = require_column(relid, "closed_at", TIMESTAMPTZOID, missing);
	columns[DS_HEAD_GENERATION] = require_counter(relid, "generation", missing);
	columns[DS_HEAD_TRANSACTION_ID] = require_filled_column(relid, "transaction_id", XID8OID, missing);
	streams->id = columns[DS_HEAD_STREAM];
	streams->version = columns[DS_HEAD_VERSION];
	streams->data = columns[DS_HEAD_PROPERTIES];
	ds_kind_find_key(streams, "stream", missing);
}

/*
 * The column for tags, which logs had none of before 0.9.0; docstore.repair_log()
 * makes it.  Another column of that name is the user's.
 */
static AttrNumber
find_tags(Oid relid)
{
	DsColumn	column;

	return ds_catalogue_column(relid, ds_log_event_columns[DS_TAGS], &column) &&
		column.type == TEXTARRAYOID && !column.is_generated && ds_catalogue_is_deterministic(column.collation)
		? column.number : InvalidAttrNumber;
}

static bool
can_be_null(Oid relid, DsEventColumn event_column)
{
	DsColumn	column;

	return ds_catalogue_column(relid, ds_log_event_columns[event_column], &column) && !column.is_not_null;
}

static bool
has_default(Oid relid, DsEventColumn event_column)
{
	DsColumn	column;

	return ds_catalogue_column(relid, ds_log_event_columns[event_column], &column) && column.has_default;
}

/* Find the indexes that readers and appenders go by. */
static void
inspect_event_indexes(DsCollection *events)
{
	const AttrNumber key[] = {events->columns[DS_STREAM], events->columns[DS_VERSION]};
	const AttrNumber ids[] = {events->columns[DS_STREAM], events->columns[DS_EVENT_ID]};
	const AttrNumber feed[] = {events->columns[DS_GENERATION], events->columns[DS_TRANSACTION_ID],
	events->columns[DS_LOG_POSITION]};
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(events->relid))
	{
		HeapTuple	index = lfirst(cell);
		Form_pg_index form = (Form_pg_index) GETSTRUCT(index);
		bool		is_whole = ds_catalogue_index_is_whole(index);

		if (form->indisunique && is_whole && ds_catalogue_index_is_on(index, key, lengthof(key)))
			events->key = form->indexrelid;
		else if (is_whole && ds_catalogue_index_is_on(index, feed, lengthof(feed)))
			events->feed.index = form->indexrelid;
		else if (form->indisunique && ds_catalogue_index_is_on(index, ids, lengthof(ids)) &&
				 ds_catalogue_index_is_where_not_null(index, events->columns[DS_EVENT_ID]))
			events->event.ids = form->indexrelid;
		else if (events->columns[DS_TAGS] != InvalidAttrNumber &&
				 ds_catalogue_index_is_gin_on(index, events->columns[DS_TAGS]) &&
				 (is_whole || ds_catalogue_index_is_where_not_null(index, events->columns[DS_TAGS])))
		{
			events->event.has_tags_index = true;
			if (!is_whole)
				events->event.tags = form->indexrelid;
		}
		for (int i = 0; i < DS_EVENT_COLUMNS && is_whole; i++)
		{
			const AttrNumber by_feed[] = {events->columns[i], feed[0], feed[1], feed[2]};

			events->event.has_index[i] |= ds_catalogue_index_is_on(index, (const AttrNumber[]) {events->columns[i], feed[2]}, 2);
			events->event.has_feed_index[i] |= ds_catalogue_index_is_on(index, by_feed, lengthof(by_feed));
		}
	}
}

/* Describe a table of events, or list what it lacks. */
void
ds_log_recognise_events(DsCollection *events, StringInfo missing)
{
	if (events->partitioned)
		ds_kind_lacks(missing, "a single table: partitions have no common order");
	for (int i = 0; i < DS_TAGS; i++)
		events->columns[i] = i <= DS_TRANSACTION_ID && i != DS_RECORDED_AT && i != DS_VERSION
			? require_filled_column(events->relid, ds_log_event_columns[i], ds_log_event_types[i], missing)
			: require_column(events->relid, ds_log_event_columns[i], ds_log_event_types[i], missing);
	if (missing->len > 0)
		return;

	events->columns[DS_TAGS] = find_tags(events->relid);
	events->event.has_tags_default = has_default(events->relid, DS_TAGS);
	events->event.takes_streamless = can_be_null(events->relid, DS_STREAM) && can_be_null(events->relid, DS_VERSION);
	events->id_type = ds_id_type(TEXTOID);
	events->id = events->columns[DS_STREAM];
	events->version = events->columns[DS_VERSION];
	events->data = events->columns[DS_DATA];
	inspect_event_indexes(events);
	if (!OidIsValid(events->key))
		ds_kind_lacks(missing, "a unique index on \"stream\" and \"version\"");
	if (!OidIsValid(events->feed.index))
		ds_kind_lacks(missing, "an index on \"generation\", \"transaction_id\" and \"log_position\"");
	events->feed.positions = ds_catalogue_identity(events->relid, events->columns[DS_LOG_POSITION]);
	if (!OidIsValid(events->feed.positions))
		ds_kind_lacks(missing, "a column \"log_position\" that is an identity");
}

pg_noreturn static void
refuse_table(Oid relid, int item, const char *detail)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_LOG),
			 errmsg("%s\"%s\" is not a log", ds_error_item_prefix(item), ds_name_of(relid)),
			 errdetail("%s", detail),
			 errhint("Use docstore.create_log() to make one.")));
}

/* Raise 42P01: there is no such log; item is the one that names it, for messages. */
void
ds_log_refuse_unknown(const char *name, int item)
{
	ds_name_refuse_unknown("log", name, item,
						   "Make it with docstore.create_log(), or check its spelling and the search_path.");
}

/* Whether events of a log can have tags. */
bool
ds_log_has_tags(const DsLog *log)
{
	return log->events.columns[DS_TAGS] != InvalidAttrNumber;
}

/*
 * The columns of an event e that readers get, in SQL: so many of them, as the
 * functions of versions before 0.9.0 return no tags.
 */
char *
ds_log_read_columns(const DsLog *log, int count)
{
	return psprintf("e.log_position, e.stream, e.version, e.type, e.data, e.metadata, e.event_id, "
					"e.source_type, e.stream_type, e.stream_id, e.recorded_at%s",
					count < DS_LOG_READ_COLUMNS ? ""
					: ds_log_has_tags(log) ? ", e.tags" : ", NULL::pg_catalog._text");
}

/* The name of a table that goes with a log, or with a collection; it must not be cut. */
char *
ds_log_companion(const char *name, const char *suffix)
{
	return psprintf("%s%s", name, suffix);
}

/*
 * A table that goes with another: in its schema, of its owner; or invalid.  It
 * needs no lock on either.
 */
Oid
ds_log_companion_of(Oid relid, const char *suffix)
{
	char	   *base = get_rel_name(relid);
	char	   *name = base == NULL ? NULL : ds_log_companion(base, suffix);
	Oid			found = (name != NULL && strlen(name) < NAMEDATALEN
						 ? get_relname_relid(name, get_rel_namespace(relid)) : InvalidOid);

	return OidIsValid(found) && ds_catalogue_owner(found) == ds_catalogue_owner(relid) ? found : InvalidOid;
}

/*
 * Whether a table is a log; as ds_kind_is(), without a lock.  Most
 * tables are none for want of another one, which is soonest found out.
 */
bool
ds_log_is(Oid relid)
{
	Oid			streams = ds_log_companion_of(relid, DS_LOG_STREAMS);

	return OidIsValid(streams) && ds_kind_is(streams, DS_STREAMS) &&
		ds_kind_is(relid, DS_EVENTS);
}

/*
 * Find a table that goes with one that is locked, and lock it; invalid when
 * there is none.  Whoever was waited for may have put another one in its place.
 * To take a lock is to hear of that, so where nothing was heard nothing has
 * changed (as in RangeVarGetRelidExtended()).
 */
Oid
ds_log_lock_companion(Oid relid, const char *suffix, LOCKMODE lock)
{
	uint64		heard = SharedInvalidMessageCounter;
	Oid			found = ds_log_companion_of(relid, suffix);
	Oid			locked;

	do
	{
		locked = found;
		if (!OidIsValid(locked))
			return InvalidOid;
		(void) ds_collection_lock(locked, lock);
		if (heard == SharedInvalidMessageCounter)
			return locked;
		heard = SharedInvalidMessageCounter;
		found = ds_log_companion_of(relid, suffix);
		if (found != locked)
			UnlockRelationOid(locked, lock);
	} while (found != locked);
	return locked;
}

/* The same with a log; 42809 when there is none. */
static Oid
lock_companion(Oid relid, const char *suffix, LOCKMODE lock, int item)
{
	Oid			found = ds_log_lock_companion(relid, suffix, lock);

	if (!OidIsValid(found))
		refuse_table(relid, item,
					 psprintf("It lacks a table \"%s\" in its schema, of its owner.",
							  ds_log_companion(get_rel_name(relid), suffix)));
	return found;
}

/* Lock the collection with the cursors of a log that is locked; 42809 when it is gone. */
Oid
ds_log_consumers(Oid relid, LOCKMODE lock)
{
	return lock_companion(relid, DS_LOG_CONSUMERS, lock, DS_ONLY_ITEM);
}

/*
 * Refuse to guard the versions in a log, 42809: what a guard does with updates
 * would give an event that is erased, or a head that grows by many, another
 * version.  Callers have locked the table as CREATE TRIGGER does.
 */
void
ds_log_refuse_guard(Oid relid, const char *version_column)
{
	DsCollection table;
	const char *obstacle;

	if (strcmp(version_column, "version") == 0 &&
		(ds_collection_describe(relid, DS_EVENTS, &table, &obstacle) ||
		 ds_collection_describe(relid, DS_STREAMS, &table, &obstacle)))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" cannot be guarded", ds_name_of(relid)),
				 errdetail("It is a table of a log, whose versions count the events of each stream."),
				 errhint("It needs no guard: docstore.append() and the other functions of logs maintain its versions.")));
}

/*
 * Lock and describe the table of streams of a log that is described; false when
 * it is not found by its name, or not suitable.  What its description says
 * of it after the lock is what the catalogue would.
 */
static bool
open_streams(LOCKMODE lock, DsLog *log)
{
	const DsCollection *events = &log->events;
	DsCollection *streams = &log->streams;
	char		name[NAMEDATALEN + sizeof(DS_LOG_STREAMS)];
	const char *obstacle;
	Oid			found;

	strlcpy(name, NameStr(events->name), sizeof(name));
	strlcat(name, DS_LOG_STREAMS, sizeof(name));
	found = strlen(name) < NAMEDATALEN ? get_relname_relid(name, events->schema) : InvalidOid;
	if (!OidIsValid(found))
		return false;
	if (ds_collection_lock(found, lock) == NULL && ds_collection_describe(found, DS_STREAMS, streams, &obstacle) &&
		strcmp(NameStr(streams->name), name) == 0 && streams->schema == events->schema && streams->owner == events->owner)
		return true;
	UnlockRelationOid(found, lock);
	return false;
}

/*
 * Lock the tables of a log for the rest of the transaction and describe them;
 * item is the one that names it, for messages.
 *
 * Raises 42P01 when there is no such table, 42809 with what it lacks when it
 * is no log, 0A000 when it is distributed.  As with collections: lock first, look second.
 */
void
ds_log_open(Oid relid, LOCKMODE lock, int item, DsLog *log)
{
	const char *gone = ds_collection_lock(relid, lock);
	const char *obstacle;
	Oid			streams;

	if (gone != NULL)
		ds_log_refuse_unknown(gone, item);
	if (!ds_collection_describe(relid, DS_EVENTS, &log->events, &obstacle))
		refuse_table(relid, item, obstacle);
	if (!open_streams(lock, log))
	{
		/* Whoever was waited for has changed something, or it is no log: then with the reason. */
		streams = lock_companion(relid, DS_LOG_STREAMS, lock, item);
		if (!ds_collection_describe(streams, DS_STREAMS, &log->streams, &obstacle))
			refuse_table(relid, item, psprintf("Its table \"%s\" is not suitable. %s",
											   ds_name_of(streams), obstacle));
	}
	ds_distributed_refuse_log(&log->events, &log->streams, item);
}

/*
 * Find the log that the name in an item means under the caller's search_path,
 * and lock its table.  Raises 42P01 when there is none, 22023 when the text is
 * no name at all.
 */
Oid
ds_log_find(const char *name, LOCKMODE lock, int item)
{
	Oid			relid = ds_name_find(name, lock, item);

	if (!OidIsValid(relid))
		ds_log_refuse_unknown(name, item);
	return relid;
}

/*
 * The position of the last event in the order of readers: about where a log
 * ends, and about how many events it has.  The log is locked.
 */
int64
ds_log_end_position(const DsLog *log)
{
	Relation	rel = table_open(log->events.relid, NoLock);
	DsCursor	last = {0};

	(void) ds_place_find(rel, log->events.feed.index, SnapshotAny, BackwardScanDirection, DS_ANY_GENERATION, 0, &last);
	table_close(rel, NoLock);
	return last.position;
}

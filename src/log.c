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

#include "access/genam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "errors.h"
#include "feed.h"
#include "identity.h"
#include "log.h"
#include "nodes/primnodes.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

const char *const ds_event_columns[DS_EVENT_COLUMNS] = {
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
};

static const Oid event_types[DS_EVENT_COLUMNS] = {
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
};

/*
 * A column that a table must have; notes what it lacks of it.  Two texts must
 * never be equal to the server while their bytes differ: locks go by bytes.
 */
static AttrNumber
require_column(Relation rel, const char *name, Oid type, StringInfo missing)
{
	AttrNumber	column = ds_collection_column(rel, name, type);

	if (column == InvalidAttrNumber)
		ds_collection_lacks(missing, psprintf("a column \"%s\" of type %s", name, format_type_be(type)));
	else if (type == TEXTOID &&
			 !get_collation_isdeterministic(TupleDescAttr(RelationGetDescr(rel), column - 1)->attcollation))
		ds_collection_lacks(missing, psprintf("a deterministic collation of column \"%s\"", name));
	return column;
}

/* The same of a column that is never NULL. */
static AttrNumber
require_filled_column(Relation rel, const char *name, Oid type, StringInfo missing)
{
	AttrNumber	column = require_column(rel, name, type, missing);

	if (column != InvalidAttrNumber && !TupleDescAttr(RelationGetDescr(rel), column - 1)->attnotnull)
		ds_collection_lacks(missing, psprintf("NOT NULL on column \"%s\"", name));
	return column;
}

/* Describe a table of streams but for its indexes, or list what it lacks. */
void
ds_log_inspect_streams(Relation rel, DsCollection *streams, StringInfo missing)
{
	streams->id_type = ds_id_type(TEXTOID);
	streams->id = require_column(rel, "stream", TEXTOID, missing);
	streams->version = require_filled_column(rel, "version", INT8OID, missing);
	streams->revision = require_filled_column(rel, "revision", INT8OID, missing);
	streams->data = require_column(rel, "properties", JSONBOID, missing);
	streams->created_at = require_column(rel, "created_at", TIMESTAMPTZOID, missing);
	streams->closed_at = require_column(rel, "closed_at", TIMESTAMPTZOID, missing);
	streams->generation = require_filled_column(rel, "generation", INT8OID, missing);
	streams->transaction_id = require_filled_column(rel, "transaction_id", XID8OID, missing);
}

/* Whether an index that can be used has just these columns, each in ascending order. */
static bool
has_columns(Relation index, const AttrNumber *columns, int count)
{
	const FormData_pg_index *form = index->rd_index;

	if (index->rd_rel->relam != BTREE_AM_OID || form->indnkeyatts != count ||
		!form->indisvalid || !form->indimmediate)
		return false;
	for (int i = 0; i < count; i++)
		if (form->indkey.values[i] != columns[i] || index->rd_indoption[i] != 0)
			return false;
	return true;
}

/* The same, of all rows. */
static bool
index_is_on(Relation index, const AttrNumber *columns, int count)
{
	return has_columns(index, columns, count) && RelationGetIndexPredicate(index) == NIL;
}

/* Whether an index has those rows only, and all of them, where a column is not NULL. */
static bool
is_where_not_null(Relation index, AttrNumber column)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	const NullTest *test = list_length(predicate) == 1 ? linitial(predicate) : NULL;

	return test != NULL && IsA(test, NullTest) && test->nulltesttype == IS_NOT_NULL &&
		IsA(test->arg, Var) && ((const Var *) test->arg)->varattno == column;
}

/* Find the indexes that readers and appenders go by. */
static void
inspect_event_indexes(Relation rel, DsCollection *events)
{
	const AttrNumber key[] = {events->columns[DS_STREAM], events->columns[DS_VERSION]};
	const AttrNumber ids[] = {events->columns[DS_STREAM], events->columns[DS_EVENT_ID]};
	const AttrNumber feed[] = {events->columns[DS_GENERATION], events->columns[DS_TRANSACTION_ID],
	events->columns[DS_LOG_POSITION]};
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indisunique && index_is_on(index, key, lengthof(key)))
			events->key = RelationGetRelid(index);
		else if (index_is_on(index, feed, lengthof(feed)))
			events->feed = RelationGetRelid(index);
		else if (index->rd_index->indisunique && has_columns(index, ids, lengthof(ids)) &&
				 is_where_not_null(index, events->columns[DS_EVENT_ID]))
			events->ids = RelationGetRelid(index);
		for (int i = 0; i < DS_EVENT_COLUMNS; i++)
			events->has_index[i] |=
				index_is_on(index, (const AttrNumber[]) {events->columns[i], events->columns[DS_LOG_POSITION]}, 2);
		index_close(index, NoLock);
	}
	list_free(indexes);
}

/* Describe a table of events, or list what it lacks. */
void
ds_log_inspect_events(Relation rel, DsCollection *events, StringInfo missing)
{
	if (events->partitioned)
		ds_collection_lacks(missing, "a single table: partitions have no common order");
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
		events->columns[i] = i <= DS_TRANSACTION_ID && i != DS_RECORDED_AT
			? require_filled_column(rel, ds_event_columns[i], event_types[i], missing)
			: require_column(rel, ds_event_columns[i], event_types[i], missing);
	if (missing->len > 0)
		return;

	events->id_type = ds_id_type(TEXTOID);
	events->id = events->columns[DS_STREAM];
	events->version = events->columns[DS_VERSION];
	events->data = events->columns[DS_DATA];
	inspect_event_indexes(rel, events);
	if (!OidIsValid(events->key))
		ds_collection_lacks(missing, "a unique index on \"stream\" and \"version\"");
	if (!OidIsValid(events->feed))
		ds_collection_lacks(missing, "an index on \"generation\", \"transaction_id\" and \"log_position\"");
	events->positions = getIdentitySequence(rel, events->columns[DS_LOG_POSITION], true);
	if (!OidIsValid(events->positions))
		ds_collection_lacks(missing, "a column \"log_position\" that is an identity");
	if (missing->len == 0)
		events->current_generation = ds_feed_find_generation(rel, events->feed);
}

pg_noreturn static void
refuse_table(Oid relid, int item, const char *detail)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_LOG),
			 errmsg("%s\"%s\" is not a log", ds_item_prefix(item), ds_collection_name(relid)),
			 errdetail("%s", detail),
			 errhint("docstore.create_log() makes one.")));
}

pg_noreturn static void
refuse_unknown(const char *name, int item)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("%slog \"%s\" does not exist", ds_item_prefix(item), name),
			 errhint("Make it with docstore.create_log(), or check its spelling and the search_path.")));
}

/* The name of a table that goes with a log; it must not be cut. */
char *
ds_log_companion(const char *name, const char *suffix)
{
	return psprintf("%s%s", name, suffix);
}

/* A table that goes with a log: in its schema, of its owner; or invalid. */
static Oid
find_companion(Oid relid, const char *suffix)
{
	char	   *name = ds_log_companion(get_rel_name(relid), suffix);
	Oid			found = strlen(name) < NAMEDATALEN
		? get_relname_relid(name, get_rel_namespace(relid)) : InvalidOid;

	return OidIsValid(found) && ds_identity_owner_of(found) == ds_identity_owner_of(relid) ? found : InvalidOid;
}

static Oid
require_companion(Oid relid, const char *suffix, int item)
{
	Oid			found = find_companion(relid, suffix);

	if (!OidIsValid(found))
		refuse_table(relid, item,
					 psprintf("It lacks a table \"%s\" in its schema, of its owner.",
							  ds_log_companion(get_rel_name(relid), suffix)));
	return found;
}

/* The collection with the cursors of a log that is locked; 42809 when it is gone. */
Oid
ds_log_consumers(Oid relid)
{
	return require_companion(relid, DS_LOG_CONSUMERS, DS_ONLY_ITEM);
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
		(ds_collection_open_as(relid, DS_EVENTS, ShareRowExclusiveLock, &table, &obstacle) ||
		 ds_collection_open_as(relid, DS_STREAMS, ShareRowExclusiveLock, &table, &obstacle)))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" cannot be guarded", ds_collection_name(relid)),
				 errdetail("It is a table of a log, which counts the events of each stream in its versions."),
				 errhint("Leave it as it is: docstore.append() and the other functions look after its versions.")));
}

/*
 * Lock the tables of a log for the rest of the transaction and describe them;
 * item is the one that names it, for messages.
 *
 * Raises 42P01 when there is no such table, 42809 with what it lacks when it
 * is no log.  As with collections: lock first, look second.
 */
void
ds_log_open(Oid relid, LOCKMODE lock, int item, DsLog *log)
{
	const char *obstacle;
	Oid			streams;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		refuse_unknown(psprintf("%u", relid), item);
	if (!ds_collection_open_as(relid, DS_EVENTS, lock, &log->events, &obstacle))
		refuse_table(relid, item, obstacle);
	streams = require_companion(relid, DS_LOG_STREAMS, item);
	if (!ds_collection_open_as(streams, DS_STREAMS, lock, &log->streams, &obstacle))
		refuse_table(relid, item, psprintf("Its table \"%s\" will not do. %s",
										   ds_collection_name(streams), obstacle));
}

/*
 * Find the log that the name in an item means under the caller's search_path,
 * and lock its table.  Raises 42P01 when there is none, 22023 when the text is
 * no name at all.
 */
Oid
ds_log_find(const char *name, LOCKMODE lock, int item)
{
	Oid			relid = RangeVarGetRelid(ds_collection_read_name(name, item), lock, true);

	if (!OidIsValid(relid))
		refuse_unknown(name, item);
	return relid;
}

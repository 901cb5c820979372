/*
 * track.c - beginning and ending the history of a collection
 *
 * A tracked collection has two triggers, which fire always:
 *
 *	docstore_track			AFTER INSERT OR UPDATE OR DELETE, FOR EACH ROW: a
 *							constraint trigger FROM the history, see
 *							table/tracking.c.  The server gives it to all partitions,
 *							and to those that come later.
 *	docstore_track_truncate	BEFORE TRUNCATE.
 *
 * Its history has one that fires for replicas only, docstore_replicate_change.
 *
 * History begins with what is there (begin_history.c), so the lock that keeps
 * writers out while the triggers are made is kept until that is recorded, or as
 * much of it as was asked for.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/toast_compression.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/internal.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "history/begin_history.h"
#include "history/history.h"
#include "history/months.h"
#include "history/notify_changes.h"
#include "history/track.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/floor.h"
#include "table/kind.h"
#include "table/name.h"
#include "table/plan.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* The names that the triggers get. */
#define TRACK			"docstore_track"
#define TRACK_TRUNCATE	"docstore_track_truncate"
#define REPLICATE		"docstore_replicate_change"

/* The longest name of a collection whose history's name is not cut, nor those of its partitions. */
#define MAX_NAME(by_month) \
	(NAMEDATALEN - 1 - (int) strlen(DS_HISTORY_SUFFIX) - ((by_month) ? (int) strlen(DS_MONTH_SUFFIX) : 0))

/*
 * Who, and what
 */

/* Privileges come before locks, so that nobody makes others wait at a table where he may do nothing. */
static void
require_owner(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	if (kind != '\0' && !object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), get_rel_name(relid));
}

pg_noreturn static void
refuse(Oid relid, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("\"%s\" cannot be tracked", ds_name_of(relid)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

/* Refuse what is no table: 42809. */
static void
require_table(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	if (kind == RELKIND_VIEW || kind == RELKIND_MATVIEW)
		refuse(relid, "It is a view.", "Track the collections that it reads from.");
	if (kind == RELKIND_FOREIGN_TABLE)
		refuse(relid, "It is a foreign table.", "Track the table on the server that has it.");
}

/* Refuse a table whose rows are those of a log: 42809. */
static void
require_no_log(Oid relid)
{
	if (ds_kind_is(relid, DS_EVENTS) || ds_kind_is(relid, DS_STREAMS))
		refuse(relid, "It is a table of a log.", "A log needs no history: it keeps each event.");
}

/* Refuse a partition, 42809: its documents are those of the table that it is a part of. */
static void
require_no_partition(Oid relid)
{
	Oid			root = ds_catalogue_root(relid);

	if (root != relid)
		refuse(relid, psprintf("It is a partition of \"%s\".", ds_name_of(root)),
			   "Call docstore.track() and docstore.untrack() for that table.");
}

/*
 * Refuse partitions that have a history of their own.  Locks the partitions as
 * CREATE TRIGGER does next.
 */
static void
require_own_partitions(Oid relid)
{
	DsTrackTrigger trigger;
	ListCell   *cell;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(cell, find_all_inheritors(relid, ShareRowExclusiveLock, NULL))
	{
		Oid			part = lfirst_oid(cell);

		if (part != relid && ds_history_trigger(part, DS_TRACK_ROW, &trigger) && !OidIsValid(trigger.parent))
			refuse(relid, psprintf("Its partition \"%s\" is tracked.", ds_name_of(part)),
				   "Call docstore.untrack() for the partition first. It is then tracked with that table.");
	}
}

/*
 * The history
 */

static void
require_short(const char *name, bool by_month)
{
	if ((int) strlen(name) > MAX_NAME(by_month))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for a collection that is tracked", name),
				 by_month
				 ? errdetail("The names of the partitions of its history are its name with such as \"" DS_HISTORY_SUFFIX DS_MONTH_SUFFIX "\" added.")
				 : errdetail("The name of its history is its name with \"" DS_HISTORY_SUFFIX "\" added."),
				 errhint("Rename it to a name of at most %d bytes.", MAX_NAME(by_month))));
}

static const char *
collate_clause(Oid relid)
{
	DsColumn	id;

	return ds_catalogue_column(relid, "id", &id) && OidIsValid(id.collation)
		? psprintf(" COLLATE %s", generate_collation_name(id.collation)) : "";
}

/* As the collection compresses its documents, so that those which are written out of line are copied as they are. */
static const char *
compression_clause(Oid relid, AttrNumber data)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(data));
	char		method = '\0';

	if (HeapTupleIsValid(tuple))
	{
		method = ((Form_pg_attribute) GETSTRUCT(tuple))->attcompression;
		ReleaseSysCache(tuple);
	}
	return CompressionMethodIsValid(method) ? psprintf(" COMPRESSION %s", GetCompressionMethodName(method)) : "";
}

/* Make the trigger of a history that gives what logical replication brings its place. */
static void
create_replicate_trigger(const char *history)
{
	ds_plan_execute_utility(psprintf(
		"CREATE TRIGGER " REPLICATE " BEFORE INSERT OR UPDATE ON %s FOR EACH ROW "
		"EXECUTE FUNCTION %s." DS_REPLICATE_CHANGE "()", history, ds_internal_schema_name()));
	ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE REPLICA TRIGGER " REPLICATE, history));
}

/*
 * Columns of a fixed length come first: rows are shorter, and their values are
 * found sooner.  In a schema of temporary tables it is one of those.  Of a
 * partitioned history only the partitions are stored.
 */
static void
create_table(const char *history, const DsCollection *collection, const FormData_pg_class *relation, bool by_month)
{
	ds_plan_execute_utility(psprintf(
		"CREATE %s %s ("
		"change_position pg_catalog.int8 GENERATED BY DEFAULT AS IDENTITY, "
		"version pg_catalog.int8 NOT NULL, "
		"recorded_at pg_catalog.timestamptz NOT NULL, "
		"generation pg_catalog.int8 NOT NULL, "
		"transaction_id pg_catalog.xid8 NOT NULL, "
		"id %s%s NOT NULL, "
		"op pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL, "
		"actor pg_catalog.text, "
		"data pg_catalog.jsonb%s, "
		"context pg_catalog.jsonb, "
		"PRIMARY KEY (id, version%s)) %s",
		relation->relpersistence == RELPERSISTENCE_UNLOGGED && !by_month ? "UNLOGGED TABLE" : "TABLE", history,
		format_type_be_qualified(collection->id_type->oid), collate_clause(collection->relid),
		compression_clause(collection->relid, collection->data), by_month ? ", recorded_at" : "",
		by_month ? "PARTITION BY RANGE (recorded_at)" : "USING heap"));
	ds_plan_execute_utility(psprintf(
		"CREATE INDEX ON %s (generation, transaction_id, change_position)", history));
	create_replicate_trigger(history);
	if (relation->relrowsecurity)
		ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", history));
	if (relation->relowner != GetUserId())
		ds_plan_execute_utility(psprintf("ALTER TABLE %s OWNER TO %s", history,
										 quote_identifier(GetUserNameFromId(relation->relowner, false))));
}

/* Raise 42P07: the name of the history is another table's. */
pg_noreturn static void
refuse_name(Oid relid, Oid taken)
{
	Oid			other = ds_history_tracked_by(taken);

	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("the history of collection \"%s\" would be called \"%s\", and there is such a table", ds_name_of(relid),
					ds_name_of(taken)),
			 OidIsValid(other)
			 ? errdetail("It is the history of \"%s\".", ds_name_of(other))
			 : errdetail("It cannot be the history of the collection: it has another owner, ids of another type, or other columns than a history has."),
			 errhint("Rename that table.")));
}

static bool
has_id_type(Oid history, const DsIdType *type)
{
	DsColumn	id;

	return ds_catalogue_column(history, "id", &id) && id.type == type->oid;
}

/* The history of a collection that is not tracked: the one that it had before, or else a new one. */
static Oid
find_or_create(const DsCollection *collection, bool by_month, bool *is_new)
{
	Oid			relid = collection->relid;
	Oid			taken = ds_history_by_name(relid);
	Oid			schema = get_rel_namespace(relid);
	char	   *name = psprintf("%s" DS_HISTORY_SUFFIX, get_rel_name(relid));
	FormData_pg_class relation;

	if (OidIsValid(taken))
	{
		if (ds_history_find(relid) != taken || !has_id_type(taken, collection->id_type))
			refuse_name(relid, taken);
		return taken;
	}
	*is_new = true;
	require_short(get_rel_name(relid), by_month);
	if (!ds_catalogue_relation(relid, &relation))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	create_table(quote_qualified_identifier(get_namespace_name(schema), name), collection, &relation, by_month);
	return get_relname_relid(name, schema);
}

/*
 * The triggers
 */

/* Make a trigger of a collection, unless it is there as it should be, and see to it that it fires always. */
static void
make_trigger(Oid relid, const char *name, const char *function, const char *create)
{
	const char *table = ds_name_of(relid);
	DsTrackTrigger trigger;
	bool		is_there = ds_history_trigger(relid, function, &trigger);

	if (is_there && trigger.is_altered)
		ds_plan_execute_utility(psprintf("DROP TRIGGER %s ON %s", quote_identifier(NameStr(trigger.name)), table));
	if (!is_there || trigger.is_altered)
		ds_plan_execute_utility(create);
	else
		name = quote_identifier(NameStr(trigger.name));
	ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name));
}

static void
make_triggers(Oid relid, Oid history)
{
	const char *table = ds_name_of(relid);
	const char *schema = ds_internal_schema_name();

	make_trigger(relid, TRACK, DS_TRACK_ROW, psprintf(
		"CREATE CONSTRAINT TRIGGER " TRACK " AFTER INSERT OR UPDATE OR DELETE ON %s FROM %s NOT DEFERRABLE "
		"FOR EACH ROW EXECUTE FUNCTION %s." DS_TRACK_ROW "()", table, ds_name_of(history), schema));
	make_trigger(relid, TRACK_TRUNCATE, DS_TRACK_TRUNCATE, psprintf(
		"CREATE TRIGGER " TRACK_TRUNCATE " BEFORE TRUNCATE ON %s FOR EACH STATEMENT "
		"EXECUTE FUNCTION %s." DS_TRACK_TRUNCATE "()", table, schema));
}

/* In the words of ALTER TABLE. */
static const char *
show_state(char state)
{
	switch (state)
	{
		case TRIGGER_FIRES_ON_ORIGIN:
			return "fires as ORIGIN only";
		case TRIGGER_FIRES_ON_REPLICA:
			return "fires as REPLICA only";
		default:
			return "is disabled";
	}
}

static char *
describe_missing(Oid relid, const char *function)
{
	return psprintf("the trigger of %s that calls %s() is missing", ds_name_of(relid), function);
}

static char *
describe_state(Oid relid, const DsTrackTrigger *trigger)
{
	return psprintf("trigger %s of %s %s", NameStr(trigger->name), ds_name_of(relid), show_state(trigger->state));
}

static bool
fires_for_replicas(const DsTrackTrigger *trigger)
{
	return trigger->state == TRIGGER_FIRES_ON_REPLICA || trigger->state == TRIGGER_FIRES_ALWAYS;
}

/* What is wrong with the trigger of a history, or NULL. */
static char *
find_history_fault(Oid history)
{
	DsTrackTrigger trigger;

	if (!ds_history_trigger(history, DS_REPLICATE_CHANGE, &trigger))
		return describe_missing(history, DS_REPLICATE_CHANGE);
	return fires_for_replicas(&trigger) ? NULL : describe_state(history, &trigger);
}

/* See to it that a history has its trigger, which a restore of the data alone and DROP EXTENSION take from it. */
static void
repair_history(Oid history)
{
	DsTrackTrigger trigger;

	if (!ds_history_trigger(history, DS_REPLICATE_CHANGE, &trigger))
		create_replicate_trigger(ds_name_of(history));
	else if (!fires_for_replicas(&trigger))
		ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE REPLICA TRIGGER %s", ds_name_of(history),
										 quote_identifier(NameStr(trigger.name))));
}

/* What is wrong with a trigger of one table, or NULL. */
static char *
find_fault(Oid relid, const char *function)
{
	DsTrackTrigger trigger;

	if (!ds_history_trigger(relid, function, &trigger))
		return describe_missing(relid, function);
	if (trigger.state != TRIGGER_FIRES_ALWAYS)
		return describe_state(relid, &trigger);
	if (trigger.is_altered)
		return psprintf("trigger %s of %s does not fire for the commands that docstore.track() made it for",
						NameStr(trigger.name), ds_name_of(relid));
	return NULL;
}

/* What is wrong with the triggers of a tracked table and of its partitions, which have none of their own for TRUNCATE. */
static char *
find_trigger_fault(Oid relid)
{
	char	   *fault = find_fault(relid, DS_TRACK_ROW);
	ListCell   *cell;

	if (fault == NULL)
		fault = find_fault(relid, DS_TRACK_TRUNCATE);
	if (fault == NULL)
		fault = find_history_fault(ds_history_of(relid));
	if (fault != NULL || get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return fault;
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
		if (fault == NULL)
			fault = find_fault(lfirst_oid(cell), DS_TRACK_ROW);
	return fault;
}

/*
 * What is wrong with a tracked table, or NULL: with its triggers, which
 * docstore.track() repairs, or else what makes writes fail.  It waits for nobody.
 */
char *
ds_track_fault(Oid relid)
{
	char	   *fault = find_trigger_fault(relid);
	Oid			history = ds_history_of(relid);
	const char *obstacle;

	if (fault != NULL || !OidIsValid(history))
		return fault;
	obstacle = ds_history_misfit(relid, history);
	return obstacle == NULL ? NULL : psprintf("writes cannot be recorded in %s: %s", ds_name_of(history), obstacle);
}

/*
 * Drop the trigger that a table has kept from being a partition; false when it
 * has none.  The server does it so with those that it drops by itself.
 */
static bool
drop_left_over(Oid relid)
{
	DsTrackTrigger trigger;
	ObjectAddress object;

	if (!ds_history_left_over(relid, &trigger))
		return false;
	ObjectAddressSet(object, TriggerRelationId, trigger.oid);
	deleteDependencyRecordsForClass(TriggerRelationId, trigger.oid, TriggerRelationId, DEPENDENCY_PARTITION_PRI);
	deleteDependencyRecordsForClass(TriggerRelationId, trigger.oid, RelationRelationId, DEPENDENCY_PARTITION_SEC);
	CommandCounterIncrement();
	performDeletion(&object, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	CommandCounterIncrement();
	return true;
}

/* Make the months of a history; 0A000 when it is a single table, 42809 when it is not fit, as without the rest. */
static void
make_months(Oid relid, Oid history, bool is_new)
{
	FormData_pg_class relation;
	DsCollection described;

	if (get_rel_relkind(history) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the history of collection \"%s\" is there already, and is not partitioned", ds_name_of(relid)),
				 errhint("Call docstore.untrack(), rename the table \"%s\", and track the collection again. Its history then begins anew.",
						 ds_name_of(history))));
	if (!ds_catalogue_relation(relid, &relation))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	ds_months_make(history, relation.relpersistence == RELPERSISTENCE_UNLOGGED, is_new);
	ds_history_open(relid, history, AccessShareLock, &described);
}

/*
 * Have the history of a collection recorded; returns its table.  Of what is
 * there max_rows documents at most are recorded at once; the others are when
 * they are written first, or with a further call.  One that is tracked
 * already goes on so, and its triggers are repaired.  With notify each commit
 * that has changed documents is notified of from now on.  by_month: a history
 * that is new is partitioned by month; one that is gets the months that it lacks.
 *
 * Raises 42P01 and 42809 for what is no collection, 42501 for others than the
 * owner, 0A000 for one that is distributed, or has a history and cannot have it
 * partitioned, 42622 when the history's name would
 * be cut, 42P07 when it is another table's.
 * Locks: SHARE ROW EXCLUSIVE on the collection and its partitions, as CREATE
 * TRIGGER; ROW EXCLUSIVE, and rows, where the triggers are there and max_rows
 * was given; with notify, or when its trigger is repaired, SHARE ROW EXCLUSIVE on the
 * history; ACCESS EXCLUSIVE on it, when months are missing.
 */
Oid
ds_track_make(Oid relid, int64 max_rows, bool notify, bool by_month)
{
	DsCollection collection;
	Oid			history = ds_history_of(relid);
	bool		is_new = false;
	bool		goes_on = OidIsValid(history) && max_rows != DS_ALL_ROWS && find_trigger_fault(relid) == NULL;

	require_table(relid);
	require_owner(relid);
	require_no_log(relid);
	ds_collection_open(relid, goes_on ? RowExclusiveLock : ShareRowExclusiveLock, DS_ONLY_ITEM, &collection);
	require_no_partition(relid);
	ds_distributed_refuse_track(relid);
	history = ds_history_of(relid);
	if (!goes_on)
	{
		require_own_partitions(relid);
		drop_left_over(relid);
		ds_floor_create(relid);
		if (!OidIsValid(history))
			history = find_or_create(&collection, by_month, &is_new);
		make_triggers(relid, history);
		repair_history(history);
	}
	if (by_month)
		make_months(relid, history, is_new);
	if (notify)
		ds_notify_make_trigger(history);
	ds_history_begin(&collection, history, is_new, goes_on, max_rows);
	return history;
}

/*
 * End the history of a collection.  Its table stays, and with it what is
 * recorded.
 *
 * Of a table that was a partition it drops the trigger that is left over, which
 * keeps it from being attached again.
 *
 * Raises 42P01, 42809, 42501 for others than the owner, and 42704 when the
 * collection is not tracked.
 * Locks: ACCESS EXCLUSIVE on the table, as DROP TRIGGER, which locks its
 * partitions likewise.
 */
void
ds_track_drop(Oid relid)
{
	static const char *const functions[] = {DS_TRACK_ROW, DS_TRACK_TRUNCATE};
	DsTrackTrigger trigger;
	const char *gone;

	require_table(relid);
	require_owner(relid);
	gone = ds_collection_lock(relid, AccessExclusiveLock);
	if (gone != NULL)
		ds_collection_refuse_unknown(gone, DS_ONLY_ITEM);
	if (drop_left_over(relid))
		return;
	if (!OidIsValid(ds_history_of(relid)))
		ds_history_refuse_untracked(relid);
	require_no_partition(relid);
	for (size_t i = 0; i < lengthof(functions); i++)
		if (ds_history_trigger(relid, functions[i], &trigger))
			ds_plan_execute_utility(psprintf("DROP TRIGGER %s ON %s", quote_identifier(NameStr(trigger.name)),
											 ds_name_of(relid)));
}

/*
 * history.c - which tables are a history, and which one is a collection's
 *
 * A history is made by docstore.track() and known by its columns and indexes.  It
 * is an ordinary table, or one that is partitioned by ranges of recorded_at,
 * with a partition for what is in none of them.  Its key has recorded_at then,
 * too, as the server wants that.  Its collection is the one whose trigger is made FROM it
 * (table/tracking.c).  Once docstore.untrack() has dropped the trigger, it is
 * found by its name, in the schema of the collection and of its owner.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/internal.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "feed/feed.h"
#include "history/author.h"
#include "history/history.h"
#include "history/obstacle.h"
#include "miscadmin.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/kind.h"
#include "table/ranges.h"
#include "table/tracking.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

const char *const ds_change_columns[DS_CHANGE_COLUMNS] = {
	[DS_CHANGE_POSITION] = "change_position",
	[DS_CHANGE_VERSION] = "version",
	[DS_CHANGE_RECORDED_AT] = "recorded_at",
	[DS_CHANGE_GENERATION] = "generation",
	[DS_CHANGE_TRANSACTION_ID] = "transaction_id",
	[DS_CHANGE_ID] = "id",
	[DS_CHANGE_OP] = "op",
	[DS_CHANGE_ACTOR] = "actor",
	[DS_CHANGE_DATA] = "data",
	[DS_CHANGE_CONTEXT] = "context",
};

#define OTHER_ID_TYPE "Its column \"id\" is of another type than that of the collection."

static const struct
{
	Oid			type;			/* invalid: that of an id */
	bool		is_filled;		/* NOT NULL */
}			columns[DS_CHANGE_COLUMNS] = {
	[DS_CHANGE_POSITION] = {INT8OID, true},
	[DS_CHANGE_VERSION] = {INT8OID, true},
	[DS_CHANGE_RECORDED_AT] = {TIMESTAMPTZOID, true},
	[DS_CHANGE_GENERATION] = {INT8OID, true},
	[DS_CHANGE_TRANSACTION_ID] = {XID8OID, true},
	[DS_CHANGE_ID] = {InvalidOid, true},
	[DS_CHANGE_OP] = {TEXTOID, true},
	[DS_CHANGE_ACTOR] = {TEXTOID, false},
	[DS_CHANGE_DATA] = {JSONBOID, false},
	[DS_CHANGE_CONTEXT] = {JSONBOID, false},
};

/* A column that a history must have; notes what it lacks of it. */
static void
require_column(DsCollection *history, DsChangeColumn number, StringInfo missing)
{
	const char *name = ds_change_columns[number];
	Oid			type = columns[number].type;
	DsColumn	column;

	if (!ds_catalogue_column(history->relid, name, &column) || column.is_generated ||
		(OidIsValid(type) ? column.type != type : ds_id_type(column.type) == NULL))
		ds_kind_lacks(missing, psprintf("a column \"%s\" of type %s", name,
										OidIsValid(type) ? format_type_be(type) : "text, uuid, bigint or integer"));
	else if (columns[number].is_filled && !column.is_not_null)
		ds_kind_lacks(missing, psprintf("NOT NULL on column \"%s\"", name));
	else
		history->columns[number] = column.number;
	if (number == DS_CHANGE_ID)
		history->id_type = ds_id_type(column.type);
}

static void
find_indexes(DsCollection *history)
{
	const AttrNumber key[] = {history->columns[DS_CHANGE_ID], history->columns[DS_CHANGE_VERSION],
	history->columns[DS_CHANGE_RECORDED_AT]};
	int			key_columns = history->feed.time != InvalidAttrNumber ? 3 : 2;
	const AttrNumber feed[] = {history->columns[DS_CHANGE_GENERATION], history->columns[DS_CHANGE_TRANSACTION_ID],
	history->columns[DS_CHANGE_POSITION]};
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(history->relid))
	{
		HeapTuple	index = lfirst(cell);
		Form_pg_index form = (Form_pg_index) GETSTRUCT(index);

		history->has_deferrable |= form->indisunique && !form->indimmediate;
		if (!ds_catalogue_index_is_whole(index))
			continue;
		if (form->indisunique && ds_catalogue_index_is_on(index, key, key_columns))
			history->key = form->indexrelid;
		else if (ds_catalogue_index_is_on(index, feed, lengthof(feed)))
			history->feed.index = form->indexrelid;
	}
}

/* Describe a history or a partition of one, or list what it lacks: false when that is columns. */
static bool
recognise_rows(DsCollection *history, bool by_time, StringInfo missing)
{
	for (int i = 0; i < DS_CHANGE_COLUMNS; i++)
		require_column(history, i, missing);
	if (missing->len > 0)
		return false;

	history->id = history->columns[DS_CHANGE_ID];
	history->version = history->columns[DS_CHANGE_VERSION];
	history->data = history->columns[DS_CHANGE_DATA];
	if (by_time)
		history->feed.time = history->columns[DS_CHANGE_RECORDED_AT];
	find_indexes(history);
	if (!OidIsValid(history->key))
		ds_kind_lacks(missing, by_time ? "a unique index on \"id\", \"version\" and \"recorded_at\""
					  : "a unique index on \"id\" and \"version\"");
	if (!OidIsValid(history->feed.index))
		ds_kind_lacks(missing, "an index on \"generation\", \"transaction_id\" and \"change_position\"");
	return true;
}

/* Describe a history, or list what it lacks. */
static void
recognise(DsCollection *history, StringInfo missing)
{
	if (!recognise_rows(history, history->partitioned, missing))
		return;
	if (history->partitioned && !ds_catalogue_is_by_range(history->relid, history->feed.time))
		ds_kind_lacks(missing, "a default partition, beside those by ranges of \"recorded_at\"");
	history->feed.positions = ds_catalogue_identity(history->relid, history->columns[DS_CHANGE_POSITION]);
	if (!OidIsValid(history->feed.positions))
		ds_kind_lacks(missing, "a column \"change_position\" that is an identity");
}

/* Describe a partition, or list what it lacks. */
static void
recognise_part(DsCollection *part, StringInfo missing)
{
	if (part->partitioned)
		ds_kind_lacks(missing, "rows of its own: it is partitioned again");
	recognise_rows(part, true, missing);
}

/* Whether changes are to be notified of. */
static bool
notifies(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgenabled != TRIGGER_DISABLED && ds_internal_is(trigger->tgfoid, DS_NOTIFY_CHANGES))
			return true;
	}
	return false;
}

/* What there is to know of a partition, or of any table that has rows of a history. */
static void
describe_rows(Relation rel, DsCollection *history)
{
	List	   *indexes = RelationGetIndexList(rel);

	history->history.obstacle = ds_history_obstacle(rel, history);
	history->history.has_more_indexes = list_length(indexes) > 2;
	list_free(indexes);
}

/*
 * Where only the rest is left no range tells what was dropped, but nothing is
 * dropped from there.
 */
static void
describe(Relation rel, DsCollection *history)
{
	describe_rows(rel, history);
	history->history.notifies = notifies(rel);
	if (history->partitioned)
	{
		history->feed.kept_from = ds_ranges_whole_from(rel);
		history->feed.has_dropped = !TIMESTAMP_IS_NOBEGIN(history->feed.kept_from);
	}
	ds_feed_describe(rel, history);
}

static const DsKindRoutine kind = {
	.recognise = recognise,
	.describe = describe,
	.is_outdated = ds_feed_is_outdated,
	.carry_over = ds_feed_carry_over,
	.left_empty = 1 << DS_CHANGE_ACTOR | 1 << DS_CHANGE_DATA | 1 << DS_CHANGE_CONTEXT,
	.position = "change_position",
	.only_inserted = true,
	.row = "change",
	.a_row = "a change",
	.end_function = "docstore.changes_end()",
	.table = "history",
};

static const DsKindRoutine part_kind = {
	.recognise = recognise_part,
	.describe = describe_rows,
	.left_empty = 1 << DS_CHANGE_ACTOR | 1 << DS_CHANGE_DATA | 1 << DS_CHANGE_CONTEXT,
	.position = "change_position",
	.only_inserted = true,
	.row = "change",
	.table = "partition of a history",
};

/* Say what a history is, and define who writes it. */
void
ds_history_init(void)
{
	ds_kind_register(DS_HISTORY, &kind);
	ds_kind_register(DS_HISTORY_PART, &part_kind);
	ds_author_init();
}

/* Whether a trigger is for less than docstore.track() makes it for. */
static bool
is_altered(HeapTuple tuple, TupleDesc columns, int16 type)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

	return trigger->tgtype != type || trigger->tgattr.dim1 > 0 ||
		!heap_attisnull(tuple, Anum_pg_trigger_tgqual, columns);
}

/* Find the trigger of a table that calls one of docstore's functions of tracking; false when there is none. */
static bool
find_trigger(Oid relid, const char *function, DsTrackTrigger *found)
{
	bool		is_for_rows = strcmp(function, DS_TRACK_ROW) == 0;
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		result = false;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (!result && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		result = ds_internal_is(trigger->tgfoid, function) && (!is_for_rows || OidIsValid(trigger->tgconstrrelid));
		if (result)
			*found = (DsTrackTrigger) {
				.oid = trigger->oid,
				.history = trigger->tgconstrrelid,
				.parent = trigger->tgparentid,
				.name = trigger->tgname,
				.state = trigger->tgenabled,
				.is_altered = is_altered(tuple, RelationGetDescr(triggers),
										 is_for_rows ? DS_TRACKS_ROWS : DS_TRACKS_TRUNCATE),
			};
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return result;
}

static bool
is_left_over(Oid relid, const DsTrackTrigger *trigger)
{
	return OidIsValid(trigger->parent) && ds_tracking_is_left_over(relid, trigger->oid);
}

/* The same of those that are in force: a table that is a partition no more is not tracked with what it was a part of. */
bool
ds_history_trigger(Oid relid, const char *function, DsTrackTrigger *found)
{
	return find_trigger(relid, function, found) && !is_left_over(relid, found);
}

/* Find the trigger that a table has kept from being a partition; false when there is none. */
bool
ds_history_left_over(Oid relid, DsTrackTrigger *found)
{
	return find_trigger(relid, DS_TRACK_ROW, found) && is_left_over(relid, found);
}

/* The history that a table's writes are recorded in, as the catalogue says; invalid when it is not tracked. */
Oid
ds_history_of(Oid relid)
{
	DsTrackTrigger trigger;

	return ds_history_trigger(relid, DS_TRACK_ROW, &trigger) ? trigger.history : InvalidOid;
}

/* The table that has a trigger of tracking, itself and not as a partition; invalid when the trigger is another one. */
static Oid
table_of_trigger(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	Oid			result = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		if (!OidIsValid(form->tgparentid) && ds_internal_is(form->tgfoid, DS_TRACK_ROW))
			result = form->tgrelid;
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return result;
}

/* The collection that a table is the history of, while it is tracked; or invalid. */
Oid
ds_history_tracked_by(Oid history)
{
	Relation	dependencies = table_open(DependRelationId, AccessShareLock);
	Oid			result = InvalidOid;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(history));
	scan = systable_beginscan(dependencies, DependReferenceIndexId, true, NULL, 2, keys);
	while (!OidIsValid(result) && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == TriggerRelationId)
			result = table_of_trigger(form->objid);
	}
	systable_endscan(scan);
	table_close(dependencies, AccessShareLock);
	return result == history ? InvalidOid : result;
}

/* The table with the name of a collection's history, in its schema; invalid when there is none. */
Oid
ds_history_by_name(Oid relid)
{
	char	   *base = get_rel_name(relid);
	char	   *name = base == NULL ? NULL : psprintf("%s" DS_HISTORY_SUFFIX, base);

	return name != NULL && strlen(name) < NAMEDATALEN
		? get_relname_relid(name, get_rel_namespace(relid)) : InvalidOid;
}

/*
 * The history of a collection, whether it is tracked at present or was once;
 * or invalid.  It needs no lock on either.
 */
Oid
ds_history_find(Oid relid)
{
	Oid			history = ds_history_of(relid);

	if (OidIsValid(history))
		return history;
	history = ds_history_by_name(relid);
	return OidIsValid(history) && ds_catalogue_owner(history) == ds_catalogue_owner(relid) &&
		!OidIsValid(ds_history_tracked_by(history)) && ds_kind_is(history, DS_HISTORY)
		? history : InvalidOid;
}

/* Raise 42704: a collection without a history. */
void
ds_history_refuse_untracked(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("collection \"%s\" is not tracked", ds_name_of(relid)),
			 errhint("docstore.track() begins to record its history. The view docstore.tracked lists the collections that are tracked.")));
}

pg_noreturn static void
refuse_table(Oid relid, Oid history, const char *detail)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("table \"%s\" is not fit for the history of collection \"%s\"", ds_name_of(history), ds_name_of(relid)),
			 errdetail("%s", detail),
			 errhint("Give it back what it had when docstore.track() made it, or call docstore.untrack().")));
}

/*
 * Lock the history of a table that is locked, and describe it.  Raises 42704
 * when it has none, 42809 when the table that is to have it is not fit for that,
 * 0A000 when it is distributed.  As with collections: lock first, look second.
 */
void
ds_history_open(Oid relid, Oid history, LOCKMODE lock, DsCollection *described)
{
	const char *obstacle;

	if (!OidIsValid(history) || ds_collection_lock(history, lock) != NULL)
		ds_history_refuse_untracked(relid);
	if (!ds_collection_describe(history, DS_HISTORY, described, &obstacle))
		refuse_table(relid, history, obstacle);
	ds_distributed_refuse_history(described);
}

/*
 * Whether a history takes what the owner of a table writes: it is his, or he may
 * insert into it.  Who has TRIGGER on it, and no more, could else make a table
 * whose writes are put there.
 */
static bool
may_insert(Oid relid, const DsCollection *history)
{
	Oid			owner = ds_catalogue_owner(relid);

	return owner == history->owner || pg_class_aclcheck(history->relid, owner, ACL_INSERT) == ACLCHECK_OK;
}

static char *
describe_privilege(Oid relid)
{
	return psprintf("It belongs to another role, and \"%s\", who owns the collection, has no INSERT on it.",
					GetUserNameFromId(ds_catalogue_owner(relid), false));
}

/*
 * The same, to record what is written: RowExclusiveLock.  42501 when it is
 * another's.
 */
void
ds_history_open_to_record(Oid relid, Oid history, const DsIdType *id_type, DsCollection *described)
{
	ds_history_open(relid, history, RowExclusiveLock, described);
	if (described->history.obstacle != NULL)
		refuse_table(relid, history, described->history.obstacle);
	if (described->id_type != id_type)
		refuse_table(relid, history, OTHER_ID_TYPE);
	if (!may_insert(relid, described))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("writes of collection \"%s\" cannot be recorded in \"%s\"", ds_name_of(relid), ds_name_of(history)),
				 errdetail("%s", describe_privilege(relid)),
				 errhint("Make both tables belong to the same role.")));
}

/* What keeps a table from being recorded, of its columns. */
static const char *
find_missing_column(Oid relid, const DsIdType **id_type)
{
	DsColumn	id;

	*id_type = ds_catalogue_column(relid, "id", &id) ? ds_id_type(id.type) : NULL;
	return *id_type != NULL && ds_kind_column(relid, "version", INT8OID) && ds_kind_column(relid, "data", JSONBOID)
		? NULL : "The collection has no columns \"id\", \"version\" and \"data\" of the types that it must have.";
}

/*
 * Why the writes of a tracked table fail, or NULL: the table, or its history, is
 * not what it was.  It waits for nobody, and keeps no lock.
 */
const char *
ds_history_misfit(Oid relid, Oid history)
{
	const DsIdType *id_type;
	DsCollection described;
	const char *obstacle = find_missing_column(relid, &id_type);

	if (obstacle == NULL)
		obstacle = ds_kind_recognise(history, DS_HISTORY, &described);
	if (obstacle == NULL && ds_distributed_is(history))
		obstacle = "It is distributed.";
	if (obstacle == NULL)
		obstacle = ds_history_obstacle_now(&described);
	if (obstacle == NULL && described.id_type != id_type)
		obstacle = OTHER_ID_TYPE;
	if (obstacle == NULL)
		obstacle = ds_history_part_obstacle(history);
	if (obstacle == NULL && OidIsValid(described.owner) && !may_insert(relid, &described))
		obstacle = describe_privilege(relid);
	return obstacle;
}

/*
 * trigger_state.c - docstore's triggers, as the catalogue has them
 *
 * When a trigger fires is kept with it: as ORIGIN, which is the default and
 * spares what replication applies, REPLICA, ALWAYS or DISABLED.  ALTER TABLE
 * .. ENABLE TRIGGER ALL, which a data-only dump with --disable-triggers ends
 * with, makes all of them ORIGIN.  Then a guarded collection's floor does not
 * rise any more with what is replicated, nor do replicated events get a place
 * in a log.  DROP EXTENSION .. CASCADE takes the triggers away.  And whoever has
 * TRIGGER on a table can put another trigger in the place of one, by CREATE OR
 * REPLACE TRIGGER: one that is of docstore's function still, and fires for
 * less.
 *
 * What is asked here takes no lock, as in views.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "base/internal.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "guard/guard.h"
#include "guard/trigger_state.h"
#include "log/log.h"
#include "nodes/pg_list.h"
#include "table/kind.h"
#include "table/name.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* The first argument that a trigger was made with, or an empty string. */
static const char *
first_argument(HeapTuple tuple, TupleDesc columns)
{
	bool		is_null;
	Datum		arguments = heap_getattr(tuple, Anum_pg_trigger_tgargs, columns, &is_null);

	if (((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs == 0)
		return "";
	return text_to_cstring(DatumGetTextPP(arguments));
}

/* What docstore.guard() makes a trigger for, by its function. */
static const struct
{
	const char *function;
	int16		type;
	const char *column;			/* UPDATE OF just this one; NULL: of all */
}			guards[] = {
	{"guard_row", TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE, NULL},
	{"guard_delete", TRIGGER_TYPE_ROW | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_UPDATE, "id"},
	{"guard_truncate", TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE, NULL},
};

/* Whether a trigger of a guard's is for something else, or has a condition. */
static bool
is_altered(HeapTuple tuple, TupleDesc columns)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	const char *function = get_func_name(trigger->tgfoid);

	for (size_t i = 0; i < lengthof(guards) && function != NULL; i++)
	{
		const char *column = guards[i].column;

		if (strcmp(function, guards[i].function) != 0)
			continue;
		return trigger->tgtype != guards[i].type ||
			!heap_attisnull(tuple, Anum_pg_trigger_tgqual, columns) ||
			trigger->tgattr.dim1 != (column == NULL ? 0 : 1) ||
			(column != NULL && trigger->tgattr.values[0] != get_attnum(trigger->tgrelid, column));
	}
	return false;
}

/* Find a trigger in the catalogue; false when there is none. */
static bool
find(Oid index, int nkeys, ScanKey keys, DsTrigger *trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(triggers, index, true, NULL, nkeys, keys);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		*trigger = (DsTrigger) {
			.oid = form->oid,
			.table = form->tgrelid,
			.parent = form->tgparentid,
			.function = form->tgfoid,
			.state = form->tgenabled,
			.column = first_argument(tuple, RelationGetDescr(triggers)),
			.is_strict = form->tgnargs > 1,
			.is_altered = is_altered(tuple, RelationGetDescr(triggers)),
		};
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return found;
}

/* A table's trigger of that name; false when there is none that calls that function of docstore's. */
bool
ds_trigger_find(Oid relid, const char *name, const char *function, DsTrigger *trigger)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	return find(TriggerRelidNameIndexId, lengthof(keys), keys, trigger) &&
		ds_internal_is(trigger->function, function);
}

/*
 * The table that a trigger was made for: that of a partition may have come
 * from one further up.  Invalid when it is gone.
 */
Oid
ds_trigger_table(Oid trigger)
{
	DsTrigger	found = {.parent = trigger};

	while (OidIsValid(found.parent))
	{
		ScanKeyData key;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(found.parent));
		if (!find(TriggerOidIndexId, 1, &key, &found))
			return InvalidOid;
	}
	return found.table;
}

/*
 * When a table's trigger of that name fires, as pg_trigger.tgenabled has it;
 * DS_NO_TRIGGER when there is none that calls that function of docstore's.
 */
char
ds_trigger_state(Oid relid, const char *name, const char *function)
{
	DsTrigger	trigger;

	return ds_trigger_find(relid, name, function, &trigger) ? trigger.state : DS_NO_TRIGGER;
}

/* In the words of ALTER TABLE. */
static const char *
show(char state)
{
	switch (state)
	{
		case TRIGGER_FIRES_ON_ORIGIN:
			return "fires as ORIGIN only";
		case TRIGGER_FIRES_ON_REPLICA:
			return "fires as REPLICA only";
		case TRIGGER_FIRES_ALWAYS:
			return "fires ALWAYS";
		case TRIGGER_DISABLED:
			return "is disabled";
		default:
			return "is missing";
	}
}

static char *
describe(Oid relid, const char *name, char state)
{
	return psprintf("trigger %s of %s %s", name, ds_name_of(relid), show(state));
}

/* What is wrong with one of a guard's triggers, or NULL: that of rows may fire as ORIGIN, or always, the others always. */
static char *
find_fault(Oid relid, const char *name, const char *function)
{
	DsTrigger	trigger;
	char		state = ds_trigger_find(relid, name, function, &trigger) ? trigger.state : DS_NO_TRIGGER;

	if (state != TRIGGER_FIRES_ALWAYS &&
		(state != TRIGGER_FIRES_ON_ORIGIN || strcmp(name, DS_GUARD) != 0))
		return describe(relid, name, state);
	return trigger.is_altered
		? psprintf("trigger %s of %s does not fire for the commands that docstore.guard() made it for", name, ds_name_of(relid))
		: NULL;
}

/* What is wrong with a guard's triggers on one table, or NULL. */
static char *
find_guard_fault(Oid relid, bool is_collection)
{
	char	   *fault = find_fault(relid, DS_GUARD, "guard_row");

	if (fault == NULL && is_collection)
		fault = find_fault(relid, DS_GUARD "_delete", "guard_delete");
	if (fault == NULL && is_collection)
		fault = find_fault(relid, DS_GUARD "_truncate", "guard_truncate");
	return fault;
}

/*
 * What is wrong with the triggers of a guarded table and of its partitions, or
 * NULL: one that says when it fires, and what else it should.  A guard that
 * its owner lets fire always is as good.  Partitions have no trigger of their
 * own for TRUNCATE, which is looked at on the table that is guarded.
 */
char *
ds_trigger_guard_fault(Oid relid)
{
	bool		is_collection = ds_kind_is(relid, DS_DOCUMENTS);
	char	   *fault = find_guard_fault(relid, is_collection);
	ListCell   *cell;

	if (fault != NULL || get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return fault;
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
	{
		Oid			part = lfirst_oid(cell);

		fault = find_guard_fault(part, false);
		if (fault == NULL && is_collection)
			fault = find_fault(part, DS_GUARD "_delete", "guard_delete");
		if (fault != NULL)
			return fault;
	}
	return NULL;
}

/* What is wrong with the trigger that a log has for replication, or NULL. */
char *
ds_trigger_log_fault(Oid relid)
{
	char		state = ds_trigger_state(relid, DS_LOG_REPLICATE, "replicate_event");

	return state == TRIGGER_FIRES_ON_REPLICA || state == TRIGGER_FIRES_ALWAYS
		? NULL : describe(relid, DS_LOG_REPLICATE, state);
}

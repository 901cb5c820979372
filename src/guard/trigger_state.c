/*
 * trigger_state.c - docstore's triggers, as the catalogue has them
 *
 * When a trigger fires is kept with it: as ORIGIN, which is the default and
 * spares what replication applies, REPLICA, ALWAYS or DISABLED.  ALTER TABLE
 * .. ENABLE TRIGGER ALL, which a data-only dump with --disable-triggers ends
 * with, makes all of them ORIGIN.  Then a guarded collection's floor does not
 * rise any more with what is replicated, nor do replicated events get a place
 * in a log.  DROP EXTENSION .. CASCADE takes the triggers away.
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
 * from one further up.
 */
Oid
ds_trigger_table(Oid trigger)
{
	DsTrigger	found;

	for (Oid each = trigger; OidIsValid(each); each = found.parent)
	{
		ScanKeyData key;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(each));
		if (!find(TriggerOidIndexId, 1, &key, &found))
			elog(ERROR, "could not find tuple for trigger %u", each);
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

/* What is wrong with a guard's triggers on one table, or NULL. */
static char *
find_guard_fault(Oid relid, bool is_collection)
{
	static const struct
	{
		const char *name;
		const char *function;
	}			floor[] = {
		{DS_GUARD "_delete", "guard_delete"},
		{DS_GUARD "_truncate", "guard_truncate"},
	};
	char		state = ds_trigger_state(relid, DS_GUARD, "guard_row");

	if (state != TRIGGER_FIRES_ON_ORIGIN && state != TRIGGER_FIRES_ALWAYS)
		return describe(relid, DS_GUARD, state);
	for (size_t i = 0; i < lengthof(floor) && is_collection; i++)
	{
		state = ds_trigger_state(relid, floor[i].name, floor[i].function);
		if (state != TRIGGER_FIRES_ALWAYS)
			return describe(relid, floor[i].name, state);
	}
	return NULL;
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
		char		state = ds_trigger_state(part, DS_GUARD "_delete", "guard_delete");

		fault = find_guard_fault(part, false);
		if (fault == NULL && is_collection && state != TRIGGER_FIRES_ALWAYS)
			fault = describe(part, DS_GUARD "_delete", state);
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

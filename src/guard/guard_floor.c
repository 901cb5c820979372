/*
 * guard_floor.c - the floor of a guarded collection: what plain SQL uses up
 *
 * Whatever takes a version from an id for good raises the floor (floor.c): a
 * delete, an update that gives the document another id, TRUNCATE.  These
 * triggers fire always, for changes that replication applies, too, since those
 * use versions up as well.
 *
 * A document that moves to another partition is deleted there, for triggers.
 *
 * What they need are the columns version and id, by name, and no more of what
 * makes a collection: a table that has just got a rule, or whose primary key
 * is made anew, goes on to use versions up.  Without a version column that is
 * fit for it they refuse, as the trigger of rows does.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "guard/guard.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/distributed.h"
#include "table/floor.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ds_guard_delete);
PG_FUNCTION_INFO_V1(ds_guard_truncate);

/* The number of a table's version column; 42703 and 42804 when that cannot hold versions any more. */
static AttrNumber
version_column(Oid relid)
{
	ds_guard_require_version_column(relid, "version", true);
	return get_attnum(relid, "version");
}

/* A version, in a column of one of the types that can hold it. */
static int64
version_from(Datum value, bool is_null, Oid type)
{
	if (is_null)
		return 0;
	if (type == INT2OID)
		return DatumGetInt16(value);
	return type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

/* The version of the row that is deleted, or gets another id. */
static int64
version_of_old(const TriggerData *trigger)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	AttrNumber	version = version_column(RelationGetRelid(trigger->tg_relation));
	bool		is_null;
	Datum		value = heap_getattr(trigger->tg_trigtuple, version, columns, &is_null);

	return version_from(value, is_null, TupleDescAttr(columns, version - 1)->atttypid);
}

/* Whether an update has left the document its id. */
static bool
keeps_id(const TriggerData *trigger)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	AttrNumber	column = get_attnum(RelationGetRelid(trigger->tg_relation), "id");
	Form_pg_attribute id;
	bool		was_null;
	bool		is_null;
	Datum		before;
	Datum		after;

	if (column == InvalidAttrNumber)
		return false;
	id = TupleDescAttr(columns, column - 1);
	before = heap_getattr(trigger->tg_trigtuple, column, columns, &was_null);
	after = heap_getattr(trigger->tg_newtuple, column, columns, &is_null);
	return !was_null && !is_null && datum_image_eq(before, after, id->attbyval, id->attlen);
}

/*
 * docstore_internal.guard_delete() RETURNS trigger: raise the floor of a collection to
 * the version of a document that is deleted, or gets another id.
 */
Datum
ds_guard_delete(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ds_guard_require_trigger(fcinfo, "guard_delete");

	ds_guard_require_fit(trigger, TRIGGER_FIRED_AFTER(trigger->tg_event) &&
						 TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
						 !TRIGGER_FIRED_BY_INSERT(trigger->tg_event));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) || !keeps_id(trigger))
		ds_floor_raise(RelationGetRelid(trigger->tg_relation), version_of_old(trigger));
	return PointerGetDatum(NULL);
}

/* The highest version in a table that nobody else can read or write any more. */
static int64
highest_version(Oid relid)
{
	Relation	table = table_open(relid, NoLock);
	AttrNumber	version = version_column(relid);
	Oid			type = get_atttype(relid, version);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL, 0);
	int64		highest = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, version, &is_null);

		CHECK_FOR_INTERRUPTS();
		highest = Max(highest, version_from(value, is_null, type));
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return highest;
}

/*
 * The tables whose documents TRUNCATE of a table takes: its partitions, or
 * itself.  What inherits from it has ids of its own, and may not even be locked.
 */
static List *
tables_of(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		return find_all_inheritors(relid, NoLock, NULL);
	return list_make1_oid(relid);
}

/*
 * docstore_internal.guard_truncate() RETURNS trigger: raise the floor of a collection
 * to the highest version of all that are about to go, which takes a look at
 * every row.  TRUNCATE .. RESTART IDENTITY restarts the floor, too, so it is
 * made to restart where it is.
 */
Datum
ds_guard_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ds_guard_require_trigger(fcinfo, "guard_truncate");
	Oid			relid = RelationGetRelid(trigger->tg_relation);
	ListCell   *cell;

	ds_guard_require_fit(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) &&
						 TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event));
	ds_distributed_refuse_truncate(relid);
	foreach(cell, tables_of(relid))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			ds_floor_raise(relid, highest_version(lfirst_oid(cell)));
	ds_floor_keep(relid);
	return PointerGetDatum(NULL);
}

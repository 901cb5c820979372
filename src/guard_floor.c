/*
 * guard_floor.c - the floor of a guarded collection: what plain SQL uses up
 *
 * Whatever takes a version from an id for good raises the floor (floor.c): a
 * delete, an update that gives the document another id, TRUNCATE.  These
 * triggers fire always, for changes that replication applies, too, since those
 * use versions up as well.
 *
 * A document that moves to another partition is deleted there, for triggers.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "collection.h"
#include "floor.h"
#include "guard.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ds_guard_delete);
PG_FUNCTION_INFO_V1(ds_guard_truncate);

/* Whether an update has left the document its id. */
static bool
keeps_id(const TriggerData *trigger, const DsCollection *collection)
{
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	Form_pg_attribute id = TupleDescAttr(columns, collection->id - 1);
	bool		is_null;

	return datum_image_eq(heap_getattr(trigger->tg_trigtuple, collection->id, columns, &is_null),
						  heap_getattr(trigger->tg_newtuple, collection->id, columns, &is_null),
						  id->attbyval, id->attlen);
}

/*
 * docstore.guard_delete() RETURNS trigger: raise the floor of a collection to
 * the version of a document that is deleted, or gets another id.
 */
Datum
ds_guard_delete(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ds_guard_require_trigger(fcinfo, "guard_delete");
	DsCollection collection;
	bool		is_null;

	ds_guard_require_fit(trigger, TRIGGER_FIRED_AFTER(trigger->tg_event) &&
						 TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
						 !TRIGGER_FIRED_BY_INSERT(trigger->tg_event));
	if (!ds_collection_recognise(RelationGetRelid(trigger->tg_relation), &collection) ||
		(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && keeps_id(trigger, &collection)))
		return PointerGetDatum(NULL);
	ds_floor_raise(&collection,
				   DatumGetInt64(heap_getattr(trigger->tg_trigtuple, collection.version,
											  RelationGetDescr(trigger->tg_relation), &is_null)));
	return PointerGetDatum(NULL);
}

/* The highest version in a table that nobody else can read or write any more. */
static int64
highest_version(Oid relid)
{
	Relation	table = table_open(relid, NoLock);
	AttrNumber	version = get_attnum(relid, "version");
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL, 0);
	int64		highest = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;

		CHECK_FOR_INTERRUPTS();
		highest = Max(highest, DatumGetInt64(slot_getattr(slot, version, &is_null)));
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return highest;
}

/*
 * docstore.guard_truncate() RETURNS trigger: raise the floor of a collection
 * to the highest version of all that are about to go, which takes a look at
 * every row.  TRUNCATE .. RESTART IDENTITY restarts the floor, too, so it is
 * made to restart where it is.
 */
Datum
ds_guard_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ds_guard_require_trigger(fcinfo, "guard_truncate");
	Oid			relid = RelationGetRelid(trigger->tg_relation);
	DsCollection collection;
	ListCell   *cell;

	ds_guard_require_fit(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) &&
						 TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event));
	if (!ds_collection_recognise(relid, &collection))
		return PointerGetDatum(NULL);
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			ds_floor_raise(&collection, highest_version(lfirst_oid(cell)));
	ds_floor_keep(&collection);
	return PointerGetDatum(NULL);
}

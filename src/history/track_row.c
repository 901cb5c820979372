/*
 * track_row.c - the triggers of a tracked collection
 *
 * Whoever writes by statements comes here: docstore's own, an ORM, COPY, a
 * cascade.  The row that is written is locked, and what BEFORE triggers made of
 * it is done.
 *
 * They fire always, so also for what logical replication applies; but not where
 * it brings the history along.  What a client restores has its history.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/errors.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_subscription_rel.h"
#include "commands/trigger.h"
#include "feed/feed.h"
#include "fmgr.h"
#include "history/record.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/floor.h"
#include "table/tracking.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ds_track_row);
PG_FUNCTION_INFO_V1(ds_track_truncate);

/* What a trigger function is called with; 39P01 when somebody else calls it. */
static TriggerData *
require_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore_internal.%s() can only be called by the triggers of docstore.track()", function),
				 errhint("Call docstore.track() for the collection.")));
	return (TriggerData *) fcinfo->context;
}

/* Refuse a trigger that somebody has made by hand: 39P01. */
static void
require_fit(const TriggerData *trigger, bool fits)
{
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" was not made by docstore.track()", trigger->tg_trigger->tgname),
				 errhint("Drop it, and call docstore.track() for the collection.")));
}

/* Whether logical replication brings the rows of a table to this server. */
static bool
is_subscribed(Oid relid)
{
	Relation	subscribed = table_open(SubscriptionRelRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		result;

	ScanKeyInit(&key, Anum_pg_subscription_rel_srrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(subscribed, InvalidOid, false, NULL, 1, &key);
	result = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(subscribed, AccessShareLock);
	return result;
}

/* Whether what is written now is to be recorded.  The rows of a history that is partitioned do not come (replicate_change.c). */
static bool
is_recorded(Oid history)
{
	if (SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA)
		return true;
	return ds_feed_is_replicated() && (get_rel_relkind(history) == RELKIND_PARTITIONED_TABLE || !is_subscribed(history));
}

/*
 * What is known of the table: remembered in the trigger's FmgrInfo, which the
 * executor makes for each statement and table.  The columns cannot change as
 * long, since the table is locked; if ever they do, they are others.
 */
static const DsTracked *
tracked_table(FunctionCallInfo fcinfo, const TriggerData *trigger)
{
	DsTracked  *tracked = fcinfo->flinfo->fn_extra;
	Relation	table = trigger->tg_relation;

	if (tracked == NULL)
		tracked = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(DsTracked));
	if (tracked->relid != RelationGetRelid(table) || tracked->columns != RelationGetDescr(table) ||
		tracked->history != trigger->tg_trigger->tgconstrrelid)
	{
		ds_tracked_describe(table, trigger->tg_trigger->tgconstrrelid, tracked);
		tracked->is_left_over = trigger->tg_trigger->tgisclone &&
			ds_tracking_is_left_over(tracked->relid, trigger->tg_trigger->tgoid);
	}
	return tracked;
}

/*
 * docstore_internal.track_row() RETURNS trigger: AFTER INSERT OR UPDATE OR
 * DELETE, FOR EACH ROW, FROM the history: record the write in that.
 */
Datum
ds_track_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_trigger(fcinfo, "track_row");
	Oid			history = trigger->tg_trigger->tgconstrrelid;
	const DsTracked *tracked;
	DsRecorder	recorder;

	require_fit(trigger, TRIGGER_FIRED_AFTER(trigger->tg_event) && TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
				OidIsValid(history));
	if (!is_recorded(history))
		return PointerGetDatum(NULL);
	tracked = tracked_table(fcinfo, trigger);
	if (tracked->is_left_over)
		return PointerGetDatum(NULL);

	ds_recorder_begin(&recorder, tracked);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ds_recorder_record(&recorder, NULL, trigger->tg_trigtuple);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		ds_recorder_record(&recorder, trigger->tg_trigtuple, trigger->tg_newtuple);
	else
		ds_recorder_record(&recorder, trigger->tg_trigtuple, NULL);
	ds_recorder_end(&recorder);
	return PointerGetDatum(NULL);
}

/* Record the deletion of all rows of a table that nobody else can read or write any more. */
static void
record_all_deleted(Oid relid, Oid history)
{
	Relation	table = table_open(relid, NoLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL, 0);
	DsTracked	tracked;
	DsRecorder	recorder;

	ds_tracked_describe(table, history, &tracked);
	ds_recorder_begin(&recorder, &tracked);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		ds_recorder_record(&recorder, ExecFetchSlotHeapTuple(slot, false, NULL), NULL);
	}
	ds_recorder_end(&recorder);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
}

/*
 * docstore_internal.track_truncate() RETURNS trigger: BEFORE TRUNCATE: record
 * the deletion of each document.  TRUNCATE .. RESTART IDENTITY restarts the
 * floor, too, so it is made to restart where it is.
 */
Datum
ds_track_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_trigger(fcinfo, "track_truncate");
	Relation	table = trigger->tg_relation;
	Oid			relid = RelationGetRelid(table);
	Oid			history = ds_tracking_history(table);
	List	   *tables = list_make1_oid(relid);
	ListCell   *cell;

	require_fit(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) && TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event));
	if (!OidIsValid(history) || !is_recorded(history))
		return PointerGetDatum(NULL);
	if (table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		tables = find_all_inheritors(relid, NoLock, NULL);
	foreach(cell, tables)
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			record_all_deleted(lfirst_oid(cell), history);
	ds_floor_keep(relid);
	return PointerGetDatum(NULL);
}

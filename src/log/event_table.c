/*
 * event_table.c - the tables that are event logs
 *
 * What makes a table one is in log.c.  Here is what else docstore goes by:
 * events have an order of readers (feed.c).  Where all of them were deleted, the
 * heads of streams remember how far that order had come.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "feed/cursor.h"
#include "feed/feed.h"
#include "log/event_table.h"
#include "log/log.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "table/kind.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* The latest place that the heads in one table remember; the one given when that is later. */
static void
look_at_heads(Oid relid, Snapshot snapshot, DsCursor *latest)
{
	Relation	heads = table_open(relid, NoLock);
	AttrNumber	generation = get_attnum(relid, "generation");
	AttrNumber	transaction_id = get_attnum(relid, "transaction_id");
	TupleTableSlot *slot = table_slot_create(heads, NULL);
	TableScanDesc scan = table_beginscan(heads, snapshot, 0, NULL, 0);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		DsCursor	place = {0};
		bool		is_null;

		CHECK_FOR_INTERRUPTS();
		place.generation = DatumGetInt64(slot_getattr(slot, generation, &is_null));
		place.transaction_id = DatumGetFullTransactionId(slot_getattr(slot, transaction_id, &is_null));
		if (ds_cursor_compare(&place, latest) > 0)
			*latest = place;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(heads, NoLock);
}

/*
 * The tables that have the heads: partitions, or the one itself.  What inherits
 * from that has heads of its own, and may be another session's temporary table.
 */
static List *
tables_of(Oid streams)
{
	if (get_rel_relkind(streams) == RELKIND_PARTITIONED_TABLE)
		return find_all_inheritors(streams, AccessShareLock, NULL);
	return list_make1_oid(streams);
}

/*
 * The latest place that the heads of a log remember; false when there are
 * none.  It takes a look at every stream: only where all events were deleted.
 * ACCESS SHARE on the table of streams is kept.
 */
static bool
find_former_end(Oid events, Snapshot snapshot, int64 *generation, FullTransactionId *transaction_id)
{
	Oid			streams = ds_log_companion_of(events, DS_LOG_STREAMS);
	DsCursor	latest;
	ListCell   *cell;

	if (!OidIsValid(streams))
		return false;
	LockRelationOid(streams, AccessShareLock);
	if (!ds_kind_is(streams, DS_STREAMS))
		return false;
	ds_cursor_begin(&latest);
	foreach(cell, tables_of(streams))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			look_at_heads(lfirst_oid(cell), snapshot, &latest);
	*generation = latest.generation;
	*transaction_id = latest.transaction_id;
	return latest.generation > 0;
}

static const DsKindRoutine kind = {
	.recognise = ds_log_recognise_events,
	.describe = ds_feed_describe,
	.is_outdated = ds_feed_is_outdated,
	.carry_over = ds_feed_carry_over,
	.find_former_end = find_former_end,
	.left_empty = 1 << DS_EVENT_ID | 1 << DS_SOURCE_TYPE | 1 << DS_STREAM_TYPE | 1 << DS_STREAM_ID | 1 << DS_METADATA |
	1 << DS_TAGS,
	.position = "log_position",
	.only_inserted = true,
	.found_by_name = true,
	.row = "event",
	.a_row = "an event",
	.end_function = "docstore.log_end()",
	.table = "log",
};

void
ds_event_table_init(void)
{
	ds_kind_register(DS_EVENTS, &kind);
}

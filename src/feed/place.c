/*
 * place.c - what is where in the order of a log's readers
 *
 * By the index on (generation, transaction_id, log_position), below the
 * executor, for snapshots of any kind and for no role in particular: what is
 * found here decides, and is never shown.  The caller has locked the table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "feed/place.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* The columns of the index. */
enum
{
	GENERATION = 1,
	TRANSACTION_ID,
	LOG_POSITION
};

static void
read_place(TupleTableSlot *slot, const int16 *columns, DsCursor *place)
{
	bool		is_null;

	place->generation = DatumGetInt64(slot_getattr(slot, columns[GENERATION - 1], &is_null));
	place->transaction_id = DatumGetFullTransactionId(slot_getattr(slot, columns[TRANSACTION_ID - 1], &is_null));
	place->log_position = DatumGetInt64(slot_getattr(slot, columns[LOG_POSITION - 1], &is_null));
}

/* The first event that a scan finds; false when there is none. */
static bool
find_first(Relation events, Oid feed, Snapshot snapshot, ScanDirection direction, ScanKey keys, int count,
		   DsCursor *place)
{
	Relation	index = index_open(feed, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(events, NULL);
	IndexScanDesc scan = index_beginscan(events, index, snapshot, NULL, count, 0, 0);
	bool		found;

	index_rescan(scan, keys, count, NULL, 0);
	found = index_getnext_slot(scan, direction, slot);
	if (found)
		read_place(slot, index->rd_index->indkey.values, place);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/*
 * The first or last place that has an event, of all or of those whose
 * generation compares with one as a strategy says; false when there is none.
 */
bool
ds_place_find(Relation events, Oid feed, Snapshot snapshot, ScanDirection direction,
			  StrategyNumber strategy, int64 generation, DsCursor *place)
{
	ScanKeyData key;

	if (strategy == DS_ANY_GENERATION)
		return find_first(events, feed, snapshot, direction, NULL, 0, place);
	ScanKeyInit(&key, GENERATION, strategy, strategy == BTEqualStrategyNumber ? F_INT8EQ : F_INT8LT,
				Int64GetDatum(generation));
	return find_first(events, feed, snapshot, direction, &key, 1, place);
}

/*
 * Whether an event is at a place, for any role: one that is committed, may yet
 * be, or is visible to the active snapshot though it has been deleted since.
 */
bool
ds_place_is_taken(const DsCollection *events, const DsCursor *place)
{
	Relation	rel = table_open(events->relid, NoLock);
	ScanKeyData keys[LOG_POSITION];
	SnapshotData dirty;
	DsCursor	found;
	bool		result;

	InitDirtySnapshot(dirty);
	ScanKeyInit(&keys[0], GENERATION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->generation));
	ScanKeyInit(&keys[1], TRANSACTION_ID, BTEqualStrategyNumber, F_XID8EQ,
				FullTransactionIdGetDatum(place->transaction_id));
	ScanKeyInit(&keys[2], LOG_POSITION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->log_position));
	result = find_first(rel, events->event.feed, &dirty, ForwardScanDirection, keys, LOG_POSITION, &found) ||
		find_first(rel, events->event.feed, GetActiveSnapshot(), ForwardScanDirection, keys, LOG_POSITION, &found);
	table_close(rel, NoLock);
	return result;
}

/*
 * place.c - what is where in the order of readers
 *
 * By the index on (generation, transaction_id, position), below the executor,
 * for snapshots of any kind and for no role in particular: what is found here
 * decides, and is never shown.  The caller has locked the table.
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
	POSITION
};

static void
read_place(TupleTableSlot *slot, const int16 *columns, DsCursor *place)
{
	bool		is_null;

	place->generation = DatumGetInt64(slot_getattr(slot, columns[GENERATION - 1], &is_null));
	place->transaction_id = DatumGetFullTransactionId(slot_getattr(slot, columns[TRANSACTION_ID - 1], &is_null));
	place->position = DatumGetInt64(slot_getattr(slot, columns[POSITION - 1], &is_null));
}

/* The first row that a scan finds; false when there is none. */
static bool
find_first(Relation rel, Oid feed, Snapshot snapshot, ScanDirection direction, ScanKey keys, int count,
		   DsCursor *place)
{
	Relation	index = index_open(feed, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = index_beginscan(rel, index, snapshot, NULL, count, 0, 0);
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
 * The first or last place that has a row, of all or of those whose
 * generation compares with one as a strategy says; false when there is none.
 */
bool
ds_place_find(Relation rel, Oid feed, Snapshot snapshot, ScanDirection direction,
			  StrategyNumber strategy, int64 generation, DsCursor *place)
{
	ScanKeyData key;

	if (strategy == DS_ANY_GENERATION)
		return find_first(rel, feed, snapshot, direction, NULL, 0, place);
	ScanKeyInit(&key, GENERATION, strategy, strategy == BTEqualStrategyNumber ? F_INT8EQ : F_INT8LT,
				Int64GetDatum(generation));
	return find_first(rel, feed, snapshot, direction, &key, 1, place);
}

/* Whether a row that a snapshot shows is at a place. */
static bool
is_at(Relation rel, Oid feed, Snapshot snapshot, const DsCursor *place)
{
	ScanKeyData keys[POSITION];
	DsCursor	found;

	ScanKeyInit(&keys[0], GENERATION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->generation));
	ScanKeyInit(&keys[1], TRANSACTION_ID, BTEqualStrategyNumber, F_XID8EQ,
				FullTransactionIdGetDatum(place->transaction_id));
	ScanKeyInit(&keys[2], POSITION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->position));
	return find_first(rel, feed, snapshot, ForwardScanDirection, keys, POSITION, &found);
}

/* Whether a row is at a place that is visible to the active snapshot, for any role. */
bool
ds_place_is_visible(const DsCollection *table, const DsCursor *place)
{
	Relation	rel = table_open(table->relid, NoLock);
	bool		result = is_at(rel, table->feed.index, GetActiveSnapshot(), place);

	table_close(rel, NoLock);
	return result;
}

/*
 * Whether a row is at a place, for any role: one that is committed, may yet
 * be, or is visible to the active snapshot though it has been deleted since.
 */
bool
ds_place_is_taken(const DsCollection *table, const DsCursor *place)
{
	Relation	rel = table_open(table->relid, NoLock);
	SnapshotData dirty;
	bool		result;

	InitDirtySnapshot(dirty);
	result = is_at(rel, table->feed.index, &dirty, place) ||
		is_at(rel, table->feed.index, GetActiveSnapshot(), place);
	table_close(rel, NoLock);
	return result;
}

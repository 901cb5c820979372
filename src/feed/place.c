/*
 * place.c - what is where in the order of readers
 *
 * By the index on (generation, transaction_id, position), below the executor,
 * for snapshots of any kind and for no role in particular: what is found here
 * decides, and is never shown.  The caller has locked the table.
 *
 * Of a partitioned table each partition has such an index, and is looked into:
 * the order of readers is nearly that of time, but not quite.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_class.h"
#include "feed/place.h"
#include "miscadmin.h"
#include "table/ranges.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
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

/* What is looked for, and where. */
typedef struct Search
{
	Snapshot	snapshot;
	ScanDirection direction;
	ScanKeyData keys[POSITION];
	int			count;
} Search;

/* A row that was found. */
typedef struct Found
{
	DsCursor	place;
	TimestampTz time;			/* of partitions only: what they are made by */
} Found;

/* The first row that a scan of a single table finds; false when there is none. */
static bool
find_in(Relation rel, Oid feed, AttrNumber time, Search *search, Found *first)
{
	Relation	index = index_open(feed, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = index_beginscan(rel, index, search->snapshot, NULL, search->count, 0, 0);
	bool		found;
	bool		is_null;

	index_rescan(scan, search->keys, search->count, NULL, 0);
	found = index_getnext_slot(scan, search->direction, slot);
	if (found)
		read_place(slot, index->rd_index->indkey.values, &first->place);
	if (found && time != InvalidAttrNumber)
		first->time = DatumGetTimestampTz(slot_getattr(slot, time, &is_null));
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/* The same of a partition, for the index that it has of its own. */
static bool
find_in_partition(Oid relid, Search *search, Found *first)
{
	Relation	rel = table_open(relid, AccessShareLock);
	const char *obstacle;
	const DsCollection *part = ds_collection_look(relid, DS_HISTORY_PART, &obstacle);
	bool		found;

	if (part == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" is not fit for a partition of a history", ds_name_of(relid)),
				 errdetail("%s", obstacle),
				 errhint("Detach it.")));
	found = find_in(rel, part->feed.index, part->feed.time, search, first);
	table_close(rel, NoLock);
	return found;
}

/* The first row that a scan finds; false when there is none. */
static bool
find_first(Relation rel, Oid feed, Search *search, Found *first)
{
	Oid		   *partitions;
	int			count;
	int			rest;
	bool		result = false;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return find_in(rel, feed, InvalidAttrNumber, search, first);
	count = ds_ranges_list(rel, &partitions, &rest);
	for (int i = 0; i < count; i++)
	{
		Found		found;

		if (!find_in_partition(partitions[i], search, &found))
			continue;
		if (!result || (ds_cursor_compare(&found.place, &first->place) < 0) == ScanDirectionIsForward(search->direction))
			*first = found;
		result = true;
	}
	pfree(partitions);
	return result;
}

/* One of the columns that are compared as a row. */
static void
compare_column(ScanKey key, int flags, AttrNumber column, RegProcedure comparison, Datum from)
{
	ScanKeyEntryInitialize(key, SK_ROW_MEMBER | flags, column, BTGreaterEqualStrategyNumber, InvalidOid, InvalidOid,
						   comparison, from);
}

/*
 * Begin to look at the rows that a snapshot shows, in the order of readers,
 * from the first one on whose generation and transaction are not below those of
 * a place.
 */
void
ds_place_scan_begin(const DsCollection *table, Snapshot snapshot, const DsCursor *from, DsPlaceScan *scan)
{
	scan->rel = table_open(table->relid, NoLock);
	scan->index = index_open(table->feed.index, AccessShareLock);
	scan->slot = table_slot_create(scan->rel, NULL);
	scan->scan = index_beginscan(scan->rel, scan->index, snapshot, NULL, 1, 0, 0);
	compare_column(&scan->from[0], 0, GENERATION, F_BTINT8CMP, Int64GetDatum(from->generation));
	compare_column(&scan->from[1], SK_ROW_END, TRANSACTION_ID, F_XID8CMP, FullTransactionIdGetDatum(from->transaction_id));
	memset(&scan->key, 0, sizeof(ScanKeyData));
	scan->key.sk_flags = SK_ROW_HEADER;
	scan->key.sk_attno = GENERATION;
	scan->key.sk_strategy = BTGreaterEqualStrategyNumber;
	scan->key.sk_argument = PointerGetDatum(scan->from);
	index_rescan(scan->scan, &scan->key, 1, NULL, 0);
}

/* Go to the next row; false when there is none. */
bool
ds_place_scan_next(DsPlaceScan *scan)
{
	CHECK_FOR_INTERRUPTS();
	return index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);
}

void
ds_place_scan_end(DsPlaceScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, NoLock);
	table_close(scan->rel, NoLock);
}

/*
 * The first or last place that has a row, of all or of those whose
 * generation compares with one as a strategy says; false when there is none.
 */
bool
ds_place_find(Relation rel, Oid feed, Snapshot snapshot, ScanDirection direction,
			  StrategyNumber strategy, int64 generation, DsCursor *place)
{
	Search		search = {.snapshot = snapshot, .direction = direction};
	Found		first;

	if (strategy != DS_ANY_GENERATION)
		ScanKeyInit(&search.keys[search.count++], GENERATION, strategy,
					strategy == BTEqualStrategyNumber ? F_INT8EQ : F_INT8LT, Int64GetDatum(generation));
	if (!find_first(rel, feed, &search, &first))
		return false;
	*place = first.place;
	return true;
}

/* Whether a row that a snapshot shows is at a place. */
static bool
is_at(Relation rel, Oid feed, Snapshot snapshot, const DsCursor *place, Found *found)
{
	Search		search = {.snapshot = snapshot, .direction = ForwardScanDirection, .count = POSITION};

	ScanKeyInit(&search.keys[0], GENERATION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->generation));
	ScanKeyInit(&search.keys[1], TRANSACTION_ID, BTEqualStrategyNumber, F_XID8EQ,
				FullTransactionIdGetDatum(place->transaction_id));
	ScanKeyInit(&search.keys[2], POSITION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->position));
	return find_first(rel, feed, &search, found);
}

/* Whether a row is at a place that is visible to the active snapshot, for any role. */
bool
ds_place_is_visible(const DsCollection *table, const DsCursor *place)
{
	Relation	rel = table_open(table->relid, NoLock);
	Found		found;
	bool		result = is_at(rel, table->feed.index, GetActiveSnapshot(), place, &found);

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
	TimestampTz time;

	return ds_place_find_time(table, place, &time);
}

/* The same, and of a partitioned table the time of that row, by which it is partitioned. */
bool
ds_place_find_time(const DsCollection *table, const DsCursor *place, TimestampTz *time)
{
	Relation	rel = table_open(table->relid, NoLock);
	SnapshotData dirty;
	Found		found = {.time = DT_NOEND};
	bool		result;

	InitDirtySnapshot(dirty);
	result = is_at(rel, table->feed.index, &dirty, place, &found) ||
		is_at(rel, table->feed.index, GetActiveSnapshot(), place, &found);
	*time = found.time;
	table_close(rel, NoLock);
	return result;
}

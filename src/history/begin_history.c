/*
 * begin_history.c - what is there when history begins
 *
 * Each document that history has not is recorded as it is, by nobody: who has
 * written it is not known.  Its time is that of its column updated_at.  Where
 * there was a history before, documents of that may be gone; new ones must start
 * above the versions that these had.
 *
 * Either nobody can write meanwhile, as the triggers are being made; or they are
 * there, and each document is locked while it is recorded.  One that somebody
 * else has locked, or written meanwhile, is passed over, so that nothing is
 * waited for: who writes it records it.  But who has locked it need not write it,
 * or can roll back; so a further call is asked for then.
 *
 * Who is asked for so many documents at a time goes on where the last call has
 * stopped, and round the end of the table, or each call would look through all
 * that are recorded.  Where that is, is what the server remembers for scans that
 * go together: others may move it, and it can be forgotten, which costs time and
 * no more.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/syncscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/tuptable.h"
#include "history/begin_history.h"
#include "history/record.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "table/collection.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Lock the row in a slot; TM_WouldBlock when somebody else has, others when it was written since. */
static TM_Result
lock_row(Relation table, Snapshot snapshot, TupleTableSlot *slot)
{
	ItemPointerData place = slot->tts_tid;
	TM_FailureData failure;

	return table_tuple_lock(table, &place, snapshot, slot, GetCurrentCommandId(true),
							LockTupleNoKeyExclusive, LockWaitSkip, 0, &failure);
}

/* The server remembers no other blocks than those that are a multiple of this. */
#define REMEMBERED_BLOCKS (128 * 1024 / BLCKSZ)

/* Begin to scan all of a table, with where the last call has stopped, if it goes on. */
static TableScanDesc
begin_scan(Relation table, Snapshot snapshot, bool goes_on)
{
	BlockNumber count = goes_on && table->rd_tableam == GetHeapamTableAmRoutine()
	? RelationGetNumberOfBlocks(table) : 0;
	TableScanDesc scan = table_beginscan_strat(table, snapshot, 0, NULL, true, false);

	if (count > 0)
		heap_setscanlimits(scan, ss_get_location(table, count), InvalidBlockNumber);
	return scan;
}

static void
remember(Relation table, BlockNumber stopped)
{
	ss_report_location(table, stopped - stopped % REMEMBERED_BLOCKS);
}

/*
 * Record a document that others may write meanwhile, if history has not got it;
 * returns whether it was recorded.  *passed is set when somebody else has it locked.
 */
static bool
record_unlocked(DsRecorder *recorder, Relation table, Snapshot snapshot, TupleTableSlot *slot, bool *passed)
{
	TM_Result	result;

	if (ds_recorder_has(recorder, ExecFetchSlotHeapTuple(slot, false, NULL)))
		return false;
	result = lock_row(table, snapshot, slot);
	*passed |= result == TM_WouldBlock;
	return result == TM_Ok && ds_recorder_record_present(recorder, ExecFetchSlotHeapTuple(slot, false, NULL));
}

/*
 * Record the documents of one table that history has not; returns how many,
 * max_rows at most.  *passed is set when others are left that somebody has locked.
 */
static int64
record_table(Oid relid, Oid history, bool locks_rows, int64 max_rows, bool *passed)
{
	Relation	table = table_open(relid, NoLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = begin_scan(table, snapshot, locks_rows);
	BlockNumber block = 0;
	int64		count = 0;
	DsTracked	tracked;
	DsRecorder	recorder;

	ds_tracked_describe(table, history, &tracked);
	ds_recorder_begin(&recorder, &tracked);
	while (count < max_rows && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		block = ItemPointerGetBlockNumber(&slot->tts_tid);
		if (locks_rows
			? record_unlocked(&recorder, table, snapshot, slot, passed)
			: ds_recorder_record_present(&recorder, ExecFetchSlotHeapTuple(slot, false, NULL)))
			count++;
	}
	ds_recorder_end(&recorder);
	if (count == max_rows)
		remember(table, block);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return count;
}

/* The tables that have the documents of a collection: its partitions, or itself. */
static List *
tables_of(const DsCollection *collection, LOCKMODE lock)
{
	return collection->partitioned
		? find_all_inheritors(collection->relid, lock, NULL) : list_make1_oid(collection->relid);
}

/* A table that has documents, to look them up by id. */
typedef struct Leaf
{
	Relation	table;
	Relation	key;
	IndexScanDesc scan;
	ScanKeyData by_id;
	TupleTableSlot *slot;
} Leaf;

static Leaf *
open_leaf(Oid relid, const DsIdType *id_type, Snapshot snapshot)
{
	Leaf	   *leaf = palloc(sizeof(Leaf));

	leaf->table = table_open(relid, NoLock);
	leaf->key = index_open(RelationGetPrimaryKeyIndex(leaf->table, false), AccessShareLock);
	leaf->scan = index_beginscan(leaf->table, leaf->key, snapshot, NULL, 1, 0, 0);
	leaf->slot = table_slot_create(leaf->table, NULL);
	ScanKeyEntryInitialize(&leaf->by_id, 0, 1, BTEqualStrategyNumber, InvalidOid, leaf->key->rd_indcollation[0],
						   id_type->equal, (Datum) 0);
	return leaf;
}

static void
close_leaf(Leaf *leaf)
{
	index_endscan(leaf->scan);
	ExecDropSingleTupleTableSlot(leaf->slot);
	index_close(leaf->key, NoLock);
	table_close(leaf->table, NoLock);
}

static bool
is_in(Leaf *leaf, Datum id)
{
	leaf->by_id.sk_argument = id;
	index_rescan(leaf->scan, &leaf->by_id, 1, NULL, 0);
	return index_getnext_slot(leaf->scan, ForwardScanDirection, leaf->slot);
}

static bool
is_present(List *leaves, Datum id)
{
	ListCell   *cell;

	foreach(cell, leaves)
		if (is_in(lfirst(cell), id))
			return true;
	return false;
}

/* Record the deletion of documents that one table of a history has, and that are not there any more. */
static void
record_absent_of(DsRecorder *recorder, DsChangesPart *part, List *leaves, Snapshot snapshot)
{
	const DsIdType *id_type = recorder->tracked.id_type;
	IndexScanDesc scan = index_beginscan(part->table, part->key, snapshot, NULL, 0, 0, 0);
	TupleTableSlot *slot = table_slot_create(part->table, NULL);
	Datum		last = (Datum) 0;
	bool		has_last = false;

	index_rescan(scan, NULL, 0, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		Datum		id = slot_getattr(slot, part->described->id, &is_null);

		CHECK_FOR_INTERRUPTS();
		if (has_last && ds_id_compare(id_type, id, last) == 0)
			continue;
		if (has_last && !id_type->by_value)
			pfree(DatumGetPointer(last));
		last = datumCopy(id, id_type->by_value, id_type->length);
		has_last = true;
		if (!is_present(leaves, last))
			ds_recorder_record_absent(recorder, last);
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
}

/*
 * Record the deletion of documents that history has, and that are not there any
 * more: they were deleted while nobody recorded it.
 */
static void
record_absent(DsRecorder *recorder, List *leaves, Snapshot snapshot)
{
	DsChanges  *changes = &recorder->changes;

	for (int i = 0; i < changes->count; i++)
		record_absent_of(recorder, ds_changes_part(changes, i), leaves, snapshot);
}

/* The same of a collection that nobody else can write. */
static void
record_all_absent(const DsCollection *collection, Oid history)
{
	Relation	table = table_open(collection->relid, NoLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	List	   *leaves = NIL;
	DsTracked	tracked;
	DsRecorder	recorder;
	ListCell   *cell;

	foreach(cell, tables_of(collection, NoLock))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			leaves = lappend(leaves, open_leaf(lfirst_oid(cell), collection->id_type, snapshot));
	ds_tracked_describe(table, history, &tracked);
	ds_recorder_begin(&recorder, &tracked);
	record_absent(&recorder, leaves, snapshot);
	ds_recorder_end(&recorder);
	foreach(cell, leaves)
		close_leaf(lfirst(cell));
	UnregisterSnapshot(snapshot);
	table_close(table, NoLock);
}

/*
 * Record what is there of a collection, max_rows documents at most; goes_on:
 * others write meanwhile, and what they write is recorded.  What is not there any
 * more is recorded, too, unless the history is new.  Who goes on with none of
 * them wants something else of docstore.track().  23505 for a document of
 * which history has a later version.
 */
void
ds_history_begin(const DsCollection *collection, Oid history, bool is_new, bool goes_on, int64 max_rows)
{
	int64		left = max_rows;
	bool		passed = false;
	ListCell   *cell;

	if (!is_new && !goes_on)
		record_all_absent(collection, history);
	foreach(cell, tables_of(collection, goes_on ? RowExclusiveLock : NoLock))
		if (left > 0 && get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			left -= record_table(lfirst_oid(cell), history, goes_on, left, &passed);
	if (passed || (left == 0 && (max_rows > 0 || !goes_on)))
		ereport(NOTICE,
				(errmsg("collection \"%s\" may have more documents that are not in its history yet",
						ds_name_of(collection->relid)),
				 errhint("Call docstore.track() again to go on. Each is recorded when it is next written, in any case.")));
}

/*
 * direct.c - rows of ordinary tables without the executor
 *
 * The statements of statement.c are what docstore does.  This file does the
 * same in less time, where engine.c says that nothing can tell the difference:
 * it looks into the primary key, and locks and writes rows by the same
 * functions of the table and of its indexes that the executor calls, in the
 * same order and under the same locks.
 *
 * Callers have locked the table and checked with ds_engine_updates() or
 * ds_engine_inserts().  Rows are seen by a snapshot that is taken here, as
 * SPI takes one for each statement.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/hio.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "table/collection.h"
#include "table/direct.h"
#include "table/kind.h"
#include "table/row_error.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * Tables
 */

/* Open the key of a table, to look rows up. */
static void
begin_looking(DsDirect *direct)
{
	const DsCollection *collection = direct->collection;

	direct->key = index_open(collection->key, RowExclusiveLock);
	direct->scan = index_beginscan(direct->table, direct->key, GetActiveSnapshot(), NULL, 1, 0, 0);
	ScanKeyEntryInitialize(&direct->by_id, 0, 1, BTEqualStrategyNumber, InvalidOid,
						   direct->key->rd_indcollation[0],
						   collection->id_type->equal, (Datum) 0);
}

/* Open a table, and its key where rows are looked up: events are only inserted. */
void
ds_direct_begin(DsDirect *direct, const DsCollection *collection)
{
	memset(direct, 0, sizeof(DsDirect));
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());

	direct->command = GetCurrentCommandId(true);
	direct->collection = collection;
	direct->table = table_open(collection->relid, NoLock);
	direct->found = table_slot_create(direct->table, NULL);
	direct->formed = MakeSingleTupleTableSlot(RelationGetDescr(direct->table), &TTSOpsHeapTuple);
	if (!ds_kind_of(collection)->only_inserted)
		begin_looking(direct);
}

/*
 * Let go who waits for the end of a speculative insertion.  An index may have
 * called a function that has inserted likewise, so it is not
 * SpeculativeInsertionLockRelease(), which knows the latest token only.
 */
static void
release_token(DsDirect *direct)
{
	LOCKTAG		tag;

	if (direct->token == 0)
		return;
	SET_LOCKTAG_SPECULATIVE_INSERTION(tag, GetCurrentTransactionId(), direct->token);
	LockRelease(&tag, ExclusiveLock, false);
	direct->token = 0;
}

static void
close_floor(DsDirect *direct)
{
	if (direct->has_floor)
		ds_floor_close(&direct->floor);
	direct->has_floor = false;
}

void
ds_direct_end(DsDirect *direct)
{
	if (direct->key != NULL)
	{
		index_endscan(direct->scan);
		index_close(direct->key, NoLock);
	}
	close_floor(direct);
	release_token(direct);
	if (direct->page != NULL)
		FreeBulkInsertState(direct->page);
	ExecDropSingleTupleTableSlot(direct->found);
	ExecDropSingleTupleTableSlot(direct->formed);
	if (direct->target != NULL)
	{
		ExecCloseIndices(direct->target);
		FreeExecutorState(direct->estate);
	}
	table_close(direct->table, NoLock);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* So many rows keep the page that they go into; for fewer it costs more than it saves. */
#define MANY_ROWS 8

/*
 * Be ready to insert so many rows, one after the other: one lock serves for all
 * their speculative insertions, and the page that they go into stays pinned.
 * They go where they would go one by one: into the server's buffers, not into
 * a ring of their own, as COPY's do.
 */
void
ds_direct_expect_rows(DsDirect *direct, int count)
{
	direct->shares_token = true;
	if (count < MANY_ROWS)
		return;
	direct->page = GetBulkInsertState();
	FreeAccessStrategy(direct->page->strategy);
	direct->page->strategy = NULL;
}

static bool
is_unused(const DsDirect *direct, Oid index)
{
	for (int i = 0; i < DS_UNUSED; i++)
		if (direct->unused[i] == index)
			return true;
	return false;
}

/*
 * Open all indexes but those that no new row is in, as ExecOpenIndices() does
 * for rows that are not inserted speculatively.  Each that is opened costs
 * about as much as an entry.
 */
static void
open_used(DsDirect *direct)
{
	ResultRelInfo *target = direct->target;
	List	   *indexes = RelationGetIndexList(direct->table);
	ListCell   *cell;

	target->ri_IndexRelationDescs = palloc(sizeof(Relation) * Max(list_length(indexes), 1));
	target->ri_IndexRelationInfo = palloc(sizeof(IndexInfo *) * Max(list_length(indexes), 1));
	foreach(cell, indexes)
	{
		Relation	index;

		if (is_unused(direct, lfirst_oid(cell)))
			continue;
		index = index_open(lfirst_oid(cell), RowExclusiveLock);
		target->ri_IndexRelationDescs[target->ri_NumIndices] = index;
		target->ri_IndexRelationInfo[target->ri_NumIndices++] = BuildIndexInfo(index);
	}
	list_free(indexes);
}

/* Open the indexes, for the entries of new rows. */
void
ds_direct_open_indexes(DsDirect *direct)
{
	if (direct->target != NULL)
		return;
	direct->estate = CreateExecutorState();
	direct->target = makeNode(ResultRelInfo);
	InitResultRelInfo(direct->target, direct->table, 0, NULL, 0);
	if (direct->unused != NULL)
		open_used(direct);
	else
		ExecOpenIndices(direct->target, true);
}

/*
 * Rows
 */

/*
 * Find the row of an id in the snapshot.  Backwards, as the latest versions of a
 * row have their entries at the end where no old ones can be removed, and there
 * may be very many of these.
 */
bool
ds_direct_find(DsDirect *direct, Datum id)
{
	direct->by_id.sk_argument = id;
	index_rescan(direct->scan, &direct->by_id, 1, NULL, 0);
	return index_getnext_slot(direct->scan, BackwardScanDirection, direct->found);
}

/* A column of the row that was found, which cannot be NULL. */
Datum
ds_direct_value(DsDirect *direct, AttrNumber column)
{
	bool		is_null;
	Datum		value = slot_getattr(direct->found, column, &is_null);

	if (is_null)
		elog(ERROR, "unexpected NULL in column %d", column);
	return value;
}

/* Whether a column of it is NULL. */
bool
ds_direct_is_null(DsDirect *direct, AttrNumber column)
{
	bool		is_null;

	(void) slot_getattr(direct->found, column, &is_null);
	return is_null;
}

int64
ds_direct_version(DsDirect *direct)
{
	return DatumGetInt64(ds_direct_value(direct, direct->collection->version));
}

static bool
is_still(DsDirect *direct, Datum id)
{
	return ds_id_compare(direct->collection->id_type,
						 ds_direct_value(direct, direct->collection->id), id) == 0;
}

/*
 * Find the row of an id again at the place where it was locked.  What this
 * transaction itself has done since can have taken it away, even the place.
 */
bool
ds_direct_fetch(DsDirect *direct, ItemPointer place, Datum id)
{
	if (direct->blocks == 0)
		direct->blocks = RelationGetNumberOfBlocks(direct->table);
	return ItemPointerGetBlockNumber(place) < direct->blocks &&
		table_tuple_fetch_row_version(direct->table, place, GetActiveSnapshot(), direct->found) &&
		is_still(direct, id);
}

/*
 * Lock the row that the snapshot has at a place, in its latest version, as
 * SELECT .. FOR NO KEY UPDATE does; false when it is gone by now, or has another id.
 */
bool
ds_direct_lock_place(DsDirect *direct, ItemPointerData place, Datum id)
{
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(direct->table, &place, GetActiveSnapshot(), direct->found,
							  direct->command, LockTupleNoKeyExclusive, LockWaitBlock,
							  TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS |
							  TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
							  &failure);
	switch (result)
	{
		case TM_Ok:
			return !failure.traversed || is_still(direct, id);
		case TM_SelfModified:
		case TM_Deleted:
			return false;
		default:
			elog(ERROR, "unexpected table_tuple_lock status: %d", (int) result);
	}
}

/* The same of the row that was found. */
bool
ds_direct_lock_row(DsDirect *direct, Datum id)
{
	return ds_direct_lock_place(direct, direct->found->tts_tid, id);
}

/* Make the index entries of a row that was inserted. */
void
ds_direct_insert_entries_of(DsDirect *direct, TupleTableSlot *row)
{
	ds_direct_open_indexes(direct);
	list_free(ExecInsertIndexTuples(direct->target, direct->estate, 0, row, NIL, NULL));
	ResetPerTupleExprContext(direct->estate);
}

/*
 * Make the index entries of the row that was formed.  is_taken: report that
 * its id is taken, where it would be an error otherwise.
 */
static void
insert_entries(DsDirect *direct, uint32 flags, bool *is_taken)
{
	ds_direct_open_indexes(direct);
	list_free(ExecInsertIndexTuples(direct->target, direct->estate, flags, direct->formed, NIL, is_taken));
	ResetPerTupleExprContext(direct->estate);
}

void
ds_direct_set(Datum *values, bool *nulls, AttrNumber column, Datum value)
{
	if (column == InvalidAttrNumber)
		return;
	values[column - 1] = value;
	nulls[column - 1] = false;
}

/*
 * Form a new version of the row that was found, whose values were changed.
 * What it has in columns that were dropped ends here, as with any UPDATE.
 */
void
ds_direct_form_changed(DsDirect *direct)
{
	TupleDesc	desc = RelationGetDescr(direct->table);

	for (int i = 0; i < desc->natts; i++)
		if (TupleDescAttr(desc, i)->attisdropped)
			direct->found->tts_isnull[i] = true;
	ExecStoreHeapTuple(heap_form_tuple(desc, direct->found->tts_values, direct->found->tts_isnull),
					   direct->formed, true);
}

/* Begin a new row: the values of the slot are all NULL. */
void
ds_direct_begin_new(DsDirect *direct)
{
	ExecClearTuple(direct->formed);
	memset(direct->formed->tts_isnull, true, RelationGetDescr(direct->table)->natts);
}

/* Form it, when its values were set. */
void
ds_direct_form_new(DsDirect *direct)
{
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(direct->table),
									   direct->formed->tts_values, direct->formed->tts_isnull),
					   direct->formed, true);
}

/*
 * Put the row that was formed in the place of the one that was found; false,
 * with nothing written, when somebody has changed that since.  Raises 27000,
 * as an UPDATE does, when that was a function that an index has called.
 */
bool
ds_direct_update(DsDirect *direct)
{
	ItemPointerData place = direct->found->tts_tid;
	TM_FailureData failure;
	LockTupleMode mode;
	TU_UpdateIndexes indexes;
	TM_Result	result;

	result = table_tuple_update(direct->table, &place, direct->formed, direct->command, 0,
								GetActiveSnapshot(), InvalidSnapshot, true,
								&failure, &mode, &indexes);
	if (result == TM_SelfModified)
		ds_row_refuse_interference(direct->collection,
								   ds_direct_value(direct, direct->collection->id));
	if (result != TM_Ok)
		return false;

	if (indexes != TU_None)
		insert_entries(direct, EIIT_IS_UPDATE | (only_summarizing(indexes) ? EIIT_ONLY_SUMMARIZING : 0), NULL);
	return true;
}

/*
 * The version that a new document gets, of a table whose rows are documents:
 * the same for all, as in a statement that inserts many.  That it is not used
 * up is looked at once the id is won.
 */
int64
ds_direct_next_version(DsDirect *direct)
{
	if (!direct->has_floor)
	{
		ds_floor_open(&direct->floor, direct->collection->relid);
		direct->has_floor = true;
		direct->next_version = ds_floor_next_version(&direct->floor, 0);
	}
	return direct->next_version;
}

/*
 * Insert a row speculatively, as INSERT .. ON CONFLICT DO NOTHING does; it is
 * gone again when the id turns out to be taken.  Likewise when the version is
 * used up, once the id is won (see floor.c): until the insertion is complete
 * all others wait for its end, so nobody has seen the row.
 *
 * Rows of a batch can have one token, which who waits for any of them waits for
 * until the last is inserted; then it waits for this transaction in any case.
 * It is given back before we wait for somebody.
 */
static DsInsertion
insert_speculatively(DsDirect *direct, int64 version)
{
	bool		is_taken = false;
	DsInsertion result = DS_INSERTED;

	if (direct->token == 0)
		direct->token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
	table_tuple_insert_speculative(direct->table, direct->formed, direct->command,
								   0, direct->page, direct->token);
	insert_entries(direct, EIIT_NO_DUPE_ERROR, &is_taken);
	if (is_taken)
		result = DS_TAKEN;
	else if (direct->has_floor && ds_floor_reaches(&direct->floor, version))
		result = DS_TOO_LOW;
	table_tuple_complete_speculative(direct->table, direct->formed, direct->token, result == DS_INSERTED);
	if (!direct->shares_token || result != DS_INSERTED)
		release_token(direct);
	return result;
}

/*
 * Whether the id of the row that was formed is free.  Who is just creating or
 * deleting it is waited for, so all is let go that others could wait for.
 */
static bool
is_free(DsDirect *direct)
{
	ItemPointerData taken;

	release_token(direct);
	if (direct->page != NULL)
		ReleaseBulkInsertStatePin(direct->page);
	return ExecCheckIndexConstraints(direct->target, direct->formed, direct->estate, &taken,
									 &direct->formed->tts_tid, NIL);
}

/*
 * Insert the row that was formed, of a document with its version.  A row that
 * turns out to be in the way of another leaves a dead one behind, so the id is
 * looked up first where that is likely.
 */
DsInsertion
ds_direct_insert(DsDirect *direct, Datum id, int64 version)
{
	bool		is_found = direct->looks_first && ds_direct_find(direct, id);
	DsInsertion result;

	ds_direct_open_indexes(direct);
	if (is_found && !is_free(direct))
		return DS_TAKEN;
	while ((result = insert_speculatively(direct, version)) == DS_TAKEN)
	{
		CHECK_FOR_INTERRUPTS();
		direct->looks_first = true;
		if (!is_free(direct))
			return DS_TAKEN;
	}

	/* The first delete may have made the floor since it was opened. */
	if (result == DS_TOO_LOW)
		close_floor(direct);
	return result;
}

/*
 * change.c - the rows of a history: found, and written without the executor
 *
 * A row is put into the table and its indexes by the functions that the executor
 * itself calls.  So who writes a document needs no privilege on its history,
 * row security of that does not apply, and nothing of a user's runs but what an
 * index of the history computes, as it does for any INSERT.
 *
 * Callers hold the row of the document, and so everybody else's changes of it
 * are committed.  They are looked up as they are now, whatever snapshot the
 * transaction has, and its own with them: SnapshotSelf.  A lookup with that
 * can miss a row that is erased at that very moment, so who does not find what
 * he expects looks once more (record.c).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "history/author.h"
#include "history/change.h"
#include "json/json.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

/* Open a history that is locked. */
void
ds_changes_begin(DsChanges *changes, const DsCollection *history)
{
	memset(changes, 0, sizeof(DsChanges));
	changes->history = *history;
	changes->context = CurrentMemoryContext;
	changes->table = table_open(history->relid, NoLock);
	changes->key = index_open(history->key, RowExclusiveLock);
	changes->scan = index_beginscan(changes->table, changes->key, SnapshotSelf, NULL, lengthof(changes->keys), 0, 0);
	changes->found = table_slot_create(changes->table, NULL);
	ScanKeyEntryInitialize(&changes->keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   changes->key->rd_indcollation[0], history->id_type->equal, (Datum) 0);
	ScanKeyInit(&changes->keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, (Datum) 0);
}

void
ds_changes_end(DsChanges *changes)
{
	index_endscan(changes->scan);
	index_close(changes->key, NoLock);
	if (changes->feed != NULL)
		index_close(changes->feed, NoLock);
	ExecDropSingleTupleTableSlot(changes->found);
	if (changes->target != NULL)
	{
		ExecDropSingleTupleTableSlot(changes->formed);
		ExecCloseIndices(changes->target);
		FreeExecutorState(changes->estate);
	}
	table_close(changes->table, NoLock);
}

/* A column of the row that was found, which cannot be NULL. */
static Datum
value_of(DsChanges *changes, DsChangeColumn column)
{
	bool		is_null;
	Datum		value = slot_getattr(changes->found, changes->history.columns[column], &is_null);

	if (is_null)
		elog(ERROR, "unexpected NULL in column \"%s\"", ds_change_columns[column]);
	return value;
}

static char
first_letter(DsChanges *changes)
{
	text	   *value = DatumGetTextPP(value_of(changes, DS_CHANGE_OP));

	return VARSIZE_ANY_EXHDR(value) == 0 ? '\0' : *VARDATA_ANY(value);
}

/* What a scan allocates while it goes on must last as long as the scan. */
static bool
find_last(DsChanges *changes, Datum id, int64 at_least)
{
	MemoryContext caller = MemoryContextSwitchTo(changes->context);
	bool		found;

	changes->keys[0].sk_argument = id;
	changes->keys[1].sk_argument = Int64GetDatum(at_least);
	index_rescan(changes->scan, changes->keys, lengthof(changes->keys), NULL, 0);
	found = index_getnext_slot(changes->scan, BackwardScanDirection, changes->found);
	MemoryContextSwitchTo(caller);
	return found;
}

/*
 * Find the row with the highest version of an id; false when there is none, or
 * when it is below the one given.  Who knows where the end is saves the server
 * the versions before it.
 */
bool
ds_changes_find_latest(DsChanges *changes, Datum id, int64 at_least, DsRecorded *latest)
{
	if (!find_last(changes, id, at_least))
		return false;
	latest->version = DatumGetInt64(value_of(changes, DS_CHANGE_VERSION));
	latest->op = first_letter(changes);
	latest->recorded_at = DatumGetTimestampTz(value_of(changes, DS_CHANGE_RECORDED_AT));
	latest->generation = DatumGetInt64(value_of(changes, DS_CHANGE_GENERATION));
	latest->transaction_id = DatumGetFullTransactionId(value_of(changes, DS_CHANGE_TRANSACTION_ID));
	return true;
}

/* Whether the row that was found is of this transaction. */
static bool
is_own(DsChanges *changes)
{
	bool		is_null;
	Datum		xmin = slot_getsysattr(changes->found, MinTransactionIdAttributeNumber, &is_null);

	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

static bool
has_data_of(DsChanges *changes, const DsChangeRow *change)
{
	bool		is_null;
	Datum		data = slot_getattr(changes->found, changes->history.data, &is_null);

	if (is_null || change->no_data)
		return is_null && change->no_data;
	return datum_image_eq(data, change->data, false, -1);
}

/* Find the row of a version of an id; callers end the scan once they are through with it. */
static IndexScanDesc
find_version(DsChanges *changes, Datum id, int64 version, bool *found)
{
	ScanKeyData keys[2] = {changes->keys[0]};
	IndexScanDesc scan = index_beginscan(changes->table, changes->key, SnapshotSelf, NULL, lengthof(keys), 0, 0);

	keys[0].sk_argument = id;
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	*found = index_getnext_slot(scan, ForwardScanDirection, changes->found);
	return scan;
}

/*
 * Whether this very transaction has recorded a change already: a trigger that
 * has written the document again, before the first write was recorded.
 */
bool
ds_changes_has_own(DsChanges *changes, const DsChangeRow *change)
{
	bool		found;
	IndexScanDesc scan = find_version(changes, change->id, change->version, &found);
	bool		result = found && is_own(changes) && first_letter(changes) == *change->op && has_data_of(changes, change);

	index_endscan(scan);
	return result;
}

/* A copy of the data of the row that was found, which counts as {} when it is NULL. */
static Jsonb *
copy_data(DsChanges *changes)
{
	bool		is_null;
	Datum		data = slot_getattr(changes->found, changes->history.data, &is_null);

	return DatumGetJsonbPCopy(is_null ? ds_json_empty_object() : data);
}

/* The data of a version of an id, in the current memory context; NULL where that is not there, a deletion or erased. */
Jsonb *
ds_changes_find_data(DsChanges *changes, Datum id, int64 version)
{
	bool		found;
	IndexScanDesc scan = find_version(changes, id, version, &found);
	Jsonb	   *result = NULL;

	if (found && (first_letter(changes) == *DS_OP_CREATED || first_letter(changes) == *DS_OP_UPDATED))
		result = copy_data(changes);
	index_endscan(scan);
	return result;
}

/*
 * Whether an id was deleted after a version.  What is asked about is committed, or
 * of an earlier command; a snapshot does not miss a row that is erased just now.
 */
bool
ds_changes_has_deletion(DsChanges *changes, Datum id, int64 version)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc scan = index_beginscan(changes->table, changes->key, snapshot, NULL, lengthof(changes->keys), 0, 0);
	ScanKeyData keys[2] = {changes->keys[0]};
	bool		result = false;

	keys[0].sk_argument = id;
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(version));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	while (!result && index_getnext_slot(scan, ForwardScanDirection, changes->found))
	{
		CHECK_FOR_INTERRUPTS();
		result = first_letter(changes) == *DS_OP_DELETED;
	}
	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	return result;
}

/*
 * Lock a row against who would erase or prune it, until the transaction ends; its
 * first letter then, or '\0' when there is none.
 */
static char
lock_version(DsChanges *changes, Datum id, int64 version)
{
	bool		found;
	IndexScanDesc scan = find_version(changes, id, version, &found);
	ItemPointerData place = changes->found->tts_tid;
	TM_FailureData failure;
	char		result = '\0';

	index_endscan(scan);
	if (found && table_tuple_lock(changes->table, &place, SnapshotSelf, changes->found, GetCurrentCommandId(true),
								  LockTupleShare, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) == TM_Ok)
		result = first_letter(changes);
	return result;
}

/* The same, where it may be erased at this very moment. */
char
ds_changes_lock(DsChanges *changes, Datum id, int64 version)
{
	char		op = lock_version(changes, id, version);

	return op != '\0' ? op : lock_version(changes, id, version);
}

/* The values of a new row. */
typedef struct Row
{
	const DsCollection *history;
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];
} Row;

static inline void
set(Row *row, DsChangeColumn column, Datum value, bool is_null)
{
	AttrNumber	number = row->history->columns[column];

	row->values[number - 1] = value;
	row->nulls[number - 1] = is_null;
}

static void
set_author(Row *row)
{
	bool		is_null;
	Datum		value = ds_author_actor(&is_null);

	set(row, DS_CHANGE_ACTOR, value, is_null);
	value = ds_author_context(&is_null);
	set(row, DS_CHANGE_CONTEXT, value, is_null);
}

/* Refuse an id that is too long for the key, which the collection's own may have taken: 54000. */
static void
require_short(const DsCollection *history, Datum id)
{
	if (history->id_type->length == -1)
		ds_id_require_short(history->id_type, PointerGetDatum(DatumGetTextPP(id)), history->relid, history->id, true,
							DS_ONLY_ITEM);
}

static void
set_values(Row *row, const DsChangeRow *change)
{
	const DsFeed *feed = &row->history->feed;

	set(row, DS_CHANGE_POSITION, Int64GetDatum(nextval_internal(feed->positions, false)), false);
	set(row, DS_CHANGE_VERSION, Int64GetDatum(change->version), false);
	set(row, DS_CHANGE_RECORDED_AT, TimestampTzGetDatum(change->recorded_at), false);
	set(row, DS_CHANGE_GENERATION, Int64GetDatum(feed->current_generation), false);
	set(row, DS_CHANGE_TRANSACTION_ID, FullTransactionIdGetDatum(change->transaction_id), false);
	set(row, DS_CHANGE_ID, change->id, false);
	set(row, DS_CHANGE_OP, CStringGetTextDatum(change->op), false);
	set(row, DS_CHANGE_DATA, change->data, change->no_data);
	if (change->is_by_caller)
		set_author(row);
}

/* Make the entry of a row in one of the two indexes that each history has. */
static void
insert_entry(DsChanges *changes, Relation index, const Row *row, HeapTuple tuple, IndexUniqueCheck check)
{
	const int2vector *columns = &index->rd_index->indkey;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	for (int i = 0; i < columns->dim1; i++)
	{
		values[i] = row->values[columns->values[i] - 1];
		nulls[i] = row->nulls[columns->values[i] - 1];
	}
	index_insert(index, values, nulls, &tuple->t_self, changes->table, check, false, NULL);
}

/* Open the indexes, for the executor's way to make entries. */
static void
open_indexes(DsChanges *changes)
{
	MemoryContext caller = MemoryContextSwitchTo(changes->context);

	changes->formed = MakeSingleTupleTableSlot(RelationGetDescr(changes->table), &TTSOpsHeapTuple);
	changes->estate = CreateExecutorState();
	changes->target = makeNode(ResultRelInfo);
	InitResultRelInfo(changes->target, changes->table, 0, NULL, 0);
	ExecOpenIndices(changes->target, false);
	MemoryContextSwitchTo(caller);
}

/* Make the entries of a row in all indexes, whatever they are on. */
static void
insert_all_entries(DsChanges *changes, HeapTuple tuple)
{
	if (changes->target == NULL)
		open_indexes(changes);
	ExecStoreHeapTuple(tuple, changes->formed, false);
	changes->formed->tts_tid = tuple->t_self;
	list_free(ExecInsertIndexTuples(changes->target, changes->estate, 0, changes->formed, NIL, NULL));
	ResetPerTupleExprContext(changes->estate);
	ExecClearTuple(changes->formed);
}

/*
 * Write a row, and draw its position, under the lock of the document.
 *
 * Most histories have the two indexes that they were made with.  To open indexes
 * as the executor does would take about as long as their entries.
 */
void
ds_changes_add(DsChanges *changes, const DsChangeRow *change)
{
	TupleDesc	desc = RelationGetDescr(changes->table);
	HeapTuple	tuple;
	Row			row;

	require_short(&changes->history, change->id);
	row.history = &changes->history;
	memset(row.nulls, true, sizeof(bool) * desc->natts);
	set_values(&row, change);
	tuple = heap_form_tuple(desc, row.values, row.nulls);
	heap_insert(changes->table, tuple, GetCurrentCommandId(true), 0, NULL);
	if (changes->history.history.has_more_indexes)
	{
		insert_all_entries(changes, tuple);
		return;
	}
	if (changes->feed == NULL)
		changes->feed = index_open(changes->history.feed.index, RowExclusiveLock);
	insert_entry(changes, changes->key, &row, tuple, UNIQUE_CHECK_YES);
	insert_entry(changes, changes->feed, &row, tuple, UNIQUE_CHECK_NO);
}

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
#include "feed/place.h"
#include "history/author.h"
#include "history/change.h"
#include "json/json.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "table/collection.h"
#include "table/ranges.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

/*
 * The tables
 */

/* Open a table that has rows, to look them up. */
static void
open_part(DsChanges *changes, DsChangesPart *part)
{
	part->table = table_open(part->relid, NoLock);
	part->key = index_open(part->described->key, RowExclusiveLock);
	part->scan = index_beginscan(part->table, part->key, SnapshotSelf, NULL, lengthof(part->keys), 0, 0);
	part->found = table_slot_create(part->table, NULL);
	ScanKeyEntryInitialize(&part->keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   part->key->rd_indcollation[0], changes->history.id_type->equal, (Datum) 0);
	ScanKeyInit(&part->keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, (Datum) 0);
}

static void
close_part(DsChangesPart *part)
{
	if (part->table == NULL)
		return;
	index_endscan(part->scan);
	index_close(part->key, NoLock);
	if (part->feed != NULL)
		index_close(part->feed, NoLock);
	ExecDropSingleTupleTableSlot(part->found);
	if (part->target != NULL)
	{
		ExecDropSingleTupleTableSlot(part->formed);
		ExecCloseIndices(part->target);
		FreeExecutorState(part->estate);
	}
	table_close(part->table, NoLock);
}

/* Raise 42809: a partition that somebody has altered. */
pg_noreturn static void
refuse_part(const DsChanges *changes, Oid part, const char *obstacle)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("table \"%s\" is not fit for a partition of history \"%s\"", ds_name_of(part),
					ds_name_of(changes->history.relid)),
			 errdetail("%s", obstacle),
			 errhint("Give it back what it had when docstore.track() made it, or detach it.")));
}

/* Lock a partition, and describe it. */
static void
describe_part(DsChanges *changes, DsChangesPart *part)
{
	DsCollection *described = palloc(sizeof(DsCollection));
	const char *obstacle;

	LockRelationOid(part->relid, RowExclusiveLock);
	if (!ds_collection_describe(part->relid, DS_HISTORY_PART, described, &obstacle))
		refuse_part(changes, part->relid, obstacle);
	part->described = described;
}

/* A table that has rows, opened.  What it allocates lasts as long as the history is open. */
DsChangesPart *
ds_changes_part(DsChanges *changes, int number)
{
	DsChangesPart *part = &changes->parts[number];

	if (part->table == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(changes->context);

		if (part->described == NULL)
			describe_part(changes, part);
		open_part(changes, part);
		MemoryContextSwitchTo(caller);
	}
	return part;
}

/* Open a history that is locked. */
void
ds_changes_begin(DsChanges *changes, const DsCollection *history)
{
	Oid		   *partitions;

	memset(changes, 0, sizeof(DsChanges));
	changes->history = *history;
	changes->context = CurrentMemoryContext;
	changes->table = table_open(history->relid, NoLock);
	if (history->partitioned)
	{
		changes->count = ds_ranges_list(changes->table, &partitions, &changes->rest);
		changes->parts = palloc0(sizeof(DsChangesPart) * changes->count);
		for (int i = 0; i < changes->count; i++)
			changes->parts[i].relid = partitions[i];
		return;
	}
	changes->rest = -1;
	changes->count = 1;
	changes->parts = &changes->single;
	changes->single.relid = history->relid;
	changes->single.described = &changes->history;
	open_part(changes, &changes->single);
}

void
ds_changes_end(DsChanges *changes)
{
	for (int i = 0; i < changes->count; i++)
		close_part(&changes->parts[i]);
	table_close(changes->table, NoLock);
}

/*
 * The transaction id that a row of a time gets, if that of the row before it is
 * not higher: this transaction's.  In a partitioned history, where rows are
 * dropped with their month, readers get those of a month before those of later
 * ones (cursor_check.c): so it is at least the highest in the partitions before.
 */
FullTransactionId
ds_changes_transaction_id(DsChanges *changes, TimestampTz time)
{
	FullTransactionId result = GetTopFullTransactionId();
	int			number = changes->history.partitioned ? ds_ranges_find(changes->table, time) + 1 : changes->count;
	bool		found = false;
	DsCursor	last;

	for (; !found && number < changes->count; number++)
	{
		DsChangesPart *part = ds_changes_part(changes, number);

		found = ds_place_find(part->table, part->described->feed.index, SnapshotAny, BackwardScanDirection,
							  BTEqualStrategyNumber, changes->history.feed.current_generation, &last);
	}
	return found && FullTransactionIdPrecedes(result, last.transaction_id) ? last.transaction_id : result;
}

/*
 * The earliest time that can be recorded now: in a partitioned history, nothing is
 * added to a partition whose time is over, which may be gone soon.
 */
TimestampTz
ds_changes_not_before(const DsChanges *changes, TimestampTz now)
{
	return changes->history.partitioned ? ds_ranges_start(changes->table, now) : DT_NOBEGIN;
}

/*
 * Rows that are there
 */

/* A column of the row that was found, which cannot be NULL. */
static Datum
value_of(DsChangesPart *part, DsChangeColumn column)
{
	bool		is_null;
	Datum		value = slot_getattr(part->found, part->described->columns[column], &is_null);

	if (is_null)
		elog(ERROR, "unexpected NULL in column \"%s\"", ds_change_columns[column]);
	return value;
}

static char
first_letter(DsChangesPart *part)
{
	text	   *value = DatumGetTextPP(value_of(part, DS_CHANGE_OP));

	return VARSIZE_ANY_EXHDR(value) == 0 ? '\0' : *VARDATA_ANY(value);
}

/* What a scan allocates while it goes on must last as long as the scan. */
static bool
find_last(DsChanges *changes, DsChangesPart *part, Datum id, int64 at_least)
{
	MemoryContext caller = MemoryContextSwitchTo(changes->context);
	bool		found;

	part->keys[0].sk_argument = id;
	part->keys[1].sk_argument = Int64GetDatum(at_least);
	index_rescan(part->scan, part->keys, lengthof(part->keys), NULL, 0);
	found = index_getnext_slot(part->scan, BackwardScanDirection, part->found);
	MemoryContextSwitchTo(caller);
	return found;
}

/*
 * Find the row with the highest version of an id; false when there is none, or
 * when it is below the one given.  Who knows where the end is saves the server
 * the versions before it.
 *
 * Of the partitions the latest that has rows of the id has it, as times grow
 * with versions; or the rest.
 */
bool
ds_changes_find_latest(DsChanges *changes, Datum id, int64 at_least, DsRecorded *latest)
{
	bool		found = false;

	for (int i = 0; i < changes->count; i++)
	{
		DsChangesPart *part = ds_changes_part(changes, i);
		int64		version;

		if (!find_last(changes, part, id, at_least))
			continue;
		version = DatumGetInt64(value_of(part, DS_CHANGE_VERSION));
		if (!found || version > latest->version)
			*latest = (DsRecorded) {
				.version = version,
				.op = first_letter(part),
				.recorded_at = DatumGetTimestampTz(value_of(part, DS_CHANGE_RECORDED_AT)),
				.generation = DatumGetInt64(value_of(part, DS_CHANGE_GENERATION)),
				.transaction_id = DatumGetFullTransactionId(value_of(part, DS_CHANGE_TRANSACTION_ID)),
			};
		found = true;
		if (i != changes->rest)
			break;
	}
	return found;
}

/* Whether the row that was found is of this transaction. */
static bool
is_own(DsChangesPart *part)
{
	bool		is_null;
	Datum		xmin = slot_getsysattr(part->found, MinTransactionIdAttributeNumber, &is_null);

	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

static bool
has_data_of(DsChangesPart *part, const DsChangeRow *change)
{
	bool		is_null;
	Datum		data = slot_getattr(part->found, part->described->data, &is_null);

	if (is_null || change->no_data)
		return is_null && change->no_data;
	return datum_image_eq(data, change->data, false, -1);
}

/* Find the row of a version of an id in one table; callers end the scan. */
static IndexScanDesc
find_version_in(DsChangesPart *part, Datum id, int64 version, bool *found)
{
	ScanKeyData keys[2] = {part->keys[0]};
	IndexScanDesc scan = index_beginscan(part->table, part->key, SnapshotSelf, NULL, lengthof(keys), 0, 0);

	keys[0].sk_argument = id;
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	*found = index_getnext_slot(scan, ForwardScanDirection, part->found);
	return scan;
}

/* Find the row of a version of an id, and the table that has it: callers end the scan; NULL when there is none. */
static IndexScanDesc
find_version(DsChanges *changes, Datum id, int64 version, DsChangesPart **part)
{
	for (int i = 0; i < changes->count; i++)
	{
		bool		found;
		IndexScanDesc scan;

		*part = ds_changes_part(changes, i);
		scan = find_version_in(*part, id, version, &found);
		if (found)
			return scan;
		index_endscan(scan);
	}
	return NULL;
}

/*
 * Whether this very transaction has recorded a change already: a trigger that
 * has written the document again, before the first write was recorded.
 */
bool
ds_changes_has_own(DsChanges *changes, const DsChangeRow *change)
{
	DsChangesPart *part;
	IndexScanDesc scan = find_version(changes, change->id, change->version, &part);
	bool		result;

	if (scan == NULL)
		return false;
	result = is_own(part) && first_letter(part) == *change->op && has_data_of(part, change);
	index_endscan(scan);
	return result;
}

/* A copy of the data of the row that was found, which counts as {} when it is NULL. */
static Jsonb *
copy_data(DsChangesPart *part)
{
	bool		is_null;
	Datum		data = slot_getattr(part->found, part->described->data, &is_null);

	return DatumGetJsonbPCopy(is_null ? ds_json_empty_object() : data);
}

/* The data of a version of an id, in the current memory context; NULL where that is not there, a deletion or erased. */
Jsonb *
ds_changes_find_data(DsChanges *changes, Datum id, int64 version)
{
	DsChangesPart *part;
	IndexScanDesc scan = find_version(changes, id, version, &part);
	Jsonb	   *result = NULL;

	if (scan == NULL)
		return NULL;
	if (first_letter(part) == *DS_OP_CREATED || first_letter(part) == *DS_OP_UPDATED)
		result = copy_data(part);
	index_endscan(scan);
	return result;
}

/* Whether one table has a deletion or a creation of an id after a version. */
static bool
has_new_life(DsChangesPart *part, Snapshot snapshot, Datum id, int64 version)
{
	IndexScanDesc scan = index_beginscan(part->table, part->key, snapshot, NULL, lengthof(part->keys), 0, 0);
	ScanKeyData keys[2] = {part->keys[0]};
	bool		result = false;

	keys[0].sk_argument = id;
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(version));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	while (!result && index_getnext_slot(scan, ForwardScanDirection, part->found))
	{
		CHECK_FOR_INTERRUPTS();
		result = first_letter(part) == *DS_OP_DELETED || first_letter(part) == *DS_OP_CREATED;
	}
	index_endscan(scan);
	return result;
}

/*
 * Whether an id was deleted after a version, or is known to have been, as it was
 * created.  What is asked about is committed, or
 * of an earlier command; a snapshot does not miss a row that is erased just now.
 */
bool
ds_changes_has_new_life(DsChanges *changes, Datum id, int64 version)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		result = false;

	for (int i = 0; !result && i < changes->count; i++)
		result = has_new_life(ds_changes_part(changes, i), snapshot, id, version);
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
	DsChangesPart *part;
	IndexScanDesc scan = find_version(changes, id, version, &part);
	ItemPointerData place;
	TM_FailureData failure;

	if (scan == NULL)
		return '\0';
	place = part->found->tts_tid;
	index_endscan(scan);
	return table_tuple_lock(part->table, &place, SnapshotSelf, part->found, GetCurrentCommandId(true),
							LockTupleShare, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) == TM_Ok
		? first_letter(part) : '\0';
}

/* The same, where it may be erased at this very moment. */
char
ds_changes_lock(DsChanges *changes, Datum id, int64 version)
{
	char		op = lock_version(changes, id, version);

	return op != '\0' ? op : lock_version(changes, id, version);
}

/*
 * Rows that are added
 */

/* The values of a new row. */
typedef struct Row
{
	const DsCollection *table;	/* that it is put into */
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];
} Row;

static inline void
set(Row *row, DsChangeColumn column, Datum value, bool is_null)
{
	AttrNumber	number = row->table->columns[column];

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
		ds_id_require_short(history->id_type, PointerGetDatum(DatumGetTextPP(id)), history->relid, history->id,
							history->partitioned ? 2 : 1, DS_ONLY_ITEM);
}

static void
set_values(Row *row, const DsFeed *feed, const DsChangeRow *change)
{
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
insert_entry(DsChangesPart *part, Relation index, const Row *row, HeapTuple tuple, IndexUniqueCheck check)
{
	const int2vector *columns = &index->rd_index->indkey;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	for (int i = 0; i < columns->dim1; i++)
	{
		values[i] = row->values[columns->values[i] - 1];
		nulls[i] = row->nulls[columns->values[i] - 1];
	}
	index_insert(index, values, nulls, &tuple->t_self, part->table, check, false, NULL);
}

/* Open the indexes, for the executor's way to make entries. */
static void
open_indexes(DsChanges *changes, DsChangesPart *part)
{
	MemoryContext caller = MemoryContextSwitchTo(changes->context);

	part->formed = MakeSingleTupleTableSlot(RelationGetDescr(part->table), &TTSOpsHeapTuple);
	part->estate = CreateExecutorState();
	part->target = makeNode(ResultRelInfo);
	InitResultRelInfo(part->target, part->table, 0, NULL, 0);
	ExecOpenIndices(part->target, false);
	MemoryContextSwitchTo(caller);
}

/* Make the entries of a row in all indexes, whatever they are on. */
static void
insert_all_entries(DsChanges *changes, DsChangesPart *part, HeapTuple tuple)
{
	if (part->target == NULL)
		open_indexes(changes, part);
	ExecStoreHeapTuple(tuple, part->formed, false);
	part->formed->tts_tid = tuple->t_self;
	list_free(ExecInsertIndexTuples(part->target, part->estate, 0, part->formed, NIL, NULL));
	ResetPerTupleExprContext(part->estate);
	ExecClearTuple(part->formed);
}

/* The table that takes a row of a time.  That of a history as a whole has been looked at (history.c). */
static DsChangesPart *
find_part(DsChanges *changes, TimestampTz time)
{
	DsChangesPart *part = ds_changes_part(changes, changes->history.partitioned ? ds_ranges_find(changes->table, time) : 0);

	if (part->described->history.obstacle != NULL)
		refuse_part(changes, part->relid, part->described->history.obstacle);
	return part;
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
	DsChangesPart *part = find_part(changes, change->recorded_at);
	TupleDesc	desc = RelationGetDescr(part->table);
	HeapTuple	tuple;
	Row			row;

	require_short(&changes->history, change->id);
	row.table = part->described;
	memset(row.nulls, true, sizeof(bool) * desc->natts);
	set_values(&row, &changes->history.feed, change);
	tuple = heap_form_tuple(desc, row.values, row.nulls);
	heap_insert(part->table, tuple, GetCurrentCommandId(true), 0, NULL);
	if (part->described->history.has_more_indexes)
	{
		insert_all_entries(changes, part, tuple);
		return;
	}
	if (part->feed == NULL)
		part->feed = index_open(part->described->feed.index, RowExclusiveLock);
	insert_entry(part, part->key, &row, tuple, UNIQUE_CHECK_YES);
	insert_entry(part, part->feed, &row, tuple, UNIQUE_CHECK_NO);
}

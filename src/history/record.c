/*
 * record.c - each write leaves a row in history, in the order of the writes
 *
 * One function does it for all: the trigger of statements (track_row.c), and
 * those who write without the executor.  Whoever calls it has just written the
 * document, and so holds its row until the transaction ends.  All writes of a
 * document come here one after the other, each when the one before it has
 * committed.  So along a document
 *
 *	- versions grow.  A deletion is a version, too: the one after the last.  The
 *	  floor of the collection is raised to it, and a document that is created
 *	  again starts above it;
 *	- recorded_at grows: it is the clock, or just after the row before;
 *	- the place in the order of readers grows: a transaction may have got its id
 *	  before the one of the last write had, so the row gets the higher of the
 *	  two (feed.c); the position, which is drawn here, tells those apart.
 *
 * What is overwritten must be in history.  If it is not, it is recorded first:
 * it was there before the collection was tracked, or while it was not; or a
 * trigger writes the document again before the first write has come here.  Then
 * that one finds what it would record, of its own transaction, and is done.  A
 * row that nobody has written again is the document, and must be the latest.
 *
 * A write that changes the data and leaves the version would have no place in
 * history, and is refused.  One that changes neither leaves no row.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "history/notify_changes.h"
#include "history/record.h"
#include "table/collection.h"
#include "table/floor.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/*
 * Tables
 */

/* The number of a column of that name and type, or 0. */
static AttrNumber
find_column(TupleDesc columns, const char *name, Oid type)
{
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped && strcmp(NameStr(column->attname), name) == 0)
			return !OidIsValid(type) || column->atttypid == type ? i + 1 : InvalidAttrNumber;
	}
	return InvalidAttrNumber;
}

/* Raise 42809: a tracked table that is no collection any more. */
pg_noreturn static void
refuse_altered(Oid relid)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("the history of \"%s\" cannot be recorded", ds_name_of(relid)),
			 errdetail("The table has no columns \"id\", \"version\" and \"data\" of the types that a collection has."),
			 errhint("Give it those columns, or call docstore.untrack().")));
}

/*
 * Describe a table whose writes are recorded, by its columns and no more of what
 * makes a collection: one that has just got a rule, or another key, is still
 * written.
 */
void
ds_tracked_describe(Relation table, Oid history, DsTracked *tracked)
{
	TupleDesc	columns = RelationGetDescr(table);

	*tracked = (DsTracked) {
		.relid = RelationGetRelid(table),
		.history = history,
		.columns = columns,
		.id = find_column(columns, "id", InvalidOid),
		.version = find_column(columns, "version", INT8OID),
		.data = find_column(columns, "data", JSONBOID),
		.created_at = find_column(columns, "created_at", TIMESTAMPTZOID),
		.updated_at = find_column(columns, "updated_at", TIMESTAMPTZOID),
	};
	if (tracked->id != InvalidAttrNumber)
		tracked->id_type = ds_id_type(TupleDescAttr(columns, tracked->id - 1)->atttypid);
	if (tracked->id_type == NULL || tracked->version == InvalidAttrNumber || tracked->data == InvalidAttrNumber)
		refuse_altered(tracked->relid);
}

/*
 * Lock and open the history of a table that is being written.  Raises 42704 when
 * it is gone, 42809 when it cannot take what is to be recorded.
 */
void
ds_recorder_begin(DsRecorder *recorder, const DsTracked *tracked)
{
	DsCollection history;

	ds_history_open_to_record(tracked->relid, tracked->history, tracked->id_type, &history);
	recorder->tracked = *tracked;
	recorder->row = AllocSetContextCreate(CurrentMemoryContext, "docstore change", ALLOCSET_SMALL_SIZES);
	ds_changes_begin(&recorder->changes, &history);
}

void
ds_recorder_end(DsRecorder *recorder)
{
	ds_changes_end(&recorder->changes);
	MemoryContextDelete(recorder->row);
}

/*
 * Rows
 */

static Datum
id_of(const DsTracked *tracked, HeapTuple row)
{
	bool		is_null;
	Datum		id = heap_getattr(row, tracked->id, tracked->columns, &is_null);

	if (is_null)
		refuse_altered(tracked->relid);
	return id;
}

static int64
version_of(const DsTracked *tracked, HeapTuple row)
{
	bool		is_null;
	Datum		version = heap_getattr(row, tracked->version, tracked->columns, &is_null);

	if (is_null)
		refuse_altered(tracked->relid);
	return DatumGetInt64(version);
}

static bool
is_same_data(const DsTracked *tracked, HeapTuple left, HeapTuple right)
{
	bool		no_left;
	bool		no_right;
	Datum		left_data = heap_getattr(left, tracked->data, tracked->columns, &no_left);
	Datum		right_data = heap_getattr(right, tracked->data, tracked->columns, &no_right);

	if (no_left || no_right)
		return no_left && no_right;
	return datum_image_eq(left_data, right_data, false, -1);
}

/* What a row tells of when it was written; the clock where it does not. */
static TimestampTz
written_at(const DsTracked *tracked, HeapTuple row, TimestampTz now)
{
	bool		is_null = true;
	Datum		updated_at = (Datum) 0;

	if (tracked->updated_at != InvalidAttrNumber)
		updated_at = heap_getattr(row, tracked->updated_at, tracked->columns, &is_null);
	return is_null || DatumGetTimestampTz(updated_at) > now ? now : DatumGetTimestampTz(updated_at);
}

/* Whether a row tells that it was created after a time. */
static bool
is_created_since(const DsTracked *tracked, HeapTuple row, TimestampTz time)
{
	bool		is_null = true;
	Datum		created_at = (Datum) 0;

	if (tracked->created_at != InvalidAttrNumber)
		created_at = heap_getattr(row, tracked->created_at, tracked->columns, &is_null);
	return !is_null && DatumGetTimestampTz(created_at) > time;
}

static bool
is_by_this_transaction(HeapTuple row)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

/*
 * Errors
 */

static char *
describe_document(const DsTracked *tracked, Datum id)
{
	return psprintf("document \"%s\" of collection \"%s\"", ds_id_to_cstring(tracked->id_type, id),
					ds_name_of(tracked->relid));
}

/* Raise PT428: data that has changed, and the version has not. */
pg_noreturn static void
refuse_unversioned(const DsTracked *tracked, Datum id)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_REQUIRED),
			 errmsg("%s is tracked, and cannot be changed without a new version", describe_document(tracked, id)),
			 errhint("Set version = version + 1 in the UPDATE, or have docstore.guard() do it.")));
}

/*
 * Raise 23505: a version that is not above all that the document has had.  A
 * document that history has, and that is created all the same, is gone without
 * a write: nobody is told of what ON COMMIT DELETE ROWS empties, for one.
 */
pg_noreturn static void
refuse_version(const DsTracked *tracked, Datum id, int64 version, bool is_gone)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("%s cannot get version " INT64_FORMAT, describe_document(tracked, id), version),
			 errdetail("Its history has that version already, or a later one."),
			 is_gone
			 ? errhint("History has the document as it was before. If it was deleted and docstore was not told, as by TRUNCATE of a partition or ON COMMIT DELETE ROWS, call docstore.track(), which records that.")
			 : errhint("Versions of a tracked collection only grow, also when a document is created again. docstore.upsert() sees to that.")));
}

/* Raise 22003: there would be no version for the deletion. */
pg_noreturn static void
refuse_highest(const DsTracked *tracked, Datum id)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_OVERFLOW),
			 errmsg("%s is tracked, and cannot have the highest possible version", describe_document(tracked, id)),
			 errdetail("Its deletion is recorded as the next version."),
			 errhint("Give it a lower version. If it is there already, call docstore.untrack() first, delete the rows of its history that have higher versions, and track the collection again.")));
}

/*
 * Recording
 */

/* What is known of a document's history while a write is recorded. */
typedef struct Past
{
	bool		is_there;
	DsRecorded	latest;
} Past;

static bool
is_deleted(const Past *past)
{
	return past->is_there && past->latest.op == *DS_OP_DELETED;
}

/* Whether a document was there after its latest row: a deletion that is erased stays one (prune.c). */
static bool
is_alive(const Past *past)
{
	return past->is_there && !is_deleted(past);
}

/* Just after a time; at the end of time there is none. */
static TimestampTz
just_after(TimestampTz time)
{
	return time < END_TIMESTAMP - 1 ? time + 1 : time;
}

/* Add a row to history, after the latest; that becomes this one. */
static void
add(DsRecorder *recorder, Past *past, DsChangeRow *change)
{
	int64		generation = recorder->changes.history.feed.current_generation;

	if (change->version == PG_INT64_MAX && *change->op != *DS_OP_DELETED)
		refuse_highest(&recorder->tracked, change->id);
	if (past->is_there)
		change->recorded_at = Max(change->recorded_at, just_after(past->latest.recorded_at));
	change->transaction_id = ds_changes_transaction_id(&recorder->changes, change->recorded_at);
	if (past->is_there && past->latest.generation == generation &&
		FullTransactionIdPrecedes(change->transaction_id, past->latest.transaction_id))
		change->transaction_id = past->latest.transaction_id;
	ds_changes_add(&recorder->changes, change);
	if (recorder->changes.history.history.notifies)
		ds_notify_changes_of(recorder->tracked.relid);
	past->is_there = true;
	past->latest = (DsRecorded) {
		.version = change->version,
		.op = *change->op,
		.recorded_at = change->recorded_at,
		.generation = generation,
		.transaction_id = change->transaction_id,
	};
}

/* Whether a row that this transaction has written is what the document is, and not written again since. */
static bool
is_current(const DsTracked *tracked, HeapTuple row)
{
	Relation	table = table_open(tracked->relid, NoLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	bool		result = table_tuple_fetch_row_version(table, &row->t_self, SnapshotSelf, slot);

	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return result;
}

/*
 * Add a row, of what was written as new, if anything, unless this transaction has
 * done so; 23505 when there is no place for it.
 */
static void
add_once(DsRecorder *recorder, Past *past, DsChangeRow *change, HeapTuple new)
{
	if (!past->is_there || past->latest.version < change->version)
		add(recorder, past, change);
	else if (!ds_changes_has_own(&recorder->changes, change) ||
			 (new != NULL && is_current(&recorder->tracked, new)))
		refuse_version(&recorder->tracked, change->id, change->version,
					   *change->op == *DS_OP_CREATED && is_alive(past));
}

static void
set_data(DsChangeRow *change, const DsTracked *tracked, HeapTuple row)
{
	change->data = heap_getattr(row, tracked->data, tracked->columns, &change->no_data);
}

/*
 * Record a row as it was before it is written, which history has not.  It was
 * created, too, when it was deleted and created again while nobody recorded.
 */
static void
add_unrecorded(DsRecorder *recorder, Past *past, Datum id, HeapTuple row)
{
	const DsTracked *tracked = &recorder->tracked;
	bool		is_own = is_by_this_transaction(row);
	TimestampTz now = GetCurrentTimestamp();
	DsChangeRow change = {
		.id = id,
		.version = version_of(tracked, row),
		.op = is_alive(past) && !is_created_since(tracked, row, past->latest.recorded_at) ? DS_OP_UPDATED : DS_OP_CREATED,
		.recorded_at = is_own ? now : written_at(tracked, row, now),
		.is_by_caller = is_own,
	};

	change.recorded_at = Max(change.recorded_at, ds_changes_not_before(&recorder->changes, now));
	set_data(&change, tracked, row);
	add(recorder, past, &change);
}

/* Record a deletion: as the version after the one that is deleted. */
static void
add_deletion(DsRecorder *recorder, Past *past, Datum id, int64 deleted, bool is_by_caller)
{
	DsChangeRow change = {
		.id = id,
		.version = deleted + 1,
		.op = DS_OP_DELETED,
		.no_data = true,
		.recorded_at = GetCurrentTimestamp(),
		.is_by_caller = is_by_caller,
	};

	add_once(recorder, past, &change, NULL);
}

/*
 * What history has of a document; expected is the version that should be the
 * latest in it, NULL that of a deletion.
 */
static void
look(DsRecorder *recorder, Datum id, const int64 *expected, Past *past)
{
	past->is_there = ds_changes_find_latest(&recorder->changes, id, expected == NULL ? DS_FROM_THE_START : *expected,
											&past->latest);
	if (expected == NULL ? !is_deleted(past) : !past->is_there)
		past->is_there = ds_changes_find_latest(&recorder->changes, id, DS_FROM_THE_START, &past->latest);
}

/*
 * A document that is created while history has it alive was deleted by somebody
 * whose write has not been recorded, or will be after this one.
 */
static void
record_created(DsRecorder *recorder, HeapTuple new)
{
	const DsTracked *tracked = &recorder->tracked;
	DsChangeRow change = {
		.id = id_of(tracked, new),
		.version = version_of(tracked, new),
		.op = DS_OP_CREATED,
		.is_by_caller = true,
	};
	Past		past;

	look(recorder, change.id, NULL, &past);
	if (is_alive(&past) && past.latest.version < change.version - 1)
		add_deletion(recorder, &past, change.id, past.latest.version, false);
	set_data(&change, tracked, new);
	change.recorded_at = GetCurrentTimestamp();
	add_once(recorder, &past, &change, new);
}

/* See to it that history has what is overwritten. */
static void
record_old(DsRecorder *recorder, Datum id, HeapTuple old, Past *past)
{
	int64		version = version_of(&recorder->tracked, old);

	look(recorder, id, &version, past);
	if (!past->is_there || past->latest.version < version)
		add_unrecorded(recorder, past, id, old);
}

static void
record_deleted(DsRecorder *recorder, HeapTuple old)
{
	const DsTracked *tracked = &recorder->tracked;
	Datum		id = id_of(tracked, old);
	int64		version = version_of(tracked, old);
	Past		past;

	if (version == PG_INT64_MAX)
		refuse_highest(tracked, id);
	record_old(recorder, id, old, &past);
	add_deletion(recorder, &past, id, version, true);
	ds_floor_raise(tracked->relid, version + 1);
}

static void
record_updated(DsRecorder *recorder, HeapTuple old, HeapTuple new)
{
	const DsTracked *tracked = &recorder->tracked;
	DsChangeRow change = {
		.id = id_of(tracked, new),
		.version = version_of(tracked, new),
		.op = DS_OP_UPDATED,
		.is_by_caller = true,
	};
	Past		past;

	if (change.version == version_of(tracked, old))
	{
		if (!is_same_data(tracked, old, new))
			refuse_unversioned(tracked, change.id);
		return;
	}
	record_old(recorder, change.id, old, &past);
	set_data(&change, tracked, new);
	change.recorded_at = GetCurrentTimestamp();
	add_once(recorder, &past, &change, new);
}

static bool
is_same_id(const DsTracked *tracked, HeapTuple old, HeapTuple new)
{
	return ds_id_compare(tracked->id_type, id_of(tracked, old), id_of(tracked, new)) == 0;
}

/*
 * Record a write that this transaction has just done: old is NULL for a row that
 * was inserted, new for one that was deleted.  A document that gets another id
 * is deleted under the old one and created under the new.
 *
 * Raises PT428, 23505 and 22003 for what has no place in history: see above.
 * 22023 for docstore.context.
 */
void
ds_recorder_record(DsRecorder *recorder, HeapTuple old, HeapTuple new)
{
	MemoryContext caller = MemoryContextSwitchTo(recorder->row);

	if (old != NULL && new != NULL && is_same_id(&recorder->tracked, old, new))
		record_updated(recorder, old, new);
	else
	{
		if (old != NULL)
			record_deleted(recorder, old);
		if (new != NULL)
			record_created(recorder, new);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(recorder->row);
}

/* Whether history has a row, or a later one of its document, so far as others have committed. */
bool
ds_recorder_has(DsRecorder *recorder, HeapTuple row)
{
	const DsTracked *tracked = &recorder->tracked;
	DsRecorded	latest;

	return ds_changes_find_latest(&recorder->changes, id_of(tracked, row), version_of(tracked, row), &latest);
}

/*
 * Record a document that is there, and that nobody else can write, unless
 * history has it; returns whether it had not.  23505 when history has a later
 * version of it.
 */
bool
ds_recorder_record_present(DsRecorder *recorder, HeapTuple row)
{
	const DsTracked *tracked = &recorder->tracked;
	MemoryContext caller = MemoryContextSwitchTo(recorder->row);
	Datum		id = id_of(tracked, row);
	int64		version = version_of(tracked, row);
	bool		is_new;
	Past		past;

	look(recorder, id, &version, &past);
	is_new = !past.is_there || past.latest.version < version;
	if (is_new)
		add_unrecorded(recorder, &past, id, row);
	else if (past.latest.version > version || is_deleted(&past))
		refuse_version(tracked, id, version, false);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(recorder->row);
	return is_new;
}

/*
 * Record that a document is not there any more that history has, unless it has
 * that, too.  New ones of that id start above its versions.
 */
void
ds_recorder_record_absent(DsRecorder *recorder, Datum id)
{
	const DsTracked *tracked = &recorder->tracked;
	MemoryContext caller = MemoryContextSwitchTo(recorder->row);
	Past		past;

	look(recorder, id, NULL, &past);
	if (is_alive(&past) && past.latest.version == PG_INT64_MAX)
		refuse_highest(tracked, id);
	if (is_alive(&past))
		add_deletion(recorder, &past, id, past.latest.version, false);
	if (past.is_there)
		ds_floor_raise(tracked->relid, past.latest.version);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(recorder->row);
}

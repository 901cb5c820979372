/*
 * document.c - one document: find, wait, compare, write
 *
 * The short path of a single upsert, patch or delete: one statement that waits
 * for the row, compares the version of the very row that it locked, and
 * writes.  Only when that wrote nothing does it matter why.
 *
 * Then the document is looked at.  Absence is final, as there is nothing to
 * lock; so is a committed version above the expected one, since versions never
 * go back: a conflict, for which nothing is locked or written.  Anything else
 * is read under the row's lock before it is reported; and if, by then, the
 * expectation holds, the write is tried again under that lock.  Nothing is
 * ever decided from what was read before a wait.
 *
 * Under REPEATABLE READ and SERIALIZABLE the look is always a locking one,
 * which fails with 40001 when the snapshot is too old to tell, and a document
 * that the snapshot does not show is looked for among what is committed now.
 *
 * Callers have checked the arguments and locked the table.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/after_triggers.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "commands/trigger.h"
#include "document/document.h"
#include "document/document_direct.h"
#include "executor/spi.h"
#include "json/merge_patch.h"
#include "miscadmin.h"
#include "table/distributed.h"
#include "table/floor.h"
#include "table/other_unique.h"
#include "table/plan.h"
#include "table/row_error.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

/*
 * How often a write that nothing seems to stand in the way of is tried.  Two
 * do for the races there are; each further one needs another session that
 * creates and deletes the same document in between, each time.
 */
#define MAX_TRIES 20

/* Execute a statement that looks at one document; false when it is not there. */
static bool
find_one(const DsCollection *collection, DsStatement statement, DsExecution execution,
		 Datum id, int64 *version)
{
	bool		found = ds_plan_execute(collection, statement, execution, &id, NULL) > 0;

	if (found)
		*version = ds_plan_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/*
 * Execute a statement that writes one document; false when it wrote nothing.
 * What a BEFORE trigger has made of the id is 27000.
 */
static bool
write_as(const DsCollection *collection, DsStatement statement, DsExecution execution,
		 Datum id, Datum second, Datum third, DsOutcome *outcome)
{
	Datum		values[DS_STATEMENT_MAX_PARAMETERS] = {id, second, third};

	outcome->written = ds_plan_execute(collection, statement, execution, values, NULL) > 0;
	if (outcome->written)
	{
		outcome->version = ds_plan_int64(0, 1);
		if (!ds_plan_bool(0, 2))
			ds_row_refuse_trigger(collection, id);
	}
	SPI_freetuptable(SPI_tuptable);
	return outcome->written;
}

static bool
write_one(const DsCollection *collection, DsStatement statement,
		  Datum id, Datum second, Datum third, DsOutcome *outcome)
{
	return write_as(collection, statement, DS_WRITE, id, second, third, outcome);
}

/*
 * A document that could not be locked as it is not there: raise if that is
 * true for the lock only (42501), or for an old snapshot only (40001).
 */
static void
refuse_unseen(const DsCollection *collection, Datum id)
{
	int64		unseen;

	if (ds_row_security_applies(collection) &&
		find_one(collection, DS_FIND, DS_WRITE, id, &unseen))
		ds_row_refuse_unwritable(collection, id);
	if (!IsolationUsesXactSnapshot())
		return;

	PushActiveSnapshot(GetLatestSnapshot());
	if (find_one(collection, DS_FIND, DS_READ, id, &unseen))
		ds_error_raise_old_snapshot();
	PopActiveSnapshot();
}

/*
 * Find out how the document stands, for a write that did nothing: outcome
 * gets present, actual and reason.  See the head of this file.
 */
static void
look(const DsCollection *collection, DsStatement lock, Datum id, int64 expected,
	 DsOutcome *outcome)
{
	bool		is_final = false;

	if (!IsolationUsesXactSnapshot())
	{
		outcome->present = find_one(collection, DS_FIND, DS_WRITE, id, &outcome->actual);
		is_final = !outcome->present || ds_expectation_is_passed(expected, outcome->actual);
	}
	if (!is_final)
		outcome->present = find_one(collection, lock, DS_WRITE, id, &outcome->actual);

	outcome->reason = ds_expectation_compare(expected, outcome->present, outcome->actual);
	if (!outcome->present && !is_final && (outcome->reason == DS_MISSING || lock == DS_LOCK_FOR_DELETE))
		refuse_unseen(collection, id);
}

/* The data of a document that a change creates. */
static Datum
created_data(const DsDocumentChange *change)
{
	if (!change->is_patch)
		return change->data;
	return JsonbPGetDatum(ds_merge_patch(NULL, DatumGetJsonbP(change->data)));
}

static bool
update_exact(const DsCollection *collection, Datum id, const DsDocumentChange *change, int64 version,
			 DsOutcome *outcome)
{
	if (!write_one(collection, change->is_patch ? DS_PATCH : DS_UPDATE, id, change->data,
				   Int64GetDatum(version), outcome))
		return false;
	if (outcome->version != version + 1)
		ds_row_refuse_trigger(collection, id);
	return true;
}

/*
 * Where BEFORE triggers could change the version, the one to grow from has to
 * be known, also when the caller does not care.
 */
static bool
try_update(const DsCollection *collection, Datum id, const DsDocumentChange *change, int64 expected,
		   DsOutcome *outcome)
{
	if (expected > 0)
		return update_exact(collection, id, change, expected, outcome);
	if (expected == DS_NO_VERSION)
		return false;
	if (!collection->has_before_triggers)
		return write_one(collection, change->is_patch ? DS_PATCH_ANY : DS_UPDATE_ANY, id,
						 change->data, 0, outcome);
	return find_one(collection, DS_LOCK_FOR_UPSERT, DS_WRITE, id, &outcome->actual) &&
		update_exact(collection, id, change, outcome->actual, outcome);
}

/* Whether a document is in what a snapshot shows, of this transaction's own writes those before a command. */
static bool
is_in(const DsCollection *collection, Datum id, Snapshot snapshot, CommandId before)
{
	int64		version;
	bool		found;

	PushCopiedSnapshot(snapshot);
	GetActiveSnapshot()->curcid = before;
	found = find_one(collection, DS_FIND, DS_READ, id, &version);
	PopActiveSnapshot();
	return found;
}

/*
 * Raise 27000 when the id of an insert was taken by the call itself, by a
 * trigger say: one snapshot shows it, but not among what was there before.
 */
static void
refuse_own_row(const DsCollection *collection, Datum id, CommandId began)
{
	Snapshot	latest;
	bool		is_ours;

	if (collection->is_plain_insert)
		return;
	CommandCounterIncrement();
	latest = RegisterSnapshot(GetLatestSnapshot());
	is_ours = !is_in(collection, id, latest, began) &&
		is_in(collection, id, latest, GetCurrentCommandId(false));
	UnregisterSnapshot(latest);
	if (is_ours)
		ds_row_refuse_interference(collection, id);
}

/* An insert that is taken back when it turns out too low. */
typedef struct Insertion
{
	const DsCollection *collection;
	DsStatement statement;
	Datum		id;
	Datum		data;
	DsFloor		floor;
	int64		version;
	bool		is_too_low;		/* it was inserted, and has to be taken back */
	DsOutcome  *outcome;
} Insertion;

/*
 * Execute the INSERT; false when it wrote nothing.  The AFTER triggers of a
 * tracked collection wait until it is certain that the version is not too low,
 * as history would refuse it.
 */
static bool
insert_row(Insertion *insertion)
{
	bool		is_tracked = OidIsValid(insertion->collection->document.history);
	bool		is_written;

	if (is_tracked)
		AfterTriggerBeginQuery();
	is_written = write_as(insertion->collection, insertion->statement, is_tracked ? DS_WRITE_BATCH : DS_WRITE,
						  insertion->id, insertion->data, Int64GetDatum(insertion->version), insertion->outcome);
	insertion->is_too_low = is_written && ds_floor_reaches(&insertion->floor, insertion->version);
	if (is_tracked && !insertion->is_too_low)
		ds_after_triggers_fire();
	return is_written;
}

/*
 * Insert a document; false when its id is taken, or its version used up by the
 * time that the id is won: see floor.c.
 */
static bool
insert_above_floor(void *context)
{
	Insertion  *insertion = context;
	DsOutcome  *outcome = insertion->outcome;
	CommandId	began;

	CommandCounterIncrement();
	began = GetCurrentCommandId(false);
	if (!insert_row(insertion))
	{
		refuse_own_row(insertion->collection, insertion->id, began);
		return false;
	}
	if (outcome->version != insertion->version)
		ds_row_refuse_trigger(insertion->collection, insertion->id);
	outcome->written = !insertion->is_too_low;
	return outcome->written;
}

/*
 * Whether a document that SQL creates too low is taken back here.  Within a
 * savepoint that is left to whoever has set it: 40001.  But not where BEFORE
 * triggers run between the version and the id: they may raise the floor
 * themselves, each time.
 */
bool
ds_document_is_taken_back(const DsCollection *collection)
{
	return ds_subtransaction_is_free() || collection->has_before_triggers;
}

/* One that is too low is taken back: to others it never was there. */
static bool
insert_once(Insertion *insertion)
{
	if (ds_document_is_taken_back(insertion->collection))
		return ds_subtransaction_run(insert_above_floor, insertion);
	if (!insert_above_floor(insertion) && insertion->is_too_low)
		ds_error_raise_old_snapshot();
	return insertion->outcome->written;
}

/* Whether a document is there by now, whatever this transaction's snapshot shows. */
static bool
is_taken(const DsCollection *collection, Datum id)
{
	int64		version;
	bool		taken;

	PushActiveSnapshot(GetLatestSnapshot());
	taken = find_one(collection, DS_FIND, DS_READ, id, &version);
	PopActiveSnapshot();
	return taken;
}

/*
 * The same where another unique index exists: an error of that one is no answer
 * while the id is taken.  See other_unique.c.
 */
static bool
insert_beside_others(Insertion *insertion)
{
	const DsCollection *collection = insertion->collection;
	ErrorData  *violation;

	if (!collection->has_deferrable && !IsolationUsesXactSnapshot() &&
		(insert_once(insertion) || insertion->is_too_low || is_taken(collection, insertion->id)))
		return insertion->outcome->written;

	insertion->statement = DS_INSERT_STRICTLY;
	violation = ds_other_unique_try(insert_above_floor, insertion);
	if (violation == NULL)
		return insertion->outcome->written;
	if (!is_taken(collection, insertion->id))
		ReThrowError(violation);
	if (IsolationUsesXactSnapshot())
		ds_error_raise_old_snapshot();
	return false;
}

static bool
try_insert(const DsCollection *collection, Datum id, const DsDocumentChange *change, int64 expected,
		   int tries, DsOutcome *outcome)
{
	Insertion	insertion = {collection, DS_INSERT, .id = id, .outcome = outcome};
	bool		is_inserted;

	if (expected != DS_NO_VERSION && expected != DS_ANY_VERSION)
		return false;
	insertion.data = created_data(change);
	ds_floor_open(&insertion.floor, collection->relid);
	insertion.version = ds_floor_next_version(&insertion.floor, tries);
	is_inserted = collection->has_other_unique ? insert_beside_others(&insertion) : insert_once(&insertion);
	ds_floor_close(&insertion.floor);
	return is_inserted;
}

/* Create or change a document: what upserts and patches have in common. */
static void
write_document(const DsCollection *collection, Datum id, const DsDocumentChange *change,
			   int64 expected, DsOutcome *outcome)
{
	memset(outcome, 0, sizeof(DsOutcome));

	/* An INSERT would not mind a document that an old snapshot still shows. */
	if (expected == DS_NO_VERSION && IsolationUsesXactSnapshot())
	{
		look(collection, DS_LOCK_FOR_UPSERT, id, expected, outcome);
		if (outcome->reason != DS_NO_REASON)
			return;
	}

	for (int try = 0; try < MAX_TRIES; try++)
	{
		CHECK_FOR_INTERRUPTS();
		if (try_update(collection, id, change, expected, outcome) ||
			try_insert(collection, id, change, expected, try, outcome))
			return;

		look(collection, DS_LOCK_FOR_UPSERT, id, expected, outcome);
		if (outcome->reason != DS_NO_REASON)
			return;
		if (outcome->present && outcome->actual == PG_INT64_MAX)
			ds_row_refuse_growth(collection, id);
	}

	/*
	 * The id is taken by a document that the caller may not see: the expectation "absent" fails, and that is all that
	 * it may know.
	 */
	if (expected == DS_NO_VERSION && ds_row_security_applies(collection))
	{
		outcome->reason = DS_EXISTS;
		return;
	}
	ds_row_refuse_unwritable(collection, id);
}

/*
 * Create or overwrite a document.
 *
 * On return outcome->reason is DS_NO_REASON and outcome->version the new
 * version, or it says why nothing was written, and present and actual how the
 * document stands.  Locks the row FOR NO KEY UPDATE; a conflict may leave it
 * unlocked.
 */
void
ds_document_upsert(const DsCollection *collection, Datum id, Datum data,
				   int64 expected, DsOutcome *outcome)
{
	DsDocumentChange change = {.data = data};

	if (!ds_document_direct_upsert(collection, id, data, expected, outcome))
	{
		ds_distributed_refuse_copy(collection);
		SPI_connect();
		write_document(collection, id, &change, expected, outcome);
		SPI_finish();
	}
}

/* Create or patch a document, as ds_document_upsert(). */
void
ds_document_patch(const DsCollection *collection, Datum id, Datum patch,
				  int64 expected, DsOutcome *outcome)
{
	DsDocumentChange change = {.data = patch, .is_patch = true};

	ds_distributed_refuse_copy(collection);
	SPI_connect();
	write_document(collection, id, &change, expected, outcome);
	SPI_finish();
}

static void
decide_locked(const DsCollection *collection, Datum id, int64 expected,
			  DsDocumentDecide decide, void *context, DsOutcome *outcome)
{
	memset(outcome, 0, sizeof(DsOutcome));
	for (int try = 0; try < MAX_TRIES; try++)
	{
		DsDocumentChange change = {0};

		CHECK_FOR_INTERRUPTS();
		look(collection, DS_LOCK_FOR_UPSERT, id, expected, outcome);
		if (outcome->reason != DS_NO_REASON || !decide(collection, id, context, &change, outcome))
			return;
		if (outcome->actual == PG_INT64_MAX)
			ds_row_refuse_growth(collection, id);
		if (update_exact(collection, id, &change, outcome->actual, outcome))
			return;
	}
	ds_row_refuse_unwritable(collection, id);
}

/*
 * Lock a document that is expected to be there, and write what is decided under
 * the lock, as ds_document_upsert().
 */
void
ds_document_decide(const DsCollection *collection, Datum id, int64 expected,
				   DsDocumentDecide decide, void *context, DsOutcome *outcome)
{
	ds_distributed_refuse_copy(collection);
	SPI_connect();
	decide_locked(collection, id, expected, decide, context, outcome);
	SPI_finish();
}

static void
delete_document(const DsCollection *collection, Datum id, int64 expected, DsOutcome *outcome)
{
	DsStatement statement = expected > 0 ? DS_DELETE : DS_DELETE_ANY;

	memset(outcome, 0, sizeof(DsOutcome));

	for (int try = 0; try < MAX_TRIES; try++)
	{
		CHECK_FOR_INTERRUPTS();
		if (write_one(collection, statement, id, Int64GetDatum(expected), 0, outcome))
		{
			ds_floor_raise(collection->relid, outcome->version);
			return;
		}

		look(collection, DS_LOCK_FOR_DELETE, id, expected, outcome);
		if (outcome->reason != DS_NO_REASON || !outcome->present)
			return;
	}
	ds_row_refuse_unwritable(collection, id);
}

/*
 * Delete a document.
 *
 * As ds_document_upsert(), with the version that was deleted; written is false
 * when the expectation is "any" and there was nothing.
 */
void
ds_document_delete(const DsCollection *collection, Datum id, int64 expected,
				   DsOutcome *outcome)
{
	ds_distributed_refuse_copy(collection);
	ds_floor_require(collection->relid);
	SPI_connect();
	delete_document(collection, id, expected, outcome);
	SPI_finish();
}

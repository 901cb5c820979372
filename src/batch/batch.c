/*
 * batch.c - many items: all of them, or nothing
 *
 * Its items are about targets (gather.c), which are sorted into the one global
 * order of locks (order.c).  Then it is tried (attempt.c); the statements run
 * over the targets in chunks (step.c).
 *
 * A batch of one item, which most calls are, is first tried in fewer steps: one
 * document (one_document.c), or one append (one_append.c).
 *
 * The AFTER triggers of all statements, foreign key checks among them, fire
 * at the end, as if the whole batch were one statement: so a child can be
 * listed, and be sorted, before its parent.
 *
 * A try can find that the batch has to begin again, when a document turns up
 * that was absent before and that its item would take as it is.  The locks
 * have to go then, too, as they would be taken out of order.  So batches of two
 * or more rows with an item that expects "any" or "exists", or is merged with
 * whatever is there, run in a subtransaction, which is rolled back.  With other batches it takes a delete and a new create at the
 * very version that is expected, just while the batch waits; that is 40001.
 * So it is with the head of a stream that an append expects at such a version;
 * who only relies on a stream waits for its maker, and can begin again.
 * A call that goes on after a violation, try_save() or any while conflicts are
 * deferred, needs the subtransaction as well, where it can find a violation
 * after it has written.  So does one that may create documents by SQL, which
 * can turn out to be too low for the floor (floor.c); within a savepoint of
 * the caller's that is 40001, see subtransaction.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/after_triggers.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "batch/attempt.h"
#include "batch/batch.h"
#include "batch/compare.h"
#include "batch/gather.h"
#include "batch/heads.h"
#include "batch/one_append.h"
#include "batch/merge.h"
#include "batch/one_document.h"
#include "batch/order.h"
#include "batch/rule.h"
#include "batch/violation.h"
#include "commands/trigger.h"
#include "conflict/conflict.h"
#include "conflict/deferred.h"
#include "document/document.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "table/distributed.h"
#include "table/engine.h"
#include "utils/snapmgr.h"

/* See document.c; each further try needs another lost race. */
#define MAX_TRIES 20

pg_noreturn static void
raise_conflict(const DsBatch *batch)
{
	DsConflict	conflict;

	ds_conflict_begin(&conflict);
	ds_conflict_add_call(&conflict, batch->count);
	ds_items_add_violations(batch, &conflict);
	ds_conflict_raise(&conflict, "");
}

/*
 * What can be taken back
 */

/*
 * Whether documents may be created by SQL, which cannot take a single one of a
 * batch back, and are to be when they are too low.  Neighbours in the order of
 * the locks are often of one table.
 */
static bool
may_be_too_low(const DsBatch *batch)
{
	const DsCollection *other = NULL;

	for (int i = 0; i < batch->target_count; i++)
	{
		const DsTarget *target = batch->targets[i];

		CHECK_FOR_INTERRUPTS();
		if (target->head != NULL || target->collection == other ||
			ds_rule_of(target)->if_absent != DS_INSERT_MANY)
			continue;
		if (!ds_engine_inserts(target->collection) && ds_document_is_taken_back(target->collection))
			return true;
		other = target->collection;
	}
	return false;
}

static bool
needs_subtransaction(const DsBatch *batch, bool raise)
{
	if (may_be_too_low(batch))
		return true;
	if (batch->target_count == 1)
		return false;
	for (int i = 0; i < batch->target_count; i++)
	{
		const DsTarget *target = batch->targets[i];
		int64		expected = target->expected;

		CHECK_FOR_INTERRUPTS();
		if (target->head != NULL && target->head->may_create && target->head->must_be_there)
			continue;
		if (ds_merge_is_possible(target))
			return true;
		if (expected == DS_ANY_VERSION || expected == DS_SOME_VERSION)
			return true;
		if (expected == DS_NO_VERSION && !raise)
			return true;
	}
	return false;
}

/* Raise 0A000 when a batch is about a collection that another node writes. */
static void
refuse_copies(const DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ds_distributed_refuse_copy(batch->targets[i]->collection);
	}
}

/*
 * One try, all of whose statements are one to AFTER triggers.  A try that
 * wrote nothing has queued none; one that is taken back fires none.
 */
static DsAttempt
attempt_at_once(DsBatch *batch, bool may_try_again, bool raise)
{
	DsAttempt	result;

	AfterTriggerBeginQuery();
	result = ds_attempt(batch, may_try_again);
	if (result == DS_VIOLATED && raise)
		raise_conflict(batch);
	if (result == DS_DONE || !batch->in_subtransaction)
		ds_after_triggers_fire();
	return result;
}

/* One try that can be taken back, and is unless it was written. */
typedef struct Try
{
	DsBatch    *batch;
	bool		may_try_again;
	bool		raise;
	DsAttempt	result;
} Try;

static bool
attempt(void *context)
{
	Try		   *try = context;

	try->result = attempt_at_once(try->batch, try->may_try_again, try->raise);
	return try->result == DS_DONE;
}

static DsAttempt
attempt_in_subtransaction(DsBatch *batch, bool may_try_again, bool raise)
{
	Try			try = {batch, may_try_again, raise, DS_AGAIN};

	(void) ds_subtransaction_run(attempt, &try);
	return try.result;
}

/* Try until the batch is written, or violated; returns whether it was written. */
static bool
run(DsBatch *batch, bool raise)
{
	DsAttempt	result = DS_AGAIN;

	batch->raises = raise;
	batch->in_subtransaction = needs_subtransaction(batch, raise);
	SPI_connect();
	for (; result == DS_AGAIN; batch->tries++)
	{
		bool		may_try_again = (batch->tries + 1 < MAX_TRIES &&
									 (batch->in_subtransaction || batch->target_count == 1));

		CHECK_FOR_INTERRUPTS();
		result = batch->in_subtransaction
			? attempt_in_subtransaction(batch, may_try_again, raise)
			: attempt_at_once(batch, may_try_again, raise);
	}
	SPI_finish();
	return result == DS_DONE;
}

/* The call that is under way, the innermost. */
static const DsBatch *running = NULL;

/* Run a batch, and let those that its triggers and functions run know of it. */
static bool
run_known(DsBatch *batch, bool raise)
{
	volatile bool written = false;

	batch->outer = running;
	ds_heads_refuse_nested(batch);
	running = batch;
	PG_TRY();
	{
		written = ds_one_append_write(batch) || ds_one_document_write(batch) || run(batch, raise);
	}
	PG_FINALLY();
	{
		running = batch->outer;
	}
	PG_END_TRY();
	return written;
}

/*
 * Run a batch whose items are complete: all of it, or nothing.
 *
 * Returns whether it was written; each item has what was found, and its new
 * version when it was.  With raise, violations raise the conflict, or are
 * remembered while conflicts are deferred; without, they are the caller's.
 * Two items for one document are 22023.
 * Locks: see order.c and attempt.c; the rows stay locked until the
 * transaction ends, but not those of a batch that was taken back.
 */
bool
ds_batch_run(DsBatch *batch, bool raise)
{
	bool		defer = raise && ds_deferred_is_on();
	bool		written;

	ds_targets_gather(batch);
	ds_order_targets(batch);
	if (batch->count == 0)
		return true;
	refuse_copies(batch);

	written = run_known(batch, raise && !defer);
	if (written)
		ds_items_finish(batch);
	if (defer)
	{
		DsConflict *pending = ds_deferred_add_call(batch->count);

		if (!written)
			ds_items_add_violations(batch, pending);
	}
	return written;
}

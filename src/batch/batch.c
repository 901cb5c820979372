/*
 * batch.c - many items: all of them, or nothing
 *
 * A batch is sorted into the one global order of locks (order.c) and tried
 * (attempt.c); the statements run over its items in chunks (step.c).
 *
 * The AFTER triggers of all statements, foreign key checks among them, fire
 * at the end, as if the whole batch were one statement: so a child can be
 * listed, and be sorted, before its parent.
 *
 * A try can find that the batch has to begin again, when a document turns up
 * that was absent before and that its item would take as it is.  The locks
 * have to go then, too, as they would be taken out of order.  So batches with
 * an item that expects "any" or "exists" run in a subtransaction, which is
 * rolled back.  With other batches it takes a delete and a new create at the
 * very version that is expected, just while the batch waits; that is 40001.
 * A call that goes on after a violation, try_save() or any while conflicts are
 * deferred, needs the subtransaction as well, where it can find a violation
 * after it has written.  So does one that may create documents by SQL, which
 * can turn out to be too low for the floor (floor.c); within a savepoint of
 * the caller's that is 40001, see subtransaction.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "batch/attempt.h"
#include "batch/direct_append.h"
#include "batch/order.h"
#include "commands/trigger.h"
#include "conflict/conflict.h"
#include "conflict/deferred.h"
#include "document/document.h"
#include "document/metadata.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "json/json.h"
#include "json/merge_patch.h"
#include "miscadmin.h"
#include "stream/head.h"
#include "table/distributed.h"
#include "table/engine.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

/* See document.c; each further try needs another lost race. */
#define MAX_TRIES 20

/* Make room for count items, all zero but their numbers. */
void
ds_batch_init(DsBatch *batch, int count)
{
	batch->count = count;
	batch->targets = count;
	batch->heads = NIL;
	batch->tries = 0;
	batch->in_subtransaction = false;
	batch->is_too_low = false;
	batch->items = palloc_extended(mul_size(count, sizeof(DsItem)),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	batch->order = palloc_extended(mul_size(count, sizeof(DsItem *)), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		batch->items[i].number = i + 1;
		batch->order[i] = &batch->items[i];
	}
}

/* The data of an item; it must stay where it is for as long as the batch. */
void
ds_batch_set_data(DsItem *item, Jsonb *data)
{
	item->data = VARDATA(data);
	item->data_length = VARSIZE(data) - VARHDRSZ;
}

/*
 * What an item stores, copied from the caller's bytes: the document, or the
 * patch to merge into the one that is there.
 */
Jsonb *
ds_batch_stored(const DsItem *item, bool is_new)
{
	Jsonb	   *data = ds_json_copy(item->data, item->data_length);

	if (item->op == DS_PUT_ITEM)
		return ds_metadata_strip(data);
	if (item->op == DS_PATCH_ITEM && is_new)
		return ds_merge_patch(NULL, data);
	return data;
}

/* The word for an op, in items, results and conflicts. */
const char *
ds_op_name(DsOp op)
{
	switch (op)
	{
		case DS_UPSERT_ITEM:
			return "upsert";
		case DS_PUT_ITEM:
			return "put";
		case DS_PATCH_ITEM:
			return "patch";
		case DS_DELETE_ITEM:
			return "delete";
		case DS_ASSERT_ITEM:
			return "assert";
		case DS_APPEND_ITEM:
			return "append";
		case DS_SET_PROPERTIES_ITEM:
			return "set_properties";
		case DS_CREATE_STREAM_ITEM:
			return "create_stream";
		case DS_CLOSE_STREAM_ITEM:
			return "close_stream";
		case DS_WRITE_HEAD:
		case DS_HOLD_HEAD:
			break;
	}
	elog(ERROR, "unexpected op %d", (int) op);
}

/* Whether an op stores data, in a row that is there or in a new one. */
bool
ds_op_stores(DsOp op)
{
	return op == DS_UPSERT_ITEM || op == DS_PUT_ITEM || op == DS_PATCH_ITEM || op == DS_WRITE_HEAD;
}

static void
add_document_violation(const DsItem *item, DsConflict *conflict)
{
	DsViolation violation = {
		.item = item->number,
		.op = ds_op_name(item->op),
		.kind = DS_KIND_DOCUMENT,
		.relid = item->collection->relid,
		.reason = item->reason,
		.expected = item->expected,
		.actual_known = item->present,
		.actual = item->actual,
	};

	if (!ds_conflict_is_full(conflict))
		violation.id = ds_id_to_cstring(item->collection->id_type, item->id);
	ds_conflict_add(conflict, &violation);
}

/* The number of an item in a conflict: a call that takes one has item 1. */
static int
number(const DsItem *item)
{
	return item->number == DS_ONLY_ITEM ? 1 : item->number;
}

static void
add_stream_violation(const DsItem *item, DsConflict *conflict)
{
	DsViolation violation = {
		.item = number(item),
		.op = ds_op_name(item->op),
		.kind = DS_KIND_STREAM,
		.relid = item->log->events.relid,
		.id = TextDatumGetCString(item->id),
		.reason = item->reason,
		.expected = item->failed,
		.actual_known = item->present,
		.actual = item->actual,
	};

	ds_conflict_add(conflict, &violation);
}

static void
add_scope_violation(const DsItem *item, const DsScope *scope, DsConflict *conflict)
{
	DsViolation violation = {
		.item = number(item),
		.op = ds_op_name(item->op),
		.kind = DS_KIND_SCOPE,
		.relid = item->log->events.relid,
		.reason = DS_SCOPE_REASON,
		.expected = scope->expected,
		.actual_known = scope->has_tail,
		.actual = scope->tail,
	};

	if (!ds_conflict_is_full(conflict))
		violation.scope = ds_scope_to_cstring(scope);
	ds_conflict_add(conflict, &violation);
}

/* What is wrong with an item of a log: its stream, and each scope. */
static void
add_log_violations(const DsItem *item, DsConflict *conflict)
{
	if (item->reason != DS_HOLDS && item->reason != DS_SCOPE_REASON)
		add_stream_violation(item, conflict);
	for (int s = 0; s < item->scope_count; s++)
		if (item->scopes[s].violated)
			add_scope_violation(item, &item->scopes[s], conflict);
}

static void
add_violations(const DsBatch *batch, DsConflict *conflict)
{
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		if (item->log != NULL)
			add_log_violations(item, conflict);
		else if (item->reason != DS_HOLDS)
			add_document_violation(item, conflict);
	}
}

pg_noreturn static void
raise_conflict(const DsBatch *batch)
{
	DsConflict	conflict;

	ds_conflict_begin(&conflict);
	ds_conflict_add_call(&conflict, batch->count);
	add_violations(batch, &conflict);
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

	for (int i = 0; i < batch->targets; i++)
	{
		const DsItem *item = batch->order[i];

		if (item->head != NULL || item->collection == other || !ds_op_stores(item->op) ||
			(item->expected != DS_NO_VERSION && item->expected != DS_ANY_VERSION))
			continue;
		if (!ds_engine_inserts(item->collection) && ds_document_is_taken_back(item->collection))
			return true;
		other = item->collection;
	}
	return false;
}

static bool
needs_subtransaction(const DsBatch *batch, bool raise)
{
	if (may_be_too_low(batch))
		return true;
	if (batch->targets == 1)
		return false;
	for (int i = 0; i < batch->targets; i++)
	{
		const DsItem *item = batch->order[i];

		if (item->expected == DS_ANY_VERSION || item->expected == DS_SOME_VERSION)
			return true;
		if (item->expected == DS_NO_VERSION && !raise)
			return true;
	}
	return false;
}

/* Fire the AFTER triggers that the batch's statements have queued. */
static void
fire_triggers(void)
{
	EState	   *estate = CreateExecutorState();

	PushActiveSnapshot(GetTransactionSnapshot());
	AfterTriggerEndQuery(estate);
	PopActiveSnapshot();
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecCloseResultRelations(estate);
	FreeExecutorState(estate);
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
		fire_triggers();
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

	batch->in_subtransaction = needs_subtransaction(batch, raise);
	SPI_connect();
	for (; result == DS_AGAIN; batch->tries++)
	{
		bool		may_try_again = batch->tries + 1 < MAX_TRIES &&
			(batch->in_subtransaction || batch->targets == 1);

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
		written = ds_direct_append(batch) || run(batch, raise);
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
 * Locks: see the head of this file; the rows stay locked until the
 * transaction ends, but not those of a batch that was taken back.
 */
bool
ds_batch_run(DsBatch *batch, bool raise)
{
	bool		defer = raise && ds_deferred_is_on();
	bool		written;

	ds_order_items(batch);
	if (batch->count == 0)
		return true;
	ds_distributed_refuse_batch(batch);

	written = run_known(batch, raise && !defer);
	if (written)
		ds_heads_finish(batch);
	if (defer)
	{
		DsConflict *pending = ds_deferred_add_call(batch->count);

		if (!written)
			add_violations(batch, pending);
	}
	return written;
}

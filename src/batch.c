/*
 * batch.c - many items, one transaction step
 *
 * A batch lands whole or not at all.  It goes through these steps:
 *
 *	sort	into the one global order of locks (order.c).
 *	lock	every document that is expected to be there, or may be there, in
 *			that order, in the strongest mode that its item will need; asserts
 *			share theirs.
 *	compare each expectation with the version that the locking read returned.
 *			If any fails, all that fail are reported, and nothing was written.
 *	write	inserts first, then updates, then deletes.
 *	settle	the expectations of absence, which no row lock can hold.
 *	fire	the AFTER triggers of all statements, foreign key checks among
 *			them, as if the whole batch were one statement: so a child can be
 *			listed, and be sorted, before its parent.
 *
 * Documents that are expected to be absent are not locked first: the INSERT
 * itself waits for whoever is creating the same id, and tells whether it won.
 * One that lost saw a committed document where none may be, which is final.
 *
 * Why inserts come before updates.  A batch that inserts holds all the row
 * locks it will ever want, and inserts in the global order; an INSERT waits
 * only for others that insert, update or delete the same id (not for row
 * locks), and those that update or delete have nothing left to wait for.  So
 * there is no circle.  Where another unique index exists, a batch may need to
 * free a value before it takes it again, and the order is the reverse; that
 * such indexes can deadlock is documented.
 *
 * One case needs more: an item that expects "any" or "exists", whose document
 * was absent when the batch locked and is there later.  To lock it now would
 * be out of order.  Such batches run in a subtransaction, which is rolled
 * back, locks and all, and then the batch begins again.  So does try_save()
 * where it can find a violation after it has written.
 *
 * step.c runs the statements.
 */
#include "postgres.h"

#include "access/xact.h"
#include "batch.h"
#include "commands/trigger.h"
#include "conflict.h"
#include "document.h"
#include "errors.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "order.h"
#include "step.h"
#include "storage/shmem.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* See document.c; each further try needs another lost race. */
#define MAX_TRIES 20

/* How a try of a batch ended, or a part of it. */
typedef enum Attempt
{
	DONE,
	VIOLATED,
	AGAIN
} Attempt;

/* Make room for count items, all zero but their numbers. */
void
ds_batch_init(DsBatch *batch, int count)
{
	batch->count = count;
	batch->items = palloc_extended(mul_size(count, sizeof(DsItem)),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	batch->order = palloc_extended(mul_size(count, sizeof(DsItem *)), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		batch->items[i].number = i + 1;
		batch->order[i] = &batch->items[i];
	}
}

/* The data of an upsert; it must stay where it is for as long as the batch. */
void
ds_batch_set_data(DsItem *item, Jsonb *data)
{
	item->data = VARDATA(data);
	item->data_length = VARSIZE(data) - VARHDRSZ;
}

/* The word for an op, in items, results and conflicts. */
const char *
ds_op_name(DsOp op)
{
	switch (op)
	{
		case DS_UPSERT_ITEM:
			return "upsert";
		case DS_DELETE_ITEM:
			return "delete";
		case DS_ASSERT_ITEM:
			return "assert";
	}
	elog(ERROR, "unexpected op %d", (int) op);
}

/*
 * Which items take part in which step
 */

static bool
is_create(const DsItem *item)
{
	return item->op == DS_UPSERT_ITEM && item->expected == DS_NO_VERSION;
}

static bool
is_absence(const DsItem *item)
{
	return item->op == DS_ASSERT_ITEM && item->expected == DS_NO_VERSION;
}

static bool
may_insert(const DsItem *item)
{
	return item->op == DS_UPSERT_ITEM &&
		(item->expected == DS_NO_VERSION || item->expected == DS_ANY_VERSION);
}

/* After the inserts: an item whose id was taken; creates may be found later. */
static bool
is_lost_create(const DsItem *item)
{
	return is_create(item) && !item->written;
}

static bool
is_lost_any(const DsItem *item)
{
	return may_insert(item) && !is_create(item) && !item->present && !item->written;
}

/* A delete that does not mind absence, and must be sure of it. */
static bool
is_vain_delete(const DsItem *item)
{
	return item->op == DS_DELETE_ITEM && !item->present;
}

/* Unique indexes besides the one on id change the order of the writes. */
static bool
has_other_unique(const DsItem *item)
{
	return item->collection->has_other_unique;
}

static bool
any_item(const DsBatch *batch, bool (*test) (const DsItem *item))
{
	for (int i = 0; i < batch->count; i++)
		if (test(&batch->items[i]))
			return true;
	return false;
}

/*
 * Creates are left to the INSERT, but not under an old snapshot: an INSERT
 * would not mind a document that it still shows, and a locking read does.
 */
static DsStatement
choose_lock(const DsItem *item)
{
	if (is_create(item) && !IsolationUsesXactSnapshot())
		return DS_NO_STATEMENT;
	switch (item->op)
	{
		case DS_UPSERT_ITEM:
			return DS_LOCK_MANY_FOR_UPSERT;
		case DS_DELETE_ITEM:
			return DS_LOCK_MANY_FOR_DELETE;
		default:
			return DS_LOCK_MANY_FOR_ASSERT;
	}
}

static DsStatement
choose_insert(const DsItem *item)
{
	return may_insert(item) && !item->present ? DS_INSERT_MANY : DS_NO_STATEMENT;
}

static DsStatement
choose_update(const DsItem *item)
{
	return item->op == DS_UPSERT_ITEM && item->present ? DS_UPDATE_MANY : DS_NO_STATEMENT;
}

static DsStatement
choose_delete(const DsItem *item)
{
	return item->op == DS_DELETE_ITEM && item->present ? DS_DELETE_MANY : DS_NO_STATEMENT;
}

/* Look again for what was not found when the batch locked. */
static DsStatement
choose_find_absent(const DsItem *item)
{
	return item->present ? DS_NO_STATEMENT : DS_FIND_MANY;
}

/* After the inserts: what nothing holds in place, and was not found. */
static DsStatement
choose_find_loose(const DsItem *item)
{
	return (is_lost_create(item) || is_absence(item)) && !item->present
		? DS_FIND_MANY : DS_NO_STATEMENT;
}

/* Row security can let the caller see a document that it may not lock. */
static DsStatement
choose_find_hidden(const DsItem *item)
{
	return item->reason == DS_MISSING && ds_document_has_policies(item->collection)
		? DS_FIND_MANY : DS_NO_STATEMENT;
}

/*
 * The steps
 */

static void
forget_findings(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		batch->items[i].present = false;
		batch->items[i].reason = DS_HOLDS;
		batch->items[i].written = false;
	}
}

/* Compare all expectations with what was found; returns how many fail. */
static int
count_violations(DsBatch *batch)
{
	int			violations = 0;

	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		item->reason = ds_expectation_compare(item->expected, item->present, item->actual);
		if (item->reason != DS_HOLDS)
			violations++;
	}
	return violations;
}

static int
count_present(const DsBatch *batch)
{
	int			present = 0;

	for (int i = 0; i < batch->count; i++)
		present += batch->items[i].present;
	return present;
}

/* Find items in what one snapshot shows; returns how many are there. */
static int
find_at(DsBatch *batch, DsChooseStatement choose, Snapshot snapshot)
{
	int			present = count_present(batch);

	PushActiveSnapshot(snapshot);
	ds_step_run(batch, choose, DS_READ);
	PopActiveSnapshot();
	return count_present(batch) - present;
}

/*
 * Look again for items that were absent when the batch locked, all of them at
 * one instant: what is locked is at that instant as it was found.  Returns
 * how many are there by now.
 *
 * Under REPEATABLE READ and SERIALIZABLE absence in the snapshot is not
 * absence: when something that it does not show is there by now, the answer
 * is 40001, not a report that is untrue.
 */
static int
look_again(DsBatch *batch, DsChooseStatement choose)
{
	int			found;

	if (!IsolationUsesXactSnapshot())
		return find_at(batch, choose, GetLatestSnapshot());

	found = find_at(batch, choose, GetTransactionSnapshot());
	if (find_at(batch, choose, GetLatestSnapshot()) > 0)
		ds_document_refuse_old_snapshot();
	return found;
}

/* Raise 42501 for an item that is missing only to those who would write it. */
static void
refuse_hidden(DsBatch *batch)
{
	ds_step_run(batch, choose_find_hidden, DS_WRITE_BATCH);
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (item->reason == DS_MISSING && item->present)
			ds_document_refuse_unwritable(item->collection, item->id);
	}
}

/* A document at the highest version cannot be written once more. */
static void
refuse_growth(const DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (item->op == DS_UPSERT_ITEM && item->present && item->actual == PG_INT64_MAX)
			ds_document_refuse_growth(item->collection, item->id);
	}
}

/*
 * Lock what is there and compare.
 *
 * The locking read does not find what was created while it waited, even when
 * that took the place of what it waited for.  So before a violation counts,
 * everything that was absent is looked at again, at one instant; the report
 * is what was true then, of all items.
 */
static Attempt
lock_and_compare(DsBatch *batch)
{
	int			found;

	ds_step_run(batch, choose_lock, DS_WRITE_BATCH);
	if (count_violations(batch) > 0)
		refuse_hidden(batch);
	else if (!any_item(batch, is_vain_delete))
		return DONE;

	found = look_again(batch, choose_find_absent);
	if (count_violations(batch) > 0)
		return VIOLATED;
	return found > 0 ? AGAIN : DONE;
}

/*
 * What became of the inserts that found their id taken.
 *
 * A create fails, also when the document is gone again by now or hidden by
 * row security: that it was there is enough.  An item that expects "any" must
 * lock it in the order of the locks, so the batch begins again.
 */
static Attempt
settle_lost_inserts(DsBatch *batch, bool may_try_again)
{
	Attempt		result = DONE;

	if (!any_item(batch, is_lost_create) && !any_item(batch, is_lost_any))
		return DONE;

	look_again(batch, choose_find_loose);
	count_violations(batch);
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		if (is_lost_create(item) && (item->present || !item->collection->has_before_triggers))
		{
			item->reason = DS_EXISTS;
			result = VIOLATED;
		}
		else if (is_lost_any(item) && may_try_again)
			return AGAIN;
		else if (is_lost_create(item) || is_lost_any(item))
			ds_document_refuse_unwritable(item->collection, item->id);
	}
	return result;
}

/* Write everything, in the order that the head of this file explains. */
static Attempt
write_items(DsBatch *batch, bool may_try_again)
{
	Attempt		result;

	if (any_item(batch, has_other_unique))
	{
		ds_step_run(batch, choose_delete, DS_WRITE_BATCH);
		ds_step_run(batch, choose_update, DS_WRITE_BATCH);
		ds_step_run(batch, choose_insert, DS_WRITE_BATCH);
		return settle_lost_inserts(batch, may_try_again);
	}

	ds_step_run(batch, choose_insert, DS_WRITE_BATCH);
	result = settle_lost_inserts(batch, may_try_again);
	if (result == DONE)
	{
		ds_step_run(batch, choose_update, DS_WRITE_BATCH);
		ds_step_run(batch, choose_delete, DS_WRITE_BATCH);
	}
	return result;
}

/* Look at expectations of absence once more, now that all locks are held. */
static Attempt
settle_asserts(DsBatch *batch)
{
	if (!any_item(batch, is_absence))
		return DONE;

	look_again(batch, choose_find_loose);
	return count_violations(batch) == 0 ? DONE : VIOLATED;
}

static Attempt
attempt(DsBatch *batch, bool may_try_again)
{
	Attempt		result;

	forget_findings(batch);
	result = lock_and_compare(batch);
	if (result == AGAIN && !may_try_again)
		ds_document_refuse_old_snapshot();
	if (result != DONE)
		return result;

	refuse_growth(batch);
	result = write_items(batch, may_try_again);
	return result == DONE ? settle_asserts(batch) : result;
}

static void
raise_conflict(const DsBatch *batch)
{
	DsConflict	conflict;

	ds_conflict_begin(&conflict, batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];
		DsViolation violation = {
			.item = item->number,
			.op = ds_op_name(item->op),
			.relid = item->collection->relid,
			.reason = item->reason,
			.expected = item->expected,
			.actual_known = item->present,
			.actual = item->actual,
		};

		if (item->reason == DS_HOLDS)
			continue;
		if (!ds_conflict_is_full(&conflict))
			violation.id = ds_id_to_cstring(item->collection->id_type, item->id);
		ds_conflict_add(&conflict, &violation);
	}
	ds_conflict_raise(&conflict);
}

/*
 * What can be taken back
 */

static bool
needs_subtransaction(const DsBatch *batch, bool raise)
{
	if (batch->count == 1)
		return false;
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (item->expected == DS_ANY_VERSION || item->expected == DS_SOME_VERSION)
			return true;
		if (!raise && (is_create(item) || is_absence(item)))
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
static Attempt
attempt_at_once(DsBatch *batch, bool may_try_again, bool raise, bool is_taken_back)
{
	Attempt		result;

	AfterTriggerBeginQuery();
	result = attempt(batch, may_try_again);
	if (result == VIOLATED && raise)
		raise_conflict(batch);
	if (result == DONE || !is_taken_back)
		fire_triggers();
	return result;
}

/*
 * One try that can be taken back, and is unless it was written.  An error
 * goes on, but only after the subtransaction has ended: nobody else would
 * end it.
 */
static Attempt
attempt_in_subtransaction(DsBatch *batch, bool may_try_again, bool raise)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile Attempt result = AGAIN;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		result = attempt_at_once(batch, may_try_again, raise, true);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		ReThrowError(error);
	}
	PG_END_TRY();

	if (result == DONE)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return result;
}

/*
 * Run a batch whose items are complete: all of it, or nothing.
 *
 * Returns whether it was written; each item has what was found, and its new
 * version when it was.  With raise, a violation raises the conflict instead
 * of returning false.  Two items for one document are 22023.
 * Locks: see the head of this file; the rows stay locked until the
 * transaction ends, but not those of a batch that was taken back.
 */
bool
ds_batch_run(DsBatch *batch, bool raise)
{
	bool		is_subtransaction = needs_subtransaction(batch, raise);
	Attempt		result = AGAIN;

	ds_order_items(batch);
	if (batch->count == 0)
		return true;

	SPI_connect();
	for (int try = 1; result == AGAIN; try++)
	{
		CHECK_FOR_INTERRUPTS();
		result = is_subtransaction
			? attempt_in_subtransaction(batch, try < MAX_TRIES, raise)
			: attempt_at_once(batch, try < MAX_TRIES, raise, false);
	}
	SPI_finish();
	return result == DONE;
}

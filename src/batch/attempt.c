/*
 * attempt.c - one try at a batch: lock, compare, write
 *
 * A try goes through these steps:
 *
 *	floors	that deletes are to raise, made where there is none: floor.c.
 *	scopes	what scopes need to be locked that have no row: scope_lock.c.
 *	lock	every document that is expected to be there, or may be there, in
 *			the order of order.c, in the strongest mode that its item will
 *			need; asserts share theirs.
 *	compare each expectation with the version that the locking read returned.
 *			If any fails, all that fail are reported, and nothing was written.
 *	write	inserts first, then deletes, then updates and patches.
 *	settle	the expectations of absence, which no row lock can hold.
 *	store	the events, which take their positions only now.
 *
 * Documents that are expected to be absent are not locked first: the INSERT
 * itself waits for whoever is creating the same id, and tells whether it won.
 * One that lost saw a committed document where none may be, which is final.
 *
 * Why inserts come first.  A batch that inserts holds all the row locks it
 * will ever want, and inserts in the global order; an INSERT waits only for
 * others that insert, update or delete the same id (not for row locks), and
 * those that update or delete have nothing left to wait for.  So there is no
 * circle.  Where another unique index exists, a batch may need to free a value
 * before it takes it again, and inserts come last; that such indexes can
 * deadlock is documented.
 *
 * A document that was absent when the batch locked, and is there later as its
 * item allows, would have to be locked out of order.  Then the batch has to
 * begin again: see batch.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "batch/attempt.h"
#include "batch/findings.h"
#include "batch/log_items.h"
#include "batch/step.h"
#include "miscadmin.h"
#include "stream/head.h"
#include "table/floor.h"
#include "table/row_error.h"
#include "utils/snapmgr.h"

/*
 * Which items take part in which step
 */

static bool
is_create(const DsItem *item)
{
	return ds_op_stores(item->op) && item->expected == DS_NO_VERSION;
}

static bool
is_absence(const DsItem *item)
{
	return item->op == DS_ASSERT_ITEM && item->expected == DS_NO_VERSION;
}

static bool
may_insert(const DsItem *item)
{
	return ds_op_stores(item->op) &&
		(item->expected == DS_NO_VERSION || item->expected == DS_ANY_VERSION) &&
		(item->head == NULL || item->head->may_create);
}

/* Whether a row that is locked is to be written, too. */
static bool
is_due(const DsItem *item)
{
	return item->head == NULL ? item->op != DS_ASSERT_ITEM : item->head->is_due;
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

/* A stream that is not there, and that will not be made. */
static bool
is_loose_head(const DsItem *item)
{
	return item->head != NULL && !item->present && !item->head->may_create;
}

/* A row that is locked, and that no statement has written. */
static bool
is_unwritten(const DsItem *item)
{
	return is_due(item) && item->present && !item->written;
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
	for (int i = 0; i < batch->targets; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (test(batch->order[i]))
			return true;
	}
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
		case DS_PUT_ITEM:
		case DS_PATCH_ITEM:
		case DS_WRITE_HEAD:
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
	return ds_op_stores(item->op) && item->op != DS_PATCH_ITEM && is_unwritten(item)
		? DS_UPDATE_MANY : DS_NO_STATEMENT;
}

static DsStatement
choose_patch(const DsItem *item)
{
	return item->op == DS_PATCH_ITEM && item->present && !item->written
		? DS_PATCH_MANY : DS_NO_STATEMENT;
}

static DsStatement
choose_delete(const DsItem *item)
{
	return item->op == DS_DELETE_ITEM && item->present && !item->written
		? DS_DELETE_MANY : DS_NO_STATEMENT;
}

/* Of the documents that are locked, those that could not be written at their places. */
static DsStatement
choose_lock_moved(const DsItem *item)
{
	return item->moved ? choose_lock(item) : DS_NO_STATEMENT;
}

/* Look again for what was not found when the batch locked. */
static DsStatement
choose_find_absent(const DsItem *item)
{
	return item->present ? DS_NO_STATEMENT : DS_FIND_MANY;
}

/* The inserts that found their id taken, by what was not found yet. */
static DsStatement
choose_find_lost(const DsItem *item)
{
	return (is_lost_create(item) || is_lost_any(item)) && !item->present
		? DS_FIND_MANY : DS_NO_STATEMENT;
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
	return item->reason == DS_MISSING && ds_row_security_applies(item->collection)
		? DS_FIND_MANY : DS_NO_STATEMENT;
}

/*
 * The steps
 */

/* Deletes raise a floor; it is made before any row is locked, where there is none. */
static void
require_floors(const DsBatch *batch)
{
	const DsCollection *last = NULL;

	for (int i = 0; i < batch->targets; i++)
	{
		const DsItem *item = batch->order[i];

		if (item->op != DS_DELETE_ITEM || item->collection == last)
			continue;
		ds_floor_require(item->collection->relid);
		last = item->collection;
	}
}

/* Count the tries in succession that have not found an item to lock. */
static void
count_missed(DsBatch *batch)
{
	for (int i = 0; i < batch->targets; i++)
		batch->order[i]->missed = batch->order[i]->present ? 0 : batch->order[i]->missed + 1;
}

/*
 * Begin again, as items are there by now that could not be locked.  They were
 * created since; or else row security shows them and keeps them from being
 * locked, which is 42501, and certain when they are missed once more.
 */
static DsAttempt
try_again(DsBatch *batch)
{
	for (int i = 0; i < batch->targets; i++)
	{
		DsItem	   *item = batch->order[i];

		if (!item->present)
			item->missed = 0;
		if (item->missed > 1 && ds_row_security_applies(item->collection))
			ds_row_refuse_unwritable(item->collection, item->id);
	}
	return DS_AGAIN;
}

/*
 * Look whether an item is missing only to those who would write it.  That is
 * told before all conflicts, but for a committed version above the expected
 * one, which is a conflict in any case.
 */
static DsAttempt
refuse_hidden(DsBatch *batch, bool may_try_again)
{
	ds_step_run(batch, choose_find_hidden, DS_WRITE_BATCH);
	for (int i = 0; i < batch->targets; i++)
	{
		const DsItem *item = batch->order[i];

		if (item->reason != DS_MISSING || !item->present ||
			ds_expectation_is_passed(item->expected, item->actual))
			continue;
		if (!may_try_again)
			ds_row_refuse_unwritable(item->collection, item->id);
		return try_again(batch);
	}
	return DS_DONE;
}

/* A document at the highest version cannot be written once more. */
static void
refuse_growth(const DsBatch *batch)
{
	for (int i = 0; i < batch->targets; i++)
	{
		const DsItem *item = batch->order[i];

		if (ds_op_stores(item->op) && item->head == NULL && item->present && item->actual == PG_INT64_MAX)
			ds_row_refuse_growth(item->collection, item->id);
	}
}

/*
 * Lock what is there and compare.
 *
 * The locking read does not find what was created while it waited, even when
 * that took the place of what it waited for.  So before a violation counts,
 * everything that was absent is looked at again, at one instant; the report
 * is what was true then, of all items.  A stream that turns up can have the
 * very events that the batch appends, so all that was concluded from its
 * absence is concluded anew.
 */
static DsAttempt
lock_and_compare(DsBatch *batch, bool may_try_again)
{
	int			found;

	ds_step_run(batch, choose_lock, DS_WRITE_BATCH);
	if (batch->heads != NIL)
		ds_log_items_lock_absence(batch);
	ds_log_items_look(batch);
	count_missed(batch);
	if (ds_findings_compare(batch) > 0)
	{
		if (refuse_hidden(batch, may_try_again) == DS_AGAIN)
			return DS_AGAIN;
	}
	else if (!any_item(batch, is_vain_delete) && !any_item(batch, is_loose_head))
		return DS_DONE;

	found = ds_findings_look_again(batch, choose_find_absent);
	if (found > 0)
		ds_log_items_look(batch);
	if (ds_findings_compare(batch) > 0)
		return DS_VIOLATED;
	return found > 0 ? try_again(batch) : DS_DONE;
}

/* The inserts that found their id taken, but for those of which a row was found. */
static List *
lost_inserts(const DsBatch *batch)
{
	List	   *lost = NIL;

	for (int i = 0; i < batch->targets; i++)
		if (choose_find_lost(batch->order[i]) != DS_NO_STATEMENT)
			lost = lappend(lost, batch->order[i]);
	return lost;
}

/*
 * Raise 27000 when a row that is in the way of an insert was made by the call
 * itself: one snapshot shows it, but not among what was there before the call.
 */
static void
refuse_own_rows(DsBatch *batch)
{
	Snapshot	latest;
	List	   *lost = lost_inserts(batch);
	List	   *unseen;
	ListCell   *cell;

	CommandCounterIncrement();
	latest = RegisterSnapshot(GetLatestSnapshot());
	(void) ds_findings_look_at(batch, choose_find_lost, latest, batch->began);
	unseen = lost_inserts(batch);
	(void) ds_findings_look_at(batch, choose_find_lost, latest, GetCurrentCommandId(false));
	UnregisterSnapshot(latest);

	foreach(cell, unseen)
	{
		const DsItem *item = lfirst(cell);

		if (item->present)
			ds_row_refuse_interference(item->collection, item->id);
	}
	foreach(cell, lost)
		((DsItem *) lfirst(cell))->present = false;
}

/*
 * What became of the inserts that found their id taken.
 *
 * A create fails, also when the document is gone again by now or hidden by
 * row security: that it was there is enough.  An item that expects "any" must
 * lock it in the order of the locks, so the batch begins again.
 */
static DsAttempt
settle_lost_inserts(DsBatch *batch, bool may_try_again)
{
	DsAttempt		result = DS_DONE;

	if (!any_item(batch, is_lost_create) && !any_item(batch, is_lost_any))
		return DS_DONE;

	refuse_own_rows(batch);
	ds_findings_look_again(batch, choose_find_loose);
	ds_findings_compare(batch);
	for (int i = 0; i < batch->targets; i++)
	{
		DsItem	   *item = batch->order[i];

		if (is_lost_create(item) && (item->present || !item->collection->has_before_triggers))
		{
			item->reason = DS_EXISTS;
			result = DS_VIOLATED;
		}
		else if (is_lost_any(item) && may_try_again)
			return DS_AGAIN;
		else if (is_lost_create(item) || is_lost_any(item))
			ds_row_refuse_unwritable(item->collection, item->id);
	}
	return result;
}

/*
 * A document was created at a version that was used up before its id was won:
 * the batch begins again, above that.
 */
static DsAttempt
settle_versions(const DsBatch *batch, bool may_try_again)
{
	if (!batch->is_too_low)
		return DS_DONE;
	if (!may_try_again || !batch->in_subtransaction)
		ds_error_old_snapshot();
	return DS_AGAIN;
}

/* Insert what is absent. */
static DsAttempt
write_absent(DsBatch *batch, bool may_try_again)
{
	DsAttempt	result;

	ds_step_run(batch, choose_insert, DS_WRITE_BATCH);
	result = settle_lost_inserts(batch, may_try_again);
	return result == DS_DONE ? settle_versions(batch, may_try_again) : result;
}

/* Delete, update and patch what is there and not written yet. */
static void
write_present(DsBatch *batch)
{
	ds_step_run(batch, choose_delete, DS_WRITE_BATCH);
	ds_step_run(batch, choose_update, DS_WRITE_BATCH);
	ds_step_run(batch, choose_patch, DS_WRITE_BATCH);
}

/* Forget where the rows were that no statement has written. */
static void
forget_places(DsBatch *batch)
{
	for (int i = 0; i < batch->targets; i++)
	{
		DsItem	   *item = batch->order[i];

		item->moved = is_unwritten(item);
		item->present &= !item->moved;
		item->compared = item->actual;
	}
}

/*
 * Lock the rows that have moved, where they are now.  Raises 27000 when one is
 * gone, or is not as its items expect any more.  The events of a stream have
 * got their versions, so its head must be at the one that they begin from.
 */
static void
lock_moved(DsBatch *batch)
{
	forget_places(batch);
	ds_step_run(batch, choose_lock_moved, DS_WRITE_BATCH);
	for (int i = 0; i < batch->targets; i++)
	{
		const DsItem *item = batch->order[i];

		if (item->moved && !(item->present && (item->head == NULL || item->actual == item->compared)))
			ds_row_refuse_interference(item->collection, item->id);
	}

	ds_findings_compare(batch);
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (item->reason != DS_HOLDS)
			ds_row_refuse_interference(item->log == NULL ? item->collection : &item->log->streams, item->id);
	}
	refuse_growth(batch);
}

/*
 * Write the documents that are locked.
 *
 * A trigger of another row, or whatever else the call has run, may have
 * updated some of them in between: then they have a new place, and are written
 * there if they are still at a version that the item expects.
 */
static void
write_locked(DsBatch *batch)
{
	write_present(batch);
	if (!any_item(batch, is_unwritten))
		return;

	lock_moved(batch);
	write_present(batch);
	for (int i = 0; i < batch->targets; i++)
		if (is_unwritten(batch->order[i]))
			ds_row_refuse_unwritten(batch->order[i]->collection, batch->order[i]->id);
}

/* Write everything, in the order that the head of this file explains. */
static DsAttempt
write_items(DsBatch *batch, bool may_try_again)
{
	DsAttempt		result;

	if (any_item(batch, has_other_unique))
	{
		write_locked(batch);
		return write_absent(batch, may_try_again);
	}

	result = write_absent(batch, may_try_again);
	if (result == DS_DONE)
		write_locked(batch);
	return result;
}

/* Look at expectations of absence once more, now that all locks are held. */
static DsAttempt
settle_asserts(DsBatch *batch)
{
	if (!any_item(batch, is_absence))
		return DS_DONE;

	ds_findings_look_again(batch, choose_find_loose);
	return ds_findings_compare(batch) == 0 ? DS_DONE : DS_VIOLATED;
}

/*
 * Try once.  Without may_try_again a batch that would have to begin again
 * ends in an error: 42501, 27000, or else 40001.
 */
DsAttempt
ds_attempt(DsBatch *batch, bool may_try_again)
{
	DsAttempt	result;

	CommandCounterIncrement();
	batch->began = GetCurrentCommandId(false);
	ds_log_items_unlock_absence(batch);
	ds_findings_forget(batch);
	require_floors(batch);
	ds_log_items_lock(batch);
	result = lock_and_compare(batch, may_try_again);
	if (result == DS_AGAIN && !may_try_again)
		ds_error_old_snapshot();
	if (result != DS_DONE)
		return result;

	refuse_growth(batch);
	ds_heads_prepare(batch);
	result = write_items(batch, may_try_again);
	if (result == DS_DONE)
		result = settle_asserts(batch);
	if (result == DS_DONE)
		ds_log_items_store(batch);
	return result;
}

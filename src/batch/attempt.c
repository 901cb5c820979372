/*
 * attempt.c - one try at a batch: lock, compare, write
 *
 * A try goes through these steps:
 *
 *	floors	that deletes are to raise, made where there is none: floor.c.
 *	ahead	scopes that go far back are looked at while nothing is locked.
 *	scopes	what scopes need to be locked that have no row: scope_lock.c.
 *	lock	every document that is expected to be there, or may be there, in
 *			the order of order.c, in the mode that its change needs; asserts
 *			share theirs.
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
 * Without the executor, a batch of nothing but updates at exact versions does
 * not lock first, unless a violation is an answer to its caller: it compares
 * what one snapshot shows, and when all hold it updates in the same order, each
 * update being the lock (step_direct.c).  What has changed since the snapshot is
 * refused by the server; from there on the batch locks, compares and writes as
 * above.  A violation that it finds then is an error, and undoes what it has
 * written.  It is of a thousand documents at most, one chunk (step.c).
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
#include "batch/compare.h"
#include "batch/findings.h"
#include "batch/heads.h"
#include "batch/log_items.h"
#include "batch/merge.h"
#include "batch/rule.h"
#include "batch/step.h"
#include "miscadmin.h"
#include "table/floor.h"
#include "table/row_error.h"
#include "utils/snapmgr.h"

/*
 * What is to be done with a target, by its rule and what was found
 */

/* What is to be looked at once more, where it is absent. */
static bool
is_loose_before_writes(const DsTarget *target)
{
	return ds_rule_of(target)->look == DS_LOOK_BEFORE_WRITES && !target->present;
}

static bool
is_loose_after_writes(const DsTarget *target)
{
	return ds_rule_of(target)->look == DS_LOOK_AFTER_WRITES && !target->present && !target->written;
}

/* After the inserts: one that found its id taken, by what was not found yet. */
static bool
is_lost(const DsTarget *target)
{
	return ds_rule_of(target)->if_absent == DS_INSERT_MANY && !target->present && !target->written;
}

/* What is to be done with a row that is locked, and that no statement has written. */
static DsStatement
due_statement(const DsTarget *target)
{
	if (!target->present || target->written || (target->head != NULL && !target->head->is_due))
		return DS_NO_STATEMENT;
	return ds_rule_of(target)->if_present;
}

static bool
is_unwritten(const DsTarget *target)
{
	return due_statement(target) != DS_NO_STATEMENT;
}

/* Whether a row that is there gets a new version. */
static bool
is_rewritten(const DsTarget *target)
{
	return target->present && (target->change == DS_CHANGE_STORE || target->change == DS_CHANGE_PATCH);
}

/* Unique indexes besides the one on id change the order of the writes. */
static bool
has_other_unique(const DsTarget *target)
{
	return target->collection->has_other_unique;
}

static bool
any_target(const DsBatch *batch, bool (*test) (const DsTarget *target))
{
	for (int i = 0; i < batch->target_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (test(batch->targets[i]))
			return true;
	}
	return false;
}

/*
 * Which targets take part in which step
 */

/*
 * Creates are left to the INSERT, but not under an old snapshot: an INSERT
 * would not mind a document that it still shows, and a locking read does.
 */
static DsStatement
choose_lock(const DsTarget *target)
{
	if (ds_rule_is_create(target) && !IsolationUsesXactSnapshot())
		return DS_NO_STATEMENT;
	return ds_rule_lock(target);
}

static DsStatement
choose_insert(const DsTarget *target)
{
	return target->present ? DS_NO_STATEMENT : ds_rule_of(target)->if_absent;
}

static DsStatement
choose_if(bool takes_part, DsStatement statement)
{
	return takes_part ? statement : DS_NO_STATEMENT;
}

static DsStatement
choose_delete(const DsTarget *target)
{
	return choose_if(due_statement(target) == DS_DELETE_MANY, DS_DELETE_MANY);
}

static DsStatement
choose_update(const DsTarget *target)
{
	return choose_if(due_statement(target) == DS_UPDATE_MANY, DS_UPDATE_MANY);
}

static DsStatement
choose_patch(const DsTarget *target)
{
	return choose_if(due_statement(target) == DS_PATCH_MANY, DS_PATCH_MANY);
}

/* Of the rows that are locked, those that could not be written at their places. */
static DsStatement
choose_lock_moved(const DsTarget *target)
{
	return choose_if(target->moved, ds_rule_lock(target));
}

/* Look again for what was not found when the batch locked. */
static DsStatement
choose_find_absent(const DsTarget *target)
{
	return choose_if(!target->present, DS_FIND_MANY);
}

static DsStatement
choose_find_lost(const DsTarget *target)
{
	return choose_if(is_lost(target), DS_FIND_MANY);
}

static DsStatement
choose_find_loose(const DsTarget *target)
{
	return choose_if(is_loose_after_writes(target), DS_FIND_MANY);
}

/* Row security can let the caller see a document that it may not lock. */
static DsStatement
choose_find_hidden(const DsTarget *target)
{
	return choose_if(target->is_missing && ds_row_security_applies(target->collection), DS_FIND_MANY);
}

/*
 * The steps
 */

/* Deletes raise a floor; it is made before any row is locked, where there is none. */
static void
require_floors(const DsBatch *batch)
{
	const DsCollection *last = NULL;

	for (int i = 0; i < batch->target_count; i++)
	{
		const DsTarget *target = batch->targets[i];

		if (target->change != DS_CHANGE_DELETE || target->collection == last)
			continue;
		ds_floor_require(target->collection->relid);
		last = target->collection;
	}
}

/* Count the tries in succession that have not found a target to lock. */
static void
count_missed(DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
		batch->targets[i]->missed = batch->targets[i]->present ? 0 : batch->targets[i]->missed + 1;
}

/*
 * Begin again, as targets are there by now that could not be locked.  They were
 * created since; or else row security shows them and keeps them from being
 * locked, which is 42501, and certain when they are missed once more.
 */
static DsAttempt
try_again(DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];

		if (!target->present)
			target->missed = 0;
		if (target->missed > 1 && ds_row_security_applies(target->collection))
			ds_row_refuse_unwritable(target->collection, target->id);
	}
	return DS_AGAIN;
}

/*
 * Look whether a target is missing only to those who would write it.  That is
 * told before all conflicts, but for a committed version above the expected
 * one, which is a conflict in any case.
 */
static DsAttempt
refuse_hidden(DsBatch *batch, bool may_try_again)
{
	ds_step_run(batch, choose_find_hidden, DS_WRITE_BATCH);
	for (int i = 0; i < batch->target_count; i++)
	{
		const DsTarget *target = batch->targets[i];

		if (!target->is_missing || !target->present ||
			ds_expectation_is_passed(target->expected, target->actual))
			continue;
		if (!may_try_again)
			ds_row_refuse_unwritable(target->collection, target->id);
		return try_again(batch);
	}
	return DS_DONE;
}

/* A document at the highest version cannot be written once more. */
static void
refuse_growth(const DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
	{
		const DsTarget *target = batch->targets[i];

		if (target->head == NULL && is_rewritten(target) && target->actual == PG_INT64_MAX)
			ds_row_refuse_growth(target->collection, target->id);
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
	ds_findings_look_at_conditions(batch);
	ds_merges_look(batch);
	if (batch->heads != NIL)
		ds_log_items_lock_absence(batch);
	ds_log_items_look(batch);
	count_missed(batch);
	if (ds_items_compare(batch) > 0)
	{
		if (refuse_hidden(batch, may_try_again) == DS_AGAIN)
			return DS_AGAIN;
	}
	else if (!any_target(batch, is_loose_before_writes))
		return DS_DONE;

	found = ds_findings_look_again(batch, choose_find_absent);
	if (found > 0)
		ds_log_items_look(batch);
	if (ds_items_compare(batch) > 0)
		return DS_VIOLATED;
	return found > 0 ? try_again(batch) : DS_DONE;
}

/* The inserts that found their id taken, but for those of which a row was found. */
static List *
lost_inserts(const DsBatch *batch)
{
	List	   *lost = NIL;

	for (int i = 0; i < batch->target_count; i++)
		if (is_lost(batch->targets[i]))
			lost = lappend(lost, batch->targets[i]);
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
		const DsTarget *target = lfirst(cell);

		if (target->present)
			ds_row_refuse_interference(target->collection, target->id);
	}
	foreach(cell, lost)
		((DsTarget *) lfirst(cell))->present = false;
}

/*
 * What became of the inserts that found their id taken.
 *
 * A create fails, also when the document is gone again by now or hidden by
 * row security: that it was there is enough.  A target of which anything is
 * expected must be locked in the order of the locks, so the batch begins again.
 */
static DsAttempt
settle_lost_inserts(DsBatch *batch, bool may_try_again)
{
	bool		is_violated = false;

	if (!any_target(batch, is_lost))
		return DS_DONE;

	refuse_own_rows(batch);
	ds_findings_look_again(batch, choose_find_loose);
	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];
		bool		is_lost_create = ds_rule_is_create(target) && !target->written;

		if (is_lost_create && (target->present || !target->collection->has_before_triggers))
			is_violated = target->is_taken = true;
		else if (is_lost_create || is_lost(target))
		{
			if (!is_lost_create && may_try_again)
				return DS_AGAIN;
			ds_row_refuse_unwritable(target->collection, target->id);
		}
	}
	ds_items_compare(batch);
	return is_violated ? DS_VIOLATED : DS_DONE;
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
		ds_error_raise_old_snapshot();
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
	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];

		target->moved = is_unwritten(target);
		target->present &= !target->moved;
		target->compared = target->actual;
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
	for (int i = 0; i < batch->target_count; i++)
	{
		const DsTarget *target = batch->targets[i];

		if (target->moved && !(target->present && (target->head == NULL || target->actual == target->compared)))
			ds_row_refuse_interference(target->collection, target->id);
	}

	ds_findings_look_at_conditions(batch);
	ds_merges_look(batch);
	ds_items_compare(batch);
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (item->reason != DS_NO_REASON)
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
	if (!any_target(batch, is_unwritten))
		return;

	lock_moved(batch);
	write_present(batch);
	for (int i = 0; i < batch->target_count; i++)
		if (is_unwritten(batch->targets[i]))
			ds_row_refuse_unwritten(batch->targets[i]->collection, batch->targets[i]->id);
}

/* Write everything, in the order that the head of this file explains. */
static DsAttempt
write_items(DsBatch *batch, bool may_try_again)
{
	DsAttempt	result;

	if (any_target(batch, has_other_unique))
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
	if (!any_target(batch, is_loose_after_writes))
		return DS_DONE;

	ds_findings_look_again(batch, choose_find_loose);
	return ds_items_compare(batch) == 0 ? DS_DONE : DS_VIOLATED;
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
	ds_log_items_look_ahead(batch);
	ds_log_items_lock(batch);
	result = lock_and_compare(batch, may_try_again);
	if (result == DS_AGAIN && !may_try_again)
		ds_error_raise_old_snapshot();
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

/*
 * findings.c - what a try at a batch has found of its targets
 *
 * Steps note of each target whether it is present, and at which version.  Here
 * what was absent is looked for again, and all is forgotten before the next
 * try.
 *
 * Only what is locked stays as it was found.  So what a look without a lock
 * finds is true at one instant, and a caller who relies on it looks at all
 * that it is about together.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "batch/findings.h"
#include "batch/merge.h"
#include "document/condition.h"
#include "json/json.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

/* Begin a try: nothing is found yet. */
void
ds_findings_forget(DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];

		target->present = false;
		target->is_missing = false;
		target->fails_condition = false;
		target->is_taken = false;
		target->written = false;
		target->moved = false;
	}
	ds_merges_forget(batch);
	batch->is_too_low = false;
}

/*
 * Look whether documents contain what they are to contain.  It is looked at of
 * those that are locked only: what turns up later is locked before it is written.
 */
void
ds_findings_look_at_conditions(DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];
		Jsonb	   *condition;

		CHECK_FOR_INTERRUPTS();
		if (target->condition == NULL || !target->present || target->written)
			continue;
		condition = ds_json_copy(target->condition, target->condition_length);
		target->fails_condition = !ds_condition_holds(target->collection, target->id, JsonbPGetDatum(condition));
		pfree(condition);
	}
}

static int
count_present(const DsBatch *batch)
{
	int			present = 0;

	for (int i = 0; i < batch->target_count; i++)
		present += batch->targets[i]->present;
	return present;
}

/*
 * Find targets in what one snapshot shows, of this transaction's own writes those
 * before a command; returns how many are there.
 */
int
ds_findings_look_at(DsBatch *batch, DsChooseStatement choose, Snapshot snapshot, CommandId before)
{
	int			present = count_present(batch);

	PushCopiedSnapshot(snapshot);
	GetActiveSnapshot()->curcid = before;
	ds_step_run(batch, choose, DS_READ);
	PopActiveSnapshot();
	return count_present(batch) - present;
}

/*
 * Look again for targets that were absent when the batch locked, all of them at
 * one instant: what is locked is at that instant as it was found.  Returns
 * how many are there by now, but for what the call itself has made: what an
 * item expects is about what was there before the call.
 *
 * Under REPEATABLE READ and SERIALIZABLE absence in the snapshot is not
 * absence: when something that it does not show is there by now, the answer
 * is 40001, not a report that is untrue.
 */
int
ds_findings_look_again(DsBatch *batch, DsChooseStatement choose)
{
	int			found;

	if (!IsolationUsesXactSnapshot())
		return ds_findings_look_at(batch, choose, GetLatestSnapshot(), batch->began);

	found = ds_findings_look_at(batch, choose, GetTransactionSnapshot(), batch->began);
	if (ds_findings_look_at(batch, choose, GetLatestSnapshot(), batch->began) > 0)
		ds_error_raise_old_snapshot();
	return found;
}

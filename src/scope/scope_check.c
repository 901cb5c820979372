/*
 * scope_check.c - whether scopes hold
 *
 * They are looked at when everything that could still let an event into them
 * is locked (scope_lock.c), in what is committed by then: a snapshot that was
 * taken before the locks would not show it.
 *
 * But who holds the locks keeps others from appending.  Where a scope may have
 * to go back far, to the beginning of the log when no event is expected at all,
 * that is done before, in a snapshot, and under the locks only what this
 * snapshot does not show is looked at.  It is the same question as with a mark.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "conflict/expectation.h"
#include "miscadmin.h"
#include "scope/scope_check.h"
#include "scope/tail.h"
#include "scope/unseen.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"

/* So many positions are looked at under the locks. */
#define FEW_POSITIONS 1000

/* Find the tail of a scope in what one snapshot shows, if it is above that position. */
static bool
find_tail(const DsLog *log, const DsScope *scope, int64 above, Snapshot snapshot, int64 *tail)
{
	bool		found;

	PushActiveSnapshot(snapshot);
	found = ds_scope_tail(log, scope, above, tail);
	PopActiveSnapshot();
	return found;
}

/*
 * Under REPEATABLE READ and SERIALIZABLE the transaction may have decided by
 * what its snapshot shows: an event that came in since is 40001.
 */
static void
refuse_newer(const DsLog *log, const DsScope *scope, int64 above)
{
	int64		tail = 0;
	bool		found = find_tail(log, scope, above, GetTransactionSnapshot(), &tail);

	if (found != scope->has_tail || (found && tail != scope->tail))
		ds_error_raise_old_snapshot();
}

/* The positions that matter to a scope are above this one. */
static int64
lower_end(const DsScope *scope)
{
	return scope->strict ? PG_INT64_MIN : scope->expected;
}

/* What a snapshot does not show is told by the headers of rows, which those may read who may read all columns. */
static bool
can_read_headers(const DsLog *log)
{
	return pg_class_aclcheck(log->events.relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static void
look_ahead(const DsLog *log, DsScope *scope)
{
	PushActiveSnapshot(IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : GetLatestSnapshot());
	scope->ahead = palloc(sizeof(DsMark));
	ds_mark_take(&log->events, GetActiveSnapshot(), scope->ahead);
	scope->had_tail = ds_scope_tail(log, scope, lower_end(scope), &scope->old_tail);
	PopActiveSnapshot();
}

/*
 * Look at scopes of one log before anything is locked, where that may take
 * long.  Callers are connected to SPI.
 */
void
ds_scopes_look_ahead(const DsLog *log, DsScope *scopes, int count)
{
	int64		end = -1;		/* not known yet */

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		scopes[i].ahead = NULL;
		if (!ds_expectation_checks || scopes[i].seen != NULL)
			continue;
		if (end < 0)
			end = can_read_headers(log) ? ds_log_end_position(log) : 0;
		if (end - Max(lower_end(&scopes[i]), 0) > FEW_POSITIONS)
			look_ahead(log, &scopes[i]);
	}
}

/*
 * Find the tail of a scope that was looked at ahead: of what came since, or else
 * of what was there.  Under an old snapshot what came since is 40001.
 */
static void
find_tail_since(const DsLog *log, DsScope *scope)
{
	bool		found;

	PushActiveSnapshot(GetLatestSnapshot());
	(void) ds_scopes_unseen(log, scope, 1, scope->ahead, lower_end(scope));
	PopActiveSnapshot();
	found = scope->has_tail && (!scope->had_tail || scope->tail > scope->old_tail);
	if (found && IsolationUsesXactSnapshot())
		ds_error_raise_old_snapshot();
	scope->has_tail = scope->had_tail || found;
	if (!found)
		scope->tail = scope->old_tail;
}

/* How many scopes, the first of these and those after it, have the same mark. */
static int
count_same_mark(const DsScope *scopes, int count)
{
	int			same = 1;

	while (same < count && scopes[same].seen != NULL && strcmp(scopes[same].seen, scopes->seen) == 0)
		same++;
	return same;
}

/*
 * An event that the mark does not show violates a scope, at whichever level:
 * the caller has decided by the mark, not by the transaction's snapshot.
 */
static void
check_seen(const DsLog *log, DsScope *scopes, int count)
{
	DsMarkState state;

	PushActiveSnapshot(GetLatestSnapshot());
	state = ds_scopes_unseen(log, scopes, count, &scopes->mark, PG_INT64_MIN);
	PopActiveSnapshot();
	for (int i = 0; i < count; i++)
	{
		scopes[i].violated = scopes[i].has_tail;
		scopes[i].mark_state = state;
	}
}

/* An event above what is expected violates a scope; a strict one, also no event just there. */
static void
check(const DsLog *log, DsScope *scope)
{
	int64		above = lower_end(scope);

	if (scope->ahead != NULL)
		find_tail_since(log, scope);
	else
	{
		scope->has_tail = find_tail(log, scope, above, GetLatestSnapshot(), &scope->tail);
		if (IsolationUsesXactSnapshot())
			refuse_newer(log, scope, above);
	}
	if (scope->strict)
		scope->violated = (scope->has_tail ? scope->tail : DS_NO_VERSION) != scope->expected;
	else
		scope->violated = scope->has_tail;
}

/*
 * Check scopes of one log: each is violated by then, or not.  Callers are
 * connected to SPI.
 */
void
ds_scopes_check(const DsLog *log, DsScope *scopes, int count)
{
	if (count > 0)
		CommandCounterIncrement();
	for (int i = 0, checked; i < count; i += checked)
	{
		CHECK_FOR_INTERRUPTS();
		checked = 1;
		scopes[i].violated = false;
		if (!ds_expectation_checks)
			continue;
		if (scopes[i].seen == NULL)
			check(log, &scopes[i]);
		else
		{
			checked = count_same_mark(&scopes[i], count - i);
			check_seen(log, &scopes[i], checked);
		}
	}
}

/* No scope is violated: nobody asks for them any more. */
void
ds_scopes_forget(DsScope *scopes, int count)
{
	for (int i = 0; i < count; i++)
		scopes[i].violated = false;
}

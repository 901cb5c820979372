/*
 * scope_check.c - whether scopes hold
 *
 * They are looked at when everything that could still let an event into them
 * is locked (scope_lock.c), in what is committed by then: a snapshot that was
 * taken before the locks would not show it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "conflict/expectation.h"
#include "miscadmin.h"
#include "scope/scope_check.h"
#include "scope/tail.h"
#include "scope/unseen.h"
#include "utils/snapmgr.h"

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

/*
 * An event that the mark does not show violates a scope, at whichever level:
 * the caller has decided by the mark, not by the transaction's snapshot.
 */
static void
check_seen(const DsLog *log, DsScope *scope)
{
	PushActiveSnapshot(GetLatestSnapshot());
	scope->has_tail = ds_scope_unseen(log, scope, &scope->mark, PG_INT64_MIN, &scope->tail);
	PopActiveSnapshot();
	scope->violated = scope->has_tail;
}

/* An event above what is expected violates a scope; a strict one, also no event just there. */
static void
check(const DsLog *log, DsScope *scope)
{
	int64		above = scope->strict ? PG_INT64_MIN : scope->expected;

	if (scope->seen != NULL)
	{
		check_seen(log, scope);
		return;
	}
	scope->has_tail = find_tail(log, scope, above, GetLatestSnapshot(), &scope->tail);
	if (IsolationUsesXactSnapshot())
		refuse_newer(log, scope, above);
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
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		scopes[i].violated = false;
		if (ds_expectation_checks)
			check(log, &scopes[i]);
	}
}

/* No scope is violated: nobody asks for them any more. */
void
ds_scopes_forget(DsScope *scopes, int count)
{
	for (int i = 0; i < count; i++)
		scopes[i].violated = false;
}

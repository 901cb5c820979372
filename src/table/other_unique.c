/*
 * other_unique.c - creates where another unique index exists
 *
 * Two callers that create the same id must not see 23505: one wins, the other
 * finds the id taken.  ON CONFLICT (id) DO NOTHING promises that for the index
 * on id only.  When both rows have the same value in another unique index as
 * well, the one who comes second can meet that value first, since nobody locks
 * an id before its row is there, and then the server raises that index's error.
 *
 * So where another unique index exists, the INSERT asks about all of them: no
 * row comes back when a value is taken, whichever.  Then the id is looked for.
 * When it is there, it is taken, and that is all there is to say.  When it is
 * not, the other value is taken by another document, and the INSERT that asks
 * about id alone raises the server's own error.  That one runs in a
 * subtransaction: the two callers can meet just there, and if the id is there
 * after the error, the error was about them.
 *
 * The server cannot be asked about constraints that are deferrable, and under
 * an old snapshot it answers 40001 for any row that the snapshot does not show.
 * A single create goes to the second INSERT at once then.  A batch cannot, as
 * what its triggers have queued does not survive a subtransaction: with a
 * deferrable constraint it asks about id alone.
 *
 * Why not the second INSERT always.  Whoever loses a race would leave a dead row
 * and an error to recover from; and two callers who both have their rows in the
 * table before they look at an exclusion constraint wait for each other.
 */
#include "postgres.h"

#include "table/other_unique.h"

/*
 * Run body in a subtransaction, as ds_subtransaction_run().  When a unique or
 * exclusion constraint is violated nothing is left of it, and the error is
 * returned, for ReThrowError(); NULL when there was none.
 */
ErrorData *
ds_other_unique_try(DsSubtransactionBody body, void *context)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *volatile violation = NULL;

	PG_TRY();
	{
		(void) ds_subtransaction_run(body, context);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		violation = CopyErrorData();
		if (violation->sqlerrcode != ERRCODE_UNIQUE_VIOLATION &&
			violation->sqlerrcode != ERRCODE_EXCLUSION_VIOLATION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return violation;
}

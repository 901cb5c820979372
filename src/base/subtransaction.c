/*
 * subtransaction.c - what can be taken back
 *
 * What is written above the version that a collection has used up, or would
 * have to be locked out of order, is rolled back and done once more: a single
 * create (document.c), or a whole batch (batch.c).
 *
 * CAUTION: whoever waits for what a subtransaction has written goes on to wait
 * for the whole transaction, once that has ended.  So a savepoint that its
 * caller rolls back to would not let others go; ds_subtransaction_is_free()
 * tells where there is none.
 *
 * As PL/pgSQL's blocks with EXCEPTION do it: the caller stays connected to
 * SPI, in its own memory context and under its own resource owner.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/subtransaction.h"
#include "utils/resowner.h"

/* Whether no savepoint of the caller's can be rolled back to that would undo what is done now. */
bool
ds_subtransaction_is_free(void)
{
	return GetCurrentTransactionNestLevel() == 1;
}

/*
 * Run body in a subtransaction, and take everything back when it returns
 * false; returns what body does.  An error goes on, but only after the
 * subtransaction has ended: nobody else would end it.  Its release can end in one,
 * too, where another extension has a connection to release it on.
 */
bool
ds_subtransaction_run(DsSubtransactionBody body, void *context)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool stays = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		stays = body(context);
		if (stays)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		ReThrowError(error);
	}
	PG_END_TRY();

	if (!stays)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return stays;
}

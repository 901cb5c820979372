/*
 * errors.c - the checks and phrases that every verb shares
 *
 * Nothing here locks or writes; memory is the caller's current context.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/errors.h"
#include "fmgr.h"

/*
 * How a message about an item begins: "item 3: ", or nothing when the call
 * takes one document only.
 */
const char *
ds_error_item_prefix(int item)
{
	return item == DS_ONLY_ITEM ? "" : psprintf("item %d: ", item);
}

/*
 * For error context callbacks around functions of the server that read a
 * value: whether the error is about that value.  Any other, a timeout or a
 * lack of memory or stack, happened to come up there, and stays what it is.
 */
bool
ds_error_is_bad_value(void)
{
	return ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_DATA_EXCEPTION;
}

/* Refuse a NULL in place of the argument called name. */
void
ds_argument_require(bool is_null, const char *name)
{
	if (is_null)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s must not be NULL", name),
				 errhint("Pass a value for %s.", name)));
}

/* How many rows are wanted, as the parameter of a LIMIT; NULL is all of them. */
Datum
ds_argument_max_count(FunctionCallInfo fcinfo, int argument, char *null)
{
	int32		max_count;

	*null = PG_ARGISNULL(argument) ? 'n' : ' ';
	if (PG_ARGISNULL(argument))
		return (Datum) 0;
	max_count = PG_GETARG_INT32(argument);
	if (max_count < 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("max_count must not be negative, but is %d", max_count),
				 errhint("Pass NULL for all of them.")));
	return Int64GetDatum(max_count);
}

/* Refuse to run in a parallel query: its workers do not share what a transaction has done. */
void
ds_call_require_no_parallel(const char *function)
{
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(DS_ERRCODE_PARALLEL),
				 errmsg("cannot execute %s during a parallel operation", function),
				 errhint("Mark the function that calls it PARALLEL UNSAFE.")));
}

/*
 * Refuse to write where the server would refuse it later, with a message
 * that names our function and a hint that says what to do: in a transaction
 * that is read only, and in a parallel query, which a function gets into that
 * calls this one and is marked PARALLEL SAFE.
 */
void
ds_call_require_writable(const char *function)
{
	ds_call_require_no_parallel(function);
	if (!XactReadOnly)
		return;

	ereport(ERROR,
			(errcode(DS_ERRCODE_READ_ONLY),
			 errmsg("cannot execute %s in a read-only transaction", function),
			 RecoveryInProgress()
			 ? errhint("This server is a standby: connect to the primary.")
			 : errhint("Begin the transaction with READ WRITE.")));
}

/* Raise 40001: somebody changed what this transaction's snapshot shows. */
void
ds_error_raise_old_snapshot(void)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_SERIALIZATION),
			 errmsg("could not serialize access due to concurrent update"),
			 errhint("The transaction might succeed if retried.")));
}

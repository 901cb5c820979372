/*
 * track.c - which collections have a history: track, untrack
 */
#include "postgres.h"

#include "base/errors.h"
#include "fmgr.h"
#include "history/track.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ds_track);
PG_FUNCTION_INFO_V1(ds_untrack);
PG_FUNCTION_INFO_V1(ds_tracking_fault);

/* How many documents to record at once; NULL is all of them. */
static int64
max_rows_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		return DS_ALL_ROWS;
	if (PG_GETARG_INT32(1) < 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("max_rows must not be negative, but is %d", PG_GETARG_INT32(1)),
				 errhint("Pass NULL to record all documents that are there.")));
	return PG_GETARG_INT32(1);
}

/* Whether the history is to be partitioned by month; 22023 for any other word. */
static bool
is_by_month(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(3))
		return false;
	if (strcmp(text_to_cstring(PG_GETARG_TEXT_PP(3)), "month") != 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("partition_by must be \"month\""),
				 errhint("Pass NULL for a history that is a single table.")));
	return true;
}

/*
 * docstore.track(collection regclass, max_rows integer DEFAULT NULL, notify boolean DEFAULT false,
 *				  partition_by text DEFAULT NULL)
 * RETURNS regclass
 *
 * Returns the history.  Errors and locks: ds_track_make(), and 22023 for bad
 * arguments.
 */
Datum
ds_track(PG_FUNCTION_ARGS)
{
	ds_call_require_writable("docstore.track()");
	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(2), "notify");
	PG_RETURN_OID(ds_track_make(PG_GETARG_OID(0), max_rows_argument(fcinfo), PG_GETARG_BOOL(2), is_by_month(fcinfo)));
}

/*
 * docstore.untrack(collection regclass) RETURNS void
 *
 * Errors and locks: ds_track_drop(), and 22023 for NULL.
 */
Datum
ds_untrack(PG_FUNCTION_ARGS)
{
	ds_call_require_writable("docstore.untrack()");
	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_track_drop(PG_GETARG_OID(0));
	PG_RETURN_VOID();
}

/*
 * docstore_internal.tracking_fault(relation regclass) RETURNS text
 *
 * What is wrong with a tracked collection; NULL when nothing is.  It waits for
 * nobody, and keeps no lock.
 */
Datum
ds_tracking_fault(PG_FUNCTION_ARGS)
{
	char	   *fault = ds_track_fault(PG_GETARG_OID(0));

	if (fault == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(fault));
}

/*
 * age.c - how old something may be
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/age.h"
#include "base/errors.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* While the time is computed: an interval that leads out of the calendar. */
static void
older_than_error(pg_attribute_unused() void *arg)
{
	if (!ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	errhint("Pass an interval such as '7 days'.");
}

/*
 * The time that lies so far before the transaction began, for an argument
 * older_than; 22023 where there is none.
 */
TimestampTz
ds_age_before(Datum older_than)
{
	ErrorContextCallback context = {error_context_stack, older_than_error, NULL};
	Interval	zero = {0};
	Datum		result;

	error_context_stack = &context;
	if (DatumGetBool(DirectFunctionCall2(interval_lt, older_than, IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("older_than must not be negative")));
	result = DirectFunctionCall2(timestamptz_mi_interval,
								 TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
								 older_than);
	error_context_stack = context.previous;
	return DatumGetTimestampTz(result);
}

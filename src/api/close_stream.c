/*
 * close_stream.c - docstore.close_stream(): let nobody append to a stream any more
 */
#include "postgres.h"

#include "api/stream_call.h"
#include "base/errors.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(ds_close_stream);

/*
 * docstore.close_stream(log regclass, stream text, expected_version bigint)
 * RETURNS bigint
 *
 * Returns the version at which the stream is closed; NULL when "any" is
 * expected and there is no stream.  Raises the conflict when the stream is at
 * another version, absent, or closed already, or remembers it and returns NULL
 * while conflicts are deferred; 22023, 42P01 and 42809 for bad arguments.
 * Locks: ROW EXCLUSIVE on the tables, FOR NO KEY UPDATE on the head.
 */
Datum
ds_close_stream(PG_FUNCTION_ARGS)
{
	DsStreamCall call;

	ds_require_writable("docstore.close_stream()");
	ds_stream_call_begin(fcinfo, DS_CLOSE_STREAM_ITEM, &call);
	call.item->expected = ds_expectation_in_force(
		ds_expectation_from_sql(PG_ARGISNULL(2) ? DS_NO_VERSION : PG_GETARG_INT64(2), DS_ONLY_ITEM));

	if (!ds_stream_call_run(&call) || !call.item->written)
		PG_RETURN_NULL();
	PG_RETURN_INT64(call.item->version);
}

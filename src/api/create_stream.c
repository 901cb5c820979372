/*
 * create_stream.c - docstore.create_stream(): make a stream without events
 */
#include "postgres.h"

#include "api/stream_call.h"
#include "base/errors.h"
#include "batch/stream_item.h"
#include "fmgr.h"
#include "json/json.h"

PG_FUNCTION_INFO_V1(ds_create_stream);

/*
 * docstore.create_stream(log regclass, stream text, properties jsonb DEFAULT '{}')
 * RETURNS bigint
 *
 * Returns the version of the new stream, 0, which is what the first append can
 * expect.  Raises the conflict (exists) when the stream is there already, or
 * remembers it and returns NULL while conflicts are deferred; 22023, 42P01 and
 * 42809 for bad arguments.
 * Locks: ROW EXCLUSIVE on the tables, and the new row.
 */
Datum
ds_create_stream(PG_FUNCTION_ARGS)
{
	DsStreamCall call;
	JsonbValue	properties;

	ds_require_writable("docstore.create_stream()");
	ds_require_argument(PG_ARGISNULL(2), "properties");
	ds_stream_call_begin(fcinfo, DS_CREATE_STREAM_ITEM, &call);
	ds_json_root(PG_GETARG_JSONB_P(2), &properties);
	ds_stream_item_set_properties(call.item, &properties);

	if (!ds_stream_call_run(&call))
		PG_RETURN_NULL();
	PG_RETURN_INT64(call.item->version);
}

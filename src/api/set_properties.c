/*
 * set_properties.c - docstore.set_properties(): replace the properties of a stream
 */
#include "postgres.h"

#include "api/stream_call.h"
#include "base/errors.h"
#include "batch/stream_item.h"
#include "fmgr.h"
#include "json/json.h"

PG_FUNCTION_INFO_V1(ds_set_properties);

/*
 * docstore.set_properties(log regclass, stream text, properties jsonb,
 *						   expected_revision bigint) RETURNS bigint
 *
 * Replaces the properties as a whole, and returns the new revision.  Raises
 * the conflict when the stream is absent or its revision another one, or
 * remembers it and returns NULL while conflicts are deferred; 22023, 42P01 and
 * 42809 for bad arguments.
 * Locks: ROW EXCLUSIVE on the tables, FOR NO KEY UPDATE on the head.
 */
Datum
ds_set_properties(PG_FUNCTION_ARGS)
{
	DsStreamCall call;
	JsonbValue	properties;

	ds_require_writable("docstore.set_properties()");
	ds_require_argument(PG_ARGISNULL(2), "properties");
	ds_stream_call_begin(fcinfo, DS_SET_PROPERTIES_ITEM, &call);
	ds_json_root(PG_GETARG_JSONB_P(2), &properties);
	ds_stream_item_set_properties(call.item, &properties);
	ds_stream_item_set_revision(call.item,
								ds_expectation_from_sql(PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3),
														DS_ONLY_ITEM));

	if (!ds_stream_call_run(&call))
		PG_RETURN_NULL();
	PG_RETURN_INT64(call.item->version);
}

/*
 * upsert.c - docstore.upsert(): create or overwrite one document
 */
#include "postgres.h"

#include "api/single.h"
#include "base/errors.h"
#include "document/document.h"
#include "fmgr.h"
#include "json/json.h"

PG_FUNCTION_INFO_V1(ds_upsert);

/*
 * docstore.upsert(collection regclass, id text, data jsonb,
 *				   expected_version bigint DEFAULT NULL) RETURNS bigint
 *
 * Returns the new version: 1 for a new document, else one more than before.
 * Raises the conflict when the expected version does not match, or remembers
 * it and returns NULL while conflicts are deferred (deferred.c); 22023, 22P02,
 * 42P01 and 42809 for bad arguments, before anything is locked.
 * Locks: ROW EXCLUSIVE on the table, FOR NO KEY UPDATE on the row, as the
 * UPDATE or INSERT that it executes.
 */
Datum
ds_upsert(PG_FUNCTION_ARGS)
{
	DsSingle	call;
	DsOutcome	outcome;
	Datum		data;

	ds_require_writable("docstore.upsert()");
	ds_require_argument(PG_ARGISNULL(2), "data");
	data = ds_json_require_object(PG_GETARG_DATUM(2), "data", DS_ONLY_ITEM);
	ds_single_begin(fcinfo, 3, &call);

	ds_document_upsert(&call.collection, call.id, data, call.expected, &outcome);

	if (!ds_single_end(&call, "upsert", &outcome))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

/*
 * patch.c - docstore.patch(): change members of one document
 */
#include "postgres.h"

#include "api/single.h"
#include "base/errors.h"
#include "document/document.h"
#include "fmgr.h"
#include "json/json.h"

PG_FUNCTION_INFO_V1(ds_patch);

/*
 * docstore.patch(collection regclass, id text, patch jsonb,
 *				  expected_version bigint) RETURNS bigint
 *
 * Merges the patch into the document (merge_patch.c), as it is when its row is
 * locked; an absent document counts as {}.  Returns the new version, errors
 * and locks as docstore.upsert().
 */
Datum
ds_patch(PG_FUNCTION_ARGS)
{
	DsSingle	call;
	DsOutcome	outcome;
	Datum		patch;

	ds_require_writable("docstore.patch()");
	ds_require_argument(PG_ARGISNULL(2), "patch");
	patch = ds_json_require_object(PG_GETARG_DATUM(2), "patch", DS_ONLY_ITEM);
	ds_single_begin(fcinfo, 3, &call);

	ds_document_patch(&call.collection, call.id, patch, call.expected, &outcome);

	if (!ds_single_end(&call, "patch", &outcome))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

/*
 * delete.c - docstore.delete(): delete one document
 */
#include "postgres.h"

#include "api/single.h"
#include "base/errors.h"
#include "document/document.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(ds_delete);

/*
 * docstore.delete(collection regclass, id text, expected_version bigint)
 * RETURNS bigint
 *
 * Returns the version that was deleted, NULL when the expected version is
 * "any" and there was no such document.  Errors and locks as docstore.upsert(),
 * but the row is locked FOR UPDATE; an expected version that says "absent",
 * NULL too, is 22023.
 */
Datum
ds_delete(PG_FUNCTION_ARGS)
{
	DsSingle	call;
	DsOutcome	outcome;

	ds_require_writable("docstore.delete()");
	ds_expectation_refuse_absence(PG_ARGISNULL(2) ? DS_NO_VERSION : PG_GETARG_INT64(2),
								  DS_ONLY_ITEM);
	ds_single_begin(fcinfo, 2, &call);

	ds_document_delete(&call.collection, call.id, call.expected, &outcome);

	if (!ds_single_end(&call, "delete", &outcome) || !outcome.written)
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

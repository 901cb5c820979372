/*
 * documents.c - writing one document: upsert, patch, put, delete
 *
 * Their first arguments are the collection and the id; one further argument is
 * the expected version.  put() finds all three in the document.  Where the
 * expected version does not hold, the result is the conflict, or NULL while
 * conflicts are deferred.
 */
#include "postgres.h"

#include "base/errors.h"
#include "document/condition.h"
#include "document/document.h"
#include "document/metadata.h"
#include "document/outcome.h"
#include "fmgr.h"
#include "json/json.h"
#include "table/collection.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(ds_upsert);
PG_FUNCTION_INFO_V1(ds_patch);
PG_FUNCTION_INFO_V1(ds_put);
PG_FUNCTION_INFO_V1(ds_delete);

/* What a call is about. */
typedef struct Call
{
	DsCollection collection;
	Datum		id;
	int64		expected;		/* what is left of it under docstore.checks */
} Call;

/* An expected version as it was given; NULL says absent. */
static int64
expected_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? DS_NO_VERSION : PG_GETARG_INT64(number);
}

/*
 * Check the arguments and lock the table.  Raises 22023, 22P02, 42P01, 42809.
 */
static void
begin(FunctionCallInfo fcinfo, int expected_number, Call *call)
{
	int64		expected = expected_argument(fcinfo, expected_number);

	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "id");
	call->expected = ds_expectation_in_force(ds_expectation_from_sql(expected, DS_ONLY_ITEM));
	ds_collection_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &call->collection);
	call->id = ds_id_from_text(call->collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_collection_require_short_id(&call->collection, call->id, DS_ONLY_ITEM);
}

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
	Call		call;
	DsOutcome	outcome;
	Datum		data;

	ds_call_require_writable("docstore.upsert()");
	ds_argument_require(PG_ARGISNULL(2), "data");
	data = ds_json_require_object(PG_GETARG_DATUM(2), "data", DS_ONLY_ITEM);
	begin(fcinfo, 3, &call);

	ds_document_upsert(&call.collection, call.id, data, call.expected, &outcome);

	if (!ds_outcome_settle(&outcome, "upsert", &call.collection, call.id, call.expected))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

/*
 * docstore.patch(collection regclass, id text, patch jsonb,
 *				  expected_version bigint, if_contains jsonb DEFAULT NULL)
 * RETURNS bigint
 *
 * Merges the patch into the document (merge_patch.c), as it is when its row is
 * locked; an absent document counts as {}.  With if_contains it must be there,
 * and contain that.  Returns the new version, errors and locks as
 * docstore.upsert().
 */
Datum
ds_patch(PG_FUNCTION_ARGS)
{
	Call		call;
	DsOutcome	outcome;
	Datum		patch;
	Datum		condition = (Datum) 0;
	int64		required = DS_NO_VERSION;

	ds_call_require_writable("docstore.patch()");
	ds_argument_require(PG_ARGISNULL(2), "patch");
	patch = ds_json_require_object(PG_GETARG_DATUM(2), "patch", DS_ONLY_ITEM);
	if (!PG_ARGISNULL(4))
		condition = ds_json_require_object(PG_GETARG_DATUM(4), "if_contains", DS_ONLY_ITEM);
	begin(fcinfo, 3, &call);

	if (condition != (Datum) 0)
		required = ds_expectation_with_condition(expected_argument(fcinfo, 3), DS_ONLY_ITEM);
	if (condition != (Datum) 0 && ds_expectation_checks)
		ds_condition_patch(&call.collection, call.id, patch, condition, required, &outcome);
	else
		ds_document_patch(&call.collection, call.id, patch, call.expected, &outcome);

	if (!ds_outcome_settle(&outcome, "patch", &call.collection, call.id, call.expected))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

/* As begin(), with what "@metadata" says in place of arguments. */
static void
begin_carried(Jsonb *document, Call *call)
{
	DsMetadata	given;
	char	   *name;

	ds_metadata_read(&document->root, DS_ONLY_ITEM, &given);
	name = pnstrdup(given.collection->val.string.val, given.collection->val.string.len);

	memset(call, 0, sizeof(Call));
	ds_collection_open(ds_collection_find(name, RowExclusiveLock, DS_ONLY_ITEM),
					   RowExclusiveLock, DS_ONLY_ITEM, &call->collection);
	call->id = given.id == NULL
		? ds_id_generate(call->collection.id_type, DS_ONLY_ITEM)
		: ds_id_from_json(call->collection.id_type, given.id, DS_ONLY_ITEM);
	ds_collection_require_short_id(&call->collection, call->id, DS_ONLY_ITEM);
	call->expected =
		ds_expectation_in_force(ds_expectation_from_json(given.version, DS_ONLY_ITEM));
}

/*
 * docstore.put(document jsonb) RETURNS jsonb
 *
 * Saves a document as docstore.get() returns it: an upsert of what it says
 * besides "@metadata", into the collection, under the id and with the expected
 * version that "@metadata" has.  Without a version it creates, without an id
 * it makes a new UUID.  Returns the document with its new version.  Errors and
 * locks as docstore.upsert().
 */
Datum
ds_put(PG_FUNCTION_ARGS)
{
	Call		call;
	DsOutcome	outcome;
	Jsonb	   *document;
	Jsonb	   *data;

	ds_call_require_writable("docstore.put()");
	ds_argument_require(PG_ARGISNULL(0), "document");
	document = DatumGetJsonbP(ds_json_require_object(PG_GETARG_DATUM(0), "document", DS_ONLY_ITEM));
	data = ds_metadata_strip(document);
	begin_carried(document, &call);

	ds_document_upsert(&call.collection, call.id, JsonbPGetDatum(data), call.expected, &outcome);

	if (!ds_outcome_settle(&outcome, "put", &call.collection, call.id, call.expected))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(ds_metadata_add(data, call.collection.relid, call.collection.id_type,
									  call.id, outcome.version));
}

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
	Call		call;
	DsOutcome	outcome;

	ds_call_require_writable("docstore.delete()");
	ds_expectation_refuse_absence(expected_argument(fcinfo, 2), DS_ONLY_ITEM);
	begin(fcinfo, 2, &call);

	ds_document_delete(&call.collection, call.id, call.expected, &outcome);

	if (!ds_outcome_settle(&outcome, "delete", &call.collection, call.id, call.expected) || !outcome.written)
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

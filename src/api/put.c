/*
 * put.c - docstore.put(): save one document that carries its version
 */
#include "postgres.h"

#include "api/single.h"
#include "base/errors.h"
#include "document/document.h"
#include "document/metadata.h"
#include "fmgr.h"
#include "json/json.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(ds_put);

/* As ds_single_begin(), with what "@metadata" says in place of arguments. */
static void
begin(Jsonb *document, DsSingle *call)
{
	DsMetadata	given;
	char	   *name;

	ds_metadata_read(&document->root, DS_ONLY_ITEM, &given);
	name = pnstrdup(given.collection->val.string.val, given.collection->val.string.len);

	memset(call, 0, sizeof(DsSingle));
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
	DsSingle	call;
	DsOutcome	outcome;
	Jsonb	   *document;
	Jsonb	   *data;

	ds_require_writable("docstore.put()");
	ds_require_argument(PG_ARGISNULL(0), "document");
	document = DatumGetJsonbP(ds_json_require_object(PG_GETARG_DATUM(0), "document", DS_ONLY_ITEM));
	data = ds_metadata_strip(document);
	begin(document, &call);

	ds_document_upsert(&call.collection, call.id, JsonbPGetDatum(data), call.expected, &outcome);

	if (!ds_single_end(&call, "put", &outcome))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(ds_metadata_add(data, call.collection.relid, call.collection.id_type,
									  call.id, outcome.version));
}

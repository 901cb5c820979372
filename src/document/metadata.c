/*
 * metadata.c - documents that carry their collection, id and version
 *
 * docstore.get() adds the key "@metadata" to a document, docstore.put() and
 * the items put take it off again: so a version cannot be forgotten between
 * the two.  It is never stored by them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "document/metadata.h"
#include "json/json.h"
#include "table/collection.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define METADATA "@metadata"

pg_noreturn static void
refuse(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_error_item_prefix(item), problem),
			 errhint("Pass a document as docstore.get() returns it, like {..., \"" METADATA "\": {\"collection\": \"shops\", \"id\": \"c1\", \"version\": 1}}.")));
}

static JsonbValue **
find_place(void *context, const JsonbValue *key)
{
	DsMetadata *metadata = context;

	if (ds_json_string_is(key, "collection"))
		return &metadata->collection;
	if (ds_json_string_is(key, "id"))
		return &metadata->id;
	if (ds_json_string_is(key, "version"))
		return &metadata->version;
	return NULL;
}

/* Take "@metadata" apart; unknown keys are 22023. */
static void
read_keys(JsonbContainer *object, int item, DsMetadata *metadata)
{
	JsonbValue	unknown;

	memset(metadata, 0, offsetof(DsMetadata, values));
	if (!ds_json_read_members(object, find_place, metadata, metadata->values, &unknown))
		refuse(item, psprintf("unknown key %s in \"" METADATA "\"", ds_json_quote(&unknown)));
}

/*
 * Read "@metadata" of a document, whose bytes the result points into.  Raises
 * 22023 when it is missing, no object, names no collection, or has an id of
 * null or a key that it does not have.
 */
void
ds_metadata_read(JsonbContainer *document, int item, DsMetadata *metadata)
{
	JsonbValue	member;

	if (ds_json_member(document, METADATA, &member) == NULL)
		refuse(item, "\"" METADATA "\" is missing");
	if (ds_json_object(&member) == NULL)
		refuse(item, "\"" METADATA "\" must be a JSON object");

	read_keys(ds_json_object(&member), item, metadata);
	if (metadata->collection == NULL)
		refuse(item, "\"collection\" is missing in \"" METADATA "\"");
	if (metadata->collection->type != jbvString || metadata->collection->val.string.len == 0)
		refuse(item, "\"collection\" in \"" METADATA "\" must be a JSON string that names a table");
	if (metadata->id != NULL && metadata->id->type == jbvNull)
		refuse(item, "\"id\" in \"" METADATA "\" must not be null");
}

/* A document without "@metadata". */
Jsonb *
ds_metadata_strip(Jsonb *document)
{
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, JsonbPGetDatum(document),
											  CStringGetTextDatum(METADATA)));
}

static void
push_string(JsonbInState *state, JsonbIteratorToken token, char *string)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = string;
	value.val.string.len = strlen(string);
	pushJsonbValue(state, token, &value);
}

/* A document with "@metadata", in place of what it may have under that key. */
Jsonb *
ds_metadata_add(Jsonb *data, Oid relid, const DsIdType *type, Datum id, int64 version)
{
	JsonbInState state = {0};
	JsonbValue	number = {.type = jbvNumeric};
	Jsonb	   *metadata;

	number.val.numeric = int64_to_numeric(version);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_string(&state, WJB_KEY, METADATA);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_string(&state, WJB_KEY, "collection");
	push_string(&state, WJB_VALUE, ds_name_of(relid));
	push_string(&state, WJB_KEY, "id");
	push_string(&state, WJB_VALUE, ds_id_to_cstring(type, id));
	push_string(&state, WJB_KEY, "version");
	pushJsonbValue(&state, WJB_VALUE, &number);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	metadata = JsonbValueToJsonb(state.result);

	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(data),
											  JsonbPGetDatum(metadata)));
}

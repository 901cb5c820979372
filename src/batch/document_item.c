/*
 * document_item.c - the items of a batch that are about documents
 *
 *	upsert		collection, id, data, expected, if_contains
 *	put			data, which says all the rest: metadata.c
 *	merge		collection, id, data, expected, base, rules
 *	patch		collection, id, data, expected, if_contains
 *	delete		collection, id, expected, if_contains
 *	assert		collection, id, expected, if_contains
 *
 * The rules of item_reader.c apply.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/document_item.h"
#include "batch/merge.h"
#include "document/metadata.h"
#include "json/json.h"
#include "json/merge_rules.h"

/* Whether an item of that op may leave out its id and its expected version. */
static bool
may_leave_out(DsOp op)
{
	return op == DS_UPSERT_ITEM || op == DS_PUT_ITEM;
}

static Datum
read_id(const DsItem *item, const JsonbValue *given)
{
	const DsIdType *type = item->collection->id_type;

	if (given == NULL)
	{
		if (!may_leave_out(item->op))
			ds_item_refuse(item->number, "\"id\" is missing");
		return ds_id_generate(type, item->number);
	}
	if (given->type == jbvNull)
		ds_item_refuse(item->number, "id must not be null");
	return ds_id_from_json(type, given, item->number);
}

/* The expected version as it was given. */
static int64
read_expected(const DsItem *item, const JsonbValue *given)
{
	int64		expected = ds_expectation_from_json(given, item->number);

	if (given == NULL && !may_leave_out(item->op))
		ds_item_refuse(item->number, psprintf("op \"%s\" needs \"expected\"",
											  ds_op_name(item->op)));
	if (item->op == DS_DELETE_ITEM)
		ds_expectation_refuse_absence(expected, item->number);
	return expected;
}

/* Refuse data that is missing or no object. */
static void
require_data(const DsItem *item, JsonbValue *given)
{
	if (given == NULL)
		ds_item_refuse(item->number, "\"data\" is missing");
	if (given->type == jbvBinary && JsonContainerIsObject(given->val.binary.data))
		return;
	/* Never an object: this raises, with the hint that fits. */
	ds_json_require_object(JsonbPGetDatum(JsonbValueToJsonb(given)), "data", item->number);
}

/* Refuse a key that the op does not have. */
static void
refuse_given(const DsItem *item, const JsonbValue *given, const char *key)
{
	if (given != NULL)
		ds_item_refuse_keys(item, psprintf("op \"%s\" takes no \"%s\"", ds_op_name(item->op), key));
}

static void
read_data(DsItem *item, JsonbValue *given)
{
	if (!ds_op_stores(item->op))
	{
		refuse_given(item, given, "data");
		return;
	}
	require_data(item, given);
	item->data = given->val.binary.data;
	item->data_length = given->val.binary.len;
}

/* What the document is to contain, unless docstore.checks is off. */
static void
read_condition(DsItem *item, JsonbValue *given, int64 expected)
{
	if (given == NULL)
		return;
	if (ds_json_object(given) == NULL)
		ds_json_require_object(JsonbPGetDatum(JsonbValueToJsonb(given)), "if_contains", item->number);
	(void) ds_expectation_with_condition(expected, item->number);
	if (!ds_expectation_checks)
		return;
	item->condition = given->val.binary.data;
	item->condition_length = given->val.binary.len;
}

/* What an item to merge is merged with, once its document is read; 22023 for rules that are none. */
DsMerge *
ds_document_item_merge(const DsItem *item, Jsonb *base, Jsonb *rules)
{
	DsMerge    *merge = palloc0(sizeof(DsMerge));

	merge->base = base;
	merge->rules = rules == NULL ? NULL : ds_merge_rules_read(rules, item->number);
	merge->mine = item->data;
	merge->mine_length = item->data_length;
	return merge;
}

static Jsonb *
json_of(JsonbValue *given)
{
	return given == NULL ? NULL : JsonbValueToJsonb(given);
}

/* A base that is null is not known, as one that was left out. */
static void
read_merge(DsItem *item, const DsGiven *given, int64 expected)
{
	Jsonb	   *base = NULL;
	DsMerge    *merge;

	refuse_given(item, given->if_contains, "if_contains");
	ds_merge_require_exact(expected, item->number);
	if (given->base != NULL && given->base->type != jbvNull)
		base = DatumGetJsonbP(ds_json_require_object(JsonbPGetDatum(json_of(given->base)), "base", item->number));
	merge = ds_document_item_merge(item, base, json_of(given->rules));
	if (ds_expectation_checks)
		item->merge = merge;
}

pg_noreturn static void
refuse_put_key(const DsItem *item, const char *key)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sop \"put\" takes no \"%s\"", ds_error_item_prefix(item->number), key),
			 errhint("An item to put is like {\"op\": \"put\", \"data\": ...}, with a document as docstore.get() returns it.")));
}

/* An item to put gives in its document's "@metadata" what others give beside it. */
static void
read_metadata(const DsItem *item, DsGiven *given, DsMetadata *metadata)
{
	if (given->collection != NULL)
		refuse_put_key(item, "collection");
	if (given->id != NULL)
		refuse_put_key(item, "id");
	if (given->expected != NULL)
		refuse_put_key(item, "expected");
	if (given->if_contains != NULL)
		refuse_put_key(item, "if_contains");
	if (given->base != NULL)
		refuse_put_key(item, "base");
	if (given->rules != NULL)
		refuse_put_key(item, "rules");
	require_data(item, given->data);

	ds_metadata_read(given->data->val.binary.data, item->number, metadata);
	given->collection = metadata->collection;
	given->id = metadata->id;
	given->expected = metadata->version;
}

/*
 * Read an item whose op is known; 22023 for whatever is wrong with it.  What was
 * given must stay where it is.
 */
void
ds_document_item_read(DsItemTables *tables, DsGiven *given, DsItem *item)
{
	DsMetadata	metadata;
	int64		expected;

	if (item->op == DS_PUT_ITEM)
		read_metadata(item, given, &metadata);
	item->collection = ds_item_tables_collection(tables, given->collection, item->number);
	item->id = read_id(item, given->id);
	ds_collection_require_short_id(item->collection, item->id, item->number);
	read_data(item, given->data);
	expected = read_expected(item, given->expected);
	item->expected = ds_expectation_in_force(expected);
	if (item->op == DS_MERGE_ITEM)
	{
		read_merge(item, given, expected);
		return;
	}
	refuse_given(item, given->base, "base");
	refuse_given(item, given->rules, "rules");
	read_condition(item, given->if_contains, expected);
}

/*
 * upsert_many.c - docstore.upsert_many(): a batch as arrays, for drivers
 */
#include "postgres.h"

#include "base/array.h"
#include "base/errors.h"
#include "batch/batch.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "json/json.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(ds_upsert_many);

static void
require_length(int length, const char *name, int ids)
{
	if (length != ids)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s and ids differ in length: %d and %d", name, length, ids),
				 errhint("Pass one element for each document in every array.")));
}

static void
require_element(bool is_null, const char *name, int item)
{
	if (is_null)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s%s must not be NULL", ds_item_prefix(item), name),
				 errhint("Give every document an id and data.")));
}

/* Expected versions may be NULL, one by one or all of them: expected absent. */
static DsArray
read_expected(FunctionCallInfo fcinfo, int count)
{
	DsArray	expected = {0};

	if (PG_ARGISNULL(3))
		return expected;
	expected = ds_array_read(PG_GETARG_ARRAYTYPE_P(3), "expected_versions");
	require_length(expected.count, "expected_versions", count);
	return expected;
}

static int64
expected_at(const DsArray *expected, int i)
{
	if (expected->values == NULL || expected->nulls[i])
		return DS_NO_VERSION;
	return ds_expectation_from_sql(DatumGetInt64(expected->values[i]), i + 1);
}

static void
read_items(FunctionCallInfo fcinfo, DsBatch *batch)
{
	DsCollection *collection = palloc(sizeof(DsCollection));
	DsArray	ids = ds_array_read(PG_GETARG_ARRAYTYPE_P(1), "ids");
	DsArray	data = ds_array_read(PG_GETARG_ARRAYTYPE_P(2), "data");
	DsArray	expected = read_expected(fcinfo, ids.count);

	require_length(data.count, "data", ids.count);
	ds_collection_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, collection);
	ds_collection_prepare(collection);
	ds_batch_init(batch, ids.count);
	for (int i = 0; i < ids.count; i++)
	{
		DsItem	   *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		require_element(ids.nulls[i], "id", i + 1);
		require_element(data.nulls[i], "data", i + 1);
		item->op = DS_UPSERT_ITEM;
		item->collection = collection;
		item->id = ds_id_from_text(collection->id_type, DatumGetTextPP(ids.values[i]), i + 1);
		ds_collection_require_short_id(collection, item->id, i + 1);
		ds_batch_set_data(item, DatumGetJsonbP(ds_json_require_object(data.values[i], "data", i + 1)));
		item->expected = ds_expectation_in_force(expected_at(&expected, i));
	}
}

static ArrayType *
new_versions(const DsBatch *batch)
{
	Datum	   *versions = palloc(mul_size(batch->count, sizeof(Datum)));

	for (int i = 0; i < batch->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		versions[i] = Int64GetDatum(batch->items[i].version);
	}
	return construct_array(versions, batch->count, INT8OID,
						   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/*
 * docstore.upsert_many(collection regclass, ids text[], data jsonb[],
 *						expected_versions bigint[]) RETURNS bigint[]
 *
 * Creates or overwrites all documents or none; returns their new versions in
 * the order given, or NULL while conflicts are deferred and there is a
 * violation (deferred.c).  Errors and locks are those of docstore.save() with an
 * upsert item for each.
 */
Datum
ds_upsert_many(PG_FUNCTION_ARGS)
{
	DsBatch		batch;

	ds_require_writable("docstore.upsert_many()");
	ds_require_argument(PG_ARGISNULL(0), "collection");
	ds_require_argument(PG_ARGISNULL(1), "ids");
	ds_require_argument(PG_ARGISNULL(2), "data");

	read_items(fcinfo, &batch);
	if (!ds_batch_run(&batch, true))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(new_versions(&batch));
}

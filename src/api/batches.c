/*
 * batches.c - units of work: save, try_save, and upsert_many, a batch as arrays
 * for drivers; forget_requests
 */
#include "postgres.h"

#include "base/age.h"
#include "base/array.h"
#include "base/errors.h"
#include "batch/batch.h"
#include "batch/item_reader.h"
#include "batch/request.h"
#include "batch/result.h"
#include "batch/request_tables.h"
#include "catalog/pg_type.h"
#include "conflict/deferred.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "table/distributed.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_save);
PG_FUNCTION_INFO_V1(ds_try_save);
PG_FUNCTION_INFO_V1(ds_upsert_many);
PG_FUNCTION_INFO_V1(ds_forget_requests);

/* Columns of a result row; save() has the first five, DS_RESULT_COLUMNS. */
enum
{
	COLUMN_ITEM,
	COLUMN_OP,
	COLUMN_TARGET,
	COLUMN_ID,
	COLUMN_VERSION,
	COLUMN_REASON,
	COLUMN_EXPECTED,
	COLUMN_ACTUAL,
	COLUMNS
};

typedef struct Rows
{
	ReturnSetInfo *set;
	Oid			relid;			/* whose name target is */
	Datum		target;
	Datum		ops[DS_OPS];	/* their words, once they are in a row */
	bool		keep;			/* the rows are to be stored, too */
	JsonbInState kept;
} Rows;

static Datum
target_name(Rows *result, Oid relid)
{
	if (result->relid != relid)
	{
		result->relid = relid;
		result->target = CStringGetTextDatum(ds_name_of(relid));
	}
	return result->target;
}

static Datum
op_word(Rows *result, DsOp op)
{
	if (result->ops[op] == (Datum) 0)
		result->ops[op] = CStringGetTextDatum(ds_op_name(op));
	return result->ops[op];
}

/* The id of the document, or the stream; a scope has none. */
static Datum
id_text(const DsItem *item)
{
	if (item->log != NULL || item->collection->id_type->oid == TEXTOID)
		return item->id;
	return CStringGetTextDatum(ds_id_to_cstring(item->collection->id_type, item->id));
}

static bool
has_version(const DsItem *item)
{
	return item->op == DS_ASSERT_ITEM ? item->present && item->scope_count == 0 : item->written;
}

static void
put_row(Rows *result, const DsItem *item, bool written)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};

	values[COLUMN_ITEM] = Int32GetDatum(item->number);
	values[COLUMN_OP] = op_word(result, item->op);
	values[COLUMN_TARGET] = target_name(result, item->log != NULL ? item->log->events.relid
										: item->collection->relid);
	values[COLUMN_ID] = id_text(item);
	nulls[COLUMN_ID] = item->id == (Datum) 0 && item->log != NULL;
	values[COLUMN_VERSION] = Int64GetDatum(item->op == DS_ASSERT_ITEM ? item->actual : item->version);
	nulls[COLUMN_VERSION] = !written || !has_version(item);
	if (item->reason != DS_NO_REASON)
		values[COLUMN_REASON] = CStringGetTextDatum(ds_reason_name(item->reason));
	nulls[COLUMN_REASON] = item->reason == DS_NO_REASON;
	values[COLUMN_EXPECTED] = Int64GetDatum(item->log != NULL ? item->failed : item->expected);
	nulls[COLUMN_EXPECTED] = item->failed_seen;
	values[COLUMN_ACTUAL] = Int64GetDatum(item->actual);
	nulls[COLUMN_ACTUAL] = !item->present;

	tuplestore_putvalues(result->set->setResult, result->set->setDesc, values, nulls);
	if (result->keep)
		ds_result_add(&result->kept, values, nulls);
}

/* The checks that come before everything else, and the set to put rows into. */
static Rows
begin(FunctionCallInfo fcinfo, const char *function)
{
	Rows		result = {.set = (ReturnSetInfo *) fcinfo->resultinfo};

	ds_call_require_writable(function);
	ds_argument_require(PG_ARGISNULL(0), "changes");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	return result;
}

/* Run the items and put a row for each; returns whether they were written. */
static bool
run(Jsonb *changes, bool raise, Rows *result)
{
	DsBatch		batch;
	bool		written;

	ds_items_read(changes, &batch);
	written = ds_batch_run(&batch, raise);
	for (int i = 0; i < batch.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_row(result, &batch.items[i], written);
	}
	return written;
}

/* Put the rows that a request was answered with; its items hold, and count. */
static void
answer_again(const DsRequest *request, Jsonb *changes, Rows *result)
{
	int			count = ds_result_count(request->result);
	DsRequestTables retry;

	if (count < 0)
		ds_request_refuse_result(request);
	ds_request_tables_begin(&retry, request, changes);
	for (int i = 0; i < count; i++)
	{
		Datum		values[DS_RESULT_COLUMNS] = {0};
		bool		nulls[DS_RESULT_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		if (!ds_result_read(request->result, i, values, nulls))
			ds_request_refuse_result(request);
		if (!nulls[COLUMN_TARGET])
			ds_request_tables_require(&retry, DatumGetTextPP(values[COLUMN_TARGET]));
		tuplestore_putvalues(result->set->setResult, result->set->setDesc, values, nulls);
	}
	if (ds_deferred_is_on())
		ds_deferred_add_call(count);
}

/*
 * Run the items once for each request_id.
 *
 * While conflicts are deferred a call can end without having written anything.
 * That answer is stored, too, and given again within the transaction, but
 * never to others: the violation is remembered at the same level of
 * subtransactions as the request, so either both are undone, or COMMIT fails.
 */
static void
run_request(Datum request_id, Jsonb *changes, Rows *result)
{
	DsRequest	request;

	ds_request_claim(&request, request_id, changes);
	if (request.result != NULL)
	{
		answer_again(&request, changes, result);
		return;
	}
	ds_distributed_note_request(ds_request_id(&request));

	result->keep = true;
	ds_result_begin(&result->kept);
	(void) run(changes, true, result);
	ds_request_answer(&request, ds_result_end(&result->kept));
}

/*
 * docstore.save(changes jsonb, request_id uuid DEFAULT NULL)
 * RETURNS TABLE (item int, op text, target text, id text, version bigint)
 *
 * Writes all items or none, and returns a row for each, in the order given.
 * version is the new version, the one deleted, or the one asserted; NULL where
 * there is none.  Raises one conflict that names every item whose expected
 * version does not match; while conflicts are deferred (deferred.c), version
 * is NULL in every row then.  22023, 22P02, 42P01 and 42809 for bad arguments,
 * before any document is locked.  Locks: see order.c and attempt.c.
 *
 * A request_id that the caller has committed before returns the same rows
 * again and writes nothing (request.c); 22023 when it was with other changes, or
 * names other tables by them (request_tables.c).
 */
Datum
ds_save(PG_FUNCTION_ARGS)
{
	Rows		result = begin(fcinfo, "docstore.save()");
	Jsonb	   *changes = PG_GETARG_JSONB_P(0);

	if (!PG_ARGISNULL(1))
		run_request(PG_GETARG_DATUM(1), changes, &result);
	else
		(void) run(changes, true, &result);
	return (Datum) 0;
}

/*
 * docstore.try_save(changes jsonb) RETURNS TABLE (item int, op text,
 *		target text, id text, version bigint, reason text, expected bigint,
 *		actual bigint)
 *
 * As docstore.save(), but a conflict is an answer and not an error: then
 * nothing is written, version is NULL in every row, and reason says which
 * items are in the way.
 */
Datum
ds_try_save(PG_FUNCTION_ARGS)
{
	Rows		result = begin(fcinfo, "docstore.try_save()");

	(void) run(PG_GETARG_JSONB_P(0), false, &result);
	return (Datum) 0;
}

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
				 errmsg("%s%s must not be NULL", ds_error_item_prefix(item), name),
				 errhint("Give every document an id and data.")));
}

/* Expected versions may be NULL, one by one or all of them: expected absent. */
static DsArray
read_expected(FunctionCallInfo fcinfo, int count)
{
	DsArray		expected = {0};

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
	DsArray		ids = ds_array_read(PG_GETARG_ARRAYTYPE_P(1), "ids");
	DsArray		data = ds_array_read(PG_GETARG_ARRAYTYPE_P(2), "data");
	DsArray		expected = read_expected(fcinfo, ids.count);

	require_length(data.count, "data", ids.count);
	ds_collection_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, collection);
	ds_collection_prepare(collection);
	ds_items_init(batch, ids.count);
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
		ds_item_set_data(item, DatumGetJsonbP(ds_json_require_object(data.values[i], "data", i + 1)));
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

	ds_call_require_writable("docstore.upsert_many()");
	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "ids");
	ds_argument_require(PG_ARGISNULL(2), "data");

	read_items(fcinfo, &batch);
	if (!ds_batch_run(&batch, true))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(new_versions(&batch));
}

/*
 * Requests
 */

/*
 * docstore.forget_requests(older_than interval) RETURNS bigint
 *
 * Deletes the caller's requests that are older, so that they are not answered
 * any more; returns how many.  22023 when older_than is NULL, negative, or
 * leads out of the calendar.  Locks: as DELETE.
 */
Datum
ds_forget_requests(PG_FUNCTION_ARGS)
{
	ds_call_require_writable("docstore.forget_requests()");
	ds_argument_require(PG_ARGISNULL(0), "older_than");
	PG_RETURN_INT64(ds_request_forget(GetUserId(), ds_age_before(PG_GETARG_DATUM(0))));
}

/*
 * merge.c - one document, merged with what is there: merge
 *
 * It is a batch of one item, so that what one document takes and what many take
 * is the same.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/batch.h"
#include "batch/document_item.h"
#include "batch/merge.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "table/plan.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_merge);

/* version, was_merged, data */
#define COLUMNS 3

/* Check the arguments, lock the table, and make the item.  Raises 22023, 22P02, 42P01, 42809. */
static void
begin(FunctionCallInfo fcinfo, DsCollection *collection, DsBatch *batch)
{
	int64		expected = PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3);
	Jsonb	   *mine;
	Jsonb	   *base = NULL;
	DsItem	   *item;
	DsMerge    *merge;

	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "id");
	ds_argument_require(PG_ARGISNULL(2), "mine");
	mine = DatumGetJsonbP(ds_json_require_object(PG_GETARG_DATUM(2), "mine", DS_ONLY_ITEM));
	if (!PG_ARGISNULL(4))
		base = DatumGetJsonbP(ds_json_require_object(PG_GETARG_DATUM(4), "base", DS_ONLY_ITEM));
	ds_merge_require_exact(ds_expectation_from_sql(expected, DS_ONLY_ITEM), DS_ONLY_ITEM);

	ds_items_init(batch, 1);
	item = &batch->items[0];
	item->number = DS_ONLY_ITEM;
	item->op = DS_MERGE_ITEM;
	item->expected = ds_expectation_in_force(expected);
	ds_item_set_data(item, mine);
	merge = ds_document_item_merge(item, base, PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5));
	if (ds_expectation_checks)
		item->merge = merge;

	ds_collection_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, collection);
	item->collection = collection;
	item->id = ds_id_from_text(collection->id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_collection_require_short_id(collection, item->id, DS_ONLY_ITEM);
	ds_collection_prepare(collection);
}

/* What is there now, as a BEFORE trigger may have changed what was stored; into the current memory context. */
static Datum
read_again(const DsItem *item, bool *is_null)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[2] = {item->id, (Datum) 0};
	Datum		data = (Datum) 0;

	*is_null = true;
	SPI_connect();
	if (ds_plan_execute(item->collection, DS_LOAD, DS_WRITE, values, " n") > 0)
		data = ds_plan_value(0, 3, JSONBOID, is_null);
	MemoryContextSwitchTo(caller);
	if (!*is_null)
		data = JsonbPGetDatum(DatumGetJsonbPCopy(data));
	SPI_finish();
	return data;
}

/*
 * docstore.merge(collection regclass, id text, mine jsonb, expected_version bigint,
 *				  base jsonb DEFAULT NULL, rules jsonb DEFAULT '{}')
 * RETURNS TABLE (version bigint, was_merged boolean, data jsonb)
 *
 * At the expected version an upsert; at a later one mine and what is there are
 * merged over base (merge3.c).  Returns one row; none when there is a violation
 * and conflicts are deferred.  Raises the conflict when the two collide
 * (merge), when base is not given (stale), or when the document is not there.
 * Errors and locks as docstore.upsert(), but the row is locked in any case.
 */
Datum
ds_merge(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	DsCollection collection;
	DsBatch		batch;
	DsItem	   *item;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false, false, false};

	ds_call_require_writable("docstore.merge()");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	begin(fcinfo, &collection, &batch);
	if (!ds_batch_run(&batch, true))
		return (Datum) 0;

	item = &batch.items[0];
	values[0] = Int64GetDatum(item->version);
	values[1] = BoolGetDatum(item->merge != NULL && item->merge->merged != NULL);
	values[2] = collection.has_before_triggers ? read_again(item, &nulls[2])
		: JsonbPGetDatum(ds_json_copy(item->target->data, item->target->data_length));
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	return (Datum) 0;
}

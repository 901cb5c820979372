/*
 * save.c - docstore.save() and docstore.try_save(): a unit of work
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "errors.h"
#include "fmgr.h"
#include "funcapi.h"
#include "item.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_save);
PG_FUNCTION_INFO_V1(ds_try_save);

/* Columns of a result row; save() has the first five. */
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
	const DsCollection *collection; /* whose name target is */
	Datum		target;
} Rows;

static Datum
target_name(Rows *result, const DsCollection *collection)
{
	if (result->collection != collection)
	{
		result->collection = collection;
		result->target = CStringGetTextDatum(ds_collection_name(collection->relid));
	}
	return result->target;
}

static Datum
id_text(const DsItem *item)
{
	if (item->collection->id_type->oid == TEXTOID)
		return item->id;
	return CStringGetTextDatum(ds_id_to_cstring(item->collection->id_type, item->id));
}

static void
put_row(Rows *result, const DsItem *item, bool written)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};

	values[COLUMN_ITEM] = Int32GetDatum(item->number);
	values[COLUMN_OP] = CStringGetTextDatum(ds_op_name(item->op));
	values[COLUMN_TARGET] = target_name(result, item->collection);
	values[COLUMN_ID] = id_text(item);
	values[COLUMN_VERSION] = Int64GetDatum(item->op == DS_ASSERT_ITEM ? item->actual : item->version);
	nulls[COLUMN_VERSION] = !written ||
		!(item->op == DS_ASSERT_ITEM ? item->present : item->written);
	if (item->reason != DS_HOLDS)
		values[COLUMN_REASON] = CStringGetTextDatum(ds_reason_name(item->reason));
	nulls[COLUMN_REASON] = item->reason == DS_HOLDS;
	values[COLUMN_EXPECTED] = Int64GetDatum(item->expected);
	values[COLUMN_ACTUAL] = Int64GetDatum(item->actual);
	nulls[COLUMN_ACTUAL] = !item->present;

	tuplestore_putvalues(result->set->setResult, result->set->setDesc, values, nulls);
}

static void
save(FunctionCallInfo fcinfo, const char *function, bool raise)
{
	Rows		result = {.set = (ReturnSetInfo *) fcinfo->resultinfo};
	DsBatch		batch;
	bool		written;

	ds_require_writable(function);
	ds_require_argument(PG_ARGISNULL(0), "changes");
	InitMaterializedSRF(fcinfo, 0);

	ds_items_read(PG_GETARG_JSONB_P(0), &batch);
	written = ds_batch_run(&batch, raise);
	for (int i = 0; i < batch.count; i++)
		put_row(&result, &batch.items[i], written);
}

/*
 * docstore.save(changes jsonb) RETURNS TABLE (item int, op text, target text,
 *											  id text, version bigint)
 *
 * Writes all items or none, and returns a row for each, in the order given.
 * version is the new version, the one deleted, or the one asserted; NULL where
 * there is none.  Raises one conflict that names every item whose expected
 * version does not match; 22023, 22P02, 42P01 and 42809 for bad arguments,
 * before any row is locked.  Locks: see batch.c.
 */
Datum
ds_save(PG_FUNCTION_ARGS)
{
	save(fcinfo, "docstore.save()", true);
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
	save(fcinfo, "docstore.try_save()", false);
	return (Datum) 0;
}

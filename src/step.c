/*
 * step.c - one statement over the items of a batch
 *
 * A step walks the items in lock order and runs a statement on those that
 * take part.  Neighbours that need the same statement go together, in chunks,
 * so that memory beyond the items themselves does not grow with the batch,
 * and the arrays of ids, data and versions of a chunk are freed as soon as it
 * has run.
 *
 * Callers are connected to SPI and have locked the tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "document.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "step.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* One statement takes at most this many documents, and bytes of data. */
#define CHUNK_ITEMS 1000
#define CHUNK_BYTES (16 * 1024 * 1024)

/* Neighbours in lock order that one statement takes. */
typedef struct Chunk
{
	DsStatement statement;
	const DsCollection *collection;
	int			count;
	Size		bytes;
	DsItem	   *items[CHUNK_ITEMS];
	MemoryContext context;		/* of its arrays: reset when it has run */
} Chunk;

static Datum
id_array(const Chunk *chunk)
{
	const DsIdType *type = chunk->collection->id_type;
	Datum	   *ids = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		ids[i] = chunk->items[i]->id;
	return PointerGetDatum(construct_array(ids, chunk->count, type->oid,
										   type->length, type->by_value, type->align));
}

static Datum
version_array(const Chunk *chunk)
{
	Datum	   *versions = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		versions[i] = Int64GetDatum(chunk->items[i]->actual);
	return PointerGetDatum(construct_array(versions, chunk->count, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* A jsonb[] of the documents, whose bytes are copied once, straight into it. */
static Datum
data_array(const Chunk *chunk)
{
	Size		size = add_size(ARR_OVERHEAD_NONULLS(1), chunk->bytes);
	ArrayType  *array = palloc0(size);
	char	   *next = (char *) array + ARR_OVERHEAD_NONULLS(1);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = JSONBOID;
	ARR_DIMS(array)[0] = chunk->count;
	ARR_LBOUND(array)[0] = 1;

	for (int i = 0; i < chunk->count; i++)
	{
		const DsItem *item = chunk->items[i];

		SET_VARSIZE(next, VARHDRSZ + item->data_length);
		memcpy(VARDATA(next), item->data, item->data_length);
		next += INTALIGN(VARHDRSZ + item->data_length);
	}
	return PointerGetDatum(array);
}

/* Rows (item, version) of documents that were found. */
static void
absorb_found(Chunk *chunk, uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
	{
		DsItem	   *item = chunk->items[ds_plan_int64(row, 1) - 1];

		item->present = true;
		item->actual = ds_plan_int64(row, 2);
	}
}

/*
 * Rows (item, version, same id) of documents that were updated or deleted:
 * all of them, to the version that is due, and under their own ids.
 */
static void
absorb_written(Chunk *chunk, uint64 rows)
{
	int64		growth = chunk->statement == DS_UPDATE_MANY ? 1 : 0;

	for (uint64 row = 0; row < rows; row++)
	{
		DsItem	   *item = chunk->items[ds_plan_int64(row, 1) - 1];

		item->version = ds_plan_int64(row, 2);
		item->written = true;
		if (item->version != item->actual + growth || !ds_plan_bool(row, 3))
			ds_document_refuse_trigger(chunk->collection, item->id);
	}
	for (int i = 0; i < chunk->count; i++)
		if (!chunk->items[i]->written)
			ds_document_refuse_unwritable(chunk->collection, chunk->items[i]->id);
}

/*
 * Rows (id, version) of documents that were inserted, in the order of the
 * chunk; those whose id was taken are left out.
 */
static void
absorb_inserted(Chunk *chunk, uint64 rows)
{
	uint64		row = 0;

	for (int i = 0; i < chunk->count && row < rows; i++)
	{
		DsItem	   *item = chunk->items[i];
		bool		is_null;

		if (ds_id_compare(chunk->collection->id_type,
						  ds_plan_value(row, 1, &is_null), item->id) != 0)
			continue;
		item->version = ds_plan_int64(row, 2);
		item->written = true;
		if (item->version != 1)
			ds_document_refuse_trigger(chunk->collection, item->id);
		row++;
	}
	/* An id that is in none of the items: the one of the next item, changed. */
	if (row < rows)
		ds_document_refuse_trigger(chunk->collection, chunk->items[row]->id);
}

static void
run_chunk(Chunk *chunk, DsExecution execution)
{
	MemoryContext caller = MemoryContextSwitchTo(chunk->context);
	Datum		values[DS_STATEMENT_MAX_PARAMETERS] = {id_array(chunk)};
	uint64		rows;

	CHECK_FOR_INTERRUPTS();
	switch (chunk->statement)
	{
		case DS_UPDATE_MANY:
			values[1] = data_array(chunk);
			values[2] = version_array(chunk);
			break;
		case DS_INSERT_MANY:
			values[1] = data_array(chunk);
			break;
		case DS_DELETE_MANY:
			values[1] = version_array(chunk);
			break;
		default:
			break;
	}

	rows = ds_plan_execute(chunk->collection, chunk->statement, execution, values, NULL);
	switch (chunk->statement)
	{
		case DS_UPDATE_MANY:
		case DS_DELETE_MANY:
			absorb_written(chunk, rows);
			break;
		case DS_INSERT_MANY:
			absorb_inserted(chunk, rows);
			break;
		default:
			absorb_found(chunk, rows);
			break;
	}

	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(chunk->context);
	chunk->count = 0;
	chunk->bytes = 0;
}

static bool
fits(const Chunk *chunk, const DsItem *item, DsStatement statement)
{
	return chunk->statement == statement && chunk->collection == item->collection &&
		chunk->count < CHUNK_ITEMS && chunk->bytes + item->data_length <= CHUNK_BYTES;
}

/*
 * Run the statement that choose() names for each item, in lock order; the
 * items get what was found and done.  Raises 27000, 42501 or 40001 when a
 * document that is locked and matches does not let itself be written.
 */
void
ds_step_run(DsBatch *batch, DsChooseStatement choose, DsExecution execution)
{
	Chunk	   *chunk = palloc(sizeof(Chunk));

	chunk->context = AllocSetContextCreate(CurrentMemoryContext, "docstore chunk",
										   ALLOCSET_DEFAULT_SIZES);
	chunk->count = 0;
	chunk->bytes = 0;
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = batch->order[i];
		DsStatement statement = choose(item);

		if (statement == DS_NO_STATEMENT)
			continue;
		if (chunk->count > 0 && !fits(chunk, item, statement))
			run_chunk(chunk, execution);
		chunk->statement = statement;
		chunk->collection = item->collection;
		chunk->items[chunk->count++] = item;
		chunk->bytes += INTALIGN(VARHDRSZ + item->data_length);
	}
	if (chunk->count > 0)
		run_chunk(chunk, execution);
	MemoryContextDelete(chunk->context);
	pfree(chunk);
}

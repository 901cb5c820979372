/*
 * step.c - one statement over the targets of a batch
 *
 * A step walks the targets in lock order and runs a statement on those that
 * take part.  Neighbours that need the same statement go together, in chunks
 * of so many rows and bytes, so that memory beyond the targets themselves does
 * not grow with the batch; the arrays of a chunk are freed as soon as it has run.
 *
 * Callers are connected to SPI and have locked the tables.
 */
#include "postgres.h"

#include "batch/step.h"
#include "batch/step_direct.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "table/engine.h"
#include "table/floor.h"
#include "table/other_unique.h"
#include "table/row_error.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* One statement takes at most this many documents, and no more once they have this many bytes. */
#define CHUNK_ROWS 1000
#define CHUNK_BYTES (16 * 1024 * 1024)

/* Neighbours in lock order that one statement takes. */
typedef struct Chunk
{
	DsBatch    *batch;
	DsStatement statement;
	const DsCollection *collection;
	int			count;
	Size		bytes;			/* of what they store */
	DsTarget   *targets[CHUNK_ROWS];
	MemoryContext context;		/* of its arrays: reset when it has run */
} Chunk;

static Datum
id_array(const Chunk *chunk)
{
	const DsIdType *type = chunk->collection->id_type;
	Datum	   *ids = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		ids[i] = chunk->targets[i]->id;
	return PointerGetDatum(construct_array(ids, chunk->count, type->oid,
										   type->length, type->by_value, type->align));
}

static Datum
place_array(const Chunk *chunk)
{
	Datum	   *places = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		places[i] = PointerGetDatum(&chunk->targets[i]->place);
	return PointerGetDatum(construct_array(places, chunk->count, TIDOID,
										   sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}

static bool
inserts(const Chunk *chunk)
{
	return chunk->statement == DS_INSERT_MANY || chunk->statement == DS_INSERT_MANY_STRICTLY;
}

/*
 * What is stored in each target: the document, or the patch to merge into the one that
 * is there, or the properties of a stream, NULL where it keeps its own.
 */
static Datum
data_array(const Chunk *chunk)
{
	Datum	   *data = palloc(sizeof(Datum) * chunk->count);
	bool	   *nulls = palloc(sizeof(bool) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
	{
		nulls[i] = chunk->targets[i]->data == NULL;
		/* Into a document that is there it is the statement that merges a patch. */
		data[i] = nulls[i] ? (Datum) 0
			: JsonbPGetDatum(ds_target_stored(chunk->targets[i], inserts(chunk)));
	}
	return PointerGetDatum(construct_md_array(data, nulls, 1, (int[]) {chunk->count}, (int[]) {1},
											  JSONBOID, -1, false, TYPALIGN_INT));
}

/* An array of 8-byte values, one for each target. */
static Datum
int64_array(const Chunk *chunk, Oid type, int64 (*value) (const DsTarget *target))
{
	Datum	   *values = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		values[i] = Int64GetDatum(value(chunk->targets[i]));
	return PointerGetDatum(construct_array(values, chunk->count, type,
										   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static int64
actual_version(const DsTarget *target)
{
	return target->actual;
}

static int64
head_growth(const DsTarget *target)
{
	return target->head->growth;
}

static int64
head_transaction_id(const DsTarget *target)
{
	return (int64) target->head->new_transaction_id;
}

static Datum
closing_array(const Chunk *chunk)
{
	Datum	   *values = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		values[i] = BoolGetDatum(chunk->targets[i]->head->closes);
	return PointerGetDatum(construct_array(values, chunk->count, BOOLOID, 1, true, TYPALIGN_CHAR));
}

/* The first parameters of the statements that write heads. */
static void
set_head_values(const Chunk *chunk, Datum *values)
{
	values[0] = id_array(chunk);
	values[1] = int64_array(chunk, INT8OID, head_growth);
	values[2] = closing_array(chunk);
	values[3] = int64_array(chunk, XID8OID, head_transaction_id);
	values[4] = data_array(chunk);
}

/* The generation that heads are written with. */
static Datum
generation(const Chunk *chunk)
{
	return Int64GetDatum(chunk->targets[0]->head->log->events.feed.current_generation);
}

/* The parameters of the statement that updates or deletes the rows that are locked. */
static void
set_locked_values(const Chunk *chunk, Datum *values)
{
	int			count = 0;

	if (chunk->collection->kind == DS_STREAMS)
	{
		set_head_values(chunk, values);
		values[5] = int64_array(chunk, INT8OID, actual_version);
		values[6] = generation(chunk);
		count = 7;
	}
	else
	{
		values[count++] = id_array(chunk);
		values[count++] = int64_array(chunk, INT8OID, actual_version);
		if (chunk->statement != DS_DELETE_MANY)
			values[count++] = data_array(chunk);
	}
	if (chunk->collection->by_place)
		values[count] = place_array(chunk);
}

/* What else is found of a head, after (item, version, ctid). */
static void
absorb_head(DsHead *head, uint64 row)
{
	head->revision = ds_plan_int64(row, 4);
	head->closed = ds_plan_bool(row, 5);
	head->generation = ds_plan_int64(row, 6);
	head->transaction_id = DatumGetUInt64(ds_plan_datum(row, 7, XID8OID));
}

/* Rows (item, version, ctid) of documents or heads that were found. */
static void
absorb_found(Chunk *chunk, uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
	{
		DsTarget   *target = chunk->targets[ds_plan_int64(row, 1) - 1];

		target->present = true;
		target->actual = ds_plan_int64(row, 2);
		if (chunk->collection->by_place)
			target->place = *(ItemPointer) DatumGetPointer(ds_plan_datum(row, 3, TIDOID));
		if (target->head != NULL)
			absorb_head(target->head, row);
	}
}

/* Whether column 'column' of a row of the last result is the target's id. */
static bool
is_same_id(const DsTarget *target, uint64 row, int column)
{
	const DsIdType *type = target->collection->id_type;

	return ds_id_compare(type, ds_plan_datum(row, column, type->oid), target->id) == 0;
}

/* By how much the version of a target grows when it is written. */
static int64
growth(const Chunk *chunk, const DsTarget *target)
{
	if (target->head != NULL)
		return target->head->growth;
	return chunk->statement == DS_DELETE_MANY ? 0 : 1;
}

/*
 * Rows (item, version, id) of documents that were updated or deleted: all of
 * them, to the version that is due, and under their own ids.  Returns the
 * highest version.
 */
static int64
absorb_written(Chunk *chunk, uint64 rows)
{
	int64		highest = 0;

	for (uint64 row = 0; row < rows; row++)
	{
		DsTarget   *target = chunk->targets[ds_plan_int64(row, 1) - 1];

		target->version = ds_plan_int64(row, 2);
		target->written = true;
		if (target->version != target->actual + growth(chunk, target) || !is_same_id(target, row, 3))
			ds_row_refuse_trigger(chunk->collection, target->id);
		highest = Max(highest, target->version);
	}
	return highest;
}

/*
 * Rows (id, version) of documents that were inserted, in the order of the
 * chunk; those whose id was taken are left out.
 */
static void
absorb_inserted(Chunk *chunk, uint64 rows, int64 version)
{
	uint64		row = 0;

	for (int i = 0; i < chunk->count && row < rows; i++)
	{
		DsTarget   *target = chunk->targets[i];

		if (!is_same_id(target, row, 1))
			continue;
		target->version = ds_plan_int64(row, 2);
		target->written = true;
		if (target->version != (target->head != NULL ? target->head->growth : version))
			ds_row_refuse_trigger(chunk->collection, target->id);
		row++;
	}
	/* An id that is in none of the targets: the one of the next target, changed. */
	if (row < rows)
		ds_row_refuse_trigger(chunk->collection, chunk->targets[row]->id);
}

/* Execute the statement of a chunk; its rows are in SPI_tuptable. */
static uint64
execute_chunk(const Chunk *chunk, DsExecution execution, Datum *values)
{
	return ds_plan_execute(chunk->collection, chunk->statement, execution, values, NULL);
}

/* Look for the documents of a chunk, or lock them. */
static void
look(Chunk *chunk, DsExecution execution)
{
	Datum		ids;

	if (chunk->statement == DS_LOCK_MANY_FOR_UPSERT && ds_engine_updates(chunk->collection))
	{
		ds_step_direct_lock(chunk->targets, chunk->count);
		return;
	}
	ids = id_array(chunk);
	absorb_found(chunk, execute_chunk(chunk, execution, &ids));
}

/* Update the documents of a chunk that are locked, or delete them. */
static void
write_locked(Chunk *chunk, DsExecution execution)
{
	Datum		values[DS_STATEMENT_MAX_PARAMETERS];
	int64		highest;

	if (chunk->statement == DS_UPDATE_MANY && ds_engine_updates(chunk->collection))
	{
		ds_step_direct_update(chunk->targets, chunk->count);
		return;
	}
	set_locked_values(chunk, values);
	highest = absorb_written(chunk, execute_chunk(chunk, execution, values));

	if (chunk->statement == DS_DELETE_MANY && highest > 0)
		ds_floor_raise(chunk->collection->relid, highest);
}

/*
 * What is inserted: documents, right above the floor, or heads, whose versions
 * know no floor.  The chunk's statement is that of INSERT, or INSERT strictly.
 */
typedef struct Insertion
{
	Chunk	   *chunk;
	DsExecution execution;
	int64		version;
	uint64		rows;			/* that the statement has inserted */
} Insertion;

static void
execute_insertion(Insertion *insertion)
{
	Chunk	   *chunk = insertion->chunk;
	Datum		values[DS_STATEMENT_MAX_PARAMETERS];

	if (chunk->collection->kind == DS_STREAMS)
	{
		set_head_values(chunk, values);
		values[5] = generation(chunk);
	}
	else
	{
		values[0] = id_array(chunk);
		values[1] = Int64GetDatum(insertion->version);
		values[2] = data_array(chunk);
	}
	insertion->rows = execute_chunk(chunk, insertion->execution, values);
}

static void
insert_once(Insertion *insertion)
{
	execute_insertion(insertion);
	absorb_inserted(insertion->chunk, insertion->rows, insertion->version);
	SPI_freetuptable(SPI_tuptable);
}

/* Insert strictly only to see whether the server objects; no trigger is to remember it. */
static bool
probe(void *context)
{
	AfterTriggerBeginQuery();
	execute_insertion(context);
	return false;
}

/* The targets of a chunk that are not written. */
static Chunk *
unwritten(const Chunk *chunk)
{
	Chunk	   *rest = palloc(sizeof(Chunk));

	*rest = *chunk;
	rest->count = 0;
	for (int i = 0; i < chunk->count; i++)
		if (!chunk->targets[i]->written)
			rest->targets[rest->count++] = chunk->targets[i];
	return rest;
}

/* Drop the targets from a chunk whose ids are taken by now; returns how many are left. */
static int
keep_free(Chunk *chunk)
{
	bool		taken[CHUNK_ROWS] = {0};
	Datum		ids = id_array(chunk);
	uint64		rows;
	int			count = 0;

	chunk->statement = DS_FIND_MANY;
	PushActiveSnapshot(GetLatestSnapshot());
	rows = execute_chunk(chunk, DS_READ, &ids);
	for (uint64 row = 0; row < rows; row++)
		taken[ds_plan_int64(row, 1) - 1] = true;
	SPI_freetuptable(SPI_tuptable);
	PopActiveSnapshot();

	for (int i = 0; i < chunk->count; i++)
		if (!taken[i])
			chunk->targets[count++] = chunk->targets[i];
	chunk->count = count;
	return count;
}

/*
 * Where other unique indexes exist, a target that was not inserted need not have
 * found its id taken: see other_unique.c.  Raises the error of the other index, unless
 * more ids are taken after it than were before.
 */
static void
insert_rest(Insertion *insertion)
{
	Chunk	   *rest = unwritten(insertion->chunk);
	Insertion	again = {rest, insertion->execution, insertion->version, 0};

	while (rest->count > 0 && keep_free(rest) > 0)
	{
		int			free = rest->count;
		ErrorData  *violation;

		CHECK_FOR_INTERRUPTS();
		rest->statement = DS_INSERT_MANY_STRICTLY;
		violation = ds_other_unique_try(probe, &again);
		if (violation == NULL && again.rows == 0)
			break;
		if (violation != NULL && keep_free(rest) == free)
			ReThrowError(violation);
		if (rest->count == 0)
			break;

		rest->statement = DS_INSERT_MANY;
		insert_once(&again);
		rest = again.chunk = unwritten(rest);
	}
}

/*
 * Insert the rows of a chunk whose ids are not taken.  A document that turns out
 * to be too low, once its id is won, cannot be taken back by itself: the whole
 * batch is (floor.c, batch.c).
 */
static void
insert(Chunk *chunk, DsExecution execution)
{
	const DsCollection *collection = chunk->collection;
	bool		is_head = collection->kind == DS_STREAMS;
	Insertion	insertion = {chunk, execution, 0, 0};
	DsFloor		floor;

	if (ds_engine_inserts(collection))
	{
		ds_step_direct_insert(chunk->targets, chunk->count);
		return;
	}
	if (!is_head)
	{
		ds_floor_open(&floor, collection->relid);
		insertion.version = ds_floor_next_version(&floor, chunk->batch->tries);
	}
	insert_once(&insertion);
	if (collection->has_other_unique && !collection->has_deferrable)
		insert_rest(&insertion);
	if (is_head)
		return;
	if (ds_floor_reaches(&floor, insertion.version))
		chunk->batch->is_too_low = true;
	ds_floor_close(&floor);
}

static void
run_chunk(Chunk *chunk, DsExecution execution)
{
	MemoryContext caller = MemoryContextSwitchTo(chunk->context);

	CHECK_FOR_INTERRUPTS();
	switch (chunk->statement)
	{
		case DS_UPDATE_MANY:
		case DS_PATCH_MANY:
		case DS_DELETE_MANY:
			write_locked(chunk, execution);
			break;
		case DS_INSERT_MANY:
			insert(chunk, execution);
			break;
		default:
			look(chunk, execution);
			break;
	}

	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(chunk->context);
	chunk->count = 0;
	chunk->bytes = 0;
}

/* Whether a statement takes what is stored. */
static bool
stores(DsStatement statement)
{
	return statement == DS_UPDATE_MANY || statement == DS_PATCH_MANY || statement == DS_INSERT_MANY;
}

static bool
fits(const Chunk *chunk, const DsTarget *target, DsStatement statement)
{
	return chunk->statement == statement && chunk->collection == target->collection &&
		chunk->count < CHUNK_ROWS && chunk->bytes < CHUNK_BYTES;
}

static Chunk *
begin_chunk(DsBatch *batch)
{
	Chunk	   *chunk = palloc(sizeof(Chunk));

	chunk->batch = batch;
	chunk->context = AllocSetContextCreate(CurrentMemoryContext, "docstore chunk",
										   ALLOCSET_DEFAULT_SIZES);
	chunk->count = 0;
	chunk->bytes = 0;
	return chunk;
}

static void
end_chunk(Chunk *chunk)
{
	MemoryContextDelete(chunk->context);
	pfree(chunk);
}

/*
 * Run the statement that choose() names for each target, in lock order; the
 * targets get what was found and done.  Raises 27000 when a trigger has changed
 * an id or a version.
 */
void
ds_step_run(DsBatch *batch, DsChooseStatement choose, DsExecution execution)
{
	Chunk	   *chunk = NULL;

	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];
		DsStatement statement = choose(target);

		CHECK_FOR_INTERRUPTS();
		if (statement == DS_NO_STATEMENT)
			continue;
		if (chunk == NULL)
			chunk = begin_chunk(batch);
		else if (!fits(chunk, target, statement))
			run_chunk(chunk, execution);
		chunk->statement = statement;
		chunk->collection = target->collection;
		chunk->targets[chunk->count++] = target;
		if (stores(statement))
			chunk->bytes += target->data_length;
	}
	if (chunk == NULL)
		return;
	run_chunk(chunk, execution);
	end_chunk(chunk);
}

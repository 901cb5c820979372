/*
 * step.c - one statement over the targets of a batch
 *
 * A step walks the targets in lock order and runs a statement on those that
 * take part.  Neighbours that need the same statement go together, in chunks
 * of so many rows and bytes, so that memory beyond the targets themselves does
 * not grow with the batch; the arrays of a chunk (chunk.c) are freed as soon as it has run.
 *
 * Callers are connected to SPI and have locked the tables.
 */
#include "postgres.h"

#include "batch/chunk.h"
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
#include "utils/memutils.h"
#include "utils/snapmgr.h"

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
absorb_found(DsChunk *chunk, uint64 rows)
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
growth(const DsChunk *chunk, const DsTarget *target)
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
absorb_written(DsChunk *chunk, uint64 rows)
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
absorb_inserted(DsChunk *chunk, uint64 rows, int64 version)
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
execute_chunk(const DsChunk *chunk, DsExecution execution, Datum *values)
{
	return ds_plan_execute(chunk->collection, chunk->statement, execution, values, NULL);
}

/*
 * Whether a row lock alone does not last until the end: Citus moves a shard away
 * from under the rows that a locking read has locked, but not from under a
 * statement that writes.  Who goes on to write compares the version once more.
 */
static bool
must_be_held(const DsChunk *chunk)
{
	return chunk->collection->distributed && chunk->statement == DS_LOCK_MANY_FOR_ASSERT;
}

/*
 * Whether the documents of a chunk may be updated while they are locked: it is
 * the whole batch, each item says all that it expects of its document by an
 * exact version, nothing is inserted, and a violation undoes what was written.
 */
static bool
may_update_unlocked(const DsChunk *chunk)
{
	if (!chunk->batch->raises || chunk->count < chunk->batch->target_count)
		return false;
	for (int i = 0; i < chunk->count; i++)
	{
		const DsTarget *target = chunk->targets[i];

		if (target->head != NULL || target->change != DS_CHANGE_STORE || target->expected <= 0 ||
			target->condition != NULL || target->merge != NULL || target->moved)
			return false;
	}
	return true;
}

/* Look for the documents of a chunk, or lock them. */
static void
look(DsChunk *chunk, DsExecution execution)
{
	Datum		ids;

	if (chunk->statement == DS_LOCK_MANY_FOR_UPSERT && ds_engine_updates(chunk->collection))
	{
		if (may_update_unlocked(chunk))
			ds_step_direct_update_or_lock(chunk->targets, chunk->count);
		else
			ds_step_direct_lock(chunk->targets, chunk->count);
		return;
	}
	ids = ds_chunk_ids(chunk);
	if (must_be_held(chunk))
		(void) ds_plan_execute(chunk->collection, DS_HOLD, execution, &ids, NULL);
	absorb_found(chunk, execute_chunk(chunk, execution, &ids));
}

/* Update the documents of a chunk that are locked, or delete them. */
static void
write_locked(DsChunk *chunk, DsExecution execution)
{
	Datum		values[DS_STATEMENT_MAX_PARAMETERS];
	int64		highest;

	if (chunk->statement == DS_UPDATE_MANY && ds_engine_updates(chunk->collection))
	{
		ds_step_direct_update(chunk->targets, chunk->count);
		return;
	}
	ds_chunk_set_locked(chunk, values);
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
	DsChunk    *chunk;
	DsExecution execution;
	int64		version;
	uint64		rows;			/* that the statement has inserted */
} Insertion;

static void
execute_insertion(Insertion *insertion)
{
	DsChunk    *chunk = insertion->chunk;
	Datum		values[DS_STATEMENT_MAX_PARAMETERS];

	ds_chunk_set_new(chunk, insertion->version, values);
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
static DsChunk *
unwritten(const DsChunk *chunk)
{
	DsChunk    *rest = palloc(sizeof(DsChunk));

	*rest = *chunk;
	rest->count = 0;
	for (int i = 0; i < chunk->count; i++)
		if (!chunk->targets[i]->written)
			rest->targets[rest->count++] = chunk->targets[i];
	return rest;
}

/* Drop the targets from a chunk whose ids are taken by now; returns how many are left. */
static int
keep_free(DsChunk *chunk)
{
	bool		taken[DS_CHUNK_ROWS] = {0};
	Datum		ids = ds_chunk_ids(chunk);
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
	DsChunk    *rest = unwritten(insertion->chunk);
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
insert(DsChunk *chunk, DsExecution execution)
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
run_chunk(DsChunk *chunk, DsExecution execution)
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

static DsChunk *
begin_chunk(DsBatch *batch)
{
	DsChunk    *chunk = palloc(sizeof(DsChunk));

	chunk->batch = batch;
	chunk->context = AllocSetContextCreate(CurrentMemoryContext, "docstore chunk",
										   ALLOCSET_DEFAULT_SIZES);
	chunk->count = 0;
	chunk->bytes = 0;
	return chunk;
}

static void
end_chunk(DsChunk *chunk)
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
	DsChunk    *chunk = NULL;

	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];
		DsStatement statement = choose(target);

		CHECK_FOR_INTERRUPTS();
		if (statement == DS_NO_STATEMENT)
			continue;
		if (chunk == NULL)
			chunk = begin_chunk(batch);
		else if (!ds_chunk_fits(chunk, target, statement))
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

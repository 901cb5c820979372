/*
 * chunk.c - neighbours in lock order that one statement takes
 *
 * What a statement on many rows takes of each goes into arrays side by side.
 * Where the documents of a table are written one by one a chunk is a single one
 * of them, and what would be in the arrays is passed as it is (by_row, see
 * document_statement.c): so all that step.c does is the same.
 */
#include "postgres.h"

#include "batch/chunk.h"
#include "catalog/pg_type.h"
#include "utils/array.h"

/* Whether a statement on a chunk can take one more target, which needs that statement. */
bool
ds_chunk_fits(const DsChunk *chunk, const DsTarget *target, DsStatement statement)
{
	return chunk->statement == statement && chunk->collection == target->collection &&
		chunk->count < DS_CHUNK_ROWS && chunk->bytes < DS_CHUNK_BYTES && !chunk->collection->by_row;
}

/* The ids, as a statement that looks takes them. */
Datum
ds_chunk_ids(const DsChunk *chunk)
{
	const DsIdType *type = chunk->collection->id_type;
	Datum	   *ids;

	if (chunk->collection->by_row)
		return chunk->targets[0]->id;
	ids = palloc(sizeof(Datum) * chunk->count);
	for (int i = 0; i < chunk->count; i++)
		ids[i] = chunk->targets[i]->id;
	return PointerGetDatum(construct_array(ids, chunk->count, type->oid,
										   type->length, type->by_value, type->align));
}

static Datum
place_array(const DsChunk *chunk)
{
	Datum	   *places = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		places[i] = PointerGetDatum(&chunk->targets[i]->place);
	return PointerGetDatum(construct_array(places, chunk->count, TIDOID,
										   sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}

/*
 * What is stored in a target: the document, or the patch to merge into the one that
 * is there, or the properties of a stream.  Into a document that is there it is
 * the statement that merges a patch.
 */
static Datum
stored(const DsChunk *chunk, const DsTarget *target)
{
	bool		is_new = chunk->statement == DS_INSERT_MANY || chunk->statement == DS_INSERT_MANY_STRICTLY;

	return JsonbPGetDatum(ds_target_stored(target, is_new));
}

/* What is stored in each target; NULL where a head keeps its properties, which documents have not. */
static Datum
data_of(const DsChunk *chunk)
{
	Datum	   *data;
	bool	   *nulls;

	if (chunk->collection->by_row)
		return stored(chunk, chunk->targets[0]);
	data = palloc(sizeof(Datum) * chunk->count);
	nulls = palloc(sizeof(bool) * chunk->count);
	for (int i = 0; i < chunk->count; i++)
	{
		nulls[i] = chunk->targets[i]->data == NULL;
		data[i] = nulls[i] ? (Datum) 0 : stored(chunk, chunk->targets[i]);
	}
	return PointerGetDatum(construct_md_array(data, nulls, 1, (int[]) {chunk->count}, (int[]) {1},
											  JSONBOID, -1, false, TYPALIGN_INT));
}

/* An 8-byte value of each target. */
static Datum
int64_of(const DsChunk *chunk, Oid type, int64 (*value) (const DsTarget *target))
{
	Datum	   *values;

	if (chunk->collection->by_row)
		return Int64GetDatum(value(chunk->targets[0]));
	values = palloc(sizeof(Datum) * chunk->count);
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
closing_array(const DsChunk *chunk)
{
	Datum	   *values = palloc(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
		values[i] = BoolGetDatum(chunk->targets[i]->head->closes);
	return PointerGetDatum(construct_array(values, chunk->count, BOOLOID, 1, true, TYPALIGN_CHAR));
}

/* The first parameters of the statements that write heads. */
static void
set_head_values(const DsChunk *chunk, Datum *values)
{
	values[0] = ds_chunk_ids(chunk);
	values[1] = int64_of(chunk, INT8OID, head_growth);
	values[2] = closing_array(chunk);
	values[3] = int64_of(chunk, XID8OID, head_transaction_id);
	values[4] = data_of(chunk);
}

/* The generation that heads are written with. */
static Datum
generation(const DsChunk *chunk)
{
	return Int64GetDatum(chunk->targets[0]->head->log->events.feed.current_generation);
}

/* The parameters of the statement that updates or deletes the rows that are locked. */
void
ds_chunk_set_locked(const DsChunk *chunk, Datum *values)
{
	int			count = 0;

	if (chunk->collection->kind == DS_STREAMS)
	{
		set_head_values(chunk, values);
		values[5] = int64_of(chunk, INT8OID, actual_version);
		values[6] = generation(chunk);
		count = 7;
	}
	else
	{
		values[count++] = ds_chunk_ids(chunk);
		values[count++] = int64_of(chunk, INT8OID, actual_version);
		if (chunk->statement != DS_DELETE_MANY)
			values[count++] = data_of(chunk);
	}
	if (chunk->collection->by_place)
		values[count] = place_array(chunk);
}

/* The parameters of the statement that inserts; the version is that of documents. */
void
ds_chunk_set_new(const DsChunk *chunk, int64 version, Datum *values)
{
	if (chunk->collection->kind == DS_STREAMS)
	{
		set_head_values(chunk, values);
		values[5] = generation(chunk);
		return;
	}
	values[0] = ds_chunk_ids(chunk);
	values[1] = Int64GetDatum(version);
	values[2] = data_of(chunk);
}

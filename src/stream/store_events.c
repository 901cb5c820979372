/*
 * store_events.c - the only writer of events
 *
 * Events are stored when nothing can fail any more but the server: all checks
 * have passed, and the heads are written.  Only now do they take positions, so
 * that a call that fails uses up none, and that positions grow with the
 * versions of a stream and under the locks of scopes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "stream/direct_stream.h"
#include "stream/store_events.h"
#include "table/engine.h"
#include "table/plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* One statement stores at most this many events, and no more once they have this many bytes. */
#define CHUNK_EVENTS 1000
#define CHUNK_BYTES (16 * 1024 * 1024)

/* The next event of a batch that is to be stored in a log, in item order. */
typedef struct Place
{
	const DsBatch *batch;
	const DsLog *log;
	int			item;
	int			event;
} Place;

/* The events that one statement stores, by column. */
typedef struct Chunk
{
	int			count;
	Datum		values[DS_EVENT_COLUMNS][CHUNK_EVENTS];
	bool		nulls[DS_EVENT_COLUMNS][CHUNK_EVENTS];
} Chunk;

/* Whether an item's events are to be written to that log. */
static bool
is_stored_in(const DsItem *item, const DsLog *log)
{
	return item->op == DS_APPEND_ITEM && !item->repeats && item->log == log;
}

static Datum
text_or_null(const DsBytes *bytes, bool *null)
{
	*null = bytes->start == NULL;
	return *null ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(bytes->start, bytes->length));
}

/* An object as a jsonb of its own. */
static Datum
to_object(const DsBytes *bytes)
{
	Jsonb	   *json = palloc(VARHDRSZ + bytes->length);

	SET_VARSIZE(json, VARHDRSZ + bytes->length);
	memcpy(VARDATA(json), bytes->start, bytes->length);
	return JsonbPGetDatum(json);
}

/* {} */
Datum
ds_empty_object(void)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
}

/* The values of an event's row, by DsEventColumn, in the current memory context. */
void
ds_event_form(const DsItem *item, const DsEvent *event, Datum *values, bool *nulls)
{
	memset(nulls, false, sizeof(bool) * DS_EVENT_COLUMNS);
	values[DS_LOG_POSITION] = Int64GetDatum(event->position);
	values[DS_VERSION] = Int64GetDatum(event->version);
	values[DS_RECORDED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[DS_GENERATION] = Int64GetDatum(item->log->events.current_generation);
	values[DS_TRANSACTION_ID] = UInt64GetDatum(item->head->new_transaction_id);
	values[DS_EVENT_ID] = UUIDPGetDatum(&event->id);
	nulls[DS_EVENT_ID] = !event->has_id;
	values[DS_STREAM] = item->id;
	values[DS_TYPE] = text_or_null(&event->type, &nulls[DS_TYPE]);
	values[DS_SOURCE_TYPE] = text_or_null(&event->tags[DS_TAG_SOURCE_TYPE], &nulls[DS_SOURCE_TYPE]);
	values[DS_STREAM_TYPE] = text_or_null(&event->tags[DS_TAG_STREAM_TYPE], &nulls[DS_STREAM_TYPE]);
	values[DS_STREAM_ID] = text_or_null(&event->tags[DS_TAG_STREAM_ID], &nulls[DS_STREAM_ID]);
	values[DS_DATA] = event->data.start == NULL ? ds_empty_object() : to_object(&event->data);
	nulls[DS_METADATA] = event->metadata.start == NULL;
	values[DS_METADATA] = nulls[DS_METADATA] ? (Datum) 0 : to_object(&event->metadata);
}

/* The next event, or NULL. */
static const DsEvent *
next_event(Place *place, const DsItem **item)
{
	for (; place->item < place->batch->count; place->item++, place->event = 0)
	{
		*item = &place->batch->items[place->item];
		if (is_stored_in(*item, place->log) && place->event < (*item)->event_count)
			return &(*item)->events[place->event++];
	}
	return NULL;
}

/* What an event takes up, roughly: of its parts only these can be long. */
static Size
size_of(const DsEvent *event)
{
	Size		size = (Size) event->data.length + event->metadata.length + event->type.length;

	for (int tag = 0; tag < DS_TAGS; tag++)
		size += event->tags[tag].length;
	return size;
}

/* Gather the next events, as many as go into one statement; false when there are none. */
static bool
gather(Place *place, Chunk *chunk)
{
	const DsItem *item;
	const DsEvent *event;
	Size		bytes = 0;

	chunk->count = 0;
	while (chunk->count < CHUNK_EVENTS && bytes < CHUNK_BYTES &&
		   (event = next_event(place, &item)) != NULL)
	{
		Datum		values[DS_EVENT_COLUMNS];
		bool		nulls[DS_EVENT_COLUMNS];

		ds_event_form(item, event, values, nulls);
		for (int i = 0; i < DS_EVENT_COLUMNS; i++)
		{
			chunk->values[i][chunk->count] = values[i];
			chunk->nulls[i][chunk->count] = nulls[i];
		}
		chunk->count++;
		bytes += size_of(event);
	}
	return chunk->count > 0;
}

/* The columns that the statement takes an array for: the server says when an event is stored. */
static bool
is_parameter(DsEventColumn column)
{
	return column != DS_RECORDED_AT;
}

/*
 * Insert the events of arrays side by side, which are one scan, in order; see
 * statement.c.
 */
static void
build(const void *context, DsStatementText *text)
{
	const DsLog *log = context;
	StringInfoData columns;
	StringInfoData values;
	StringInfoData names;
	StringInfoData arrays;

	initStringInfo(&columns);
	initStringInfo(&values);
	initStringInfo(&names);
	initStringInfo(&arrays);
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		const char *comma = i > 0 ? ", " : "";
		const char *name = ds_event_columns[i];

		appendStringInfo(&columns, "%s%s", comma, name);
		if (!is_parameter(i))
		{
			appendStringInfo(&values, "%spg_catalog.clock_timestamp()", comma);
			continue;
		}
		appendStringInfo(&values, "%su.%s", comma, name);
		appendStringInfo(&names, "%s%s", comma, name);
		text->types[text->parameters++] = get_array_type(ds_event_types[i]);
		appendStringInfo(&arrays, "%spg_catalog.unnest($%d)", comma, text->parameters);
	}
	text->sql = psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ROWS FROM (%s) AS u(%s)%s%s",
						 ds_collection_name(log->events.relid), columns.data, values.data, arrays.data, names.data,
						 log->events.has_before_triggers ? " RETURNING " : "",
						 log->events.has_before_triggers ? columns.data : "");
}

/* The parameters of the statement. */
static void
form_arrays(Chunk *chunk, Datum *arrays)
{
	int			count = 0;

	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		int16		length;
		bool		by_value;
		char		align;

		if (!is_parameter(i))
			continue;
		get_typlenbyvalalign(ds_event_types[i], &length, &by_value, &align);
		arrays[count++] = PointerGetDatum(
			construct_md_array(chunk->values[i], chunk->nulls[i], 1, &chunk->count, (int[]) {1},
							   ds_event_types[i], length, by_value, align));
	}
}

pg_noreturn static void
refuse_trigger(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_TRIGGER),
			 errmsg("a trigger interfered with the events of log \"%s\"", ds_collection_name(log->events.relid)),
			 errhint("A BEFORE INSERT trigger on a log must return the row, with nothing changed but \"data\" and \"metadata\".")));
}

/* Whether a row was stored as it was meant, but for what a trigger may change. */
static bool
is_as_meant(const Chunk *chunk, int row)
{
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		bool		is_null;
		Datum		value = ds_plan_value(row, i + 1, ds_event_types[i], &is_null);
		Form_pg_attribute column = TupleDescAttr(SPI_tuptable->tupdesc, i);

		if (i == DS_RECORDED_AT || i == DS_DATA || i == DS_METADATA)
			continue;
		if (is_null != chunk->nulls[i][row])
			return false;
		if (!is_null && !datum_image_eq(value, chunk->values[i][row], column->attbyval, column->attlen))
			return false;
	}
	return true;
}

/* Store the events of a chunk; 27000 when a trigger, and only that can, has made others of them. */
static void
store_chunk(const DsLog *log, Chunk *chunk)
{
	Datum		arrays[DS_STATEMENT_MAX_PARAMETERS];
	uint64		stored;

	form_arrays(chunk, arrays);
	stored = ds_plan_run(&log->events, DS_PLAN_EVENTS, build, log, DS_WRITE_BATCH, arrays, NULL);
	if (stored != (uint64) chunk->count)
		refuse_trigger(log);
	for (int row = 0; log->events.has_before_triggers && row < chunk->count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_as_meant(chunk, row))
			refuse_trigger(log);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Store the new events of one log, however many items they come from. */
static void
store(const DsBatch *batch, const DsLog *log)
{
	Place		next = {batch, log, 0, 0};
	Chunk	   *chunk = palloc(sizeof(Chunk));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "docstore events",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);

	while (gather(&next, chunk))
	{
		CHECK_FOR_INTERRUPTS();
		store_chunk(log, chunk);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	pfree(chunk);
}

/* Take a position for each event of an item. */
void
ds_event_take_positions(DsItem *item)
{
	for (int e = 0; e < item->event_count; e++)
	{
		CHECK_FOR_INTERRUPTS();
		item->events[e].position = nextval_internal(item->log->events.positions, false);
	}
	item->head->is_placed = true;
}

/* The same for each new event of a log, in item order. */
static void
take_positions(DsBatch *batch, const DsLog *log)
{
	for (int i = 0; i < batch->count; i++)
		if (is_stored_in(&batch->items[i], log))
			ds_event_take_positions(&batch->items[i]);
}

/* The same without the executor. */
static void
store_directly(const DsBatch *batch, const DsLog *log)
{
	DsDirectEvents *rows = palloc(sizeof(DsDirectEvents));

	ds_direct_begin_events(rows, log);
	for (int i = 0; i < batch->count; i++)
		if (is_stored_in(&batch->items[i], log))
			ds_direct_insert_events(rows, &batch->items[i]);
	ds_direct_end_events(rows);
	pfree(rows);
}

/*
 * Store the new events of a batch.  Its heads are locked and written; callers
 * are connected to SPI.
 */
void
ds_events_store(DsBatch *batch)
{
	List	   *stored = NIL;

	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (item->op != DS_APPEND_ITEM || item->repeats || list_member_ptr(stored, item->log))
			continue;
		ds_collection_look_again(&item->log->events);
		take_positions(batch, item->log);
		if (ds_engine_inserts(&item->log->events))
			store_directly(batch, item->log);
		else
			store(batch, item->log);
		stored = lappend(stored, unconstify(DsLog *, item->log));
	}
	list_free(stored);
}

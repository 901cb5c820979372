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
#include "stream/event_rows.h"
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

/* The next event that is to be stored. */
typedef struct Place
{
	List	   *appends;
	int			append;
	int			event;
} Place;

/* The events that one statement stores, by column. */
typedef struct Chunk
{
	int			count;
	Datum		values[DS_EVENT_COLUMNS][CHUNK_EVENTS];
	bool		nulls[DS_EVENT_COLUMNS][CHUNK_EVENTS];
} Chunk;

/* The next event, or NULL. */
static const DsEvent *
next_event(Place *place, const DsAppend **append)
{
	for (; place->append < list_length(place->appends); place->append++, place->event = 0)
	{
		*append = list_nth(place->appends, place->append);
		if (place->event < (*append)->count)
			return &(*append)->events[place->event++];
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
	const DsAppend *append;
	const DsEvent *event;
	Size		bytes = 0;

	chunk->count = 0;
	while (chunk->count < CHUNK_EVENTS && bytes < CHUNK_BYTES &&
		   (event = next_event(place, &append)) != NULL)
	{
		Datum		values[DS_EVENT_COLUMNS];
		bool		nulls[DS_EVENT_COLUMNS];

		ds_event_form(append, event, values, nulls);
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
		const char *name = ds_log_event_columns[i];

		appendStringInfo(&columns, "%s%s", comma, name);
		if (!is_parameter(i))
		{
			appendStringInfo(&values, "%spg_catalog.clock_timestamp()", comma);
			continue;
		}
		appendStringInfo(&values, "%su.%s", comma, name);
		appendStringInfo(&names, "%s%s", comma, name);
		text->types[text->parameters++] = get_array_type(ds_log_event_types[i]);
		appendStringInfo(&arrays, "%spg_catalog.unnest($%d)", comma, text->parameters);
	}
	text->sql = psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ROWS FROM (%s) AS u(%s)%s%s",
						 ds_name_of(log->events.relid), columns.data, values.data, arrays.data, names.data,
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
		get_typlenbyvalalign(ds_log_event_types[i], &length, &by_value, &align);
		arrays[count++] = PointerGetDatum(
			construct_md_array(chunk->values[i], chunk->nulls[i], 1, &chunk->count, (int[]) {1},
							   ds_log_event_types[i], length, by_value, align));
	}
}

pg_noreturn static void
refuse_trigger(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_TRIGGER),
			 errmsg("a trigger interfered with the events of log \"%s\"", ds_name_of(log->events.relid)),
			 errhint("A BEFORE INSERT trigger on a log must return the row, with nothing changed but \"data\" and \"metadata\".")));
}

/* Whether a row was stored as it was meant, but for what a trigger may change. */
static bool
is_as_meant(const Chunk *chunk, int row)
{
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		bool		is_null;
		Datum		value = ds_plan_value(row, i + 1, ds_log_event_types[i], &is_null);
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
	stored = ds_plan_run(&log->events, (DsPlanKey) {.build = build}, log, DS_WRITE_BATCH, arrays, NULL);
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

/* Store them by SQL. */
static void
store_by_sql(const DsLog *log, List *appends)
{
	Place		next = {appends, 0, 0};
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

/* The same without the executor. */
static void
store_directly(const DsLog *log, List *appends)
{
	DsEventRows *rows = palloc(sizeof(DsEventRows));
	ListCell   *cell;

	ds_event_rows_begin(rows, log);
	foreach(cell, appends)
		ds_event_rows_add(rows, lfirst(cell));
	ds_event_rows_end(rows);
	pfree(rows);
}

/* Take a position for each event of an append. */
void
ds_events_take_positions(DsAppend *append)
{
	for (int i = 0; i < append->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		append->events[i].position = nextval_internal(append->log->events.event.positions, false);
	}
}

/*
 * Store the events of appends to one log, which have got their versions and
 * positions.  The heads of their streams are locked and written; callers are
 * connected to SPI.
 */
void
ds_events_store(const DsLog *log, List *appends)
{
	if (ds_engine_inserts(&log->events))
		store_directly(log, appends);
	else
		store_by_sql(log, appends);
}

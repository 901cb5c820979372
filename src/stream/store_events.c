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
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "feed/mark.h"
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
#include "utils/fmgroids.h"
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
	bool		has_tags;		/* some of them */
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

	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		size += event->attributes[attribute].length;
	for (int tag = 0; tag < event->tag_count; tag++)
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
	chunk->has_tags = false;
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
		chunk->has_tags |= event->tag_count > 0;
		chunk->count++;
		bytes += size_of(event);
	}
	return chunk->count > 0;
}

/* What is stored: events of one log, by a statement that names the column tags or not. */
typedef struct Storing
{
	const DsLog *log;
	bool		has_tags;
} Storing;

/* The columns that the statement names: tags only where there are some, as a log and a privilege may lack the column. */
static bool
is_named(const Storing *storing, DsEventColumn column)
{
	return column != DS_TAGS || storing->has_tags;
}

/* The columns that the statement takes an array for: the server says when an event is stored. */
static bool
is_parameter(const Storing *storing, DsEventColumn column)
{
	return column != DS_RECORDED_AT && is_named(storing, column);
}

/* The type of a column's values, in that array: there are no arrays of lists, but of what is written for a list. */
static Oid
parameter_type(DsEventColumn column)
{
	return column == DS_TAGS ? TEXTOID : ds_log_event_types[column];
}

/*
 * Insert the events of arrays side by side, which are one scan, in order; see
 * statement.c.
 */
static void
build(const void *context, DsStatementText *text)
{
	const Storing *storing = context;
	const DsLog *log = storing->log;
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

		if (!is_named(storing, i))
			continue;
		appendStringInfo(&columns, "%s%s", comma, name);
		if (!is_parameter(storing, i))
		{
			appendStringInfo(&values, "%spg_catalog.clock_timestamp()", comma);
			continue;
		}
		appendStringInfo(&values, "%su.%s%s", comma, name, i == DS_TAGS ? "::pg_catalog._text" : "");
		appendStringInfo(&names, "%s%s", comma, name);
		text->types[text->parameters++] = get_array_type(parameter_type(i));
		appendStringInfo(&arrays, "%spg_catalog.unnest($%d)", comma, text->parameters);
	}
	text->sql = psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM ROWS FROM (%s) AS u(%s)%s%s",
						 ds_name_of(log->events.relid), columns.data, values.data, arrays.data, names.data,
						 log->events.has_before_triggers ? " RETURNING " : "",
						 log->events.has_before_triggers ? columns.data : "");
}

/* The lists of tags as they are written. */
static Datum *
write_tags(const Chunk *chunk)
{
	Datum	   *written = palloc0(sizeof(Datum) * chunk->count);

	for (int i = 0; i < chunk->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!chunk->nulls[DS_TAGS][i])
			written[i] = CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT, chunk->values[DS_TAGS][i]));
	}
	return written;
}

/* The parameters of the statement. */
static void
form_arrays(const Storing *storing, Chunk *chunk, Datum *arrays)
{
	int			count = 0;

	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		Oid			type = parameter_type(i);
		int16		length;
		bool		by_value;
		char		align;

		if (!is_parameter(storing, i))
			continue;
		get_typlenbyvalalign(type, &length, &by_value, &align);
		arrays[count++] = PointerGetDatum(
			construct_md_array(i == DS_TAGS ? write_tags(chunk) : chunk->values[i], chunk->nulls[i],
							   1, &chunk->count, (int[]) {1}, type, length, by_value, align));
	}
}

pg_noreturn static void
refuse_trigger(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_TRIGGER),
			 errmsg("a trigger interfered with the events of log \"%s\"", ds_name_of(log->events.relid)),
			 errhint("A BEFORE INSERT trigger on a log must return the row, and may change only \"data\" and \"metadata\".")));
}

/* Whether a row was stored as it was meant, but for what a trigger may change. */
static bool
is_as_meant(const Storing *storing, const Chunk *chunk, int row)
{
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		bool		is_null;
		Datum		value;
		Form_pg_attribute column;

		if (i == DS_RECORDED_AT || i == DS_DATA || i == DS_METADATA || !is_named(storing, i))
			continue;
		value = ds_plan_value(row, i + 1, ds_log_event_types[i], &is_null);
		column = TupleDescAttr(SPI_tuptable->tupdesc, i);
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
	/* A trigger or a default could give tags to events that have none, whose locks nobody holds. */
	bool		can_get_tags = log->events.has_before_triggers || log->events.event.has_tags_default;
	Storing		storing = {log, chunk->has_tags || (can_get_tags && ds_log_has_tags(log))};
	Datum		arrays[DS_STATEMENT_MAX_PARAMETERS];
	uint64		stored;

	form_arrays(&storing, chunk, arrays);
	stored = ds_plan_run(&log->events, (DsPlanKey) {.build = build, .form = storing.has_tags}, &storing,
						 DS_WRITE_BATCH, arrays, NULL);
	if (stored != (uint64) chunk->count)
		refuse_trigger(log);
	for (int row = 0; log->events.has_before_triggers && row < chunk->count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_as_meant(&storing, chunk, row))
			refuse_trigger(log);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Where the events of appends will be. */
static void
foresee(const DsLog *log, List *appends, DsUnderway *underway)
{
	Place		next = {appends, 0, 0};
	const DsAppend *append;
	const DsEvent *event;
	ListCell   *cell;
	int			count = 0;

	foreach(cell, appends)
		count += ((const DsAppend *) lfirst(cell))->count;
	underway->events = log->events.relid;
	underway->count = 0;
	underway->places = palloc(mul_size(count, sizeof(DsCursor)));
	while ((event = next_event(&next, &append)) != NULL)
		underway->places[underway->count++] = (DsCursor) {
			.generation = log->events.feed.current_generation,
			.transaction_id = FullTransactionIdFromU64(append->transaction_id),
			.position = event->position,
		};
}

static void
store_chunks(const DsLog *log, List *appends)
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

/* Store them by SQL, which runs the triggers of the log: these may take marks. */
static void
store_by_sql(const DsLog *log, List *appends)
{
	DsUnderway	underway;

	foresee(log, appends, &underway);
	ds_mark_begin_storing(&underway);
	PG_TRY();
	{
		store_chunks(log, appends);
	}
	PG_FINALLY();
	{
		ds_mark_end_storing(&underway);
	}
	PG_END_TRY();
	pfree(underway.places);
}

/* The same without the executor. */
static void
store_directly(const DsLog *log, List *appends)
{
	DsEventRows *rows = palloc(sizeof(DsEventRows));
	ListCell   *cell;

	ds_event_rows_begin(rows, log, appends);
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
		append->events[i].position = nextval_internal(append->log->events.feed.positions, false);
	}
	ds_mark_note_position(append->log->events.relid, append->events[append->count - 1].position);
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

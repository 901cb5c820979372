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
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "compat.h"
#include "direct_stream.h"
#include "engine.h"
#include "errors.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "plan.h"
#include "store_events.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_events_to_store);

/* The events that the statement under way stores: of one log, in item order. */
typedef struct Storing
{
	const DsBatch *batch;
	const DsLog *log;
	int			item;			/* the next one is of this item */
	int			event;
} Storing;

static Storing *storing = NULL;

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

/* The next event of the statement under way, or NULL. */
static const DsEvent *
next_event(Storing *from, const DsItem **item)
{
	for (; from->item < from->batch->count; from->item++, from->event = 0)
	{
		*item = &from->batch->items[from->item];
		if (is_stored_in(*item, from->log) && from->event < (*item)->event_count)
			return &(*item)->events[from->event++];
	}
	return NULL;
}

/*
 * docstore.events_to_store() RETURNS SETOF record
 *
 * The events that docstore.append() or docstore.save() is writing, for the
 * statement that inserts them; 22023 when anybody else calls it.
 */
Datum
ds_events_to_store(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext row;
	const DsItem *item;
	const DsEvent *event;

	if (storing == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("no event is being written"),
				 errhint("docstore.events_to_store() is for the statements of docstore.append() and docstore.save().")));

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	row = AllocSetContextCreate(CurrentMemoryContext, "docstore event", ALLOCSET_DEFAULT_SIZES);
	while ((event = next_event(storing, &item)) != NULL)
	{
		Datum		values[DS_EVENT_COLUMNS];
		bool		nulls[DS_EVENT_COLUMNS];
		MemoryContext caller = MemoryContextSwitchTo(row);

		CHECK_FOR_INTERRUPTS();
		ds_event_form(item, event, values, nulls);
		MemoryContextSwitchTo(caller);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
		MemoryContextReset(row);
	}
	MemoryContextDelete(row);
	return (Datum) 0;
}

static void
build(const void *context, DsStatementText *text)
{
	const DsLog *log = context;
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", ds_event_columns[i]);
	text->sql = psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT * FROM docstore.events_to_store() AS e("
						 "log_position pg_catalog.int8, version pg_catalog.int8, recorded_at pg_catalog.timestamptz, "
						 "generation pg_catalog.int8, transaction_id pg_catalog.xid8, event_id pg_catalog.uuid, "
						 "stream pg_catalog.text, type pg_catalog.text, source_type pg_catalog.text, "
						 "stream_type pg_catalog.text, stream_id pg_catalog.text, "
						 "data pg_catalog.jsonb, metadata pg_catalog.jsonb)",
						 ds_collection_name(log->events.relid), columns.data);
	if (log->events.has_before_triggers)
		text->sql = psprintf("%s RETURNING %s", text->sql, columns.data);
	text->parameters = 0;
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
is_as_meant(const DsItem *item, const DsEvent *event, uint64 row)
{
	Datum		values[DS_EVENT_COLUMNS];
	bool		nulls[DS_EVENT_COLUMNS];

	ds_event_form(item, event, values, nulls);
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
	{
		Form_pg_attribute column = TupleDescAttr(SPI_tuptable->tupdesc, i);
		bool		is_null;
		Datum		value = ds_plan_value(row, i + 1, &is_null);

		if (i == DS_RECORDED_AT || i == DS_DATA || i == DS_METADATA)
			continue;
		if (is_null != nulls[i])
			return false;
		if (!is_null && !datum_image_eq(value, values[i], column->attbyval, column->attlen))
			return false;
	}
	return true;
}

/* Look at what triggers have made of the events: only they can have changed anything. */
static void
require_as_meant(const Storing *stored)
{
	Storing		meant = {stored->batch, stored->log, 0, 0};
	const DsItem *item;
	const DsEvent *event;

	for (uint64 row = 0; (event = next_event(&meant, &item)) != NULL; row++)
		if (!is_as_meant(item, event, row))
			refuse_trigger(stored->log);
}

/* Store the new events of one log, however many items they come from. */
static void
store(const DsBatch *batch, const DsLog *log, uint64 count)
{
	Storing		events = {batch, log, 0, 0};
	Storing    *volatile outer = storing;
	volatile uint64 stored = 0;

	storing = &events;
	PG_TRY();
	{
		stored = ds_plan_run(log->events.relid, DS_PLAN_EVENTS + 1, build, log, DS_WRITE_BATCH, NULL, NULL);
	}
	PG_FINALLY();
	{
		storing = outer;
	}
	PG_END_TRY();

	if (stored != count)
		refuse_trigger(log);
	if (log->events.has_before_triggers)
		require_as_meant(&events);
	SPI_freetuptable(SPI_tuptable);
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
}

/* The same for each new event of a log, in item order; returns how many. */
static uint64
take_positions(DsBatch *batch, const DsLog *log)
{
	uint64		count = 0;

	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		if (!is_stored_in(item, log))
			continue;
		ds_event_take_positions(item);
		count += item->event_count;
	}
	return count;
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
		uint64		count;

		if (item->op != DS_APPEND_ITEM || item->repeats || list_member_ptr(stored, item->log))
			continue;
		count = take_positions(batch, item->log);
		if (ds_engine_inserts(&item->log->events))
			store_directly(batch, item->log);
		else
			store(batch, item->log, count);
		stored = lappend(stored, unconstify(DsLog *, item->log));
	}
	list_free(stored);
}

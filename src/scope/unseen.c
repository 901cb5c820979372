/*
 * unseen.c - events in a scope that a mark does not show
 *
 * What a mark does not show has a transaction_id of its xmin or more, so it is
 * read from there on by the order of the feed, and asked for who wrote it
 * (mark.c): as much as was appended since the oldest transaction began that ran
 * when the mark was made, however long the log is.  Of older generations that
 * can only be what was prepared before a promotion, and has ended since.
 *
 * In a stream the order of versions is that of commits.  So a scope with a
 * source goes back along the stream to the first event that the mark shows.
 *
 * A mark that does not count here shows nothing: then it is the tail.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "miscadmin.h"
#include "scope/matches.h"
#include "scope/tail.h"
#include "scope/unseen.h"
#include "table/engine.h"
#include "table/plan.h"
#include "utils/snapmgr.h"

/*
 * The parameters after those of the scope: positions above it count; the
 * generation and transaction_id to begin at, and the generation to end with; or
 * the stream.
 */
enum
{
	ABOVE = DS_SCOPE_PARAMETERS,
	GENERATION,
	TRANSACTION_ID,
	LAST_GENERATION,
	STREAM,
	PARAMETERS
};

typedef struct Question
{
	const DsLog *log;
	DsScope    *scopes;
	int			count;			/* of them; SQL asks for one at a time */
	const DsMark *mark;
	int64		above;			/* positions that are higher count */
	bool		by_stream;
} Question;

static void
build(const void *context, DsStatementText *text)
{
	const Question *question = context;
	const Oid	types[] = {INT8OID, INT8OID, XID8OID, INT8OID, TEXTOID};
	const char *order = question->by_stream
	? psprintf("e.stream OPERATOR(pg_catalog.=) $%d ORDER BY e.version DESC", STREAM + 1)
	: psprintf("(e.generation, e.transaction_id) OPERATOR(pg_catalog.>=) ($%d, $%d) "
			   "AND e.generation OPERATOR(pg_catalog.<=) $%d "
			   "ORDER BY e.generation, e.transaction_id, e.log_position",
			   GENERATION + 1, TRANSACTION_ID + 1, LAST_GENERATION + 1);

	text->sql = psprintf("SELECT e.log_position, e.transaction_id, e.xmin, e.cmin, "
						 "(e.log_position OPERATOR(pg_catalog.>) $%d AND %s) IS TRUE FROM ONLY %s AS e WHERE %s",
						 ABOVE + 1, ds_scope_condition(question->log, question->scopes, 1),
						 ds_name_of(question->log->events.relid), order);
	text->parameters = PARAMETERS;
	text->in_order = true;
	ds_scope_parameter_types(text->types);
	memcpy(&text->types[ABOVE], types, sizeof(types));
}

/* Whether an event matters that is in a scope: a higher one is not known yet. */
static bool
matters(const DsScope *scope, int64 position)
{
	return !scope->has_tail || position > scope->tail;
}

static void
note(DsScope *scope, int64 position)
{
	scope->has_tail = true;
	scope->tail = position;
}

/* Look at an event; whether the mark shows it, which is asked where it matters. */
static bool
look_at(Question *question, uint64 row)
{
	bool		matches = ds_plan_bool(row, 5);
	DsWriter	writer = {.position = ds_plan_int64(row, 1)};

	if (!question->by_stream && !(matches && matters(question->scopes, writer.position)))
		return false;
	writer.transaction_id = DatumGetUInt64(ds_plan_datum(row, 2, XID8OID));
	writer.xmin = DatumGetTransactionId(ds_plan_datum(row, 3, XIDOID));
	writer.command = DatumGetCommandId(ds_plan_datum(row, 4, CIDOID));
	if (ds_mark_shows(question->mark, &writer))
		return true;
	if (matches && matters(question->scopes, writer.position))
		note(question->scopes, writer.position);
	return false;
}

/* Go along the order; in a stream up to the first event that the mark shows. */
static void
walk(Question *question, Datum *values, const char *nulls)
{
	DsPlanKey	key = {.build = build, .form = ds_scope_shape(question->scopes), .path = question->by_stream};
	Portal		portal = ds_plan_open(&question->log->events, key, question, values, nulls);
	bool		ended = false;

	for (long rows = 8; !ended; rows = Min(rows * 8, 1000))
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, rows);
		ended = SPI_processed < (uint64) rows;
		for (uint64 row = 0; row < SPI_processed; row++)
			if (look_at(question, row) && question->by_stream)
			{
				ended = true;
				break;
			}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/* Whether a scope can be asked for without SQL. */
static bool
goes_by_rows(const DsScope *scope)
{
	return scope->source_filter != DS_EQUAL && scope->type_count <= DS_FEW_TYPES;
}

/* Look at an event, for all scopes that can be asked for so. */
static void
look_at_row(Question *question, TupleTableSlot *event)
{
	const AttrNumber *columns = question->log->events.columns;
	bool		is_null;
	DsWriter	writer = {.position = DatumGetInt64(slot_getattr(event, columns[DS_LOG_POSITION], &is_null))};

	if (writer.position <= question->above)
		return;
	writer.transaction_id = DatumGetUInt64(slot_getattr(event, columns[DS_TRANSACTION_ID], &is_null));
	writer.xmin = DatumGetTransactionId(slot_getsysattr(event, MinTransactionIdAttributeNumber, &is_null));
	writer.command = DatumGetCommandId(slot_getsysattr(event, MinCommandIdAttributeNumber, &is_null));
	if (ds_mark_shows(question->mark, &writer))
		return;
	for (int i = 0; i < question->count; i++)
	{
		DsScope    *scope = &question->scopes[i];

		CHECK_FOR_INTERRUPTS();
		if (goes_by_rows(scope) && matters(scope, writer.position) && ds_scope_matches(question->log, scope, event))
			note(scope, writer.position);
	}
}

/*
 * Go along the order without the executor, which takes several times as long to
 * begin and end as to look at the few events that there are.
 */
static void
walk_rows(Question *question, int64 generation, int64 last_generation)
{
	const DsCollection *events = &question->log->events;
	DsCursor	from = {.generation = generation, .transaction_id = FullTransactionIdFromU64(question->mark->xmin)};
	DsPlaceScan scan;
	bool		is_null;

	ds_place_scan_begin(events, GetActiveSnapshot(), &from, &scan);
	while (ds_place_scan_next(&scan) &&
		   DatumGetInt64(slot_getattr(scan.slot, events->columns[DS_GENERATION], &is_null)) <= last_generation)
		look_at_row(question, scan.slot);
	ds_place_scan_end(&scan);
}

/* Look at the events of some generations, from the mark's oldest transaction on; without SQL, when there are no values for it. */
static void
walk_feed(Question *question, int64 generation, int64 last_generation, Datum *values, const char *nulls)
{
	if (values == NULL)
	{
		walk_rows(question, generation, last_generation);
		return;
	}
	values[GENERATION] = Int64GetDatum(generation);
	values[TRANSACTION_ID] = UInt64GetDatum(question->mark->xmin);
	values[LAST_GENERATION] = Int64GetDatum(last_generation);
	walk(question, values, nulls);
}

static void
walk_generations(Question *question, Datum *values, const char *nulls)
{
	const DsCollection *events = &question->log->events;
	const DsMark *mark = question->mark;
	Relation	rel;
	DsCursor	last = {.generation = mark->generation};

	walk_feed(question, mark->generation, PG_INT64_MAX, values, nulls);

	rel = table_open(events->relid, NoLock);
	while (ds_place_find(rel, events->feed.index, SnapshotAny, BackwardScanDirection,
						 BTLessStrategyNumber, last.generation, &last))
	{
		CHECK_FOR_INTERRUPTS();
		if (!ds_generation_is_of_this_cluster(last.generation) ||
			U64FromFullTransactionId(last.transaction_id) < mark->xmin)
			continue;
		walk_feed(question, last.generation, last.generation, values, nulls);
	}
	table_close(rel, NoLock);
}

/* Ask for one scope in SQL. */
static void
ask(const DsLog *log, DsScope *scope, const DsMark *mark, int64 above)
{
	Question	question = {.log = log, .scopes = scope, .count = 1, .mark = mark, .above = above,
	.by_stream = scope->source_filter == DS_EQUAL};
	Datum		values[PARAMETERS] = {0};
	char		nulls[PARAMETERS];

	ds_scope_parameters(scope, values, nulls);
	memset(&nulls[ABOVE], ' ', PARAMETERS - ABOVE);
	values[ABOVE] = Int64GetDatum(above);
	if (question.by_stream)
	{
		values[STREAM] = ds_json_text(&scope->source);
		memset(&nulls[GENERATION], 'n', STREAM - GENERATION);
		walk(&question, values, nulls);
	}
	else
	{
		nulls[STREAM] = 'n';
		walk_generations(&question, values, nulls);
	}
}

/* Find the same where the mark counts for nothing: any event, be it old. */
static void
find_tails(const DsLog *log, DsScope *scopes, int count, int64 above)
{
	for (int i = 0; i < count; i++)
		scopes[i].has_tail = ds_scope_tail(log, &scopes[i], above, &scopes[i].tail);
}

/*
 * Find for each of some scopes the highest position above another one of an
 * event in it that is visible to the active snapshot and the caller, and that a
 * mark does not show: as its tail; it has none when there is none.  Callers are
 * connected to SPI and have locked the log.  Returns whether the mark counts.
 */
DsMarkState
ds_scopes_unseen(const DsLog *log, DsScope *scopes, int count, const DsMark *mark, int64 above)
{
	Question	question = {.log = log, .scopes = scopes, .count = count, .mark = mark, .above = above};
	DsMarkState state = ds_mark_check(&log->events, mark);
	bool		by_rows = false;

	if (state != DS_MARK_GOOD)
	{
		find_tails(log, scopes, count, above);
		return state;
	}
	for (int i = 0; i < count; i++)
	{
		scopes[i].has_tail = false;
		by_rows |= goes_by_rows(&scopes[i]);
	}
	by_rows = by_rows && ds_engine_reads(&log->events);
	if (by_rows)
		walk_generations(&question, NULL, NULL);
	for (int i = 0; i < count; i++)
		if (!by_rows || !goes_by_rows(&scopes[i]))
			ask(log, &scopes[i], mark, above);
	return state;
}

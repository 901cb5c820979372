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

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "miscadmin.h"
#include "scope/tail.h"
#include "scope/unseen.h"
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
	const DsScope *scope;
	const DsMark *mark;
	bool		by_stream;

	/* what was found */
	bool		found;
	int64		highest;
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
						 ABOVE + 1, ds_scope_condition(question->log, question->scope, 1),
						 ds_name_of(question->log->events.relid), order);
	text->parameters = PARAMETERS;
	text->in_order = true;
	ds_scope_parameter_types(text->types);
	memcpy(&text->types[ABOVE], types, sizeof(types));
}

/* Look at an event; whether the mark shows it, which is asked where it matters. */
static bool
look_at(Question *question, uint64 row)
{
	bool		matches = ds_plan_bool(row, 5);
	DsWriter	writer = {.position = ds_plan_int64(row, 1)};

	if (!question->by_stream && !(matches && (!question->found || writer.position > question->highest)))
		return false;
	writer.transaction_id = DatumGetUInt64(ds_plan_datum(row, 2, XID8OID));
	writer.xmin = DatumGetTransactionId(ds_plan_datum(row, 3, XIDOID));
	writer.command = DatumGetCommandId(ds_plan_datum(row, 4, CIDOID));
	if (ds_mark_shows(question->mark, &writer))
		return true;
	if (matches && (!question->found || writer.position > question->highest))
	{
		question->found = true;
		question->highest = writer.position;
	}
	return false;
}

/* Go along the order; in a stream up to the first event that the mark shows. */
static void
walk(Question *question, Datum *values, const char *nulls)
{
	DsPlanKey	key = {.build = build, .form = ds_scope_shape(question->scope), .path = question->by_stream};
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

static void
walk_generations(Question *question, Datum *values, const char *nulls)
{
	const DsCollection *events = &question->log->events;
	const DsMark *mark = question->mark;
	Relation	rel;
	DsCursor	last = {.generation = mark->generation};

	values[GENERATION] = Int64GetDatum(mark->generation);
	values[TRANSACTION_ID] = UInt64GetDatum(mark->xmin);
	values[LAST_GENERATION] = Int64GetDatum(PG_INT64_MAX);
	walk(question, values, nulls);

	rel = table_open(events->relid, NoLock);
	while (ds_place_find(rel, events->feed.index, SnapshotAny, BackwardScanDirection,
						 BTLessStrategyNumber, last.generation, &last))
	{
		CHECK_FOR_INTERRUPTS();
		if (!ds_generation_is_of_this_cluster(last.generation) ||
			U64FromFullTransactionId(last.transaction_id) < mark->xmin)
			continue;
		values[GENERATION] = values[LAST_GENERATION] = Int64GetDatum(last.generation);
		walk(question, values, nulls);
	}
	table_close(rel, NoLock);
}

/*
 * The highest position above another one of an event in the scope that is
 * visible to the active snapshot and the caller, and that the mark does not
 * show; false when there is none.  Callers are connected to SPI and have locked
 * the log.
 */
bool
ds_scope_unseen(const DsLog *log, const DsScope *scope, const DsMark *mark, int64 above, int64 *highest)
{
	Question	question = {log, scope, mark, scope->source_filter == DS_EQUAL, false, 0};
	Datum		values[PARAMETERS] = {0};
	char		nulls[PARAMETERS];

	if (ds_mark_check(&log->events, mark) != DS_MARK_GOOD)
		return ds_scope_tail(log, scope, above, highest);

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
	if (question.found)
		*highest = question.highest;
	return question.found;
}

/*
 * tail.c - the highest position in a scope
 *
 * Within a stream positions grow with versions, so a scope with a source is
 * walked backwards by the key of the events, a few rows at a time, until one
 * matches or lies too far back.  Where the owner of a log has made an index on
 * (type, log_position), or on a tag, scopes that name a value of it are walked
 * likewise.  Any other goes back by position.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "log/log.h"
#include "miscadmin.h"
#include "scope/tail.h"
#include "table/plan.h"

/* The parameters after those of the scope: positions above it count; the value to walk by. */
#define ABOVE (DS_SCOPE_PARAMETERS + 1)
#define VALUE (ABOVE + 1)

/* A scope, and the column to walk by; DS_LOG_POSITION: none, it is searched. */
typedef struct Question
{
	const DsLog *log;
	const DsScope *scope;
	DsEventColumn column;
} Question;

static const DsEventColumn tag_columns[DS_TAGS] = {
	[DS_TAG_SOURCE_TYPE] = DS_SOURCE_TYPE,
	[DS_TAG_STREAM_TYPE] = DS_STREAM_TYPE,
	[DS_TAG_STREAM_ID] = DS_STREAM_ID,
};

/* The column whose values lead to few events: the same order as in scope_lock.c. */
static DsEventColumn
choose_column(const DsLog *log, const DsScope *scope)
{
	static const DsTag tags[] = {DS_TAG_STREAM_ID, DS_TAG_STREAM_TYPE, DS_TAG_SOURCE_TYPE};
	const bool *has_index = log->events.event.has_index;

	if (scope->source_filter == DS_EQUAL)
		return DS_STREAM;
	if (scope->filters[DS_TAG_STREAM_ID] == DS_EQUAL && has_index[DS_STREAM_ID])
		return DS_STREAM_ID;
	if (scope->type_count > 0 && has_index[DS_TYPE])
		return DS_TYPE;
	for (size_t i = 1; i < lengthof(tags); i++)
		if (scope->filters[tags[i]] == DS_EQUAL && has_index[tag_columns[tags[i]]])
			return tag_columns[tags[i]];
	return DS_LOG_POSITION;
}

/*
 * A walk: all events with a value, from the last one backwards, and whether
 * they match.  The value is given as a range, so that no other index can seem
 * to bring the order as cheaply.
 */
static char *
walk_sql(const Question *question)
{
	const char *column = ds_log_event_columns[question->column];
	const char *select = psprintf("SELECT e.log_position, (%s) IS TRUE FROM ONLY %s e WHERE",
								  ds_scope_condition(question->scope, 1),
								  ds_name_of(question->log->events.relid));

	if (question->column == DS_STREAM)
		return psprintf("%s e.stream OPERATOR(pg_catalog.=) $%d ORDER BY e.version DESC", select, VALUE);
	return psprintf("%s e.%s OPERATOR(pg_catalog.>=) $%d AND e.%s OPERATOR(pg_catalog.<=) $%d "
					"ORDER BY e.%s DESC, e.log_position DESC",
					select, column, VALUE, column, VALUE, column);
}

static void
build(const void *context, DsStatementText *text)
{
	const Question *question = context;

	if (question->column != DS_LOG_POSITION)
		text->sql = walk_sql(question);
	else
		text->sql = psprintf("SELECT e.log_position FROM ONLY %s e "
							 "WHERE %s AND e.log_position OPERATOR(pg_catalog.>) $%d "
							 "ORDER BY e.log_position DESC LIMIT 1",
							 ds_name_of(question->log->events.relid),
							 ds_scope_condition(question->scope, 1), ABOVE);
	text->parameters = VALUE;
	text->in_order = true;
	ds_scope_parameter_types(text->types);
	text->types[ABOVE - 1] = INT8OID;
	text->types[VALUE - 1] = TEXTOID;
}

/* Shapes and columns make different statements. */
static DsPlanKey
plan_key(const Question *question)
{
	return (DsPlanKey) {.build = build, .form = ds_scope_shape(question->scope), .path = question->column};
}

/* Walk until an event matches, or is not above that position any more. */
static bool
walk(const Question *question, const DsBytes *value, Datum *values, const char *nulls,
	 int64 above, int64 *tail)
{
	Portal		portal;
	bool		found = false;
	bool		ended = false;

	values[VALUE - 1] = ds_json_text(value);
	portal = ds_plan_open(&question->log->events, plan_key(question), question,
						  values, nulls);
	for (long rows = 1; !ended; rows = Min(rows * 8, 1000))
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, rows);
		ended = SPI_processed == 0;
		for (uint64 row = 0; row < SPI_processed && !ended; row++)
		{
			int64		position = ds_plan_int64(row, 1);

			found = position > above && ds_plan_bool(row, 2);
			ended = found || position <= above;
			if (found)
				*tail = position;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	return found;
}

/* Walk by each type; what one has found, the others must exceed. */
static bool
walk_types(const Question *question, Datum *values, const char *nulls, int64 above, int64 *tail)
{
	bool		found = false;

	for (int i = 0; i < question->scope->type_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		found |= walk(question, &question->scope->types[i], values, nulls, found ? *tail : above, tail);
	}
	return found;
}

static bool
search(const Question *question, Datum *values, char *nulls, int64 *tail)
{
	uint64		rows;

	nulls[VALUE - 1] = 'n';
	rows = ds_plan_run(&question->log->events, plan_key(question), question,
					   DS_READ, values, nulls);
	if (rows > 0)
		*tail = ds_plan_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return rows > 0;
}

/*
 * The highest position above another one of an event in the scope, as the
 * active snapshot and the caller see it; false when there is none.  Callers
 * are connected to SPI and have locked the log.
 */
bool
ds_scope_tail(const DsLog *log, const DsScope *scope, int64 above, int64 *tail)
{
	Question	question = {log, scope, choose_column(log, scope)};
	Datum		values[VALUE];
	char		nulls[VALUE];

	/* Every event has a source: look at none, but not without the privilege to. */
	if (scope->source_filter == DS_NONE)
		above = PG_INT64_MAX;
	ds_scope_parameters(scope, values, nulls);
	values[ABOVE - 1] = Int64GetDatum(above);
	nulls[ABOVE - 1] = ' ';
	nulls[VALUE - 1] = ' ';

	switch (question.column)
	{
		case DS_LOG_POSITION:
			return search(&question, values, nulls, tail);
		case DS_STREAM:
			return walk(&question, &scope->source, values, nulls, above, tail);
		case DS_TYPE:
			return walk_types(&question, values, nulls, above, tail);
		default:
			for (int tag = 0; tag < DS_TAGS; tag++)
				if (tag_columns[tag] == question.column)
					return walk(&question, &scope->tags[tag], values, nulls, above, tail);
			elog(ERROR, "unexpected column %d", (int) question.column);
	}
}

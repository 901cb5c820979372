/*
 * tail.c - the highest position in a scope
 *
 * Within a stream positions grow with versions, so a scope with a source is
 * walked backwards by the key of the events, a few rows at a time, until one
 * matches or lies too far back.  Where the owner of a log has made an index on
 * (type, log_position), or on stream_id and the like, scopes that name a value
 * of it, or ask for none, are walked likewise.  Any other goes back by position.
 *
 * The index on tags has no order.  So a scope with tags goes back by position
 * for a while, as what is asked for is often near the end, and then looks at all
 * events that have its tags.
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

/* So many events are walked by position before those with tags are searched. */
#define FEW_EVENTS 1000

/*
 * A scope, and the column to walk by; DS_LOG_POSITION: none, it is searched.
 * By DS_TAGS: those that have the tags are searched, after a walk.
 */
typedef struct Question
{
	const DsLog *log;
	const DsScope *scope;
	DsEventColumn column;
	bool		is_walk;
} Question;

static const DsEventColumn attribute_columns[DS_ATTRIBUTES] = {
	[DS_ATTRIBUTE_SOURCE_TYPE] = DS_SOURCE_TYPE,
	[DS_ATTRIBUTE_STREAM_TYPE] = DS_STREAM_TYPE,
	[DS_ATTRIBUTE_STREAM_ID] = DS_STREAM_ID,
};

/* The column whose values lead to few events: the same order as in scope_lock.c. */
static DsEventColumn
choose_column(const DsLog *log, const DsScope *scope)
{
	static const DsAttribute order[] = {DS_ATTRIBUTE_STREAM_ID, DS_ATTRIBUTE_STREAM_TYPE, DS_ATTRIBUTE_SOURCE_TYPE};
	const bool *has_index = log->events.event.has_index;

	if (scope->source_filter == DS_EQUAL)
		return DS_STREAM;
	if (scope->tags_filter == DS_EQUAL && log->events.event.has_tags_index)
		return DS_TAGS;
	if (scope->filters[DS_ATTRIBUTE_STREAM_ID] == DS_EQUAL && has_index[DS_STREAM_ID])
		return DS_STREAM_ID;
	if (scope->type_count > 0 && has_index[DS_TYPE])
		return DS_TYPE;
	for (size_t i = 1; i < lengthof(order); i++)
		if (scope->filters[order[i]] == DS_EQUAL && has_index[attribute_columns[order[i]]])
			return attribute_columns[order[i]];
	for (size_t i = 0; i < lengthof(order); i++)
		if (scope->filters[order[i]] == DS_NONE && has_index[attribute_columns[order[i]]])
			return attribute_columns[order[i]];
	return DS_LOG_POSITION;
}

/* Whether a scope asks for events that have nothing in a column. */
static bool
is_null_wanted(const DsScope *scope, DsEventColumn column)
{
	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		if (attribute_columns[attribute] == column)
			return scope->filters[attribute] == DS_NONE;
	return false;
}

/*
 * A walk: all events with a value, or with none, from the last one backwards, and whether
 * they match.  The value is given as a range, so that no other index can seem
 * to bring the order as cheaply.
 */
static char *
walk_sql(const Question *question)
{
	const char *column = ds_log_event_columns[question->column];
	const char *select = psprintf("SELECT e.log_position, (%s) IS TRUE FROM ONLY %s e WHERE",
								  ds_scope_condition(question->log, question->scope, 1),
								  ds_name_of(question->log->events.relid));

	if (question->column == DS_STREAM)
		return psprintf("%s e.stream OPERATOR(pg_catalog.=) $%d ORDER BY e.version DESC", select, VALUE);
	if (question->column == DS_TAGS)
		return psprintf("%s e.log_position OPERATOR(pg_catalog.>) $%d ORDER BY e.log_position DESC", select, ABOVE);
	if (is_null_wanted(question->scope, question->column))
		return psprintf("%s e.%s IS NULL ORDER BY e.%s DESC, e.log_position DESC", select, column, column);
	return psprintf("%s e.%s OPERATOR(pg_catalog.>=) $%d AND e.%s OPERATOR(pg_catalog.<=) $%d "
					"ORDER BY e.%s DESC, e.log_position DESC",
					select, column, VALUE, column, VALUE, column);
}

/* A search: the last event, or of those with tags, which come in no order, the highest position. */
static char *
search_sql(const Question *question)
{
	const char *events = ds_name_of(question->log->events.relid);
	const char *condition = ds_scope_condition(question->log, question->scope, 1);

	return psprintf(question->column == DS_TAGS
					? "SELECT pg_catalog.max(e.log_position) FROM ONLY %s e WHERE %s AND e.log_position OPERATOR(pg_catalog.>) $%d"
					: "SELECT e.log_position FROM ONLY %s e WHERE %s AND e.log_position OPERATOR(pg_catalog.>) $%d "
					"ORDER BY e.log_position DESC LIMIT 1", events, condition, ABOVE);
}

static void
build(const void *context, DsStatementText *text)
{
	const Question *question = context;

	text->sql = question->is_walk ? walk_sql(question) : search_sql(question);
	text->parameters = VALUE;
	text->by_bitmap = question->column == DS_TAGS && !question->is_walk;
	text->in_order = !text->by_bitmap;
	ds_scope_parameter_types(text->types);
	text->types[ABOVE - 1] = INT8OID;
	text->types[VALUE - 1] = TEXTOID;
}

/* Shapes and columns make different statements. */
static DsPlanKey
plan_key(const Question *question)
{
	return (DsPlanKey) {
		.build = build, .form = ds_scope_shape(question->scope),
		.path = question->column * 2 + question->is_walk
	};
}

/*
 * Walk until an event matches, or is not above that position any more, or so
 * many have been walked by, which sets *is_open.
 */
static bool
walk_some(const Question *question, Datum *values, const char *nulls, int64 above, uint64 limit,
		  int64 *tail, bool *is_open)
{
	Portal		portal = ds_plan_open(&question->log->events, plan_key(question), question, values, nulls);
	uint64		walked = 0;
	bool		found = false;
	bool		ended = false;

	for (long rows = 1; !ended && walked < limit; rows = Min(rows * 8, 1000))
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, rows);
		ended = SPI_processed == 0;
		walked += SPI_processed;
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
	*is_open = !ended;
	return found;
}

/* Walk along a value, or along those that have none, as far as it takes. */
static bool
walk(const Question *question, const DsBytes *value, Datum *values, char *nulls, int64 above, int64 *tail)
{
	bool		is_open;

	nulls[VALUE - 1] = value->start == NULL ? 'n' : ' ';
	values[VALUE - 1] = value->start == NULL ? (Datum) 0 : ds_json_text(value);
	return walk_some(question, values, nulls, above, PG_UINT64_MAX, tail, &is_open);
}

/* Walk by each type; what one has found, the others must exceed. */
static bool
walk_types(const Question *question, Datum *values, char *nulls, int64 above, int64 *tail)
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
	Datum		found = (Datum) 0;
	bool		is_null = true;

	nulls[VALUE - 1] = 'n';
	rows = ds_plan_run(&question->log->events, plan_key(question), question,
					   DS_READ, values, nulls);
	if (rows > 0)
		found = ds_plan_value(0, 1, INT8OID, &is_null);
	SPI_freetuptable(SPI_tuptable);
	if (!is_null)
		*tail = DatumGetInt64(found);
	return !is_null;
}

/* Walk back by position for a while, then search those that have the tags. */
static bool
search_tags(Question *question, Datum *values, char *nulls, int64 above, int64 *tail)
{
	bool		is_open;

	nulls[VALUE - 1] = 'n';
	question->is_walk = true;
	if (walk_some(question, values, nulls, above, FEW_EVENTS, tail, &is_open))
		return true;
	if (!is_open)
		return false;
	question->is_walk = false;
	return search(question, values, nulls, tail);
}

/*
 * The highest position above another one of an event in the scope, as the
 * active snapshot and the caller see it; false when there is none.  Callers
 * are connected to SPI and have locked the log.
 */
bool
ds_scope_tail(const DsLog *log, const DsScope *scope, int64 above, int64 *tail)
{
	DsEventColumn column = choose_column(log, scope);
	Question	question = {log, scope, column, column != DS_LOG_POSITION};
	Datum		values[VALUE];
	char		nulls[VALUE];

	/* Where every event has a source look at none, but not without the privilege to. */
	if (scope->source_filter == DS_NONE && !log->events.event.takes_streamless)
		above = PG_INT64_MAX;
	ds_scope_parameters(scope, values, nulls);
	values[ABOVE - 1] = Int64GetDatum(above);
	nulls[ABOVE - 1] = ' ';
	nulls[VALUE - 1] = ' ';

	switch (question.column)
	{
		case DS_LOG_POSITION:
			return search(&question, values, nulls, tail);
		case DS_TAGS:
			return search_tags(&question, values, nulls, above, tail);
		case DS_STREAM:
			return walk(&question, &scope->source, values, nulls, above, tail);
		case DS_TYPE:
			return walk_types(&question, values, nulls, above, tail);
		default:
			for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
				if (attribute_columns[attribute] == question.column)
					return walk(&question, &scope->attributes[attribute], values, nulls, above, tail);
			elog(ERROR, "unexpected column %d", (int) question.column);
	}
}

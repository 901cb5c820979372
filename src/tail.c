/*
 * tail.c - docstore.tail(): the highest position in a scope
 *
 * Within a stream positions grow with versions, so a scope with a source is
 * walked backwards by the key of the events, a few rows at a time, until one
 * matches or lies too far back.  Any other scope goes by position, or by what
 * index its owner has made for it: one on (type, log_position), say.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "errors.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "json.h"
#include "log.h"
#include "miscadmin.h"
#include "plan.h"
#include "scope.h"

PG_FUNCTION_INFO_V1(ds_tail);

/* The parameter after those of the scope: positions above it count. */
#define ABOVE (DS_SCOPE_PARAMETERS + 1)

typedef struct Question
{
	const DsLog *log;
	const DsScope *scope;
} Question;

static void
set_types(DsStatementText *text)
{
	text->parameters = ABOVE;
	ds_scope_parameter_types(text->types);
	text->types[ABOVE - 1] = INT8OID;
}

/* All events of the source, from the last one backwards, and whether they match. */
static void
build_walk(const void *context, DsStatementText *text)
{
	const Question *question = context;

	text->sql = psprintf("SELECT e.log_position, (%s) IS TRUE FROM ONLY %s e "
						 "WHERE e.stream OPERATOR(pg_catalog.=) $1 ORDER BY e.version DESC",
						 ds_scope_condition(question->scope, 1),
						 ds_collection_name(question->log->events.relid));
	set_types(text);
}

/* The highest position, type by type, so that an index on the type can serve each. */
static void
build_search(const void *context, DsStatementText *text)
{
	const Question *question = context;
	const char *search = psprintf("SELECT e.log_position FROM ONLY %s e "
								  "WHERE %s AND e.log_position OPERATOR(pg_catalog.>) $%d",
								  ds_collection_name(question->log->events.relid),
								  ds_scope_condition(question->scope, 1), ABOVE);

	if (question->scope->type_count > 0)
		text->sql = psprintf("SELECT p.log_position FROM pg_catalog.unnest($%d) AS u(type) CROSS JOIN LATERAL "
							 "(%s AND e.type OPERATOR(pg_catalog.=) u.type ORDER BY e.log_position DESC LIMIT 1) AS p "
							 "ORDER BY p.log_position DESC LIMIT 1", DS_SCOPE_PARAMETERS, search);
	else
		text->sql = psprintf("%s ORDER BY e.log_position DESC LIMIT 1", search);
	set_types(text);
}

/* Walk until an event matches, or is not above that position any more. */
static bool
walk(const Question *question, Datum *values, const char *nulls, int64 above, int64 *tail)
{
	Portal		portal = ds_plan_open(question->log->events.relid,
									  DS_PLAN_SCOPE + 2 * ds_scope_shape(question->scope),
									  build_walk, question, values, nulls);
	bool		found = false;
	bool		ended = false;

	for (long rows = 1; !ended; rows = Min(rows * 8, 1000))
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, rows);
		ended = SPI_processed == 0;
		for (uint64 row = 0; row < SPI_processed && !ended; row++)
		{
			*tail = ds_plan_int64(row, 1);
			found = *tail > above && ds_plan_bool(row, 2);
			ended = found || *tail <= above;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	return found;
}

static bool
search(const Question *question, Datum *values, const char *nulls, int64 *tail)
{
	uint64		rows = ds_plan_run(question->log->events.relid,
								   DS_PLAN_SCOPE + 2 * ds_scope_shape(question->scope) + 1,
								   build_search, question, DS_READ, values, nulls);

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
	Question		question = {log, scope};
	Datum		values[ABOVE];
	char		nulls[ABOVE];

	/* Every event has a source. */
	if (scope->source_filter == DS_NONE)
		return false;
	ds_scope_parameters(scope, values, nulls);
	values[ABOVE - 1] = Int64GetDatum(above);
	nulls[ABOVE - 1] = ' ';
	return scope->source_filter == DS_EQUAL
		? walk(&question, values, nulls, above, tail)
		: search(&question, values, nulls, tail);
}

/*
 * docstore.tail(log regclass, scope jsonb) RETURNS bigint
 *
 * The highest position in the scope that the statement sees, NULL when there
 * is none; what the scope expects is not looked at, so that one object serves
 * to read and to append.  Raises 22023, 42P01, 42809.
 * Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_tail(PG_FUNCTION_ARGS)
{
	DsScope		scope;
	DsLog		log;
	JsonbValue	given;
	int64		tail;
	bool		found;

	ds_require_argument(PG_ARGISNULL(0), "log");
	ds_require_argument(PG_ARGISNULL(1), "scope");
	ds_json_root(PG_GETARG_JSONB_P(1), &given);
	ds_scope_read(&given, DS_ONLY_ITEM, &scope);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	found = ds_scope_tail(&log, &scope, PG_INT64_MIN, &tail);
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT64(tail);
}

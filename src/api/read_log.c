/*
 * read_log.c - docstore.read_log(): the events of a log after a cursor
 *
 * Rows come in the order of the feed (feed.c), up to its horizon.  One
 * snapshot decides both what is visible and where the horizon is; with two,
 * an event that commits in between would be skipped.  No other transaction is
 * waited for, nothing is written, so this works on a standby as well.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/cursor.h"
#include "feed/feed.h"
#include "feed/reading.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "log/log.h"
#include "scope/scope.h"
#include "table/plan.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_read_log);

/* The parameters: the cursor, the horizon, how many, and then the scope. */
enum
{
	AFTER = 0,
	HORIZON = AFTER + DS_CURSOR_PARAMETERS,
	MAX_COUNT = HORIZON + 2,
	SCOPE,
	PARAMETERS = SCOPE + DS_SCOPE_PARAMETERS
};

typedef struct Reading
{
	const DsLog *log;
	const DsScope *scope;
} Reading;

static void
build(const void *context, DsStatementText *text)
{
	const Reading *reading = context;
	const Oid	types[] = {INT8OID, XID8OID, INT8OID, INT8OID, XID8OID, INT8OID};

	text->sql = psprintf("SELECT " DS_READING_COLUMNS ", " DS_CURSOR_SQL " FROM ONLY %s AS e "
						 "WHERE " DS_CURSOR_ROW " OPERATOR(pg_catalog.>) ($1, $2, $3) "
						 "AND (e.generation, e.transaction_id) OPERATOR(pg_catalog.<) ($4, $5) "
						 "AND %s "
						 "ORDER BY e.generation, e.transaction_id, e.log_position LIMIT $6",
						 ds_collection_name(reading->log->events.relid),
						 ds_scope_condition(reading->scope, SCOPE + 1));
	text->parameters = PARAMETERS;
	text->in_order = true;
	memcpy(text->types, types, sizeof(types));
	ds_scope_parameter_types(&text->types[SCOPE]);
}

/* A cursor of another log would skip events or bring them again. */
pg_noreturn static void
refuse_foreign(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("after is not a cursor of log \"%s\"", ds_collection_name(log->events.relid)),
			 errhint("Events that logical replication brings have an order of their own on each server: "
					 "begin again with NULL, and pass over what is known.")));
}

/* So would one from a future that never was. */
pg_noreturn static void
refuse_lost(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("after is a cursor at an event that log \"%s\" does not have", ds_collection_name(log->events.relid)),
			 errdetail("The event was lost in a failover, a crash or a recovery, or it was deleted while older ones were kept, or it is of another log."),
			 errhint("Other events may have come in its place: begin again with a cursor from before that, or with NULL, and pass over what is known.")));
}

/* The argument after. */
static void
read_after(FunctionCallInfo fcinfo, const DsLog *log, DsCursor *after)
{
	if (PG_ARGISNULL(1))
	{
		ds_cursor_begin(after);
		return;
	}
	ds_cursor_read(PG_GETARG_TEXT_PP(1), "after", after);
	switch (ds_reading_judge(log, after))
	{
		case DS_CURSOR_GOOD:
			break;
		case DS_CURSOR_FOREIGN:
			refuse_foreign(log);
		case DS_CURSOR_LOST:
			refuse_lost(log);
	}
}

/* The argument scope: what it expects is not looked at. */
static void
read_scope(FunctionCallInfo fcinfo, DsScope *scope)
{
	JsonbValue	given;

	memset(scope, 0, sizeof(DsScope));
	if (PG_ARGISNULL(3))
		return;
	ds_json_root(PG_GETARG_JSONB_P(3), &given);
	ds_scope_read(&given, DS_ONLY_ITEM, scope);
}

/*
 * docstore.read_log(log regclass, after text DEFAULT NULL, max_count int DEFAULT 1000,
 *					 scope jsonb DEFAULT NULL)
 * RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb,
 *				  metadata jsonb, event_id uuid, source_type text, stream_type text,
 *				  stream_id text, recorded_at timestamptz, cursor text)
 *
 * The events after a cursor that the statement sees and that nothing can still
 * come before; each has the cursor to go on from.  after NULL is where the log
 * begins, max_count NULL is all of them.  Raises 22023, 42P01, 42809.
 * Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_read_log(PG_FUNCTION_ARGS)
{
	DsLog		log;
	DsCursor	after;
	DsHorizon	horizon;
	DsScope		scope;
	Reading		reading = {&log, &scope};
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS];

	ds_require_argument(PG_ARGISNULL(0), "log");
	memset(nulls, ' ', sizeof(nulls));
	values[MAX_COUNT] = ds_reading_max_count(fcinfo, 2, &nulls[MAX_COUNT]);
	read_scope(fcinfo, &scope);
	InitMaterializedSRF(fcinfo, 0);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);
	/* Every event has a source: do not look for one without through the whole log. */
	if (scope.source_filter == DS_NONE)
	{
		values[MAX_COUNT] = Int64GetDatum(0);
		nulls[MAX_COUNT] = ' ';
	}

	SPI_connect();
	read_after(fcinfo, &log, &after);
	horizon = ds_feed_find_horizon(&log.events, GetActiveSnapshot());
	ds_cursor_parameters(&after, &values[AFTER]);
	values[HORIZON] = Int64GetDatum(horizon.generation);
	values[HORIZON + 1] = FullTransactionIdGetDatum(horizon.transaction_id);
	ds_scope_parameters(&scope, &values[SCOPE], &nulls[SCOPE]);
	if (ds_plan_return(&log.events, DS_PLAN_READ + ds_scope_shape(&scope), build, &reading,
					   values, nulls, (ReturnSetInfo *) fcinfo->resultinfo) > 0)
		ds_feed_flush();
	SPI_finish();
	return (Datum) 0;
}

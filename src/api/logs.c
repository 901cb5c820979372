/*
 * logs.c - reading a log: read_log, the events after a cursor; tail, the
 * highest position in a scope; log_status, how far readers can go and why no
 * further
 *
 * Rows of read_log come in the order of the feed (feed.c), up to its horizon.  One
 * snapshot decides both what is visible and where the horizon is; with two,
 * an event that commits in between would be skipped.  No other transaction is
 * waited for, nothing is written, so this works on a standby as well.
 *
 * Readers go up to the oldest transaction that has an id and has not ended.
 * One that has written nothing has no id, and holds nobody back however long it
 * lives.  Every role may see in pg_locks which transaction ids are held and by
 * whom; pg_stat_activity keeps from it when other roles' transactions began.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "feed/cursor.h"
#include "feed/cursor_check.h"
#include "feed/feed.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "log/log.h"
#include "scope/scope.h"
#include "scope/tail.h"
#include "table/plan.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_read_log);
PG_FUNCTION_INFO_V1(ds_tail);
PG_FUNCTION_INFO_V1(ds_log_status);

/* The parameters of read_log(): the cursor, the horizon, how many, and then the scope. */
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
	int			columns;		/* of the events, without the cursor */
} Reading;

static void
build_events(const void *context, DsStatementText *text)
{
	const Reading *reading = context;
	const Oid	types[] = {INT8OID, XID8OID, INT8OID, INT8OID, XID8OID, INT8OID};

	text->sql = psprintf("SELECT %s, " DS_CURSOR_SQL " FROM ONLY %s AS e "
						 "WHERE " DS_CURSOR_ROW " OPERATOR(pg_catalog.>) ($1, $2, $3) "
						 "AND (e.generation, e.transaction_id) OPERATOR(pg_catalog.<) ($4, $5) "
						 "AND %s "
						 "ORDER BY e.generation, e.transaction_id, e.log_position LIMIT $6",
						 ds_log_read_columns(reading->log, reading->columns),
						 ds_name_of(reading->log->events.relid),
						 ds_scope_condition(reading->log, reading->scope, SCOPE + 1));
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
			 errmsg("after is not a cursor of log \"%s\"", ds_name_of(log->events.relid)),
			 errhint("Events that come by logical replication have an order of their own on each server. "
					 "Begin again with NULL, and skip the events that were processed already.")));
}

/* So would one from a future that never was. */
pg_noreturn static void
refuse_lost(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("after points to an event that log \"%s\" does not have", ds_name_of(log->events.relid)),
			 errdetail("The event was lost in a failover, a crash or a recovery, or it was deleted while older ones were kept, or the cursor is of another log."),
			 errhint("Other events may have taken its place. Begin again with an earlier cursor, or with NULL, and skip the events that were processed already.")));
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
	switch (ds_cursor_check(log, after))
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
 *				  stream_id text, recorded_at timestamptz, tags text[], cursor text)
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
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	Reading		reading = {&log, &scope, 0};
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS];

	ds_argument_require(PG_ARGISNULL(0), "log");
	memset(nulls, ' ', sizeof(nulls));
	values[MAX_COUNT] = ds_log_max_count(fcinfo, 2, &nulls[MAX_COUNT]);
	read_scope(fcinfo, &scope);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	reading.columns = set->setDesc->natts - 1;
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
	if (ds_plan_return(&log.events, (DsPlanKey) {.build = build_events, .form = ds_scope_shape(&scope), .path = reading.columns},
					   &reading, values, nulls, set) > 0)
		ds_feed_flush();
	SPI_finish();
	return (Datum) 0;
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

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "scope");
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

/* The columns of log_status(). */
enum
{
	SAFE_END,
	WAITING_EVENTS,
	LAG,
	BLOCKED_BY_PID,
	BLOCKED_BY_PREPARED,
	BLOCKED_BY_ROLE,
	BLOCKED_BY_APPLICATION,
	BLOCKED_SINCE,
	COLUMNS
};

static const Oid status_types[COLUMNS] = {
	[SAFE_END] = TEXTOID,
	[WAITING_EVENTS] = INT8OID,
	[LAG] = INTERVALOID,
	[BLOCKED_BY_PID] = INT4OID,
	[BLOCKED_BY_PREPARED] = TEXTOID,
	[BLOCKED_BY_ROLE] = NAMEOID,
	[BLOCKED_BY_APPLICATION] = TEXTOID,
	[BLOCKED_SINCE] = TIMESTAMPTZOID,
};

typedef struct Row
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
} Row;

static void
set_horizon_types(DsStatementText *text)
{
	text->parameters = 2;
	text->types[0] = INT8OID;
	text->types[1] = XID8OID;
}

static void
build_safe_end(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT " DS_CURSOR_SQL " FROM ONLY %s AS e "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.<) ($1, $2) "
						 "ORDER BY e.generation DESC, e.transaction_id DESC, e.log_position DESC LIMIT 1",
						 ds_name_of(log->events.relid));
	set_horizon_types(text);
}

static void
build_waiting(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT pg_catalog.count(*), pg_catalog.min(e.recorded_at) FROM ONLY %s AS e "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.>=) ($1, $2)",
						 ds_name_of(log->events.relid));
	set_horizon_types(text);
}

/* Copy a column of the last result; a row of none is NULL. */
static void
take(Row *status, int column, uint64 rows, int from)
{
	status->nulls[column] = true;
	if (rows > 0)
		status->values[column] = ds_plan_value(0, from, status_types[column], &status->nulls[column]);
}

/* Up to where events are safe, and how many wait since when; returns how many. */
static int64
find_events(const DsLog *log, const DsHorizon *horizon, Row *status)
{
	Datum		values[2] = {
		Int64GetDatum(horizon->generation), FullTransactionIdGetDatum(horizon->transaction_id)
	};
	Interval   *lag = palloc0(sizeof(Interval));
	Datum		since;
	bool		none;

	take(status, SAFE_END, ds_plan_run(&log->events, (DsPlanKey) {.build = build_safe_end}, log,
									   DS_READ, values, NULL), 1);
	take(status, WAITING_EVENTS, ds_plan_run(&log->events, (DsPlanKey) {.build = build_waiting}, log,
											 DS_READ, values, NULL), 1);
	since = ds_plan_value(0, 2, TIMESTAMPTZOID, &none);
	if (!none)
		lag->time = Max(GetCurrentTimestamp() - DatumGetTimestampTz(since), 0);
	status->values[LAG] = IntervalPGetDatum(lag);
	status->nulls[LAG] = false;
	return DatumGetInt64(status->values[WAITING_EVENTS]);
}

/*
 * Who has that transaction id: a backend or a prepared transaction, of any
 * database.  Nobody, when it has ended since the snapshot was taken; and on a
 * standby, whose primary knows.
 */
static void
find_holder(TransactionId xid, Row *status)
{
	Oid			xid_types[] = {XIDOID};
	Datum		values[] = {TransactionIdGetDatum(xid)};

	SPI_execute_with_args(
		"SELECT l.pid, p.gid, COALESCE(a.usename, p.owner), a.application_name, COALESCE(a.xact_start, p.prepared) "
		"FROM pg_catalog.pg_locks AS l "
		"LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid "
		"LEFT JOIN pg_catalog.pg_prepared_xacts AS p ON p.transaction OPERATOR(pg_catalog.=) l.transactionid "
		"WHERE l.locktype OPERATOR(pg_catalog.=) 'transactionid' AND l.granted "
		"AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock' AND l.transactionid OPERATOR(pg_catalog.=) $1",
		1, xid_types, values, NULL, true, 1);
	for (int column = BLOCKED_BY_PID; column < COLUMNS; column++)
		take(status, column, SPI_processed, column - BLOCKED_BY_PID + 1);
}

/*
 * docstore.log_status(log regclass)
 * RETURNS TABLE (safe_end text, waiting_events bigint, lag interval, blocked_by_pid int,
 *				  blocked_by_prepared text, blocked_by_role name, blocked_by_application text,
 *				  blocked_since timestamptz)
 *
 * One row: the cursor of the last event that readers get, NULL when there is
 * none; how many events the statement sees that they do not get yet, and for
 * how long the first of these has been there; and when there are any, the
 * oldest transaction, as far as the caller may know it.  A session that has
 * appended and not committed waits for itself.
 * Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_log_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	DsLog		log;
	DsHorizon	horizon;
	Row			status = {0};

	ds_argument_require(PG_ARGISNULL(0), "log");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);
	memset(status.nulls, true, sizeof(status.nulls));

	SPI_connect();
	horizon = ds_feed_find_horizon(&log.events, GetActiveSnapshot());
	if (find_events(&log, &horizon, &status) > 0)
		find_holder(GetActiveSnapshot()->xmin, &status);
	if (!status.nulls[SAFE_END])
		ds_feed_flush();
	tuplestore_putvalues(set->setResult, set->setDesc, status.values, status.nulls);
	SPI_finish();
	return (Datum) 0;
}

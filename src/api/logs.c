/*
 * logs.c - reading a log: read_log, the events after a cursor; log_end, as far
 * as readers can go; log_status, and why no further
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
#include "scope/read_feed.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_read_log);
PG_FUNCTION_INFO_V1(ds_log_status);
PG_FUNCTION_INFO_V1(ds_log_end);

/* A cursor of another log would skip events or bring them again. */
pg_noreturn static void
refuse_foreign(const DsLog *log, const char *argument)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s is not a cursor of log \"%s\"", argument, ds_name_of(log->events.relid)),
			 errhint("Events that come by logical replication have an order of their own on each server. "
					 "Begin again with NULL, and skip the events that were processed already.")));
}

/* So would one from a future that never was. */
pg_noreturn static void
refuse_lost(const DsLog *log, const char *argument)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s points to an event that log \"%s\" does not have", argument, ds_name_of(log->events.relid)),
			 errdetail("The event was lost in a failover, a crash or a recovery, or it was deleted while older ones were kept, or the cursor is of another log."),
			 errhint("Other events may have taken its place. Begin again with an earlier cursor, or with NULL, and skip the events that were processed already.")));
}

/* Who stored a cursor that is ahead of what was read would skip what is in between. */
pg_noreturn static void
refuse_ahead(const DsLog *log)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("until is after the last event of log \"%s\" that can be read now", ds_name_of(log->events.relid)),
			 errdetail("Events before it may be missing: on a standby that lags behind, or in a snapshot that is older than the cursor."),
			 errhint("Call docstore.log_end() on the server that you read from, before you read.")));
}

/* The cursor in an argument. */
static void
read_cursor(text *given, const char *argument, const DsLog *log, DsCursor *cursor)
{
	ds_cursor_read(given, argument, cursor);
	switch (ds_cursor_check(&log->events, cursor))
	{
		case DS_CURSOR_GOOD:
			break;
		case DS_CURSOR_FOREIGN:
			refuse_foreign(log, argument);
		case DS_CURSOR_LOST:
			refuse_lost(log, argument);
	}
}

/* The range that the arguments after and until say. */
static void
read_range(FunctionCallInfo fcinfo, const DsLog *log, DsFeedRange *range)
{
	DsHorizon	horizon;
	DsCursor	cursor;

	ds_cursor_begin(&range->from);
	if (!PG_ARGISNULL(1))
	{
		read_cursor(PG_GETARG_TEXT_PP(1), "after", log, &cursor);
		range->from = ds_cursor_next_place(&cursor);
	}
	horizon = ds_feed_find_horizon(&log->events, GetActiveSnapshot());
	range->to = (DsCursor) {horizon.generation, horizon.transaction_id, PG_INT64_MIN};
	/* Functions of versions before 0.9.0 do not have the argument until. */
	if (PG_NARGS() > 4 && !PG_ARGISNULL(4))
	{
		read_cursor(PG_GETARG_TEXT_PP(4), "until", log, &cursor);
		if (!ds_cursor_is_reached(&log->events, &cursor, &horizon))
			refuse_ahead(log);
		range->to = ds_cursor_next_place(&cursor);
	}
}

/* The argument scope: NULL is the scope that has all events. */
static DsScope *
read_scopes(FunctionCallInfo fcinfo, int *count)
{
	JsonbValue	given;

	if (PG_ARGISNULL(3))
	{
		*count = 1;
		return palloc0(sizeof(DsScope));
	}
	ds_json_root(PG_GETARG_JSONB_P(3), &given);
	return ds_scopes_read_filters(&given, count);
}

/*
 * docstore.read_log(log regclass, after text DEFAULT NULL, max_count int DEFAULT 1000,
 *					 scope jsonb DEFAULT NULL, until text DEFAULT NULL)
 * RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb,
 *				  metadata jsonb, event_id uuid, source_type text, stream_type text,
 *				  stream_id text, recorded_at timestamptz, tags text[], cursor text)
 *
 * The events after a cursor, up to and including the one at another, that the
 * statement sees and that nothing can still come before; each has the cursor to
 * go on from.  after NULL is where the log begins, until NULL as far as it goes,
 * max_count NULL is all of them; scope may be an array, of which one is enough.
 * Raises 22023, 42P01, 42809, 54000.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_read_log(PG_FUNCTION_ARGS)
{
	DsLog		log;
	DsScope    *scopes;
	int			count;
	DsFeedRange range;

	ds_argument_require(PG_ARGISNULL(0), "log");
	range.max_count = ds_log_max_count(fcinfo, 2, &range.no_max_count);
	scopes = read_scopes(fcinfo, &count);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	read_range(fcinfo, &log, &range);
	if (ds_scopes_read_feed(&log, scopes, count, &range, (ReturnSetInfo *) fcinfo->resultinfo) > 0)
		ds_feed_flush();
	SPI_finish();
	return (Datum) 0;
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

	text->sql = psprintf("SELECT %s FROM ONLY %s AS e "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.<) ($1, $2) "
						 "ORDER BY e.generation DESC, e.transaction_id DESC, e.log_position DESC LIMIT 1",
						 ds_cursor_sql(&log->events), ds_name_of(log->events.relid));
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

/* The cursor of the last event below a horizon, in the caller's memory; NULL when there is none. */
static char *
find_safe_end(const DsLog *log, const DsHorizon *horizon)
{
	Datum		values[2] = {
		Int64GetDatum(horizon->generation), FullTransactionIdGetDatum(horizon->transaction_id)
	};
	bool		is_null;
	Datum		end;
	char	   *result = NULL;

	if (ds_plan_run(&log->events, (DsPlanKey) {.build = build_safe_end}, log, DS_READ, values, NULL) > 0)
	{
		end = ds_plan_value(0, 1, TEXTOID, &is_null);
		result = SPI_palloc(VARSIZE_ANY_EXHDR(DatumGetPointer(end)) + 1);
		text_to_cstring_buffer(DatumGetTextPP(end), result, VARSIZE_ANY_EXHDR(DatumGetPointer(end)) + 1);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* Up to where events are safe, and how many wait since when; returns how many. */
static int64
find_events(const DsLog *log, const DsHorizon *horizon, Row *status)
{
	Datum		values[2] = {
		Int64GetDatum(horizon->generation), FullTransactionIdGetDatum(horizon->transaction_id)
	};
	Interval   *lag = palloc0(sizeof(Interval));
	char	   *end = find_safe_end(log, horizon);
	Datum		since;
	bool		none;

	status->nulls[SAFE_END] = end == NULL;
	status->values[SAFE_END] = end == NULL ? (Datum) 0 : CStringGetTextDatum(end);
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

/*
 * docstore.log_end(log regclass) RETURNS text
 *
 * The cursor of the last event that readers get by now, or the origin when
 * there is none.  What comes later comes after it, so whoever has read until
 * there goes on from there, whatever was in his scopes.
 * Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_log_end(PG_FUNCTION_ARGS)
{
	DsLog		log;
	DsHorizon	horizon;
	char	   *end;

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	horizon = ds_feed_find_horizon(&log.events, GetActiveSnapshot());
	end = find_safe_end(&log, &horizon);
	if (end != NULL)
		ds_feed_flush();
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(end != NULL ? end : DS_CURSOR_ORIGIN));
}

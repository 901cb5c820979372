/*
 * logs.c - reading a log: read_log, the events after a cursor; log_end, as far
 * as readers can go; log_status, and why no further
 *
 * Rows of read_log come in the order of the feed, as far as readers can go
 * (reader.c).
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
#include "feed/feed.h"
#include "feed/reader.h"
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
	range.max_count = ds_argument_max_count(fcinfo, 2, &range.no_max_count);
	scopes = read_scopes(fcinfo, &count);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	/* Functions of versions before 0.9.0 do not have the argument until. */
	ds_reader_range(&log.events, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1),
					PG_NARGS() <= 4 || PG_ARGISNULL(4) ? NULL : PG_GETARG_TEXT_PP(4), &range);
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
build_waiting(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT pg_catalog.count(*), pg_catalog.min(e.recorded_at) FROM ONLY %s AS e "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.>=) ($1, $2)",
						 ds_name_of(log->events.relid));
	ds_statement_set_types(text, 2, (const Oid[]) {INT8OID, XID8OID});
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
	char	   *end = ds_reader_find_end(&log->events, horizon);
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
	const char *end;

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	end = ds_reader_end(&log.events);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(end));
}

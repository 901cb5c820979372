/*
 * log_status.c - docstore.log_status(): how far readers can go, and why no further
 *
 * Readers go up to the oldest transaction that has an id and has not ended
 * (feed.c).  A transaction that has written nothing has no id, and holds
 * nobody back however long it lives.
 *
 * Every role may see in pg_locks which transaction ids are held and by whom;
 * pg_stat_activity keeps from it when other roles' transactions began.
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "feed/cursor.h"
#include "feed/feed.h"
#include "feed/reading.h"
#include "fmgr.h"
#include "funcapi.h"
#include "table/plan.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_log_status);

/* The columns of the result. */
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

static const Oid types[COLUMNS] = {
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
						 ds_collection_name(log->events.relid));
	set_horizon_types(text);
}

static void
build_waiting(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT pg_catalog.count(*), pg_catalog.min(e.recorded_at) FROM ONLY %s AS e "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.>=) ($1, $2)",
						 ds_collection_name(log->events.relid));
	set_horizon_types(text);
}

/* Copy a column of the last result; a row of none is NULL. */
static void
take(Row *status, int column, uint64 rows, int from)
{
	status->nulls[column] = true;
	if (rows > 0)
		status->values[column] = ds_plan_value(0, from, types[column], &status->nulls[column]);
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

	take(status, SAFE_END, ds_plan_run(&log->events, DS_READING_SAFE_END, build_safe_end, log,
									   DS_READ, values, NULL), 1);
	take(status, WAITING_EVENTS, ds_plan_run(&log->events, DS_READING_WAITING, build_waiting, log,
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

	ds_require_argument(PG_ARGISNULL(0), "log");
	InitMaterializedSRF(fcinfo, 0);
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

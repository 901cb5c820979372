/*
 * status.c - how far readers of a feed can go, and why no further
 *
 * Readers go up to the oldest transaction that has an id and has not ended.
 * One that has written nothing has no id, and holds nobody back however long it
 * lives.  Every role may see in pg_locks which transaction ids are held and by
 * whom; pg_stat_activity keeps from it when other roles' transactions began.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "feed/feed.h"
#include "feed/reader.h"
#include "feed/status.h"
#include "table/collection.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

/* The columns of the result. */
enum
{
	SAFE_END,
	WAITING,
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
	[WAITING] = INT8OID,
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
	const DsCollection *table = context;

	text->sql = psprintf("SELECT pg_catalog.count(*), pg_catalog.min(e.recorded_at) FROM %s "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.>=) ($1, $2)",
						 ds_statement_source(table, "e"));
	ds_statement_set_types(text, 2, (const Oid[]) {INT8OID, XID8OID});
}

/* Copy a column of the last result; a row of none is NULL. */
static void
take(Row *status, int column, uint64 rows, int from)
{
	status->nulls[column] = true;
	if (rows > 0)
		status->values[column] = ds_plan_value(0, from, types[column], &status->nulls[column]);
}

/* Up to where rows are safe, and how many wait since when; returns how many. */
static int64
find_rows(const DsCollection *table, const DsHorizon *horizon, Row *status)
{
	Datum		values[2] = {
		Int64GetDatum(horizon->generation), FullTransactionIdGetDatum(horizon->transaction_id)
	};
	Interval   *lag = palloc0(sizeof(Interval));
	char	   *end = ds_reader_find_end(table, horizon);
	Datum		since;
	bool		none;

	status->nulls[SAFE_END] = end == NULL;
	status->values[SAFE_END] = end == NULL ? (Datum) 0 : CStringGetTextDatum(end);
	take(status, WAITING, ds_plan_run(table, (DsPlanKey) {.build = build_waiting}, table, DS_READ, values, NULL), 1);
	since = ds_plan_value(0, 2, TIMESTAMPTZOID, &none);
	if (!none && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(since)))
		lag->time = Max(GetCurrentTimestamp() - DatumGetTimestampTz(since), 0);
	status->values[LAG] = IntervalPGetDatum(lag);
	status->nulls[LAG] = false;
	return DatumGetInt64(status->values[WAITING]);
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
 * Put one row into the result of a function: the cursor of the last row that
 * readers get, NULL when there is none; how many the statement sees that they do
 * not get yet, and for how long the first of these has been there; and when there
 * are any, the oldest transaction, as far as the caller may know it.  A session
 * that has written and not committed waits for itself.
 * Callers are connected to SPI and have locked the table.
 */
void
ds_feed_return_status(const DsCollection *table, ReturnSetInfo *set)
{
	DsHorizon	horizon = ds_feed_find_horizon(table, GetActiveSnapshot());
	Row			status = {0};

	memset(status.nulls, true, sizeof(status.nulls));
	if (find_rows(table, &horizon, &status) > 0)
		find_holder(GetActiveSnapshot()->xmin, &status);
	if (!status.nulls[SAFE_END])
		ds_feed_flush();
	tuplestore_putvalues(set->setResult, set->setDesc, status.values, status.nulls);
}

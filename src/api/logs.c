/*
 * logs.c - reading a log: read_log, the events after a cursor; log_end, as far
 * as readers can go; log_status, and why no further
 *
 * Rows of read_log come in the order of the feed, as far as readers can go
 * (reader.c, status.c).
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "executor/spi.h"
#include "feed/feed.h"
#include "feed/reader.h"
#include "feed/status.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "log/log.h"
#include "scope/read_feed.h"
#include "utils/builtins.h"

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
	DsLog		log;

	ds_argument_require(PG_ARGISNULL(0), "log");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	ds_feed_return_status(&log.events, (ReturnSetInfo *) fcinfo->resultinfo);
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

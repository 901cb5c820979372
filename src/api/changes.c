/*
 * changes.c - following a collection: read_changes, the changes after a cursor;
 * changes_end, as far as readers can go; changes_status, and why no further
 *
 * As read_log, log_end and log_status of logs.c, on the history of a tracked collection.
 */
#include "postgres.h"

#include "base/errors.h"
#include "executor/spi.h"
#include "feed/reader.h"
#include "feed/status.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/history.h"
#include "history/read_changes.h"
#include "log/log.h"
#include "table/collection.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ds_read_changes);
PG_FUNCTION_INFO_V1(ds_end_of_changes);
PG_FUNCTION_INFO_V1(ds_changes_status);

/* Raise 42809 for a log, whose events are read by other functions. */
static void
require_no_log(Oid relid)
{
	if (ds_log_is(relid))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" is a log, and not a collection", ds_name_of(relid)),
				 errhint("Use docstore.read_log() and docstore.log_end() to read its events.")));
}

/* Lock a collection as its readers do, and its history. */
static void
open_history(Oid relid, DsCollection *history)
{
	DsCollection collection;

	require_no_log(relid);
	ds_collection_open(relid, AccessShareLock, DS_ONLY_ITEM, &collection);
	ds_history_open(relid, ds_history_find(relid), AccessShareLock, history);
}

/*
 * docstore.read_changes(collection regclass, after text DEFAULT NULL, max_count int DEFAULT 1000,
 *						 until text DEFAULT NULL, each text DEFAULT 'change')
 * RETURNS TABLE (id text, version bigint, op text, data jsonb, recorded_at timestamptz, actor text,
 *				  context jsonb, cursor text)
 *
 * The changes after a cursor, up to and including the one at another, that the
 * statement sees and that nothing can still come before; each has the cursor to
 * go on from.  after NULL is where history begins, until NULL as far as it goes,
 * max_count NULL is all of them.  each 'document' leaves out those that a later
 * one up to until, or as far as it goes, is about the same document of.
 * Raises 22023, 42P01, 42809, 42704.  Locks: ACCESS SHARE on the collection and
 * its history.
 */
Datum
ds_read_changes(PG_FUNCTION_ARGS)
{
	DsCollection history;
	DsFeedRange range;
	DsEach		each;

	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(4), "each");
	range.max_count = ds_argument_max_count(fcinfo, 2, &range.no_max_count);
	each = ds_each_read(PG_GETARG_TEXT_PP(4));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	open_history(PG_GETARG_OID(0), &history);

	SPI_connect();
	ds_reader_range(&history, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1),
					PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3), &range);
	if (ds_history_read_changes(&history, each, &range, (ReturnSetInfo *) fcinfo->resultinfo) > 0)
		ds_feed_flush();
	SPI_finish();
	return (Datum) 0;
}

/*
 * docstore.changes_end(collection regclass) RETURNS text
 *
 * The cursor of the last change that readers get by now, or the origin when
 * there is none.
 * Raises 22023, 42P01, 42809, 42704.  Locks: ACCESS SHARE on the collection and
 * its history.
 */
Datum
ds_end_of_changes(PG_FUNCTION_ARGS)
{
	DsCollection history;
	const char *end;

	ds_argument_require(PG_ARGISNULL(0), "collection");
	open_history(PG_GETARG_OID(0), &history);

	SPI_connect();
	end = ds_reader_end(&history);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(end));
}

/*
 * docstore.changes_status(collection regclass)
 * RETURNS TABLE (safe_end text, waiting_changes bigint, lag interval, blocked_by_pid int,
 *				  blocked_by_prepared text, blocked_by_role name, blocked_by_application text,
 *				  blocked_since timestamptz)
 *
 * One row, as docstore.log_status() returns of a log: how far readers get, how
 * many changes wait and for how long, and for whom (status.c).
 * Raises 22023, 42P01, 42809, 42704.  Locks: ACCESS SHARE on the collection and
 * its history.
 */
Datum
ds_changes_status(PG_FUNCTION_ARGS)
{
	DsCollection history;

	ds_argument_require(PG_ARGISNULL(0), "collection");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	open_history(PG_GETARG_OID(0), &history);

	SPI_connect();
	ds_feed_return_status(&history, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

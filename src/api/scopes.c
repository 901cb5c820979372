/*
 * scopes.c - scopes by position: tail, the highest one in a scope; read_scope, the
 * events of scopes
 *
 * Both read what the calling statement sees, and so does docstore.mark(): what a
 * decision goes by can be read in one statement with its mark.
 */
#include "postgres.h"

#include "base/errors.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "log/log.h"
#include "scope/read_events.h"
#include "scope/tail.h"

PG_FUNCTION_INFO_V1(ds_tail);
PG_FUNCTION_INFO_V1(ds_read_scope);

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

/*
 * docstore.read_scope(log regclass, scopes jsonb, after bigint DEFAULT NULL, max_count int DEFAULT NULL,
 *					   backwards boolean DEFAULT false)
 * RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb,
 *				  metadata jsonb, event_id uuid, source_type text, stream_type text,
 *				  stream_id text, recorded_at timestamptz, tags text[])
 *
 * The events of any of the scopes that the statement sees, each once, by
 * position: those above after, or backwards those below it, from the last one
 * when it is NULL.  max_count NULL is all of them.
 * Raises 22023, 42P01, 42809, 54000.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_read_scope(PG_FUNCTION_ARGS)
{
	DsLog		log;
	DsScope    *scopes;
	DsPositionRange range;
	JsonbValue	given;
	int			count;

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "scopes");
	ds_argument_require(PG_ARGISNULL(4), "backwards");
	ds_json_root(PG_GETARG_JSONB_P(1), &given);
	scopes = ds_scopes_read_filters(&given, &count);
	range.backwards = PG_GETARG_BOOL(4);
	range.after = PG_ARGISNULL(2) ? (range.backwards ? PG_INT64_MAX : PG_INT64_MIN) : PG_GETARG_INT64(2);
	range.max_count = ds_argument_max_count(fcinfo, 3, &range.no_max_count);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	ds_scopes_read_events(&log, scopes, count, &range, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

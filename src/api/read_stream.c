/*
 * read_stream.c - docstore.read_stream(): the events of a stream, in order
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/reading.h"
#include "fmgr.h"
#include "funcapi.h"
#include "table/plan.h"

PG_FUNCTION_INFO_V1(ds_read_stream);

/* The parameters: the stream, the version to begin with, how many. */
#define PARAMETERS 3

typedef struct Reading
{
	const DsLog *log;
	bool		backwards;
} Reading;

static void
build(const void *context, DsStatementText *text)
{
	const Reading *reading = context;

	text->sql = psprintf("SELECT " DS_READING_COLUMNS " FROM ONLY %s AS e "
						 "WHERE e.stream OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.%s) $2 "
						 "ORDER BY e.version%s LIMIT $3",
						 ds_collection_name(reading->log->events.relid),
						 reading->backwards ? "<=" : ">=", reading->backwards ? " DESC" : "");
	text->parameters = PARAMETERS;
	text->in_order = true;
	text->types[0] = TEXTOID;
	text->types[1] = INT8OID;
	text->types[2] = INT8OID;
}

/* The argument from_version; NULL is the end that the reading begins at. */
static int64
read_from(FunctionCallInfo fcinfo, bool backwards)
{
	int64		from;

	if (PG_ARGISNULL(2))
		return backwards ? PG_INT64_MAX : 0;
	from = PG_GETARG_INT64(2);
	if (from < 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("from_version must not be negative, as " INT64_FORMAT " is", from),
				 errhint("Versions begin at 1; pass NULL for the first event, or backwards for the last one.")));
	return from;
}

/*
 * docstore.read_stream(log regclass, stream text, from_version bigint DEFAULT 1,
 *						max_count int DEFAULT NULL, backwards boolean DEFAULT false)
 * RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb,
 *				  metadata jsonb, event_id uuid, source_type text, stream_type text,
 *				  stream_id text, recorded_at timestamptz)
 *
 * The events that the statement sees, from from_version on and upwards, or
 * backwards and downwards: with from_version NULL from the last one.
 * max_count NULL is all of them.  No rows for a stream that is absent or
 * empty.  Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_read_stream(PG_FUNCTION_ARGS)
{
	DsLog		log;
	Reading		reading = {&log, false};
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS] = {' ', ' ', ' '};

	ds_require_argument(PG_ARGISNULL(0), "log");
	ds_require_argument(PG_ARGISNULL(1), "stream");
	ds_require_argument(PG_ARGISNULL(4), "backwards");
	reading.backwards = PG_GETARG_BOOL(4);
	values[0] = ds_reading_stream(PG_GETARG_TEXT_PP(1));
	values[1] = Int64GetDatum(read_from(fcinfo, reading.backwards));
	values[2] = ds_reading_max_count(fcinfo, 3, &nulls[2]);
	InitMaterializedSRF(fcinfo, 0);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	ds_plan_return(&log.events, reading.backwards ? DS_READING_BACKWARDS : DS_READING_FORWARDS,
				   build, &reading, values, nulls, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

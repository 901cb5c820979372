/*
 * stream.c - docstore.stream(): look at the head of a stream
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/reading.h"
#include "fmgr.h"
#include "funcapi.h"
#include "table/plan.h"

PG_FUNCTION_INFO_V1(ds_stream);

static void
build(const void *context, DsStatementText *text)
{
	const DsCollection *streams = context;

	text->sql = psprintf("SELECT t.stream, t.version, t.revision, t.properties, t.created_at, t.closed_at "
						 "FROM %s%s AS t WHERE t.stream OPERATOR(pg_catalog.=) $1",
						 streams->partitioned ? "" : "ONLY ", ds_collection_name(streams->relid));
	text->parameters = 1;
	text->types[0] = TEXTOID;
}

/*
 * docstore.stream(log regclass, stream text)
 * RETURNS TABLE (stream text, version bigint, revision bigint, properties jsonb,
 *				  created_at timestamptz, closed_at timestamptz)
 *
 * One row, or none when the stream is absent or not visible to the caller.
 * Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_stream(PG_FUNCTION_ARGS)
{
	DsLog		log;
	Datum		stream;

	ds_require_argument(PG_ARGISNULL(0), "log");
	ds_require_argument(PG_ARGISNULL(1), "stream");
	stream = ds_reading_stream(PG_GETARG_TEXT_PP(1));
	InitMaterializedSRF(fcinfo, 0);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	ds_plan_return(&log.streams, DS_READING_STREAM, build, &log.streams, &stream, NULL,
				   (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

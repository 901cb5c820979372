/*
 * consumers.c - docstore.consumers(): how far the consumers of a log have come
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/cursor.h"
#include "feed/reading.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_consumers);

/* The columns of the result. */
enum
{
	CONSUMER,
	VERSION,
	CURSOR,
	UPDATED_AT,
	BEHIND,
	STATE,
	COLUMNS
};

static void
build_consumers(const void *context, DsStatementText *text)
{
	const DsCollection *consumers = context;

	text->sql = psprintf("SELECT t.id::pg_catalog.text, t.version, "
						 "t.data OPERATOR(pg_catalog.->>) 'cursor', %s FROM %s%s AS t ORDER BY t.id",
						 consumers->updated_at ? "t.updated_at" : "NULL::pg_catalog.timestamptz",
						 consumers->partitioned ? "" : "ONLY ", ds_collection_name(consumers->relid));
	text->parameters = 0;
}

static void
build_behind(const void *context, DsStatementText *text)
{
	const DsLog *log = context;
	const Oid	types[DS_CURSOR_PARAMETERS] = {INT8OID, XID8OID, INT8OID};

	text->sql = psprintf("SELECT pg_catalog.count(*) FROM ONLY %s AS e "
						 "WHERE " DS_CURSOR_ROW " OPERATOR(pg_catalog.>) ($1, $2, $3)",
						 ds_collection_name(log->events.relid));
	text->parameters = DS_CURSOR_PARAMETERS;
	memcpy(text->types, types, sizeof(types));
}

/* Read what a consumer has stored; returns what is to be said of it. */
static const char *
read_stored(const DsLog *log, const char *stored, DsCursor *cursor)
{
	static const char *const states[] = {
		[DS_CURSOR_GOOD] = "good",
		[DS_CURSOR_FOREIGN] = "foreign",
		[DS_CURSOR_LOST] = "lost",
	};

	if (stored == NULL)
	{
		ds_cursor_begin(cursor);
		return states[DS_CURSOR_GOOD];
	}
	return ds_cursor_parse(stored, cursor) ? states[ds_reading_judge(log, cursor)] : "invalid";
}

/* How many visible events come after a cursor, safe or not. */
static int64
count_behind(const DsLog *log, const DsCursor *cursor)
{
	Datum		values[DS_CURSOR_PARAMETERS];
	int64		behind;

	ds_cursor_parameters(cursor, values);
	ds_plan_run(&log->events, DS_READING_BEHIND, build_behind, log, DS_READ, values, NULL);
	behind = ds_plan_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return behind;
}

/* Add a row for each consumer. */
static void
put_consumers(const DsLog *log, const DsCollection *consumers, ReturnSetInfo *set)
{
	uint64		rows = ds_plan_run(consumers, DS_READING_CONSUMERS, build_consumers, consumers,
								   DS_READ, NULL, NULL);
	SPITupleTable *found = SPI_tuptable;

	for (uint64 row = 0; row < rows; row++)
	{
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS];
		DsCursor	cursor;
		const char *state;

		CHECK_FOR_INTERRUPTS();
		for (int column = CONSUMER; column <= UPDATED_AT; column++)
			values[column] = SPI_getbinval(found->vals[row], found->tupdesc, column + 1, &nulls[column]);
		state = read_stored(log, nulls[CURSOR] ? NULL : TextDatumGetCString(values[CURSOR]), &cursor);
		nulls[BEHIND] = strcmp(state, "good") != 0;
		values[BEHIND] = nulls[BEHIND] ? (Datum) 0 : Int64GetDatum(count_behind(log, &cursor));
		nulls[STATE] = false;
		values[STATE] = CStringGetTextDatum(state);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
}

/*
 * docstore.consumers(log regclass)
 * RETURNS TABLE (consumer text, version bigint, cursor text, updated_at timestamptz, behind bigint,
 *				  state text)
 *
 * The consumers that the caller may see, and how many events each has still to
 * read.  That is NULL where read_log() would refuse the cursor; the state says
 * why: lost, foreign, or invalid, where plain SQL has stored what is no cursor;
 * else it is good.  Counting takes as long as there are such events.
 * Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the tables.
 */
Datum
ds_consumers(PG_FUNCTION_ARGS)
{
	DsLog		log;
	DsCollection consumers;

	ds_require_argument(PG_ARGISNULL(0), "log");
	InitMaterializedSRF(fcinfo, 0);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);
	ds_collection_open(ds_log_consumers(log.events.relid, AccessShareLock), AccessShareLock, DS_ONLY_ITEM, &consumers);

	SPI_connect();
	put_consumers(&log, &consumers, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

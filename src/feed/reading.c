/*
 * reading.c - what those who read events have in common
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/generation.h"
#include "feed/lost.h"
#include "feed/place.h"
#include "feed/reading.h"

/* How many rows are wanted, as the parameter of a LIMIT; NULL is all of them. */
Datum
ds_reading_max_count(FunctionCallInfo fcinfo, int argument, char *null)
{
	int32		max_count;

	*null = PG_ARGISNULL(argument) ? 'n' : ' ';
	if (PG_ARGISNULL(argument))
		return (Datum) 0;
	max_count = PG_GETARG_INT32(argument);
	if (max_count < 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("max_count must not be negative, as %d is", max_count),
				 errhint("Pass NULL for all events.")));
	return Int64GetDatum(max_count);
}

static void
build_place(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT FROM ONLY %s AS e "
						 "WHERE e.log_position OPERATOR(pg_catalog.=) $1",
						 ds_collection_name(log->events.relid));
	text->parameters = 1;
	text->types[0] = INT8OID;
}

/* Whether an event with a position is visible to the caller. */
static bool
has_position(const DsLog *log, int64 log_position)
{
	Datum		position = Int64GetDatum(log_position);
	uint64		rows = ds_plan_run(&log->events, DS_READING_PLACE, build_place, log, DS_READ, &position, NULL);

	SPI_freetuptable(SPI_tuptable);
	return rows > 0;
}

/*
 * What is to be said of a cursor.  Another event at its position tells that it
 * was written on another server; on this one it may as well be what came in
 * the place of one that was lost.  Callers are connected to SPI.
 */
DsCursorState
ds_reading_judge(const DsLog *log, const DsCursor *cursor)
{
	bool		is_lost;

	ds_collection_look_again(&log->events);
	if (ds_place_is_taken(&log->events, cursor))
		return DS_CURSOR_GOOD;
	is_lost = ds_cursor_is_lost(&log->events, cursor);
	if (is_lost && ds_generation_is_of_this_cluster(cursor->generation))
		return DS_CURSOR_LOST;
	if (has_position(log, cursor->log_position))
		return DS_CURSOR_FOREIGN;
	return is_lost ? DS_CURSOR_LOST : DS_CURSOR_GOOD;
}

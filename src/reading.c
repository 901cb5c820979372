/*
 * reading.c - what those who read events have in common
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "errors.h"
#include "executor/spi.h"
#include "feed.h"
#include "reading.h"
#include "stream_item.h"
#include "utils/xid8.h"

/* The name of a stream, as a parameter; 22023 when it is empty. */
Datum
ds_reading_stream(text *given)
{
	DsItem		item = {.number = DS_ONLY_ITEM};

	ds_stream_item_set_stream(&item, given);
	return item.id;
}

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

/*
 * Whether the event that a cursor means is visible to the caller, and at
 * another place of the feed than the cursor says.  One that is not there, or
 * not visible, contradicts nothing: it can have been deleted, or not have
 * arrived on a standby.  Callers are connected to SPI.
 */
bool
ds_reading_contradicts(const DsLog *log, const DsCursor *cursor)
{
	Datum		position = Int64GetDatum(cursor->log_position);
	uint64		rows;

	ds_collection_look_again(&log->events);
	if (ds_feed_has(&log->events, cursor))
		return false;
	rows = ds_plan_run(&log->events, DS_READING_PLACE, build_place, log, DS_READ, &position, NULL);
	SPI_freetuptable(SPI_tuptable);
	return rows > 0;
}

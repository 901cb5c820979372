/*
 * append.c - docstore.append(): append events to a stream
 */
#include "postgres.h"

#include "api/stream_call.h"
#include "base/errors.h"
#include "batch/stream_item.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_append);

/* Put a row (version, log_position) for each event. */
static void
put_events(ReturnSetInfo *set, const DsItem *item)
{
	for (int i = 0; i < item->append.count; i++)
	{
		Datum		values[] = {Int64GetDatum(item->append.events[i].version), Int64GetDatum(item->append.events[i].position)};
		bool		nulls[] = {false, false};

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
}

/*
 * docstore.append(log regclass, stream text, events jsonb,
 *				   expected_version bigint DEFAULT docstore.any_version(),
 *				   scopes jsonb DEFAULT NULL)
 * RETURNS TABLE (version bigint, log_position bigint)
 *
 * Stores the events behind those that the stream has, and returns a row for
 * each in the order given.  The stream is made when it is not there.  Raises
 * one conflict when the expected version does not match, the stream is closed,
 * or a scope has an event that was not expected; while conflicts are deferred
 * (deferred.c) it returns no row then.  Events that are stored already, all of
 * them by their ids, are returned as they were; 23505 where only some are.
 * 22023, 42P01 and 42809 for bad arguments, before anything is locked.
 * Locks: ROW EXCLUSIVE on the tables, FOR NO KEY UPDATE on the head of the
 * stream, and what scope_lock.c says.
 */
Datum
ds_append(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	DsStreamCall call;
	DsItem	   *item;
	JsonbValue	given;

	ds_require_writable("docstore.append()");
	ds_require_argument(PG_ARGISNULL(2), "events");
	InitMaterializedSRF(fcinfo, 0);
	ds_stream_call_begin(fcinfo, DS_APPEND_ITEM, &call);
	item = call.item;

	ds_json_root(PG_GETARG_JSONB_P(2), &given);
	ds_stream_item_set_events(item, &given);
	item->expected = ds_expectation_in_force(
		ds_expectation_from_sql(PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3), DS_ONLY_ITEM));
	if (!PG_ARGISNULL(4))
	{
		ds_json_root(PG_GETARG_JSONB_P(4), &given);
		item->scopes = ds_scopes_read(&given, DS_ONLY_ITEM, &item->scope_count);
	}

	if (ds_stream_call_run(&call))
		put_events(set, item);
	return (Datum) 0;
}

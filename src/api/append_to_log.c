/*
 * append_to_log.c - append_to_log: events without a stream
 *
 * A function of its own, so that a stream that was forgotten stays an error.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/batch.h"
#include "batch/stream_item.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_append_to_log);

static void
put_positions(ReturnSetInfo *set, const DsItem *item)
{
	for (int i = 0; i < item->append.count; i++)
	{
		Datum		position = Int64GetDatum(item->append.events[i].position);
		bool		is_null = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(set->setResult, set->setDesc, &position, &is_null);
	}
}

/*
 * docstore.append_to_log(log regclass, events jsonb, scopes jsonb DEFAULT NULL)
 * RETURNS SETOF bigint
 *
 * Stores events that belong to no stream, and returns their positions in the
 * order given.  Raises one conflict when a scope has an event that was not
 * expected; while conflicts are deferred (deferred.c) it returns no row then.
 * 22023, 42P01 and 42809 for bad arguments, before anything is locked.
 * Locks: ROW EXCLUSIVE on the tables, and what scope_lock.c says.
 */
Datum
ds_append_to_log(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	DsLog		log;
	DsBatch		batch;
	DsItem	   *item;
	JsonbValue	given;

	ds_call_require_writable("docstore.append_to_log()");
	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "events");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	ds_items_init(&batch, 1);
	item = &batch.items[0];
	item->op = DS_APPEND_TO_LOG_ITEM;
	item->number = DS_ONLY_ITEM;
	ds_log_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &log);
	ds_collection_prepare(&log.streams);
	item->log = &log;
	ds_json_root(PG_GETARG_JSONB_P(1), &given);
	ds_stream_item_set_events(item, &given);
	if (!PG_ARGISNULL(2))
	{
		ds_json_root(PG_GETARG_JSONB_P(2), &given);
		item->scopes = ds_scopes_read(&given, DS_ONLY_ITEM, &item->scope_count);
	}

	if (ds_batch_run(&batch, true))
		put_positions(set, item);
	return (Datum) 0;
}

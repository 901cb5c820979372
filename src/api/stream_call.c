/*
 * stream_call.c - what the verbs on one stream have in common
 *
 * Their first arguments are the log and the stream.  Each is a batch of one
 * item, so that what one stream takes and what many take is the same.
 */
#include "postgres.h"

#include "api/stream_call.h"
#include "base/errors.h"
#include "batch/stream_item.h"
#include "stream/head.h"

/*
 * Check the first two arguments, lock the tables, and begin an item with that
 * op, which expects nothing yet.  Raises 22023, 42P01, 42809.
 */
void
ds_stream_call_begin(FunctionCallInfo fcinfo, DsOp op, DsStreamCall *call)
{
	ds_require_argument(PG_ARGISNULL(0), "log");
	ds_require_argument(PG_ARGISNULL(1), "stream");

	ds_batch_init(&call->batch, 1);
	call->item = &call->batch.items[0];
	call->item->op = op;
	call->item->number = DS_ONLY_ITEM;
	call->item->expected = DS_ANY_VERSION;
	call->item->expected_revision = DS_ANY_VERSION;
	ds_stream_item_set_stream(call->item, PG_GETARG_TEXT_PP(1));
	ds_log_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &call->log);
	ds_collection_prepare(&call->log.streams);
	call->item->log = &call->log;
}

/*
 * Run the item; false, with nothing written, when its expectations do not hold
 * while conflicts are deferred.  Raises the conflict otherwise.
 */
bool
ds_stream_call_run(DsStreamCall *call)
{
	ds_heads_gather(&call->batch);
	return ds_batch_run(&call->batch, true);
}

/*
 * notify_log.c - docstore_internal.notify_log(): tell those who wait that there are events
 */
#include "postgres.h"

#include "base/errors.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "table/collection.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ds_notify_log);

/*
 * docstore_internal.notify_log() RETURNS trigger: AFTER INSERT, for each statement
 *
 * Sends NOTIFY docstore with the qualified name of the log.  The server sends
 * equal notifications of a transaction once, when it commits.
 */
Datum
ds_notify_log(PG_FUNCTION_ARGS)
{
	TriggerData *call = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(call->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(call->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore_internal.notify_log() is called by its trigger only"),
				 errhint("Pass notify => true to docstore.create_log().")));
	Async_Notify("docstore", ds_collection_name(RelationGetRelid(call->tg_relation)));
	PG_RETURN_POINTER(NULL);
}

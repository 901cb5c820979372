/*
 * notify_changes.c - telling who listens that a collection has changed
 *
 * Whether that is wanted is said by a trigger of the history.  Most rows are put
 * there without the executor, so who does that notifies in its place
 * (record.c, replicate_change.c); the trigger itself fires for plain SQL.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/internal.h"
#include "catalog/pg_class.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "history/history.h"
#include "history/notify_changes.h"
#include "table/catalogue.h"
#include "table/name.h"
#include "table/plan.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ds_notify_changes);

#define NOTIFY "docstore_notify_changes"

/*
 * Send NOTIFY docstore with the qualified name of a tracked collection, or of
 * that which a table is a partition of.  The server sends equal notifications
 * of a transaction once, when it commits.
 */
void
ds_notify_changes_of(Oid relid)
{
	Async_Notify("docstore", ds_name_of(ds_catalogue_root(relid)));
}

/* Make the trigger of a history, unless it is there, and have it fire. */
void
ds_notify_make_trigger(Oid history)
{
	const char *table = ds_name_of(history);

	ds_plan_execute_utility(psprintf(
		"CREATE OR REPLACE TRIGGER " NOTIFY " AFTER INSERT ON %s FOR EACH STATEMENT "
		"EXECUTE FUNCTION %s." DS_NOTIFY_CHANGES "()", table, ds_internal_schema_name()));
	ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE TRIGGER " NOTIFY, table));
}

/*
 * docstore_internal.notify_changes() RETURNS trigger: AFTER INSERT, for each
 * statement
 */
Datum
ds_notify_changes(PG_FUNCTION_ARGS)
{
	TriggerData *call = (TriggerData *) fcinfo->context;
	Oid			collection;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(call->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(call->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore_internal.notify_changes() can only be called by its trigger"),
				 errhint("Pass notify => true to docstore.track().")));
	collection = ds_history_tracked_by(RelationGetRelid(call->tg_relation));
	if (OidIsValid(collection))
		ds_notify_changes_of(collection);
	PG_RETURN_POINTER(NULL);
}

/*
 * replicate_change.c - what logical replication brings gets its place here
 *
 * The rows of a history that come from another server do not arrive in the
 * order of their transactions, whose ids mean nothing here.  So each gets its
 * place in the order of this server, as a write that is recorded here does.  It
 * keeps that when it is erased.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/errors.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "feed/feed.h"
#include "fmgr.h"
#include "history/change.h"
#include "history/notify_changes.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "utils/rel.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_replicate_change);

/* The columns of a place. */
#define PLACE_COLUMNS 3

static void
check_trigger_call(FunctionCallInfo fcinfo)
{
	TriggerData *call = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(call->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(call->tg_event) || TRIGGER_FIRED_BY_DELETE(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore_internal.replicate_change() can only be called by its trigger"),
				 errhint("docstore.track() makes the trigger.")));
}

/*
 * Raise 0A000 for a partitioned history: what comes is not in the order of time,
 * so who reads it would not be told of what is dropped (cursor_check.c).
 */
pg_noreturn static void
refuse_partition(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("logical replication cannot bring the rows of history \"%s\", which is partitioned",
					ds_name_of(ds_catalogue_root(relid))),
			 errhint("Leave it and its partitions out of the publication, and track the collection here. Its changes are then recorded here, too.")));
}

/* The transaction id that a row gets: as record.c gives it. */
static FullTransactionId
follow(const DsCollection *history, Datum id)
{
	FullTransactionId result = GetTopFullTransactionId();
	DsChanges	changes;
	DsRecorded	latest;

	ds_changes_begin(&changes, history);
	if (ds_changes_find_latest(&changes, id, DS_FROM_THE_START, &latest) &&
		latest.generation == history->feed.current_generation &&
		FullTransactionIdPrecedes(result, latest.transaction_id))
		result = latest.transaction_id;
	ds_changes_end(&changes);
	return result;
}

/*
 * docstore_internal.replicate_change() RETURNS trigger: BEFORE INSERT OR UPDATE,
 * to any effect only where logical replication applies changes.
 */
Datum
ds_replicate_change(PG_FUNCTION_ARGS)
{
	TriggerData *call = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	DsCollection history;
	const char *obstacle;
	int			columns[PLACE_COLUMNS];
	Datum		values[PLACE_COLUMNS];
	bool		nulls[PLACE_COLUMNS] = {false, false, false};

	check_trigger_call(fcinfo);
	if (!ds_feed_is_replicated())
		PG_RETURN_POINTER(TRIGGER_FIRED_BY_INSERT(call->tg_event) ? call->tg_trigtuple : call->tg_newtuple);
	if (call->tg_relation->rd_rel->relispartition)
		refuse_partition(RelationGetRelid(call->tg_relation));
	desc = RelationGetDescr(call->tg_relation);
	if (!ds_collection_describe(RelationGetRelid(call->tg_relation), DS_HISTORY, &history, &obstacle))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" is not a history", ds_name_of(RelationGetRelid(call->tg_relation))),
				 errdetail("%s", obstacle)));

	columns[0] = history.columns[DS_CHANGE_GENERATION];
	columns[1] = history.columns[DS_CHANGE_TRANSACTION_ID];
	columns[2] = history.columns[DS_CHANGE_POSITION];
	if (TRIGGER_FIRED_BY_INSERT(call->tg_event))
	{
		bool		no_id;
		Datum		id = heap_getattr(call->tg_trigtuple, history.id, desc, &no_id);

		values[0] = Int64GetDatum(history.feed.current_generation);
		values[1] = FullTransactionIdGetDatum(no_id ? GetTopFullTransactionId() : follow(&history, id));
		values[2] = Int64GetDatum(nextval_internal(history.feed.positions, false));
		if (history.history.notifies && OidIsValid(ds_history_tracked_by(history.relid)))
			ds_notify_changes_of(ds_history_tracked_by(history.relid));
		PG_RETURN_POINTER(heap_modify_tuple_by_cols(call->tg_trigtuple, desc, PLACE_COLUMNS, columns, values, nulls));
	}
	for (int i = 0; i < PLACE_COLUMNS; i++)
		values[i] = heap_getattr(call->tg_trigtuple, columns[i], desc, &nulls[i]);
	PG_RETURN_POINTER(heap_modify_tuple_by_cols(call->tg_newtuple, desc, PLACE_COLUMNS, columns, values, nulls));
}

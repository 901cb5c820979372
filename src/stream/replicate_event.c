/*
 * replicate_event.c - the place of an event that logical replication brings
 *
 * Events do not arrive in the order of their transaction ids, which mean nothing
 * on this server anyway.  So the trigger here gives them a place of this one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/errors.h"
#include "commands/trigger.h"
#include "feed/feed.h"
#include "fmgr.h"
#include "log/log.h"
#include "stream/stream_order.h"
#include "table/collection.h"
#include "utils/rel.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_replicate_event);

static void
check_trigger_call(FunctionCallInfo fcinfo)
{
	TriggerData *call = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(call->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(call->tg_event) || TRIGGER_FIRED_BY_DELETE(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore_internal.replicate_event() can only be called by its trigger"),
				 errhint("docstore.create_log() makes the trigger.")));
}

/* The transaction id that an event gets which logical replication brings. */
static FullTransactionId
follow_replicated(const DsCollection *events, HeapTuple event, TupleDesc desc)
{
	bool		no_stream;
	bool		no_version;
	Datum		stream = heap_getattr(event, events->columns[DS_STREAM], desc, &no_stream);
	Datum		version = heap_getattr(event, events->columns[DS_VERSION], desc, &no_version);

	if (no_stream || no_version || DatumGetInt64(version) <= 1)
		return GetTopFullTransactionId();
	return ds_stream_follow(events, stream, DatumGetInt64(version) - 1);
}

/*
 * docstore_internal.replicate_event() RETURNS trigger: BEFORE INSERT OR UPDATE, to any
 * effect only where logical replication applies changes
 *
 * An event that comes from another server gets its place in the order of this
 * one, as the order in which it arrives is not that of its transaction ids.
 * It keeps that place when it is erased.
 */
Datum
ds_replicate_event(PG_FUNCTION_ARGS)
{
	TriggerData *call = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	event;
	DsCollection events;
	const char *obstacle;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};

	check_trigger_call(fcinfo);
	if (!ds_feed_is_replicated())
		PG_RETURN_POINTER(TRIGGER_FIRED_BY_INSERT(call->tg_event) ? call->tg_trigtuple : call->tg_newtuple);
	desc = RelationGetDescr(call->tg_relation);
	if (!ds_collection_describe(RelationGetRelid(call->tg_relation), DS_EVENTS, &events, &obstacle))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_LOG),
				 errmsg("\"%s\" is not a log", ds_name_of(RelationGetRelid(call->tg_relation))),
				 errdetail("%s", obstacle)));

	columns[0] = events.columns[DS_GENERATION];
	columns[1] = events.columns[DS_TRANSACTION_ID];
	if (TRIGGER_FIRED_BY_INSERT(call->tg_event))
	{
		event = call->tg_trigtuple;
		values[0] = Int64GetDatum(events.feed.current_generation);
		values[1] = FullTransactionIdGetDatum(follow_replicated(&events, event, desc));
	}
	else
	{
		event = call->tg_newtuple;
		values[0] = heap_getattr(call->tg_trigtuple, columns[0], desc, &nulls[0]);
		values[1] = heap_getattr(call->tg_trigtuple, columns[1], desc, &nulls[1]);
	}
	PG_RETURN_POINTER(heap_modify_tuple_by_cols(event, desc, 2, columns, values, nulls));
}

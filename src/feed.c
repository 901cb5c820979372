/*
 * feed.c - the order in which readers of a log go on
 *
 * Positions are no order to read by: a transaction that took a low one may
 * commit after a reader has passed a higher one.  So each event also carries
 * the id of its transaction, and readers go by (generation, transaction_id,
 * log_position).  In the snapshot that a reader reads with, every transaction
 * below its xmin has ended; what is below is all there will ever be.
 *
 * An event's transaction_id is never below that of the event before it in its
 * stream (append.c), so that this order respects each stream: a transaction
 * that got its id early can append late.  It is never below that of its own
 * transaction either, so the rule above holds.
 *
 * Ids of transactions mean nothing in another cluster.  Where the latest
 * events were written in another one (after dump and restore, and after
 * pg_upgrade), new ones get the next generation.  Events of older generations
 * all sort first, and are all there.  A generation is a number that grows, and
 * in its low half a mark of the cluster, so that no registry is needed: who
 * appends looks at the latest event, and all who do come to the same answer.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "collection.h"
#include "commands/trigger.h"
#include "compat.h"
#include "errors.h"
#include "feed.h"
#include "fmgr.h"
#include "log.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_replicate_event);

/* The columns of the index on generation, transaction_id, log_position. */
enum
{
	GENERATION = 1,
	TRANSACTION_ID
};

/* The mark of this cluster: what pg_controldata calls its system identifier, folded. */
static uint32
own_mark(void)
{
	uint64		identifier = GetSystemIdentifier();

	return (uint32) (identifier ^ (identifier >> 32));
}

/* Whether the transaction ids of a generation are this cluster's. */
bool
ds_feed_is_own(int64 generation)
{
	return (uint32) generation == own_mark();
}

/* The generation of this cluster that comes after another, or the first one. */
static int64
next_generation(int64 latest)
{
	return (((latest >> 32) + 1) << 32) | own_mark();
}

/*
 * The generation of what is appended to a log now.  Called when its table of
 * events is described, by the index on the order of the feed.
 */
int64
ds_feed_find_generation(Relation events, Oid feed)
{
	Relation	index = index_open(feed, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(ActiveSnapshotSet() ? GetActiveSnapshot() : GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(events, NULL);
	IndexScanDesc scan = index_beginscan(events, index, snapshot, NULL, 0, 0);
	int64		generation = 0;

	index_rescan(scan, NULL, 0, NULL, 0);
	if (index_getnext_slot(scan, BackwardScanDirection, slot))
	{
		bool		is_null;
		FullTransactionId latest;

		generation = DatumGetInt64(slot_getattr(slot, index->rd_index->indkey.values[GENERATION - 1], &is_null));
		latest = FullTransactionIdFromU64(DatumGetUInt64(
			slot_getattr(slot, index->rd_index->indkey.values[TRANSACTION_ID - 1], &is_null)));
		if (!ds_feed_is_own(generation) ||
			!FullTransactionIdPrecedes(latest, ReadNextFullTransactionId()))
			generation = next_generation(generation);
	}
	else
		generation = next_generation(0);

	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);
	return generation;
}

/*
 * docstore.replicate_event() RETURNS trigger: BEFORE INSERT, only where
 * logical replication applies changes
 *
 * An event that comes from another server gets its place in the order of this
 * one, as the order in which it arrives is not that of its transaction ids.
 */
Datum
ds_replicate_event(PG_FUNCTION_ARGS)
{
	TriggerData *call = (TriggerData *) fcinfo->context;
	DsCollection events;
	const char *obstacle;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(call->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(call->tg_event) || !TRIGGER_FIRED_BY_INSERT(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore.replicate_event() is called by its trigger only"),
				 errhint("docstore.create_log() makes the trigger.")));
	if (!ds_collection_open_as(RelationGetRelid(call->tg_relation), DS_EVENTS, RowExclusiveLock,
							   &events, &obstacle))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_LOG),
				 errmsg("\"%s\" is not a log", ds_collection_name(RelationGetRelid(call->tg_relation))),
				 errdetail("%s", obstacle)));

	columns[0] = events.columns[DS_GENERATION];
	columns[1] = events.columns[DS_TRANSACTION_ID];
	values[0] = Int64GetDatum(events.current_generation);
	values[1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	PG_RETURN_POINTER(heap_modify_tuple_by_cols(call->tg_trigtuple,
												RelationGetDescr(call->tg_relation),
												2, columns, values, nulls));
}

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
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
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
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_replicate_event);

/* The columns of the index on generation, transaction_id, log_position. */
enum
{
	GENERATION = 1,
	TRANSACTION_ID,
	LOG_POSITION
};

/* The mark of this cluster: what pg_controldata calls its system identifier, folded. */
static uint32
own_mark(void)
{
	uint64		identifier = GetSystemIdentifier();

	return (uint32) (identifier ^ (identifier >> 32));
}

/* Whether the transaction ids of a generation are this cluster's. */
static bool
is_own(int64 generation)
{
	return (uint32) generation == own_mark();
}

/* The generation of this cluster that comes after another, or the first one. */
static int64
next_generation(int64 latest)
{
	int64		count = latest / (INT64CONST(1) << 32) + 1;

	if (count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(DS_ERRCODE_VERSION_OVERFLOW),
				 errmsg("the latest event of the log is of the highest possible generation"),
				 errhint("docstore gives no such generation: look for an event that was stored by other means.")));
	return (Max(count, 1) * (INT64CONST(1) << 32)) | own_mark();
}

/*
 * The place of the last event in the feed that a snapshot shows; false when
 * there is none.
 */
static bool
find_latest(Relation events, Oid feed, Snapshot snapshot, int64 *generation, FullTransactionId *transaction_id)
{
	Relation	index = index_open(feed, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(events, NULL);
	IndexScanDesc scan = index_beginscan(events, index, snapshot, NULL, 0, 0, 0);
	const int16 *columns = index->rd_index->indkey.values;
	bool		found;
	bool		is_null;

	index_rescan(scan, NULL, 0, NULL, 0);
	found = index_getnext_slot(scan, BackwardScanDirection, slot);
	if (found)
	{
		*generation = DatumGetInt64(slot_getattr(slot, columns[GENERATION - 1], &is_null));
		*transaction_id = DatumGetFullTransactionId(slot_getattr(slot, columns[TRANSACTION_ID - 1], &is_null));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/*
 * Whether the last event that a snapshot shows was written in this cluster.
 * Sets its generation, 0 when there is none, and the id that the cluster's
 * next transaction gets.
 *
 * An event whose transaction has not begun here yet was restored from a copy
 * of this cluster that has gone its own way.
 */
static bool
latest_is_own(Relation events, Oid feed, Snapshot snapshot, int64 *generation, FullTransactionId *next)
{
	FullTransactionId latest;
	bool		found = find_latest(events, feed, snapshot, generation, &latest);

	if (!found)
		*generation = 0;
	/* Read after the event was found, whose transaction had its id before. */
	*next = ReadNextFullTransactionId();
	return found && is_own(*generation) && FullTransactionIdPrecedes(latest, *next);
}

/*
 * The generation of what is appended to a log now.  Called when its table of
 * events is described, by the index on the order of the feed.
 *
 * Events that are not committed count first, as there can be many.  But those
 * of another cluster must be: sessions that looked before, and after a restore
 * that failed, have to come to the same answer.
 */
int64
ds_feed_find_generation(Relation events, Oid feed)
{
	int64		generation;
	FullTransactionId next;

	if (latest_is_own(events, feed, SnapshotAny, &generation, &next) ||
		latest_is_own(events, feed, SnapshotSelf, &generation, &next))
		return generation;
	return next_generation(generation);
}

/* A transaction id with its epoch; it is not after next. */
static FullTransactionId
widen(TransactionId xid, FullTransactionId next)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	return FullTransactionIdFromEpochAndXid(xid > XidFromFullTransactionId(next) ? epoch - 1 : epoch, xid);
}

/*
 * How far a reader can go that reads with a snapshot, and with no other.
 *
 * Every transaction below its xmin had ended when it was taken, so that no
 * event below can come any more, and the snapshot shows all there are.  Where
 * the last event is of another cluster nobody has appended here yet: what is
 * visible is all, and what comes has a later generation.
 */
DsHorizon
ds_feed_find_horizon(const DsCollection *events, Snapshot snapshot)
{
	Relation	rel = table_open(events->relid, NoLock);
	DsHorizon	horizon = {PG_INT64_MAX, FirstNormalFullTransactionId};
	int64		generation;
	FullTransactionId next;

	/*
	 * Look at events that are not committed first: there can be many.  If the
	 * last of them is this cluster's, its generation is the one that all have
	 * that are written here after those of other clusters.
	 */
	if (latest_is_own(rel, events->feed, SnapshotAny, &generation, &next) ||
		latest_is_own(rel, events->feed, snapshot, &generation, &next))
	{
		horizon.generation = generation;
		horizon.transaction_id = widen(snapshot->xmin, next);
	}
	table_close(rel, NoLock);
	return horizon;
}

/* Whether an event is at a cursor's place, for any snapshot and any role. */
bool
ds_feed_has(const DsCollection *events, const DsCursor *cursor)
{
	Relation	rel = table_open(events->relid, NoLock);
	Relation	index = index_open(events->feed, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = index_beginscan(rel, index, SnapshotAny, NULL, LOG_POSITION, 0, 0);
	ScanKeyData keys[LOG_POSITION];
	bool		found;

	ScanKeyInit(&keys[0], GENERATION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(cursor->generation));
	ScanKeyInit(&keys[1], TRANSACTION_ID, BTEqualStrategyNumber, F_XID8EQ,
				FullTransactionIdGetDatum(cursor->transaction_id));
	ScanKeyInit(&keys[2], LOG_POSITION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(cursor->log_position));
	index_rescan(scan, keys, LOG_POSITION, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return found;
}

/*
 * The transaction id that an event gets which comes after that version of its
 * stream: the own one, or that of the event before it if that is higher.
 * Committed or not does not matter: too high an id only makes readers wait.
 *
 * This is for those who cannot ask the head, as append.c does: where logical
 * replication brings events, and where it has brought the head.
 */
FullTransactionId
ds_feed_follow(const DsCollection *events, Datum stream, int64 version)
{
	Relation	rel = table_open(events->relid, NoLock);
	Relation	index = index_open(events->key, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = index_beginscan(rel, index, SnapshotAny, NULL, 2, 0, 0);
	FullTransactionId result = GetTopFullTransactionId();
	ScanKeyData keys[2];

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[0], F_TEXTEQ, stream);
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(version));
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;
		int64		generation = DatumGetInt64(slot_getattr(slot, events->columns[DS_GENERATION], &is_null));
		FullTransactionId before = DatumGetFullTransactionId(
			slot_getattr(slot, events->columns[DS_TRANSACTION_ID], &is_null));

		if (generation == events->current_generation && FullTransactionIdPrecedes(result, before))
			result = before;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return result;
}

static void
check_trigger_call(FunctionCallInfo fcinfo)
{
	TriggerData *call = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(call->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(call->tg_event) || TRIGGER_FIRED_BY_DELETE(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore.replicate_event() is called by its trigger only"),
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
	return ds_feed_follow(events, stream, DatumGetInt64(version) - 1);
}

/*
 * docstore.replicate_event() RETURNS trigger: BEFORE INSERT OR UPDATE, only
 * where logical replication applies changes
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
	desc = RelationGetDescr(call->tg_relation);
	if (!ds_collection_open_as(RelationGetRelid(call->tg_relation), DS_EVENTS, RowExclusiveLock,
							   &events, &obstacle))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_LOG),
				 errmsg("\"%s\" is not a log", ds_collection_name(RelationGetRelid(call->tg_relation))),
				 errdetail("%s", obstacle)));

	columns[0] = events.columns[DS_GENERATION];
	columns[1] = events.columns[DS_TRANSACTION_ID];
	if (TRIGGER_FIRED_BY_INSERT(call->tg_event))
	{
		event = call->tg_trigtuple;
		values[0] = Int64GetDatum(events.current_generation);
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

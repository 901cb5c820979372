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
 * stream (head.c), so that this order respects each stream: a transaction
 * that got its id early can append late.  It is never below that of its own
 * transaction either, so the rule above holds.
 *
 * Ids of transactions mean nothing in another cluster, or on another timeline.
 * Where the latest events were written there, new ones get the next generation
 * (generation.c).  Events of older generations all sort first, and are all
 * there, but for those of transactions that were prepared before a standby was
 * promoted: readers wait for these before they go on to the next generation.
 *
 * What a reader has got must not be undone by a crash, or its cursor lies in a
 * future that never was.  So it is flushed first (ds_feed_flush()).  What else
 * can be lost is in cursor_check.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "base/compat.h"
#include "base/errors.h"
#include "commands/trigger.h"
#include "feed/feed.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "fmgr.h"
#include "log/log.h"
#include "miscadmin.h"
#include "table/collection.h"
#include "table/kind.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(ds_replicate_event);

/*
 * The last event before a generation, if transactions can be under way that add
 * to its generation: none in *place (generation 0) if not.  They were prepared
 * before the timeline that the generation began with, so all of it comes later
 * than they; where it does not, what is older was restored, and is all there.
 */
static void
find_unsettled(Relation rel, Oid feed, int64 generation, DsCursor *place)
{
	DsCursor	first;

	if (!ds_place_find(rel, feed, SnapshotAny, BackwardScanDirection, BTLessStrategyNumber, generation, place) ||
		!ds_generation_is_of_this_cluster(place->generation) ||
		!ds_place_find(rel, feed, SnapshotAny, ForwardScanDirection, BTEqualStrategyNumber, generation, &first) ||
		!FullTransactionIdPrecedes(place->transaction_id, first.transaction_id))
		memset(place, 0, sizeof(DsCursor));
}

/* Describe what a log's readers and appenders go by; its table is locked. */
static void
describe(Relation rel, DsCollection *events)
{
	DsCursor	latest;
	DsCursor	unsettled;

	events->event.current_generation = ds_generation_find(rel, events->event.feed);
	if (!ds_place_find(rel, events->event.feed, SnapshotAny, BackwardScanDirection, DS_ANY_GENERATION, 0, &latest))
		return;
	events->event.latest_generation = latest.generation;
	find_unsettled(rel, events->event.feed, latest.generation, &unsettled);
	events->event.unsettled_generation = unsettled.generation;
	events->event.unsettled_transaction_id = unsettled.transaction_id;
}

/* Whether a description was made on a standby that is none any more. */
static bool
is_outdated(const DsCollection *events)
{
	return events->event.current_generation == 0 && !RecoveryInProgress();
}

/* All that a call appends is of one generation. */
static void
carry_over(DsCollection *now, const DsCollection *then)
{
	now->event.current_generation = then->event.current_generation;
}

static const DsKindRoutine kind = {
	.recognise = ds_log_recognise_events,
	.describe = describe,
	.is_outdated = is_outdated,
	.carry_over = carry_over,
	.left_empty = 1 << DS_EVENT_ID | 1 << DS_SOURCE_TYPE | 1 << DS_STREAM_TYPE | 1 << DS_STREAM_ID | 1 << DS_METADATA |
	1 << DS_TAGS,
	.only_inserted = true,
	.found_by_name = true,
	.row = "event",
	.table = "log",
};

/* Say what tables of events are. */
void
ds_feed_init(void)
{
	ds_kind_register(DS_EVENTS, &kind);
}

/*
 * Whether the last event that a snapshot shows was written in this cluster.
 * Sets its generation, and the id that the cluster's next transaction gets.
 *
 * An event whose transaction has not begun here yet was restored from a copy
 * of this cluster that has gone its own way.
 */
static bool
latest_is_of_this_cluster(Relation events, Oid feed, Snapshot snapshot, int64 *generation, FullTransactionId *next)
{
	DsCursor	latest;
	bool		found = ds_place_find(events, feed, snapshot, BackwardScanDirection,
									  DS_ANY_GENERATION, 0, &latest);

	/* Read after the event was found, whose transaction had its id before. */
	*next = ReadNextFullTransactionId();
	if (!found)
		return false;
	*generation = latest.generation;
	return ds_generation_is_of_this_cluster(latest.generation) &&
		FullTransactionIdPrecedes(latest.transaction_id, *next);
}

/* A transaction id with its epoch; it is not after next. */
static FullTransactionId
widen(TransactionId xid, FullTransactionId next)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	return FullTransactionIdFromEpochAndXid(xid > XidFromFullTransactionId(next) ? epoch - 1 : epoch, xid);
}

/*
 * Stop readers in an older generation as long as transactions can be under way
 * that were prepared in it: those at or above the horizon's are.
 */
static void
heed_unsettled(Relation rel, const DsCollection *events, DsHorizon *horizon)
{
	DsCursor	unsettled = {events->event.unsettled_generation, events->event.unsettled_transaction_id, 0};

	if (horizon->generation != events->event.latest_generation)
	{
		/* It has begun since the log was described. */
		find_unsettled(rel, events->event.feed, horizon->generation, &unsettled);
		ds_collection_forget(events->relid);
	}
	while (unsettled.generation != 0 &&
		   !FullTransactionIdPrecedes(unsettled.transaction_id, horizon->transaction_id))
	{
		horizon->generation = unsettled.generation;
		find_unsettled(rel, events->event.feed, horizon->generation, &unsettled);
	}
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
	Relation	rel;
	DsHorizon	horizon = {PG_INT64_MAX, FirstNormalFullTransactionId};
	int64		generation;
	FullTransactionId next;

	ds_collection_look_again(events);
	rel = table_open(events->relid, NoLock);

	/*
	 * Look at events that are not committed first: there can be many.  If the last of them is this cluster's, its
	 * generation is the one that all have that are written here after those of other clusters.
	 */
	if (latest_is_of_this_cluster(rel, events->event.feed, SnapshotAny, &generation, &next) ||
		latest_is_of_this_cluster(rel, events->event.feed, snapshot, &generation, &next))
	{
		horizon.generation = generation;
		horizon.transaction_id = widen(snapshot->xmin, next);
		heed_unsettled(rel, events, &horizon);
	}
	table_close(rel, NoLock);
	return horizon;
}

/* Where the WAL ends that has been written so far, which may be at the end of a page. */
static XLogRecPtr
end_of_wal(void)
{
	XLogRecPtr	next = GetXLogInsertRecPtr();
	uint32		header = (XLogSegmentOffset(next, wal_segment_size) < XLOG_BLCKSZ
						  ? SizeOfXLogLongPHD : SizeOfXLogShortPHD);

	return next % XLOG_BLCKSZ == header ? next - header : next;
}

/*
 * See to it that what is visible survives a crash of this server.  With
 * synchronous_commit = off it may be visible before.  It costs nothing where
 * all that was written is flushed.  On a standby all that is visible is.
 */
void
ds_feed_flush(void)
{
	if (!RecoveryInProgress())
		XLogFlush(end_of_wal());
}

/*
 * The transaction id that an event gets which comes after that version of its
 * stream: the own one, or that of the event before it if that is higher.
 * Committed or not does not matter: too high an id only makes readers wait.
 *
 * This is for those who cannot ask the head, as head.c does: where logical
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

		if (generation == events->event.current_generation && FullTransactionIdPrecedes(result, before))
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
	return ds_feed_follow(events, stream, DatumGetInt64(version) - 1);
}

/*
 * Whether logical replication applies what a trigger is called for: a worker
 * in the background does, of the server or of an extension.  A client that has
 * set session_replication_role restores a dump, whose events have their place.
 */
static bool
is_replicated(void)
{
	return MyBackendType == B_BG_WORKER && SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
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
	if (!is_replicated())
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
		values[0] = Int64GetDatum(events.event.current_generation);
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

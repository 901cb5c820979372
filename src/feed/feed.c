/*
 * feed.c - the order in which readers of a table go on
 *
 * Positions are no order to read by: a transaction that took a low one may
 * commit after a reader has passed a higher one.  So each row also carries the
 * id of its transaction, and readers go by (generation, transaction_id,
 * position).  In the snapshot that a reader reads with, every transaction below
 * its xmin has ended; what is below is all there will ever be.
 *
 * A row's transaction_id is never below that of the row before it about the
 * same thing: of the stream (head.c), of the document.  So this order respects
 * each of them: a transaction that got its id early can write late.  It is never
 * below that of its own transaction either, so the rule above holds.
 *
 * Ids of transactions mean nothing in another cluster, or on another timeline.
 * Where the latest rows were written there, new ones get the next generation
 * (generation.c).  Rows of older generations all sort first, and are all there,
 * but for those of transactions that were prepared before a standby was
 * promoted: readers wait for these before they go on to the next generation.
 *
 * What a reader has got must not be undone by a crash, or its cursor lies in a
 * future that never was.  So it is flushed first (ds_feed_flush()).  What else
 * can be lost is in cursor_check.c.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "base/compat.h"
#include "commands/trigger.h"
#include "feed/feed.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "miscadmin.h"
#include "table/collection.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * The last row before a generation, if transactions can be under way that add
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

/* For kinds that have a feed: describe what its readers and writers go by; the table is locked, and has its index. */
void
ds_feed_describe(Relation rel, DsCollection *table)
{
	DsCursor	latest;
	DsCursor	unsettled;

	table->feed.current_generation = ds_generation_find(rel, table);
	if (!ds_place_find(rel, table->feed.index, SnapshotAny, BackwardScanDirection, DS_ANY_GENERATION, 0, &latest))
		return;
	table->feed.latest_generation = latest.generation;
	find_unsettled(rel, table->feed.index, latest.generation, &unsettled);
	table->feed.unsettled_generation = unsettled.generation;
	table->feed.unsettled_transaction_id = unsettled.transaction_id;
}

/* Whether a description was made on a standby that is none any more. */
bool
ds_feed_is_outdated(const DsCollection *table)
{
	return table->feed.current_generation == 0 && !RecoveryInProgress();
}

/* All that a call adds is of one generation. */
void
ds_feed_carry_over(DsCollection *now, const DsCollection *then)
{
	now->feed.current_generation = then->feed.current_generation;
}

/*
 * Whether the last row that a snapshot shows was written in this cluster.
 * Sets its generation, and the id that the cluster's next transaction gets.
 *
 * A row whose transaction has not begun here yet was restored from a copy of
 * this cluster that has gone its own way.
 */
static bool
latest_is_of_this_cluster(Relation rel, Oid feed, Snapshot snapshot, int64 *generation, FullTransactionId *next)
{
	DsCursor	latest;
	bool		found = ds_place_find(rel, feed, snapshot, BackwardScanDirection,
									  DS_ANY_GENERATION, 0, &latest);

	/* Read after the row was found, whose transaction had its id before. */
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
heed_unsettled(Relation rel, const DsCollection *table, DsHorizon *horizon)
{
	DsCursor	unsettled = {table->feed.unsettled_generation, table->feed.unsettled_transaction_id, 0};

	if (horizon->generation != table->feed.latest_generation)
	{
		/* It has begun since the table was described. */
		find_unsettled(rel, table->feed.index, horizon->generation, &unsettled);
		ds_collection_forget(table->relid);
	}
	while (unsettled.generation != 0 &&
		   !FullTransactionIdPrecedes(unsettled.transaction_id, horizon->transaction_id))
	{
		horizon->generation = unsettled.generation;
		find_unsettled(rel, table->feed.index, horizon->generation, &unsettled);
	}
}

/*
 * How far a reader can go that reads with a snapshot, and with no other.
 *
 * Every transaction below its xmin had ended when it was taken, so that no
 * row below can come any more, and the snapshot shows all there are.  Where the
 * last row is of another cluster nobody has written here yet: what is visible is
 * all, and what comes has a later generation.
 */
DsHorizon
ds_feed_find_horizon(const DsCollection *table, Snapshot snapshot)
{
	Relation	rel;
	DsHorizon	horizon = {PG_INT64_MAX, FirstNormalFullTransactionId};
	int64		generation;
	FullTransactionId next;

	ds_collection_look_again(table);
	rel = table_open(table->relid, NoLock);

	/*
	 * Look at rows that are not committed first: there can be many.  If the last of them is this cluster's, its
	 * generation is the one that all have that are written here after those of other clusters.
	 */
	if (latest_is_of_this_cluster(rel, table->feed.index, SnapshotAny, &generation, &next) ||
		latest_is_of_this_cluster(rel, table->feed.index, snapshot, &generation, &next))
	{
		horizon.generation = generation;
		horizon.transaction_id = widen(snapshot->xmin, next);
		heed_unsettled(rel, table, &horizon);
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
 * Whether logical replication applies what a trigger is called for: a worker
 * in the background does, of the server or of an extension.  A client that has
 * set session_replication_role restores a dump, whose rows have their place.
 */
bool
ds_feed_is_replicated(void)
{
	return MyBackendType == B_BG_WORKER && SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
}

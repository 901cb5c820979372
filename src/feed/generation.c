/*
 * generation.c - whose transaction ids the events of a log have
 *
 * A transaction id means something in one history only: in one cluster, and
 * there on one timeline.  After a promotion, and after recovery to a point in
 * time, ids are given once more that readers may have seen already with events
 * that are lost.  So what is appended in another cluster, or on another
 * timeline, is of a new generation.
 *
 * A generation is, from its highest bit down: a number that grows by one with
 * each (15 bits), the timeline (16 bits, 0 for the first one), and a mark of
 * the cluster (32 bits).  So no registry is needed: who appends looks at the
 * latest event, and all who do come to the same answer.  Before 0.5.0 the
 * number had all 31 bits and grew from 1; a generation with such a number is
 * taken for one of the first timeline.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "feed/cursor.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "log/log.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "table/kind.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* How many of each a generation tells apart; a timeline beyond begins anew. */
#define TIMELINES		(1 << 16)
#define HIGHEST_NUMBER	PG_INT16_MAX

/* The mark of this cluster: what pg_controldata calls its system identifier, folded. */
static uint32
own_mark(void)
{
	uint64		identifier = GetSystemIdentifier();

	return (uint32) (identifier ^ (identifier >> 32));
}

/* The timeline that this server writes, or replays, as generations have it. */
static int
own_timeline(void)
{
	TimeLineID	timeline;

	if (RecoveryInProgress())
		(void) GetXLogReplayRecPtr(&timeline);
	else
		timeline = GetWALInsertionTimeLine();
	return (timeline - 1) % TIMELINES;
}

static int
timeline_of(int64 generation)
{
	int64		high = generation >> 32;

	return high < TIMELINES ? 0 : high % TIMELINES;
}

/* Whether the transaction ids of a generation are this cluster's, of whichever timeline. */
bool
ds_generation_is_of_this_cluster(int64 generation)
{
	return (uint32) generation == own_mark();
}

/* Whether they are of the timeline of this server, too. */
static bool
is_current(int64 generation)
{
	return ds_generation_is_of_this_cluster(generation) && timeline_of(generation) == own_timeline();
}

/* The generation of this server that comes after another, or the first one. */
static int64
next_generation(int64 latest)
{
	int64		number = Max(latest >> 32, 0) / TIMELINES + 1;

	if (number > HIGHEST_NUMBER)
		ereport(ERROR,
				(errcode(DS_ERRCODE_VERSION_OVERFLOW),
				 errmsg("the latest event of the log has the highest possible generation"),
				 errhint("docstore never assigns that generation. Look for an event that was stored by other means, and delete it.")));
	return ((number * TIMELINES + own_timeline()) << 32) | own_mark();
}

/* The latest place that the heads in one table remember; the one given when that is later. */
static void
look_at_heads(Oid relid, Snapshot snapshot, DsCursor *latest)
{
	Relation	heads = table_open(relid, NoLock);
	AttrNumber	generation = get_attnum(relid, "generation");
	AttrNumber	transaction_id = get_attnum(relid, "transaction_id");
	TupleTableSlot *slot = table_slot_create(heads, NULL);
	TableScanDesc scan = table_beginscan(heads, snapshot, 0, NULL, 0);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		DsCursor	place = {0};
		bool		is_null;

		CHECK_FOR_INTERRUPTS();
		place.generation = DatumGetInt64(slot_getattr(slot, generation, &is_null));
		place.transaction_id = DatumGetFullTransactionId(slot_getattr(slot, transaction_id, &is_null));
		if (ds_cursor_compare(&place, latest) > 0)
			*latest = place;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(heads, NoLock);
}

/*
 * The tables that have the heads: partitions, or the one itself.  What inherits
 * from that has heads of its own, and may be another session's temporary table.
 */
static List *
tables_of(Oid streams)
{
	if (get_rel_relkind(streams) == RELKIND_PARTITIONED_TABLE)
		return find_all_inheritors(streams, AccessShareLock, NULL);
	return list_make1_oid(streams);
}

/*
 * The latest place that the heads of a log remember; false when there are
 * none.  It takes a look at every stream: only where all events were deleted.
 * ACCESS SHARE on the table of streams is kept.
 */
static bool
find_in_heads(Oid events, Snapshot snapshot, DsCursor *latest)
{
	Oid			streams = ds_log_companion_of(events, DS_LOG_STREAMS);
	ListCell   *cell;

	ds_cursor_begin(latest);
	if (!OidIsValid(streams))
		return false;
	LockRelationOid(streams, AccessShareLock);
	if (!ds_kind_is(streams, DS_STREAMS))
		return false;
	foreach(cell, tables_of(streams))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			look_at_heads(lfirst_oid(cell), snapshot, latest);
	return latest->generation > 0;
}

/*
 * Whether the latest event that a snapshot shows has a transaction id of this
 * server's history.  Sets its generation, 0 when there is none.
 *
 * An event whose transaction has not begun here yet was restored from a copy
 * of this cluster that has gone its own way.
 */
static bool
is_latest_current(Relation events, Oid feed, Snapshot snapshot, int64 *generation)
{
	DsCursor	latest;
	bool		found = (ds_place_find(events, feed, snapshot, BackwardScanDirection,
									   DS_ANY_GENERATION, 0, &latest) ||
						 find_in_heads(RelationGetRelid(events), snapshot, &latest));

	*generation = found ? latest.generation : 0;
	/* The next id is read after the event was found, whose transaction had its id before. */
	return found && is_current(*generation) &&
		FullTransactionIdPrecedes(latest.transaction_id, ReadNextFullTransactionId());
}

/*
 * The generation of what is appended to a log now, on a standby as far as it
 * has come.
 *
 * Events that are not committed count first, as there can be many.  But those
 * of another cluster must be: sessions that looked before, and after a restore
 * that failed, have to come to the same answer.
 */
int64
ds_generation_look(Relation events, Oid feed)
{
	int64		generation;

	if (is_latest_current(events, feed, SnapshotAny, &generation) ||
		is_latest_current(events, feed, SnapshotSelf, &generation))
		return generation;
	return next_generation(generation);
}

/* The same; 0 during recovery, when nothing can be appended. */
int64
ds_generation_find(Relation events, Oid feed)
{
	return RecoveryInProgress() ? 0 : ds_generation_look(events, feed);
}

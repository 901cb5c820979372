/*
 * generation.c - whose transaction ids the rows of a table have
 *
 * A transaction id means something in one history only: in one cluster, and
 * there on one timeline.  After a promotion, and after recovery to a point in
 * time, ids are given once more that readers may have seen already with rows
 * that are lost.  So what is added in another cluster, or on another timeline,
 * is of a new generation.
 *
 * A generation is, from its highest bit down: a number that grows by one with
 * each (15 bits), the timeline (16 bits, 0 for the first one), and a mark of
 * the cluster (32 bits).  So no registry is needed: who adds a row looks at the
 * latest one, and all who do come to the same answer.  Before 0.5.0 the
 * number had all 31 bits and grew from 1; a generation with such a number is
 * taken for one of the first timeline.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "base/compat.h"
#include "base/errors.h"
#include "feed/cursor.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "table/kind.h"
#include "utils/snapmgr.h"

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
next_generation(const DsCollection *table, int64 latest)
{
	int64		number = Max(latest >> 32, 0) / TIMELINES + 1;

	if (number > HIGHEST_NUMBER)
		ereport(ERROR,
				(errcode(DS_ERRCODE_VERSION_OVERFLOW),
				 errmsg("the latest %s of the %s has the highest possible generation",
						ds_kind_of(table)->row, ds_kind_of(table)->table),
				 errhint("docstore never assigns that generation. Look for one that was stored by other means, and delete it.")));
	return ((number * TIMELINES + own_timeline()) << 32) | own_mark();
}

/* The latest place that is remembered elsewhere, see kind.h. */
static bool
find_former_end(const DsCollection *table, Snapshot snapshot, DsCursor *latest)
{
	const DsKindRoutine *kind = ds_kind_of(table);

	return kind->find_former_end != NULL &&
		kind->find_former_end(table->relid, snapshot, &latest->generation, &latest->transaction_id);
}

/*
 * Whether the latest row that a snapshot shows has a transaction id of this
 * server's history.  Sets its generation, 0 when there is none.
 *
 * A row whose transaction has not begun here yet was restored from a copy of
 * this cluster that has gone its own way.
 */
static bool
is_latest_current(Relation rel, const DsCollection *table, Snapshot snapshot, int64 *generation)
{
	DsCursor	latest;
	bool		found = (ds_place_find(rel, table->feed.index, snapshot, BackwardScanDirection,
									   DS_ANY_GENERATION, 0, &latest) ||
						 find_former_end(table, snapshot, &latest));

	*generation = found ? latest.generation : 0;
	/* The next id is read after the row was found, whose transaction had its id before. */
	return found && is_current(*generation) &&
		FullTransactionIdPrecedes(latest.transaction_id, ReadNextFullTransactionId());
}

/*
 * The generation of what is added to a table now, on a standby as far as it has
 * come.
 *
 * Rows that are not committed count first, as there can be many.  But those of
 * another cluster must be: sessions that looked before, and after a restore
 * that failed, have to come to the same answer.
 */
int64
ds_generation_look(Relation rel, const DsCollection *table)
{
	int64		generation;

	if (is_latest_current(rel, table, SnapshotAny, &generation) ||
		is_latest_current(rel, table, SnapshotSelf, &generation))
		return generation;
	return next_generation(table, generation);
}

/* The same; 0 during recovery, when nothing can be added. */
int64
ds_generation_find(Relation rel, const DsCollection *table)
{
	return RecoveryInProgress() ? 0 : ds_generation_look(rel, table);
}

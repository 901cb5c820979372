/*
 * cursor_check.c - whether a reader who goes on from a cursor misses nothing
 *
 * A cursor is good when its event is there.  When that is not, but another
 * event has its position, the cursor was written on another server.  Else the
 * event is gone.
 *
 * A server can lose the latest transactions: a standby that lagged is promoted,
 * a backup is recovered to a point in time, a snapshot of the disk is put back.
 * Who has read them has a cursor from a future that never was.  Transaction ids
 * are given again, and events come that sort before that cursor; its reader
 * would never see them.
 *
 *	promotion, recovery to a point in time: new events are of a new generation
 *		(generation.c), so they sort after all that was lost.  A cursor that lies
 *		beyond the last event that is left of its generation is refused.
 *	crash, with synchronous_commit = off: what readers get is flushed before
 *		(ds_feed_flush()), so it is not lost.
 *	a snapshot of the disk, a dump put back into its own cluster, a disk that
 *		lies: nothing tells that time has gone back.  A cursor that no transaction
 *		of this server can have written, or whose event is not there, is refused.
 *
 * Events that their owner has deleted are not there either.  That is told from
 * a loss where it does no harm: a cursor is good as long as no event is left
 * that comes before it, as is so where the oldest were deleted.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/cursor_check.h"
#include "feed/feed.h"
#include "feed/generation.h"
#include "feed/place.h"
#include "table/collection.h"
#include "table/plan.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Whether no transaction of this primary can have written at a place yet. */
static bool
is_in_future(const DsCollection *events, const DsCursor *cursor)
{
	return cursor->generation > events->event.current_generation ||
		(cursor->generation == events->event.current_generation &&
		 FullTransactionIdFollowsOrEquals(cursor->transaction_id, ReadNextFullTransactionId()));
}

/* Whether an event at a place may still arrive on this standby, which has come to latest. */
static bool
can_arrive(const DsCollection *events, const DsCursor *cursor, const DsCursor *latest)
{
	DsHorizon	horizon = ds_feed_find_horizon(events, GetActiveSnapshot());

	return ds_cursor_compare(cursor, latest) > 0 ||
		cursor->generation > horizon.generation ||
		(cursor->generation == horizon.generation &&
		 FullTransactionIdFollowsOrEquals(cursor->transaction_id, horizon.transaction_id));
}

/*
 * Whether an event is left before a cursor, that its reader may not have seen.
 * In a generation that has ended none came later, as long as something is left
 * of it after the cursor.
 */
static bool
may_pass_over(Relation rel, const DsCollection *events, const DsCursor *cursor, int64 newest)
{
	SnapshotData dirty;
	DsCursor	first;
	DsCursor	last;

	InitDirtySnapshot(dirty);
	if (!ds_place_find(rel, events->event.feed, &dirty, ForwardScanDirection, DS_ANY_GENERATION, 0, &first) ||
		ds_cursor_compare(&first, cursor) > 0)
		return false;
	return (ds_generation_is_of_this_cluster(cursor->generation) && cursor->generation >= newest) ||
		!ds_place_find(rel, events->event.feed, &dirty, BackwardScanDirection,
					   BTEqualStrategyNumber, cursor->generation, &last) ||
		ds_cursor_compare(&last, cursor) < 0;
}

/*
 * Whether a reader who goes on from a cursor, at whose place no event is, could
 * pass over events.  On a standby that is not known of what has not arrived.
 */
static bool
is_lost(const DsCollection *events, const DsCursor *cursor)
{
	Relation	rel = table_open(events->relid, NoLock);
	bool		is_standby = events->event.current_generation == 0;
	DsCursor	latest;
	bool		result;

	if (!is_standby)
		result = is_in_future(events, cursor) ||
			may_pass_over(rel, events, cursor, events->event.current_generation);
	else
		result = ds_place_find(rel, events->event.feed, SnapshotAny, BackwardScanDirection,
							   DS_ANY_GENERATION, 0, &latest) &&
			!can_arrive(events, cursor, &latest) &&
			may_pass_over(rel, events, cursor, latest.generation);
	table_close(rel, NoLock);
	return result;
}

static void
build_place(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT FROM ONLY %s AS e "
						 "WHERE e.log_position OPERATOR(pg_catalog.=) $1",
						 ds_name_of(log->events.relid));
	text->parameters = 1;
	text->types[0] = INT8OID;
}

/* Whether an event with a position is visible to the caller. */
static bool
has_position(const DsLog *log, int64 log_position)
{
	Datum		position = Int64GetDatum(log_position);
	uint64		rows = ds_plan_run(&log->events, (DsPlanKey) {.build = build_place}, log, DS_READ, &position, NULL);

	SPI_freetuptable(SPI_tuptable);
	return rows > 0;
}

/*
 * Whether readers with the active snapshot get, sooner or later, all that comes
 * up to a cursor: what they do not get by now they would miss if they went on
 * from there.  So its event must be there for them, and below the horizon of
 * that snapshot.  The cursor is good otherwise (ds_cursor_check()).
 */
bool
ds_cursor_is_reached(const DsLog *log, const DsCursor *cursor, const DsHorizon *horizon)
{
	if (ds_cursor_is_origin(cursor))
		return true;
	return (cursor->generation < horizon->generation ||
			(cursor->generation == horizon->generation &&
			 FullTransactionIdPrecedes(cursor->transaction_id, horizon->transaction_id))) &&
		ds_place_is_visible(&log->events, cursor);
}

/*
 * Check a cursor; what becomes of one that is not good is the caller's affair.
 * Of a cursor of this very server another event at its position tells nothing:
 * that may be what came in the place of one that was lost.  Callers are
 * connected to SPI.
 */
DsCursorState
ds_cursor_check(const DsLog *log, const DsCursor *cursor)
{
	bool		has_gone;

	ds_collection_look_again(&log->events);
	if (ds_cursor_is_origin(cursor) || ds_place_is_taken(&log->events, cursor))
		return DS_CURSOR_GOOD;
	has_gone = is_lost(&log->events, cursor);
	if (has_gone && ds_generation_is_of_this_cluster(cursor->generation))
		return DS_CURSOR_LOST;
	if (has_position(log, cursor->log_position))
		return DS_CURSOR_FOREIGN;
	return has_gone ? DS_CURSOR_LOST : DS_CURSOR_GOOD;
}

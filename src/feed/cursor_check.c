/*
 * cursor_check.c - whether a reader who goes on from a cursor misses nothing
 *
 * A cursor is good when its row is there.  When that is not, but another one
 * has its position, the cursor was written on another server.  Else the row is
 * gone.
 *
 * A server can lose the latest transactions: a standby that lagged is promoted,
 * a backup is recovered to a point in time, a snapshot of the disk is put back.
 * Who has read them has a cursor from a future that never was.  Transaction ids
 * are given again, and rows come that sort before that cursor; its reader
 * would never see them.
 *
 *	promotion, recovery to a point in time: new rows are of a new generation
 *		(generation.c), so they sort after all that was lost.  A cursor that lies
 *		beyond the last row that is left of its generation is refused.
 *	crash, with synchronous_commit = off: what readers get is flushed before
 *		(ds_feed_flush()), so it is not lost.
 *	a snapshot of the disk, a dump put back into its own cluster, a disk that
 *		lies: nothing tells that time has gone back.  A cursor that no transaction
 *		of this server can have written, or whose row is not there, is refused.
 *
 * Rows that their owner has deleted are not there either.  That is told from
 * a loss where it does no harm: a cursor is good as long as no row is left
 * that comes before it, as is so where the oldest were deleted.
 *
 * Where partitions were dropped that is not enough: they can have had rows that
 * their reader has not seen.  What they had is gone, and nobody was told.  But
 * the first partition that a table is made with has no beginning, so whether one
 * is missing can be seen (ranges.c).  Then a cursor is good only if its row is
 * there, and comes after all that was dropped.  A row comes after those that are
 * in the partitions before its own, since it has at least their transaction ids;
 * but for those that were under way when it was written.  So there is a
 * margin, of which a clock that is set back takes something, too.
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
#include "table/kind.h"
#include "table/plan.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* How much a row must be later than what was dropped. */
#define MARGIN USECS_PER_HOUR

/* Whether no transaction of this primary can have written at a place yet. */
static bool
is_in_future(const DsCollection *table, const DsCursor *cursor)
{
	return cursor->generation > table->feed.current_generation ||
		(cursor->generation == table->feed.current_generation &&
		 FullTransactionIdFollowsOrEquals(cursor->transaction_id, ReadNextFullTransactionId()));
}

/* Whether a row at a place may still arrive on this standby, which has come to latest. */
static bool
can_arrive(const DsCollection *table, const DsCursor *cursor, const DsCursor *latest)
{
	DsHorizon	horizon = ds_feed_find_horizon(table, GetActiveSnapshot());

	return ds_cursor_compare(cursor, latest) > 0 ||
		cursor->generation > horizon.generation ||
		(cursor->generation == horizon.generation &&
		 FullTransactionIdFollowsOrEquals(cursor->transaction_id, horizon.transaction_id));
}

/*
 * Whether a row is left before a cursor, that its reader may not have seen.
 * In a generation that has ended none came later, as long as something is left
 * of it after the cursor.
 */
static bool
may_pass_over(Relation rel, const DsCollection *table, const DsCursor *cursor, int64 newest)
{
	SnapshotData dirty;
	DsCursor	first;
	DsCursor	last;

	if (table->feed.has_dropped)
		return true;
	InitDirtySnapshot(dirty);
	if (!ds_place_find(rel, table->feed.index, &dirty, ForwardScanDirection, DS_ANY_GENERATION, 0, &first) ||
		ds_cursor_compare(&first, cursor) > 0)
		return false;
	return (ds_generation_is_of_this_cluster(cursor->generation) && cursor->generation >= newest) ||
		!ds_place_find(rel, table->feed.index, &dirty, BackwardScanDirection,
					   BTEqualStrategyNumber, cursor->generation, &last) ||
		ds_cursor_compare(&last, cursor) < 0;
}

/*
 * Whether a reader who goes on from a cursor, at whose place no row is, could
 * pass over rows.  On a standby that is not known of what has not arrived.
 */
static bool
is_lost(const DsCollection *table, const DsCursor *cursor)
{
	Relation	rel = table_open(table->relid, NoLock);
	bool		is_standby = table->feed.current_generation == 0;
	DsCursor	latest;
	bool		result;

	if (!is_standby)
		result = is_in_future(table, cursor) ||
			may_pass_over(rel, table, cursor, table->feed.current_generation);
	else
		result = ds_place_find(rel, table->feed.index, SnapshotAny, BackwardScanDirection,
							   DS_ANY_GENERATION, 0, &latest) &&
			!can_arrive(table, cursor, &latest) &&
			may_pass_over(rel, table, cursor, latest.generation);
	table_close(rel, NoLock);
	return result;
}

static void
build_place(const void *context, DsStatementText *text)
{
	const DsCollection *table = context;

	text->sql = psprintf("SELECT FROM %s WHERE e.%s OPERATOR(pg_catalog.=) $1",
						 ds_statement_source(table, "e"), ds_kind_of(table)->position);
	text->parameters = 1;
	text->types[0] = INT8OID;
}

/* Whether a row with a position is visible to the caller. */
static bool
has_position(const DsCollection *table, int64 position)
{
	Datum		value = Int64GetDatum(position);
	uint64		rows = ds_plan_run(table, (DsPlanKey) {.build = build_place}, table, DS_READ, &value, NULL);

	SPI_freetuptable(SPI_tuptable);
	return rows > 0;
}

/*
 * Whether readers with the active snapshot get, sooner or later, all that comes
 * up to a cursor: what they do not get by now they would miss if they went on
 * from there.  So its row must be there for them, and below the horizon of
 * that snapshot.  The cursor is good otherwise (ds_cursor_check()).
 */
bool
ds_cursor_is_reached(const DsCollection *table, const DsCursor *cursor, const DsHorizon *horizon)
{
	if (ds_cursor_is_origin(cursor))
		return true;
	return (cursor->generation < horizon->generation ||
			(cursor->generation == horizon->generation &&
			 FullTransactionIdPrecedes(cursor->transaction_id, horizon->transaction_id))) &&
		ds_place_is_visible(table, cursor);
}

/* Whether a row of a time can come before others that were in partitions which are gone. */
static bool
may_precede_dropped(const DsCollection *table, TimestampTz time)
{
	return table->feed.has_dropped && !TIMESTAMP_NOT_FINITE(table->feed.kept_from) &&
		time < table->feed.kept_from + MARGIN;
}

/* The origin: all rows come after it, also those that were dropped. */
static DsCursorState
check_origin(const DsCollection *table)
{
	Relation	rel = table_open(table->relid, NoLock);
	DsCursor	first;
	bool		passes_over = table->feed.has_dropped &&
	ds_place_find(rel, table->feed.index, GetActiveSnapshot(), ForwardScanDirection, DS_ANY_GENERATION, 0, &first);

	table_close(rel, NoLock);
	return passes_over ? DS_CURSOR_DROPPED : DS_CURSOR_GOOD;
}

/*
 * Check a cursor; what becomes of one that is not good is the caller's affair.
 * Of a cursor of this very server another row at its position tells nothing:
 * that may be what came in the place of one that was lost.  Callers are
 * connected to SPI.
 */
DsCursorState
ds_cursor_check(const DsCollection *table, const DsCursor *cursor)
{
	bool		has_gone;
	TimestampTz time;

	ds_collection_look_again(table);
	if (ds_cursor_is_origin(cursor))
		return check_origin(table);
	if (ds_place_find_time(table, cursor, &time))
		return may_precede_dropped(table, time) ? DS_CURSOR_DROPPED : DS_CURSOR_GOOD;
	has_gone = is_lost(table, cursor);
	if (has_gone && ds_generation_is_of_this_cluster(cursor->generation))
		return table->feed.has_dropped ? DS_CURSOR_DROPPED : DS_CURSOR_LOST;
	if (has_position(table, cursor->position))
		return DS_CURSOR_FOREIGN;
	return has_gone ? DS_CURSOR_LOST : DS_CURSOR_GOOD;
}

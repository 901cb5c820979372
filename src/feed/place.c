/*
 * place.c - what is where in the order of a log's readers
 *
 * By the index on (generation, transaction_id, log_position), in a stream by
 * its key, below the executor, for snapshots of any kind and for no role in particular: what is
 * found here decides, and is never shown.  The caller has locked the table.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "feed/place.h"
#include "log/log.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* The columns of the index. */
enum
{
	GENERATION = 1,
	TRANSACTION_ID,
	LOG_POSITION
};

static void
read_place(TupleTableSlot *slot, const int16 *columns, DsCursor *place)
{
	bool		is_null;

	place->generation = DatumGetInt64(slot_getattr(slot, columns[GENERATION - 1], &is_null));
	place->transaction_id = DatumGetFullTransactionId(slot_getattr(slot, columns[TRANSACTION_ID - 1], &is_null));
	place->log_position = DatumGetInt64(slot_getattr(slot, columns[LOG_POSITION - 1], &is_null));
}

/* The first event that a scan finds; false when there is none. */
static bool
find_first(Relation events, Oid feed, Snapshot snapshot, ScanDirection direction, ScanKey keys, int count,
		   DsCursor *place)
{
	Relation	index = index_open(feed, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(events, NULL);
	IndexScanDesc scan = index_beginscan(events, index, snapshot, NULL, count, 0, 0);
	bool		found;

	index_rescan(scan, keys, count, NULL, 0);
	found = index_getnext_slot(scan, direction, slot);
	if (found)
		read_place(slot, index->rd_index->indkey.values, place);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/*
 * The first or last place that has an event, of all or of those whose
 * generation compares with one as a strategy says; false when there is none.
 */
bool
ds_place_find(Relation events, Oid feed, Snapshot snapshot, ScanDirection direction,
			  StrategyNumber strategy, int64 generation, DsCursor *place)
{
	ScanKeyData key;

	if (strategy == DS_ANY_GENERATION)
		return find_first(events, feed, snapshot, direction, NULL, 0, place);
	ScanKeyInit(&key, GENERATION, strategy, strategy == BTEqualStrategyNumber ? F_INT8EQ : F_INT8LT,
				Int64GetDatum(generation));
	return find_first(events, feed, snapshot, direction, &key, 1, place);
}

/* Whether an event that a snapshot shows is at a place. */
static bool
is_at(Relation events, Oid feed, Snapshot snapshot, const DsCursor *place)
{
	ScanKeyData keys[LOG_POSITION];
	DsCursor	found;

	ScanKeyInit(&keys[0], GENERATION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->generation));
	ScanKeyInit(&keys[1], TRANSACTION_ID, BTEqualStrategyNumber, F_XID8EQ,
				FullTransactionIdGetDatum(place->transaction_id));
	ScanKeyInit(&keys[2], LOG_POSITION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(place->log_position));
	return find_first(events, feed, snapshot, ForwardScanDirection, keys, LOG_POSITION, &found);
}

/* Whether an event is at a place that is visible to the active snapshot, for any role. */
bool
ds_place_is_visible(const DsCollection *events, const DsCursor *place)
{
	Relation	rel = table_open(events->relid, NoLock);
	bool		result = is_at(rel, events->event.feed, GetActiveSnapshot(), place);

	table_close(rel, NoLock);
	return result;
}

/*
 * Whether an event is at a place, for any role: one that is committed, may yet
 * be, or is visible to the active snapshot though it has been deleted since.
 */
bool
ds_place_is_taken(const DsCollection *events, const DsCursor *place)
{
	Relation	rel = table_open(events->relid, NoLock);
	SnapshotData dirty;
	bool		result;

	InitDirtySnapshot(dirty);
	result = is_at(rel, events->event.feed, &dirty, place) ||
		is_at(rel, events->event.feed, GetActiveSnapshot(), place);
	table_close(rel, NoLock);
	return result;
}

/* The events of one stream, as the active snapshot shows them. */
typedef struct Stream
{
	Relation	events;
	Relation	key;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	ScanKeyData keys[2];
	const AttrNumber *columns;
} Stream;

static void
begin_stream(Stream *stream, const DsCollection *events, Datum name)
{
	stream->events = table_open(events->relid, NoLock);
	stream->key = index_open(events->key, AccessShareLock);
	stream->slot = table_slot_create(stream->events, NULL);
	stream->scan = index_beginscan(stream->events, stream->key, GetActiveSnapshot(), NULL, 2, 0, 0);
	stream->columns = events->columns;
	ScanKeyEntryInitialize(&stream->keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   stream->key->rd_indcollation[0], F_TEXTEQ, name);
}

static void
end_stream(Stream *stream)
{
	index_endscan(stream->scan);
	ExecDropSingleTupleTableSlot(stream->slot);
	index_close(stream->key, NoLock);
	table_close(stream->events, NoLock);
}

/* The version of the last event of a stream up to one, 0 when there is none; and whether it comes before a place. */
static int64
find_version(Stream *stream, int64 up_to, const DsCursor *place, bool *is_before)
{
	DsCursor	found;
	bool		is_null;

	CHECK_FOR_INTERRUPTS();
	ScanKeyInit(&stream->keys[1], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(up_to));
	index_rescan(stream->scan, stream->keys, 2, NULL, 0);
	*is_before = true;
	if (!index_getnext_slot(stream->scan, BackwardScanDirection, stream->slot))
		return 0;
	found.generation = DatumGetInt64(slot_getattr(stream->slot, stream->columns[DS_GENERATION], &is_null));
	found.transaction_id = DatumGetFullTransactionId(slot_getattr(stream->slot, stream->columns[DS_TRANSACTION_ID], &is_null));
	found.log_position = DatumGetInt64(slot_getattr(stream->slot, stream->columns[DS_LOG_POSITION], &is_null));
	*is_before = ds_cursor_compare(&found, place) < 0;
	return DatumGetInt64(slot_getattr(stream->slot, stream->columns[DS_VERSION], &is_null));
}

/*
 * The version from which on the events of a stream are at a place or after it;
 * those of lower ones come before it, as the order of the feed respects each
 * stream.  It is looked for from the end, where readers are most of the time,
 * in steps that grow, and then between the last two.
 */
int64
ds_place_find_version(const DsCollection *events, Datum stream_name, const DsCursor *place)
{
	Stream		stream;
	bool		is_before;
	int64		before;			/* this version, and those below, come before the place */
	int64		result;

	begin_stream(&stream, events, stream_name);
	before = find_version(&stream, PG_INT64_MAX, place, &is_before);
	result = before + 1;
	for (int64 step = 1; !is_before; step *= 2)
	{
		result = before;
		before = result > step ? find_version(&stream, result - step, place, &is_before) : 0;
		is_before |= before == 0;
	}
	while (result - before > 1)
	{
		int64		middle = before + (result - before) / 2;
		int64		found = find_version(&stream, middle, place, &is_before);

		if (is_before)
			before = middle;
		else
			result = found;
	}
	end_stream(&stream);
	return result;
}

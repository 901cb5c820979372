/*
 * stream_order.c - the events of a stream in the order of readers
 *
 * That order respects each stream (feed.c).  So an event gets no transaction id
 * below that of the event before it, and a range of places is a range of
 * versions.  What is found here, by the key of the stream and below the
 * executor, decides, and is never shown.  The caller has locked the log.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/sdir.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "feed/cursor.h"
#include "log/log.h"
#include "miscadmin.h"
#include "stream/stream_order.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/*
 * The transaction id that an event gets which comes after that version of its
 * stream: the own one, or that of the event before it if that is higher.
 * Committed or not does not matter: too high an id only makes readers wait.
 *
 * This is for those who cannot ask the head, as head.c does: where logical
 * replication brings events, and where it has brought the head.
 */
FullTransactionId
ds_stream_follow(const DsCollection *events, Datum stream, int64 version)
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

		if (generation == events->feed.current_generation && FullTransactionIdPrecedes(result, before))
			result = before;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
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
	found.position = DatumGetInt64(slot_getattr(stream->slot, stream->columns[DS_LOG_POSITION], &is_null));
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
ds_stream_find_version(const DsCollection *events, Datum stream_name, const DsCursor *place)
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

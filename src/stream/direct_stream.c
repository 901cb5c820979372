/*
 * direct_stream.c - heads and events without the executor
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "miscadmin.h"
#include "stream/direct_stream.h"
#include "stream/store_events.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/*
 * Heads
 */

/* What is in the head that was found. */
void
ds_direct_read_head(DsDirect *direct, DsHead *head)
{
	const DsCollection *streams = direct->collection;

	head->revision = DatumGetInt64(ds_direct_value(direct, streams->revision));
	head->closed = !ds_direct_is_null(direct, streams->closed_at);
	head->generation = DatumGetInt64(ds_direct_value(direct, streams->generation));
	head->transaction_id = DatumGetUInt64(ds_direct_value(direct, streams->transaction_id));
}

static void
set_place(const DsHead *head, const DsCollection *streams, Datum *values, bool *nulls)
{
	ds_direct_set(values, nulls, streams->generation,
				  Int64GetDatum(head->log->events.current_generation));
	ds_direct_set(values, nulls, streams->transaction_id, UInt64GetDatum(head->new_transaction_id));
	if (head->closes)
		ds_direct_set(values, nulls, streams->closed_at, TimestampTzGetDatum(GetCurrentTimestamp()));
}

/* Update the head that was found, with new properties where it sets some. */
bool
ds_direct_update_head(DsDirect *direct, const DsHead *head, Datum properties)
{
	const DsCollection *streams = direct->collection;
	Datum	   *values = direct->found->tts_values;
	bool	   *nulls = direct->found->tts_isnull;

	slot_getallattrs(direct->found);
	ds_direct_set(values, nulls, streams->version, Int64GetDatum(head->item->actual + head->growth));
	ds_direct_set(values, nulls, streams->revision, Int64GetDatum(head->revision + 1));
	if (head->sets_properties)
		ds_direct_set(values, nulls, streams->data, properties);
	set_place(head, streams, values, nulls);
	ds_direct_form_changed(direct);
	return ds_direct_update(direct);
}

/* Insert the head of a new stream; false when its name is taken. */
bool
ds_direct_insert_head(DsDirect *direct, const DsHead *head, Datum properties)
{
	const DsCollection *streams = direct->collection;
	Datum	   *values = direct->formed->tts_values;
	bool	   *nulls = direct->formed->tts_isnull;

	ds_direct_begin_new(direct);
	ds_direct_set(values, nulls, streams->id, head->item->id);
	ds_direct_set(values, nulls, streams->version, Int64GetDatum(head->growth));
	ds_direct_set(values, nulls, streams->revision, Int64GetDatum(1));
	ds_direct_set(values, nulls, streams->data, head->sets_properties ? properties : ds_empty_object());
	ds_direct_set(values, nulls, streams->created_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	set_place(head, streams, values, nulls);
	ds_direct_form_new(direct);
	return ds_direct_insert(direct, head->item->id, 0) == DS_INSERTED;
}

/*
 * Events
 */

/* Begin to insert events into a log: everything is opened that is needed. */
void
ds_direct_begin_events(DsDirectEvents *rows, const DsLog *log)
{
	memset(rows, 0, sizeof(DsDirectEvents));
	ds_direct_begin(&rows->direct, &log->events);
	ds_direct_open_indexes(&rows->direct);
	rows->context = AllocSetContextCreate(CurrentMemoryContext, "docstore events", ALLOCSET_DEFAULT_SIZES);
}

/* Whether an event with an id of the item's is in its stream, as the active snapshot shows it. */
bool
ds_direct_has_event_ids(DsDirectEvents *rows, const DsItem *item)
{
	Relation	ids = index_open(item->log->events.ids, AccessShareLock);
	IndexScanDesc scan = index_beginscan(rows->direct.table, ids, GetActiveSnapshot(), NULL, 2, 0, 0);
	ScanKeyData keys[2];
	bool		found = false;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   ids->rd_indcollation[0], F_TEXTEQ, item->id);
	for (int e = 0; e < item->event_count && !found; e++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!item->events[e].has_id)
			continue;
		ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&item->events[e].id));
		index_rescan(scan, keys, 2, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, rows->direct.found);
	}
	index_endscan(scan);
	index_close(ids, NoLock);
	return found;
}

static void
put_row(DsDirectEvents *rows, const DsItem *item, const DsEvent *event)
{
	const DsCollection *events = &item->log->events;
	TupleTableSlot *slot;
	Datum		values[DS_EVENT_COLUMNS];
	bool		nulls[DS_EVENT_COLUMNS];
	MemoryContext caller = MemoryContextSwitchTo(rows->context);

	ds_event_form(item, event, values, nulls);
	MemoryContextSwitchTo(caller);

	if (rows->slots[rows->count] == NULL)
		rows->slots[rows->count] = table_slot_create(rows->direct.table, NULL);
	slot = rows->slots[rows->count++];
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, RelationGetDescr(rows->direct.table)->natts);
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
		if (!nulls[i])
			ds_direct_set(slot->tts_values, slot->tts_isnull, events->columns[i], values[i]);
	ExecStoreVirtualTuple(slot);
}

/* Write the rows so far to the table, then their index entries. */
void
ds_direct_write_events(DsDirectEvents *rows)
{
	if (rows->count == 1)
		table_tuple_insert(rows->direct.table, rows->slots[0], rows->direct.command, 0, NULL);
	else if (rows->count > 1)
		table_multi_insert(rows->direct.table, rows->slots, rows->count, rows->direct.command, 0, NULL);
	for (int i = 0; i < rows->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ds_direct_insert_entries_of(&rows->direct, rows->slots[i]);
		ExecClearTuple(rows->slots[i]);
	}
	rows->count = 0;
	MemoryContextReset(rows->context);
}

/* Insert the events of an item. */
void
ds_direct_insert_events(DsDirectEvents *rows, const DsItem *item)
{
	for (int e = 0; e < item->event_count; e++)
	{
		put_row(rows, item, &item->events[e]);
		if (rows->count == DS_DIRECT_EVENTS)
			ds_direct_write_events(rows);
	}
}

/* Insert those that are left, and close. */
void
ds_direct_end_events(DsDirectEvents *rows)
{
	ds_direct_write_events(rows);
	for (int i = 0; i < DS_DIRECT_EVENTS && rows->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(rows->slots[i]);
	MemoryContextDelete(rows->context);
	ds_direct_end(&rows->direct);
}

/*
 * event_rows.c - the rows of events without the executor
 */
#include "postgres.h"

#include "access/tableam.h"
#include "base/compat.h"
#include "miscadmin.h"
#include "stream/event_rows.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* The indexes of ids and of tags have only events that have some. */
static void
find_unused(DsEventRows *rows, const DsLog *log, List *appends)
{
	ListCell   *cell;

	rows->unused[0] = log->events.event.ids;
	rows->unused[1] = log->events.event.tags;
	foreach(cell, appends)
	{
		const DsAppend *append = lfirst(cell);

		for (int i = 0; i < append->count; i++)
		{
			if (append->events[i].has_id)
				rows->unused[0] = InvalidOid;
			if (append->events[i].tag_count > 0)
				rows->unused[1] = InvalidOid;
		}
	}
	rows->direct.unused = rows->unused;
}

/* Begin to insert the events of appends into a log: everything is opened that is needed. */
void
ds_event_rows_begin(DsEventRows *rows, const DsLog *log, List *appends)
{
	memset(rows, 0, sizeof(DsEventRows));
	ds_direct_begin(&rows->direct, &log->events);
	find_unused(rows, log, appends);
	ds_direct_open_indexes(&rows->direct);
	rows->context = AllocSetContextCreate(CurrentMemoryContext, "docstore events", ALLOCSET_DEFAULT_SIZES);
}

/* Whether an event with an id of the append's is in its stream, as the active snapshot shows it. */
bool
ds_event_rows_have_ids(DsEventRows *rows, const DsAppend *append)
{
	Relation	ids = index_open(append->log->events.event.ids, AccessShareLock);
	IndexScanDesc scan = index_beginscan(rows->direct.table, ids, GetActiveSnapshot(), NULL, 2, 0, 0);
	ScanKeyData keys[2];
	bool		found = false;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   ids->rd_indcollation[0], F_TEXTEQ, append->stream);
	for (int e = 0; e < append->count && !found; e++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!append->events[e].has_id)
			continue;
		ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&append->events[e].id));
		index_rescan(scan, keys, 2, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, rows->direct.found);
	}
	index_endscan(scan);
	index_close(ids, NoLock);
	return found;
}

static void
put_row(DsEventRows *rows, const DsAppend *append, const DsEvent *event)
{
	const DsCollection *events = &append->log->events;
	TupleTableSlot *slot;
	Datum		values[DS_EVENT_COLUMNS];
	bool		nulls[DS_EVENT_COLUMNS];
	MemoryContext caller = MemoryContextSwitchTo(rows->context);

	ds_event_form(append, event, values, nulls);
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
ds_event_rows_write(DsEventRows *rows)
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

/* Insert the events of an append. */
void
ds_event_rows_add(DsEventRows *rows, const DsAppend *append)
{
	for (int e = 0; e < append->count; e++)
	{
		put_row(rows, append, &append->events[e]);
		if (rows->count == DS_EVENT_ROWS)
			ds_event_rows_write(rows);
	}
}

/* Insert those that are left, and close. */
void
ds_event_rows_end(DsEventRows *rows)
{
	ds_event_rows_write(rows);
	for (int i = 0; i < DS_EVENT_ROWS && rows->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(rows->slots[i]);
	MemoryContextDelete(rows->context);
	ds_direct_end(&rows->direct);
}

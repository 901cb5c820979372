/*
 * direct_items.c - the items of a batch without the executor
 *
 * The steps of a batch over documents or heads of one table, as the statements
 * of the same names do them, in the same order (attempt.c).
 */
#include "postgres.h"

#include "access/tableam.h"
#include "batch/direct_items.h"
#include "document/document_direct.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "stream/head_direct.h"
#include "utils/memutils.h"

/* Lock the rows that are there: DS_LOCK_MANY_FOR_UPSERT. */
void
ds_direct_lock_items(DsItem **items, int count)
{
	DsDirect	direct;

	ds_direct_begin(&direct, items[0]->collection);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!ds_direct_find(&direct, items[i]->id) || !ds_direct_lock_row(&direct, items[i]->id))
			continue;
		items[i]->present = true;
		items[i]->actual = ds_direct_version(&direct);
		items[i]->place = direct.found->tts_tid;
		if (items[i]->head != NULL)
			ds_head_direct_read(&direct, items[i]->head);
	}
	ds_direct_end(&direct);
}

/* Memory for what is stored, of one row after the other. */
static MemoryContext
begin_rows(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "docstore row", ALLOCSET_DEFAULT_SIZES);
}

/* What an item stores; nothing, for a head that keeps its properties. */
static Datum
stored_in(MemoryContext row, const DsItem *item, bool is_new)
{
	MemoryContext caller;
	Jsonb	   *stored;

	MemoryContextReset(row);
	if (item->data == NULL)
		return (Datum) 0;
	caller = MemoryContextSwitchTo(row);
	stored = ds_batch_stored(item, is_new);
	MemoryContextSwitchTo(caller);
	return JsonbPGetDatum(stored);
}

/* Update rows that are locked, each at its place: DS_UPDATE_MANY. */
void
ds_direct_update_items(DsItem **items, int count)
{
	MemoryContext row = begin_rows();
	DsDirect	direct;

	ds_direct_begin(&direct, items[0]->collection);
	CheckCmdReplicaIdentity(direct.table, CMD_UPDATE);
	for (int i = 0; i < count; i++)
	{
		DsItem	   *item = items[i];
		Datum		data = stored_in(row, item, false);
		int64		version = item->actual + (item->head == NULL ? 1 : item->head->growth);

		CHECK_FOR_INTERRUPTS();
		if (!ds_direct_fetch(&direct, &item->place, item->id))
			continue;
		item->written = item->head == NULL
			? ds_document_direct_update(&direct, data, version)
			: ds_head_direct_update(&direct, item->head, data);
		item->version = version;
	}
	ds_direct_end(&direct);
	MemoryContextDelete(row);
}

/*
 * Insert rows whose ids are not taken: DS_INSERT_MANY, each document right
 * above the floor.  Most often none is taken, so ids are looked up only after
 * the first that was.
 */
void
ds_direct_insert_items(DsItem **items, int count)
{
	MemoryContext row = begin_rows();
	DsDirect	direct;

	ds_direct_begin(&direct, items[0]->collection);
	for (int i = 0; i < count; i++)
	{
		DsItem	   *item = items[i];
		Datum		data = stored_in(row, item, true);

		CHECK_FOR_INTERRUPTS();
		if (item->head == NULL)
			item->written = ds_document_direct_insert(&direct, item->id, data, &item->version);
		else
		{
			item->written = ds_head_direct_insert(&direct, item->head, data);
			item->version = item->head->growth;
		}
	}
	ds_direct_end(&direct);
	MemoryContextDelete(row);
}

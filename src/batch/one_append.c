/*
 * one_append.c - a batch of one append, without the executor
 *
 * The append that most calls are: to one stream, or to none, without scopes.  It is done
 * here only where it succeeds at once; anything that needs a second look, and
 * every conflict, is left to attempt.c, with nothing written.
 *
 * Event ids are looked for in the snapshot that has shown the head.  They are
 * there for good if that head can be updated: nobody has appended since.
 *
 * From the moment that the head is held until the transaction ends, all other
 * appends to the stream wait.  So everything is opened and locked before that,
 * and what is left is: one look into the key of the heads, the new version of
 * the head, positions, and the events with their index entries.
 */
#include "postgres.h"

#include "batch/compare.h"
#include "batch/heads.h"
#include "batch/log_items.h"
#include "batch/one_append.h"
#include "executor/executor.h"
#include "stream/event_rows.h"
#include "stream/head_direct.h"
#include "table/engine.h"

/* Whether a batch is one append that can be done here. */
static bool
is_simple(const DsBatch *batch)
{
	const DsItem *item = &batch->items[0];

	return batch->count == 1 && batch->target_count == 1 && item->op == DS_APPEND_ITEM &&
		item->scope_count == 0 &&
		(OidIsValid(item->log->events.event.ids) || !ds_append_has_ids(&item->append)) &&
		ds_engine_updates(&item->log->streams) && ds_engine_inserts(&item->log->streams) &&
		ds_engine_inserts(&item->log->events);
}

/* Compare what was found of the head; false when the append would not succeed. */
static bool
compare(DsDirect *direct, DsItem *item)
{
	DsTarget   *target = item->target;

	if (target->present)
	{
		target->actual = ds_direct_version(direct);
		ds_head_direct_read(direct, target->head);
	}
	item->append.repeats = false;
	ds_item_compare(item);
	return item->reason == DS_NO_REASON;
}

/* Write a new version of the head that was found; false when it is not the latest. */
static bool
update_head(DsDirect *direct, DsBatch *batch)
{
	DsTarget   *target = batch->targets[0];

	if (!compare(direct, &batch->items[0]))
		return false;
	CheckCmdReplicaIdentity(direct->table, CMD_UPDATE);
	ds_heads_prepare(batch);
	return ds_head_direct_update(direct, target->head, (Datum) 0, target->actual + target->head->growth);
}

/*
 * Write the head that was found.  Most often nobody else has it; otherwise
 * this waits for them, and locks what they have left, but not where they may
 * have left events with the same ids.
 */
static bool
write_present(DsDirect *direct, DsBatch *batch, DsEventRows *events)
{
	DsItem	   *item = &batch->items[0];
	bool		has_ids = ds_append_has_ids(&item->append);

	if (has_ids && ds_event_rows_have_ids(events, &item->append))
		return false;
	return update_head(direct, batch) ||
		(!has_ids && item->reason == DS_NO_REASON && ds_direct_lock_row(direct, item->id) &&
		 update_head(direct, batch));
}

/* Write the head, or make it. */
static bool
write_head(DsDirect *direct, DsBatch *batch, DsEventRows *events)
{
	DsItem	   *item = &batch->items[0];

	item->target->present = ds_direct_find(direct, item->id);
	if (item->target->present)
		return write_present(direct, batch, events);

	if (!compare(direct, item))
		return false;
	ds_heads_prepare(batch);
	ds_log_items_lock_absence(batch);
	return ds_head_direct_insert(direct, item->target->head, item->id, (Datum) 0);
}

/* The same of events without a stream, which nothing is in the way of. */
static bool
is_simple_without_stream(const DsBatch *batch)
{
	const DsItem *item = &batch->items[0];

	return batch->count == 1 && item->op == DS_APPEND_TO_LOG_ITEM && item->scope_count == 0 &&
		ds_engine_inserts(&item->log->events);
}

static void
append_without_stream(DsBatch *batch)
{
	DsItem	   *item = &batch->items[0];
	DsEventRows *events = palloc(sizeof(DsEventRows));

	ds_log_items_lock(batch);
	ds_event_rows_begin(events, item->log, list_make1(&item->append));
	ds_log_item_take_positions(item);
	ds_event_rows_add(events, &item->append);
	ds_event_rows_end(events);
	pfree(events);
}

/*
 * Append, if the batch is one append that succeeds at once; false when it is
 * left to others.
 */
bool
ds_one_append_write(DsBatch *batch)
{
	DsItem	   *item = &batch->items[0];
	DsEventRows *events;
	DsDirect	streams;
	bool		written;

	if (is_simple_without_stream(batch))
	{
		append_without_stream(batch);
		return true;
	}
	if (!is_simple(batch))
		return false;

	events = palloc(sizeof(DsEventRows));
	ds_log_items_lock(batch);
	ds_event_rows_begin(events, item->log, list_make1(&item->append));
	ds_direct_begin(&streams, &item->log->streams);
	written = write_head(&streams, batch, events);
	if (written)
	{
		ds_log_item_take_positions(item);
		ds_event_rows_add(events, &item->append);
		ds_event_rows_write(events);
	}
	ds_direct_end(&streams);
	ds_event_rows_end(events);
	pfree(events);
	return written;
}

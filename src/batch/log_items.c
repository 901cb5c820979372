/*
 * log_items.c - what the items of logs lock, look at and store besides heads
 *
 * The rooms of streams and scopes know one append, and the scopes of one item.
 * Here they are asked for all items of a batch.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "base/errors.h"
#include "batch/log_items.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "scope/scope_check.h"
#include "scope/scope_lock.h"
#include "stream/event_id.h"
#include "stream/store_events.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"

/*
 * Locks
 */

/* Look at the scopes of a batch before anything is locked, where that may take long. */
void
ds_log_items_look_ahead(const DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		ds_scopes_look_ahead(item->log, item->scopes, item->scope_count);
	}
}

/* Take what the appends and scopes of a batch need besides rows. */
void
ds_log_items_lock(const DsBatch *batch)
{
	DsScopeLocks locks = {0};

	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		if (item->log == NULL)
			continue;
		ds_scope_locks_require_privilege(item->log);
		if (item->append.count > 0)
			ds_scope_locks_add_append(&locks, &item->append);
		ds_scope_locks_add_scopes(&locks, item->log, item->scopes, item->scope_count);
	}
	ds_scope_locks_take(&locks);
}

/*
 * Take the locks on the streams of a batch that are not there, after those
 * that are there were locked.
 */
void
ds_log_items_lock_absence(const DsBatch *batch)
{
	DsScopeLocks locks = {0};
	ListCell   *cell;

	foreach(cell, batch->heads)
	{
		const DsTarget *target = lfirst(cell);
		DsHead	   *head = target->head;

		CHECK_FOR_INTERRUPTS();
		head->holds_absence = !target->present;
		if (head->holds_absence)
			ds_scope_locks_add_absence(&locks, head->log, target->id, head->may_create);
	}
	ds_scope_locks_take(&locks);
}

/*
 * Give back the lock on the absence of a batch's only stream, which turned out
 * to be there: it is locked next, and rows come before absence.  Batches with
 * more to lock are taken back as a whole (batch.c).
 */
void
ds_log_items_unlock_absence(const DsBatch *batch)
{
	const DsTarget *target = batch->heads == NIL ? NULL : linitial(batch->heads);

	if (batch->target_count != 1 || target == NULL || !target->head->holds_absence)
		return;
	ds_scope_lock_release_absence(target->head->log, target->id, target->head->may_create);
	target->head->holds_absence = false;
}

/*
 * What is committed
 */

/* An id in a stream, and the item that has it. */
typedef struct Given
{
	struct
	{
		const DsTarget *stream;
		pg_uuid_t	id;
	}			key;			/* hash key: must be first */
	int			item;
} Given;

pg_noreturn static void
refuse_twice(const Given *first, const DsItem *second)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("items %d and %d append the same event_id %s to stream \"%s\"",
					first->item, second->number,
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&first->key.id))),
					TextDatumGetCString(second->id)),
			 errhint("Give each event an id of its own, or none.")));
}

/* No two items append the same id to one stream; within an item, see event.c. */
void
ds_log_items_require_distinct(const DsBatch *batch)
{
	HASHCTL		control = {.keysize = sizeof(((Given *) NULL)->key), .entrysize = sizeof(Given),
	.hcxt = CurrentMemoryContext};
	HTAB	   *ids;

	if (batch->count == 1)
		return;
	ids = hash_create("docstore given ids", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		for (int e = 0; e < item->append.count; e++)
		{
			Given		given = {.key = {.stream = item->target, .id = item->append.events[e].id}};
			Given	   *entry;
			bool		found;

			CHECK_FOR_INTERRUPTS();
			if (!item->append.events[e].has_id)
				continue;
			entry = hash_search(ids, &given.key, HASH_ENTER, &found);
			if (found)
				refuse_twice(entry, item);
			entry->item = item->number;
		}
	}
	hash_destroy(ids);
}

/*
 * Look at what events that are committed say of the batch: which of its own are
 * stored already, and which scopes hold.  An append whose events are stored
 * already asks for nothing any more.  All rows are locked.
 */
void
ds_log_items_look(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		item->append.repeats = false;
		if (item->op == DS_APPEND_ITEM && item->target->present)
			ds_event_ids_find(&item->append);
	}
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		if (item->append.repeats)
			ds_scopes_forget(item->scopes, item->scope_count);
		else
			ds_scopes_check(item->log, item->scopes, item->scope_count);
	}
}

/*
 * Events
 */

/* Whether an item has events to store. */
static bool
is_due(const DsItem *item)
{
	return item->append.count > 0 && !item->append.repeats;
}

/* Take the positions of an item's events, which have got their versions. */
void
ds_log_item_take_positions(DsItem *item)
{
	DsHead	   *head = item->target == NULL ? NULL : item->target->head;

	item->append.transaction_id = head != NULL ? head->new_transaction_id
		: U64FromFullTransactionId(GetTopFullTransactionId());
	ds_events_take_positions(&item->append);
	if (head != NULL)
		head->is_placed = true;
}

/* Store the new events of one log, all of which take their positions first. */
static void
store(DsBatch *batch, const DsLog *log)
{
	List	   *appends = NIL;

	ds_collection_look_again(&log->events);
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		if (!is_due(item) || item->log != log)
			continue;
		ds_log_item_take_positions(item);
		appends = lappend(appends, &item->append);
	}
	ds_events_store(log, appends);
	list_free(appends);
}

/* Store the new events of a batch.  Its heads are locked and written. */
void
ds_log_items_store(DsBatch *batch)
{
	List	   *stored = NIL;

	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		if (!is_due(item) || list_member_ptr(stored, item->log))
			continue;
		store(batch, item->log);
		stored = lappend(stored, unconstify(DsLog *, item->log));
	}
	list_free(stored);
}

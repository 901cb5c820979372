/*
 * heads.c - the heads of streams that a batch is about
 *
 * Heads go through the steps of attempt.c together with documents, in the same
 * order and by the same code.  What they have besides is here: how they are
 * written when all items hold, and calls within calls.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/heads.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* The order of batch->heads: by log, then by name. */
int
ds_heads_compare(const DsLog *log, Datum stream, const DsLog *other_log, Datum other)
{
	if (log->events.relid != other_log->events.relid)
		return log->events.relid < other_log->events.relid ? -1 : 1;
	return ds_id_compare(log->streams.id_type, stream, other);
}

/*
 * Calls within calls
 */

/* The head that a batch has of the same stream, or NULL. */
static const DsHead *
find_head(const DsBatch *batch, const DsTarget *target)
{
	int			low = 0;
	int			high = list_length(batch->heads);

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const DsTarget *other = list_nth(batch->heads, middle);
		int			order = ds_heads_compare(other->head->log, other->id, target->head->log, target->id);

		if (order == 0)
			return other->head;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/*
 * Refuse to append to a stream whose events of a call further out have got
 * their versions, but not yet their positions: 27000.  Those of later versions
 * would come first.
 */
void
ds_heads_refuse_nested(const DsBatch *batch)
{
	ListCell   *cell;

	for (const DsBatch *outer = batch->outer; outer != NULL; outer = outer->outer)
		foreach(cell, batch->heads)
		{
			const DsTarget *target = lfirst(cell);
			const DsHead *other = target->head->appends ? find_head(outer, target) : NULL;

			if (other != NULL && other->growth > 0 && !other->is_placed)
				ereport(ERROR,
						(errcode(DS_ERRCODE_TRIGGER),
						 errmsg("a trigger or function of a call appends to stream \"%s\" of log \"%s\", to which the call itself appends",
								TextDatumGetCString(target->id), ds_name_of(target->head->log->events.relid)),
						 errhint("Append to another stream, or in an AFTER trigger, which runs when the call has written everything.")));
		}
}

/*
 * How heads are written
 */

/* The growth of each head, and the version of each event that is new. */
static void
give_versions(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];
		const DsTarget *target = item->target;
		int64		version;

		CHECK_FOR_INTERRUPTS();
		if (item->op != DS_APPEND_ITEM || item->append.repeats)
			continue;
		version = target->present ? target->actual : 0;
		if (version > PG_INT64_MAX - target->head->growth - item->append.count)
			ds_head_refuse_growth(target->head, target->id);
		for (int e = 0; e < item->append.count; e++)
			item->append.events[e].version = version + ++target->head->growth;
	}
}

static void
prepare(const DsTarget *target)
{
	DsHead	   *head = target->head;
	bool		creates = !target->present && head->may_create;

	head->is_placed = false;
	head->is_due = head->growth > 0 || creates ||
		(target->present && (head->sets_properties || head->closes));
	if (!head->is_due)
		return;
	if (target->present && head->revision == PG_INT64_MAX)
		ds_head_refuse_growth(head, target->id);
	head->new_transaction_id = ds_head_next_transaction_id(head, target->id, target->present, target->actual);
}

/*
 * All expectations hold: decide how each head is written.  A call whose events
 * are stored already writes nothing.
 */
void
ds_heads_prepare(DsBatch *batch)
{
	ListCell   *cell;

	foreach(cell, batch->heads)
		((DsTarget *) lfirst(cell))->head->growth = 0;
	give_versions(batch);
	foreach(cell, batch->heads)
		prepare(lfirst(cell));
}

/*
 * gather.c - which rows the items of a batch are about
 *
 * A document has one item; that it has no second one is seen when targets are
 * sorted (order.c).  Many items can be about one stream, and so can the sources
 * of scopes.  Here they are brought together: one head for each stream, locked
 * as the strongest of them needs, compared with each of them as it was before
 * the call, and written once.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/gather.h"
#include "batch/heads.h"
#include "batch/log_items.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/*
 * Documents
 */

static DsChange
change_of(DsOp op)
{
	switch (op)
	{
		case DS_UPSERT_ITEM:
		case DS_PUT_ITEM:
		case DS_MERGE_ITEM:
			return DS_CHANGE_STORE;
		case DS_PATCH_ITEM:
			return DS_CHANGE_PATCH;
		case DS_DELETE_ITEM:
			return DS_CHANGE_DELETE;
		default:
			return DS_CHANGE_NONE;
	}
}

static void
set_document(DsTarget *target, const DsItem *item)
{
	target->collection = item->collection;
	target->id = item->id;
	target->item = item->number;
	target->change = change_of(item->op);
	target->expected = item->condition == NULL ? item->expected
		: ds_expectation_with_condition(item->expected, item->number);
	target->condition = item->condition;
	target->condition_length = item->condition_length;
	target->merge = item->merge;
	target->data = item->data;
	target->data_length = item->data_length;
	target->has_metadata = item->op == DS_PUT_ITEM;
}

/* Make the targets that are documents, of which there are so many. */
static void
add_documents(DsBatch *batch, int count)
{
	DsTarget   *documents = palloc_extended(mul_size(count, sizeof(DsTarget)),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		if (item->log != NULL)
			continue;
		item->target = documents++;
		set_document(item->target, item);
		batch->targets[batch->target_count++] = item->target;
	}
}

/*
 * Streams
 */

/* One mention of a stream, by an item that is about it or has a scope with that source. */
typedef struct Mention
{
	const DsLog *log;
	Datum		stream;
	DsItem	   *item;
	bool		is_source;
} Mention;

static int
compare_mentions(const Mention *a, const Mention *b)
{
	return ds_heads_compare(a->log, a->stream, b->log, b->stream);
}

/* In the order of the items as well. */
static int
order_mentions(const void *left, const void *right)
{
	int			order = compare_mentions(left, right);

	CHECK_FOR_INTERRUPTS();
	return order != 0 ? order : ((const Mention *) left)->item->number - ((const Mention *) right)->item->number;
}

static int
count_mentions(const DsBatch *batch)
{
	int			count = 0;

	for (int i = 0; i < batch->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (batch->items[i].log != NULL)
			count += 1 + batch->items[i].scope_count;
	}
	return count;
}

/* Note all mentions of streams; returns how many there are. */
static int
list_mentions(DsBatch *batch, Mention *mentions)
{
	int			count = 0;

	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		if (item->log == NULL)
			continue;
		if (item->id != (Datum) 0)
			mentions[count++] = (Mention) {item->log, item->id, item, false};
		for (int s = 0; s < item->scope_count; s++)
		{
			const DsScope *scope = &item->scopes[s];

			if (scope->source_filter == DS_EQUAL)
				mentions[count++] = (Mention) {
					item->log,
					PointerGetDatum(cstring_to_text_with_len(scope->source.start, scope->source.length)),
					item, true
				};
		}
	}
	return count;
}

pg_noreturn static void
refuse_twice(const DsItem *item, int other)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("items %d and %d both have op \"%s\" for stream \"%s\" of log \"%s\"",
					other, item->number, ds_op_name(item->op), TextDatumGetCString(item->id),
					ds_name_of(item->log->events.relid)),
			 errhint("Merge them into one item. Only appends and asserts may name the same stream more than once in a batch.")));
}

/* What an item wants of its stream's head; once has the items with ops that it can have once only. */
static void
add_wish(DsTarget *target, const DsItem *item, int *once)
{
	DsHead	   *head = target->head;

	ds_id_require_short_stream(item->id, head->log->streams.relid, head->log->streams.id, item->number);
	if (item->op != DS_APPEND_ITEM && item->op != DS_ASSERT_ITEM)
	{
		if (once[item->op] != 0)
			refuse_twice(item, once[item->op]);
		once[item->op] = item->number;
	}
	if (item->op != DS_ASSERT_ITEM)
		target->change = DS_CHANGE_STORE;
	head->may_create |= item->op == DS_APPEND_ITEM || item->op == DS_CREATE_STREAM_ITEM;
	head->must_be_there |= item->expected > 0 || item->expected_revision > 0;
	head->appends |= item->op == DS_APPEND_ITEM;
	head->closes |= item->op == DS_CLOSE_STREAM_ITEM;
	if (item->data != NULL)
	{
		head->sets_properties = true;
		target->data = item->data;
		target->data_length = item->data_length;
	}
}

static DsTarget *
make_head(const Mention *mention)
{
	DsTarget   *target = palloc0(sizeof(DsTarget));

	target->collection = &mention->log->streams;
	target->id = mention->stream;
	target->item = mention->item->number;
	target->expected = DS_ANY_VERSION;
	target->head = palloc0(sizeof(DsHead));
	target->head->log = mention->log;
	return target;
}

/* Make the heads, one for each stream that is mentioned. */
static void
make_heads(DsBatch *batch, Mention *mentions, int count)
{
	DsTarget   *target = NULL;
	int			once[DS_OPS];

	qsort(mentions, count, sizeof(Mention), order_mentions);
	for (int i = 0; i < count; i++)
	{
		Mention    *mention = &mentions[i];

		CHECK_FOR_INTERRUPTS();
		if (i == 0 || compare_mentions(&mentions[i - 1], mention) != 0)
		{
			target = make_head(mention);
			batch->heads = lappend(batch->heads, target);
			memset(once, 0, sizeof(once));
		}
		if (mention->is_source)
			continue;
		add_wish(target, mention->item, once);
		mention->item->target = target;
	}
}

static void
add_heads(DsBatch *batch)
{
	ListCell   *cell;

	foreach(cell, batch->heads)
		batch->targets[batch->target_count++] = lfirst(cell);
}

/*
 * Make the targets of a batch whose items are read.  Raises 22023 when items
 * for one stream do not go together, and 54000 for a name that is too long.
 */
void
ds_targets_gather(DsBatch *batch)
{
	int			mentioned = count_mentions(batch);
	int			documents = 0;

	for (int i = 0; i < batch->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		documents += batch->items[i].log == NULL;
	}
	if (mentioned > 0)
	{
		Mention    *mentions = palloc_extended(mul_size(mentioned, sizeof(Mention)), MCXT_ALLOC_HUGE);

		make_heads(batch, mentions, list_mentions(batch, mentions));
		pfree(mentions);
		ds_log_items_require_distinct(batch);
	}

	batch->targets = palloc_extended(mul_size(documents + list_length(batch->heads), sizeof(DsTarget *)),
									 MCXT_ALLOC_HUGE);
	add_documents(batch, documents);
	add_heads(batch);
}

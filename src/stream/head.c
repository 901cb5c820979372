/*
 * head.c - the heads of streams that a batch is about
 *
 * Each stream has one row, its head, in which its version is the number of its
 * events.  Whoever appends to the stream, or checks something about it, locks
 * that row first, so it is to the stream what a document's row is to the
 * document: heads go through the steps of attempt.c together with documents,
 * in the same order and by the same code.
 *
 * Many items can be about one stream, and so can the sources of scopes.  Here
 * they are brought together: one head for each stream, locked as the strongest
 * of them needs, compared with each of them as it was before the call, and
 * written once.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "feed/feed.h"
#include "miscadmin.h"
#include "stream/head.h"
#include "utils/builtins.h"

/* One mention of a stream, and where its head is noted. */
typedef struct Mention
{
	const DsLog *log;
	Datum		stream;
	DsItem	   *item;			/* that is about the stream; a scope's only looks at it */
	DsHead	  **head;
	bool		is_source;
} Mention;

/*
 * Which streams there are
 */

/* By log, then by name. */
static int
compare_streams(const DsLog *log, Datum stream, const DsLog *other_log, Datum other)
{
	if (log->events.relid != other_log->events.relid)
		return log->events.relid < other_log->events.relid ? -1 : 1;
	return ds_id_compare(log->streams.id_type, stream, other);
}

static int
compare_mentions(const Mention *a, const Mention *b)
{
	return compare_streams(a->log, a->stream, b->log, b->stream);
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
		if (batch->items[i].log != NULL)
			count += 1 + batch->items[i].scope_count;
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
			mentions[count++] = (Mention) {item->log, item->id, item, &item->head, false};

		item->sources = palloc0(sizeof(DsHead *) * Max(item->scope_count, 1));
		for (int s = 0; s < item->scope_count; s++)
		{
			const DsScope *scope = &item->scopes[s];

			if (scope->source_filter == DS_EQUAL)
				mentions[count++] = (Mention) {
					item->log,
					PointerGetDatum(cstring_to_text_with_len(scope->source.start, scope->source.length)),
					item, &item->sources[s], true
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
					ds_collection_name(item->log->events.relid)),
			 errhint("Merge them into one item; only appends and asserts of a stream can be many in a batch.")));
}

/* What an item wants of its stream's head. */
static void
add_wish(DsHead *head, const DsItem *item)
{
	ds_id_require_short_stream(item->id, head->log->streams.relid, head->log->streams.id, item->number);
	if (item->op != DS_APPEND_ITEM && item->op != DS_ASSERT_ITEM)
	{
		if (head->once[item->op] != 0)
			refuse_twice(item, head->once[item->op]);
		head->once[item->op] = item->number;
	}
	if (item->op != DS_ASSERT_ITEM)
		head->item->op = DS_WRITE_HEAD;
	head->may_create |= item->op == DS_APPEND_ITEM || item->op == DS_CREATE_STREAM_ITEM;
	head->appends |= item->op == DS_APPEND_ITEM;
	head->closes |= item->op == DS_CLOSE_STREAM_ITEM;
	if (item->data != NULL)
	{
		head->sets_properties = true;
		head->item->data = item->data;
		head->item->data_length = item->data_length;
	}
}

static DsHead *
make_head(const Mention *mention)
{
	DsHead	   *head = palloc0(sizeof(DsHead));

	head->log = mention->log;
	head->item = palloc0(sizeof(DsItem));
	head->item->number = mention->item->number;
	head->item->op = DS_HOLD_HEAD;
	head->item->collection = &mention->log->streams;
	head->item->id = mention->stream;
	head->item->expected = DS_ANY_VERSION;
	head->item->expected_revision = DS_ANY_VERSION;
	head->item->head = head;
	return head;
}

/* Make the heads, one for each stream that is mentioned. */
static void
make_heads(DsBatch *batch)
{
	Mention    *mentions = palloc_extended(mul_size(count_mentions(batch), sizeof(Mention)), MCXT_ALLOC_HUGE);
	int			count = list_mentions(batch, mentions);
	DsHead	   *head = NULL;

	qsort(mentions, count, sizeof(Mention), order_mentions);
	for (int i = 0; i < count; i++)
	{
		Mention    *mention = &mentions[i];

		CHECK_FOR_INTERRUPTS();
		if (i == 0 || compare_mentions(&mentions[i - 1], mention) != 0)
		{
			head = make_head(mention);
			batch->heads = lappend(batch->heads, head);
		}
		head->item->number = Min(head->item->number, mention->item->number);
		if (!mention->is_source)
			add_wish(head, mention->item);
		*mention->head = head;
	}
	pfree(mentions);
}

/*
 * Make the heads of a batch whose items are read, and let them take the place
 * of the items of logs among what is locked.
 */
void
ds_heads_gather(DsBatch *batch)
{
	ListCell   *cell;

	if (count_mentions(batch) == 0)
		return;
	make_heads(batch);

	batch->order = palloc_extended(mul_size(batch->count + list_length(batch->heads), sizeof(DsItem *)),
								   MCXT_ALLOC_HUGE);
	batch->targets = 0;
	for (int i = 0; i < batch->count; i++)
		if (batch->items[i].log == NULL)
			batch->order[batch->targets++] = &batch->items[i];
	foreach(cell, batch->heads)
		batch->order[batch->targets++] = ((DsHead *) lfirst(cell))->item;
}

/*
 * Calls within calls
 */

/* The head that a batch has of the same stream, or NULL. */
static const DsHead *
find_head(const DsBatch *batch, const DsHead *head)
{
	int			low = 0;
	int			high = list_length(batch->heads);

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const DsHead *other = list_nth(batch->heads, middle);
		int			order = compare_streams(other->log, other->item->id, head->log, head->item->id);

		if (order == 0)
			return other;
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
			const DsHead *head = lfirst(cell);
			const DsHead *other = head->appends ? find_head(outer, head) : NULL;

			if (other != NULL && other->growth > 0 && !other->is_placed)
				ereport(ERROR,
						(errcode(DS_ERRCODE_TRIGGER),
						 errmsg("a trigger or function of a call appends to stream \"%s\" of log \"%s\", to which the call itself appends",
								TextDatumGetCString(head->item->id), ds_collection_name(head->log->events.relid)),
						 errhint("Append in an AFTER trigger, which runs when the call has written everything, or to another stream.")));
		}
}

/*
 * What items expect
 */

/* A stream that was made empty has no events yet: "none" holds as well. */
static DsReason
compare_version(int64 expected, const DsItem *head)
{
	if (expected == DS_NO_VERSION && head->present && head->actual == 0)
		return DS_HOLDS;
	return ds_expectation_compare(expected, head->present, head->actual);
}

/* Compare the versions, then the revisions where one was asked for. */
static void
compare_stream(DsItem *item, const DsHead *head)
{
	item->failed = item->expected;
	item->reason = compare_version(item->expected, head->item);
	if (item->reason != DS_HOLDS || item->expected_revision == DS_ANY_VERSION)
		return;

	item->failed = item->expected_revision;
	item->actual = head->revision;
	item->reason = ds_expectation_compare(item->expected_revision, head->item->present, head->revision);
}

static DsReason
check_closing(const DsItem *item, const DsHead *head)
{
	if (!head->item->present)
		return item->expected == DS_ANY_VERSION ? DS_HOLDS : DS_MISSING;
	return compare_version(item->expected, head->item);
}

/*
 * Compare an item of a log with the head of its stream, as it was found: the
 * item gets its reason, and what was found.
 */
void
ds_head_compare(DsItem *item)
{
	DsHead	   *head = item->head;

	item->reason = DS_HOLDS;
	item->failed = item->expected;
	if (head == NULL)
	{
		item->failed = item->scopes[0].expected;
		return;
	}
	item->present = head->item->present;
	item->actual = head->item->actual;

	switch (item->op)
	{
		case DS_CREATE_STREAM_ITEM:
			item->failed = DS_NO_VERSION;
			item->reason = ds_expectation_compare(DS_NO_VERSION, item->present, item->actual);
			break;
		case DS_SET_PROPERTIES_ITEM:
			item->failed = item->expected_revision;
			item->actual = head->revision;
			item->reason = item->present
				? ds_expectation_compare(item->expected_revision, true, head->revision)
				: DS_MISSING;
			break;
		case DS_APPEND_ITEM:
			if (item->append.repeats)
				break;
			compare_stream(item, head);
			if (head->closed && item->present)
				item->reason = DS_CLOSED;
			break;
		case DS_CLOSE_STREAM_ITEM:
			item->reason = head->closed && item->present ? DS_CLOSED : check_closing(item, head);
			break;
		default:
			compare_stream(item, head);
			break;
	}
	if (item->reason == DS_MISSING)
		head->item->reason = DS_MISSING;
}

/*
 * How heads are written
 */

/*
 * The transaction id that the events of a stream get: see feed.c.
 */
static uint64
next_transaction_id(const DsHead *head)
{
	uint64		own = U64FromFullTransactionId(GetTopFullTransactionId());

	if (!head->item->present)
		return own;
	if (head->generation == head->log->events.current_generation)
		return Max(own, head->transaction_id);
	/* The head was restored, or logical replication has brought it. */
	ds_collection_look_again(&head->log->events);
	return U64FromFullTransactionId(ds_feed_follow(&head->log->events, head->item->id, head->item->actual));
}

pg_noreturn static void
refuse_growth(const DsHead *head)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_OVERFLOW),
			 errmsg("stream \"%s\" of log \"%s\" is at the highest possible version or revision",
					TextDatumGetCString(head->item->id), ds_collection_name(head->log->events.relid)),
			 errhint("Close it, and go on in another stream.")));
}

/* The growth of each head, and the version of each event that is new. */
static void
give_versions(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];
		DsHead	   *head = item->head;
		int64		version;

		CHECK_FOR_INTERRUPTS();
		if (item->op != DS_APPEND_ITEM || item->append.repeats)
			continue;
		version = head->item->present ? head->item->actual : 0;
		if (version > PG_INT64_MAX - head->growth - item->append.count)
			refuse_growth(head);
		for (int e = 0; e < item->append.count; e++)
			item->append.events[e].version = version + ++head->growth;
	}
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
		((DsHead *) lfirst(cell))->growth = 0;
	give_versions(batch);

	foreach(cell, batch->heads)
	{
		DsHead	   *head = lfirst(cell);
		bool		creates = !head->item->present && head->may_create;

		head->is_placed = false;
		head->is_due = head->growth > 0 || creates ||
			(head->item->present && (head->sets_properties || head->closes));
		if (!head->is_due)
			continue;
		if (head->item->present && head->revision == PG_INT64_MAX)
			refuse_growth(head);
		head->new_transaction_id = next_transaction_id(head);
	}
}

/* Everything is written: tell each item of a log its version. */
void
ds_heads_finish(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];
		DsHead	   *head = item->head;

		CHECK_FOR_INTERRUPTS();
		if (item->log == NULL || head == NULL)
			continue;
		item->written = item->op == DS_APPEND_ITEM || head->is_due;
		item->version = head->item->present ? head->item->actual : 0;
		if (item->op == DS_CLOSE_STREAM_ITEM)
			item->version += head->growth;
		if (item->op == DS_APPEND_ITEM)
			item->version = item->append.events[item->append.count - 1].version;
		else if (item->op == DS_SET_PROPERTIES_ITEM)
			item->version = head->revision + 1;
	}
}

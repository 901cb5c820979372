/*
 * compare.c - how items stand
 *
 * Items are compared with what was found of their targets, and of their scopes;
 * those of one stream with its head as it was before the call.  Each gets its
 * reason and what was found, and in the end what became of it.
 */
#include "postgres.h"

#include "batch/compare.h"
#include "miscadmin.h"

static void
compare_document(DsItem *item)
{
	const DsTarget *target = item->target;

	item->failed = item->expected;
	item->reason = target->is_taken ? DS_EXISTS
		: ds_expectation_compare(target->expected, target->present, target->actual);
	if (item->reason == DS_STALE && target->merge != NULL &&
		ds_expectation_is_passed(target->expected, target->actual))
		item->reason = target->merge->reason;
	if (item->reason == DS_NO_REASON && target->fails_condition)
		item->reason = DS_CONDITION;
}

/* A stream that was made empty has no events yet: "none" holds as well. */
static DsReason
compare_version(int64 expected, const DsTarget *target)
{
	if (expected == DS_NO_VERSION && target->present && target->actual == 0)
		return DS_NO_REASON;
	return ds_expectation_compare(expected, target->present, target->actual);
}

/* Compare the versions, then the revisions where one was asked for. */
static void
compare_stream(DsItem *item)
{
	const DsTarget *target = item->target;

	item->reason = compare_version(item->expected, target);
	if (item->reason != DS_NO_REASON || item->expected_revision == DS_ANY_VERSION)
		return;

	item->failed = item->expected_revision;
	item->actual = target->head->revision;
	item->reason = ds_expectation_compare(item->expected_revision, target->present, target->head->revision);
}

static void
compare_creation(DsItem *item)
{
	item->failed = DS_NO_VERSION;
	item->reason = ds_expectation_compare(DS_NO_VERSION, item->present, item->actual);
}

static void
compare_properties(DsItem *item)
{
	item->failed = item->expected_revision;
	item->actual = item->target->head->revision;
	item->reason = item->present
		? ds_expectation_compare(item->expected_revision, true, item->actual)
		: DS_MISSING;
}

static void
compare_append(DsItem *item)
{
	if (item->append.repeats)
		return;
	compare_stream(item);
	if (item->present && item->target->head->closed)
		item->reason = DS_CLOSED;
}

static void
compare_closing(DsItem *item)
{
	if (!item->present)
		item->reason = item->expected == DS_ANY_VERSION ? DS_NO_REASON : DS_MISSING;
	else
		item->reason = item->target->head->closed ? DS_CLOSED : compare_version(item->expected, item->target);
}

static void
compare_target(DsItem *item)
{
	item->present = item->target->present;
	item->actual = item->target->actual;
	switch (item->op)
	{
		case DS_CREATE_STREAM_ITEM:
			compare_creation(item);
			break;
		case DS_SET_PROPERTIES_ITEM:
			compare_properties(item);
			break;
		case DS_APPEND_ITEM:
			compare_append(item);
			break;
		case DS_CLOSE_STREAM_ITEM:
			compare_closing(item);
			break;
		default:
			if (item->log == NULL)
				compare_document(item);
			else
				compare_stream(item);
			break;
	}
	item->target->is_missing |= item->reason == DS_MISSING;
}

/* Let an item that holds otherwise fail with its first scope that does not. */
static void
compare_scopes(DsItem *item)
{
	for (int s = 0; s < item->scope_count && item->reason == DS_NO_REASON; s++)
	{
		const DsScope *scope = &item->scopes[s];

		if (!scope->violated)
			continue;
		item->reason = DS_SCOPE_REASON;
		item->failed = scope->expected;
		item->failed_seen = scope->seen != NULL;
		item->present = scope->has_tail;
		item->actual = scope->tail;
	}
}

/* Compare an item with what was found. */
void
ds_item_compare(DsItem *item)
{
	item->reason = DS_NO_REASON;
	item->failed_seen = item->target == NULL && (item->scope_count == 0 || item->scopes[0].seen != NULL);
	item->failed = item->target != NULL || item->failed_seen ? item->expected : item->scopes[0].expected;
	if (item->target != NULL)
		compare_target(item);
	compare_scopes(item);
}

/* Compare all items with what was found; returns how many fail. */
int
ds_items_compare(DsBatch *batch)
{
	int			violations = 0;

	for (int i = 0; i < batch->target_count; i++)
		batch->targets[i]->is_missing = false;
	for (int i = 0; i < batch->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ds_item_compare(&batch->items[i]);
		violations += batch->items[i].reason != DS_NO_REASON;
	}
	return violations;
}

/* What became of an item for a stream. */
static void
finish_stream(DsItem *item)
{
	const DsTarget *target = item->target;
	const DsHead *head = target->head;

	item->written = item->op == DS_APPEND_ITEM || head->is_due;
	item->version = target->present ? target->actual : 0;
	if (item->op == DS_CLOSE_STREAM_ITEM)
		item->version += head->growth;
	if (item->op == DS_APPEND_ITEM)
		item->version = item->append.events[item->append.count - 1].version;
	else if (item->op == DS_SET_PROPERTIES_ITEM)
		item->version = head->revision + 1;
}

/* Everything is written: tell each item its version. */
void
ds_items_finish(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		if (item->target == NULL)
			continue;
		if (item->log != NULL)
			finish_stream(item);
		else
		{
			item->written = item->target->written;
			item->version = item->target->version;
		}
	}
}

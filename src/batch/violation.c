/*
 * violation.c - the violations of a batch
 *
 * An item has at most one about its document or stream, and one for each of its
 * scopes.
 */
#include "postgres.h"

#include "base/errors.h"
#include "batch/violation.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* The number of an item in a conflict: a call that takes one has item 1. */
static int
number(const DsItem *item)
{
	return item->number == DS_ONLY_ITEM ? 1 : item->number;
}

/* What a violation tells besides: of a merge, why what is there was not merged with. */
static const char *
details(const DsItem *item)
{
	bool		is_told = item->reason == DS_STALE || item->reason == DS_COLLISION;

	return item->merge != NULL && is_told ? item->merge->details : NULL;
}

static void
add_document_violation(const DsItem *item, DsConflict *conflict)
{
	DsViolation violation = {
		.item = number(item),
		.op = ds_op_name(item->op),
		.kind = DS_KIND_DOCUMENT,
		.relid = item->collection->relid,
		.reason = item->reason,
		.expected = item->expected,
		.actual_known = item->present,
		.actual = item->actual,
		.details = details(item),
	};

	if (!ds_conflict_is_full(conflict))
		violation.id = ds_id_to_cstring(item->collection->id_type, item->id);
	ds_conflict_add(conflict, &violation);
}

static void
add_stream_violation(const DsItem *item, DsConflict *conflict)
{
	DsViolation violation = {
		.item = number(item),
		.op = ds_op_name(item->op),
		.kind = DS_KIND_STREAM,
		.relid = item->log->events.relid,
		.id = TextDatumGetCString(item->id),
		.reason = item->reason,
		.expected = item->failed,
		.actual_known = item->present,
		.actual = item->actual,
	};

	ds_conflict_add(conflict, &violation);
}

/* Of a scope, why its mark shows nothing: to read again would not help without another one. */
static const char *
scope_details(const DsScope *scope)
{
	if (scope->seen == NULL || scope->mark_state == DS_MARK_GOOD)
		return NULL;
	return scope->mark_state == DS_MARK_FOREIGN ? "\"mark\": \"foreign\"" : "\"mark\": \"outdated\"";
}

static void
add_scope_violation(const DsItem *item, const DsScope *scope, DsConflict *conflict)
{
	DsViolation violation = {
		.item = number(item),
		.op = ds_op_name(item->op),
		.kind = DS_KIND_SCOPE,
		.relid = item->log->events.relid,
		.reason = DS_SCOPE_REASON,
		.expected = scope->expected,
		.seen = scope->seen,
		.actual_known = scope->has_tail,
		.actual = scope->tail,
		.details = scope_details(scope),
	};

	if (!ds_conflict_is_full(conflict))
		violation.scope = ds_scope_to_cstring(scope);
	ds_conflict_add(conflict, &violation);
}

/* What is wrong with an item of a log: its stream, and each scope. */
static void
add_log_violations(const DsItem *item, DsConflict *conflict)
{
	if (item->reason != DS_NO_REASON && item->reason != DS_SCOPE_REASON)
		add_stream_violation(item, conflict);
	for (int s = 0; s < item->scope_count; s++)
		if (item->scopes[s].violated)
			add_scope_violation(item, &item->scopes[s], conflict);
}

/* Add all violations of a batch to a conflict, in item order. */
void
ds_items_add_violations(const DsBatch *batch, DsConflict *conflict)
{
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		if (item->log != NULL)
			add_log_violations(item, conflict);
		else if (item->reason != DS_NO_REASON)
			add_document_violation(item, conflict);
	}
}

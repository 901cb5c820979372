/*
 * merge.c - items that are merged with what is there
 *
 * At the expected version an item to merge is an upsert.  Where its document is
 * at a later one, that is read under the lock and merged with the item's own,
 * over the base that both began with (merge3.c); what comes of it is stored in
 * place of the item's, at the version that is locked.  A base that is not given
 * is what history has at the expected version.  It is a violation when the two
 * edits collide, and when the base is not known: nothing is ever overwritten
 * that the caller has not seen.
 *
 * The conflict names the paths, and no values: errors are logged.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/merge.h"
#include "conflict/conflict.h"
#include "executor/spi.h"
#include "history/version_data.h"
#include "json/json.h"
#include "json/merge3.h"
#include "miscadmin.h"
#include "table/plan.h"
#include "utils/json.h"
#include "utils/memutils.h"

/* Of the violation of an item that cannot be merged. */
#define UNKNOWN_BASE "\"base\": \"unknown\""

/* To merge is to say what was loaded: what matches any version would never be merged. */
void
ds_merge_require_exact(int64 expected, int item)
{
	if (expected == DS_ANY_VERSION || expected == DS_SOME_VERSION)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sa merge needs the version that was loaded, not %s", ds_error_item_prefix(item),
						ds_expectation_to_json(expected)),
				 errhint("Pass the version that the document had when it was loaded, or 0 or \"none\" for a new one. "
						 "To overwrite whatever is there, use an upsert.")));
}

/* Whether an item may be merged with a later version: its base is given, or history may have it. */
bool
ds_merge_is_possible(const DsTarget *target)
{
	return target->merge != NULL &&
		(target->merge->base != NULL || OidIsValid(target->collection->document.history));
}

/* Begin a try: nothing is merged yet.  What turns up later than the locks can be merged by the next one. */
void
ds_merges_forget(DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];
		DsMerge    *merge = target->merge;

		CHECK_FOR_INTERRUPTS();
		if (merge == NULL)
			continue;
		target->data = merge->mine;
		target->data_length = merge->mine_length;
		merge->reason = ds_merge_is_possible(target) ? DS_NO_REASON : DS_STALE;
		merge->details = ds_merge_is_possible(target) ? NULL : UNKNOWN_BASE;
		merge->merged = NULL;
	}
}

/* The data of a document that is locked; NULL counts as {}, as everywhere. */
static Jsonb *
read_theirs(const DsTarget *target)
{
	Datum		values[2] = {target->id, (Datum) 0};
	Jsonb	   *data = NULL;
	bool		is_null;

	if (ds_plan_execute(target->collection, DS_LOAD, DS_WRITE, values, " n") > 0)
	{
		Datum		stored = ds_plan_value(0, 3, JSONBOID, &is_null);

		if (!is_null)
			data = DatumGetJsonbPCopy(stored);
	}
	SPI_freetuptable(SPI_tuptable);
	return data != NULL ? data : DatumGetJsonbP(ds_json_empty_object());
}

/* The conflicts as members of the violation: their paths and kinds, up to the limit, and how many there are. */
static const char *
describe(const DsMerged *result)
{
	int			listed = Min(result->conflict_count, ds_conflict_limit());
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "\"conflicts\": [");
	for (int i = 0; i < listed; i++)
	{
		appendStringInfo(&json, "%s{\"path\": ", i > 0 ? ", " : "");
		escape_json(&json, result->conflicts[i].path);
		appendStringInfo(&json, ", \"kind\": \"%s\"}", result->conflicts[i].kind);
	}
	appendStringInfo(&json, "], \"conflicts_total\": %d", result->conflict_count);
	return json.data;
}

/* Merge a document that is locked at a later version than the expected one, in the current memory context. */
static void
merge_with(DsTarget *target, Jsonb *base, Jsonb *theirs)
{
	DsMerge    *merge = target->merge;
	DsMerged	result;

	ds_merge3(base, ds_json_copy(merge->mine, merge->mine_length), theirs, merge->rules, &result);
	if (result.merged == NULL)
	{
		merge->reason = DS_COLLISION;
		merge->details = describe(&result);
		return;
	}
	merge->merged = result.merged;
	target->data = VARDATA(result.merged);
	target->data_length = VARSIZE(result.merged) - VARHDRSZ;
}

/* Find what both edits began with, and merge them; what is made lasts as long as the context given. */
static void
look(DsTarget *target, MemoryContext made)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *theirs = read_theirs(target);
	Jsonb	   *base = target->merge->base;

	if (base == NULL)
		base = ds_version_data(target->collection, target->id, target->expected);
	if (base == NULL)
	{
		target->merge->reason = DS_STALE;
		target->merge->details = UNKNOWN_BASE;
		return;
	}
	MemoryContextSwitchTo(made);
	merge_with(target, base, theirs);
	MemoryContextSwitchTo(caller);
}

/*
 * Merge what is locked, and not as its items expect.  What is made lasts as long
 * as the batch's items do, longer than the connection to SPI.
 */
void
ds_merges_look(DsBatch *batch)
{
	/* SPI leaves its own context behind, which ends with the batch's connection. */
	MemoryContext made = GetMemoryChunkContext(batch->targets);

	for (int i = 0; i < batch->target_count; i++)
	{
		DsTarget   *target = batch->targets[i];

		CHECK_FOR_INTERRUPTS();
		if (ds_merge_is_possible(target) && target->present && !target->written &&
			ds_expectation_is_passed(target->expected, target->actual) && target->expected != DS_NO_VERSION)
			look(target, made);
	}
}

/*
 * one_document.c - a batch of one document, without locking it first
 *
 * One document needs no order of locks, so it is written as docstore.upsert()
 * and its kind do (document.c): one look or statement that compares and writes.
 * It is done here only for ordinary tables, where nobody can tell the
 * difference, and where it succeeds at once; conditions, anything that needs a
 * second look, and every conflict are left to attempt.c, with nothing written.
 * So is what the server would refuse: a batch is told of a conflict first, or of
 * nothing where there is nothing to delete.
 */
#include "postgres.h"

#include "batch/compare.h"
#include "batch/one_document.h"
#include "document/document.h"
#include "document/document_direct.h"
#include "table/engine.h"

static bool
store(const DsTarget *target, DsOutcome *outcome)
{
	return (target->expected == DS_NO_VERSION || ds_engine_allows(target->collection, CMD_UPDATE)) &&
		ds_document_direct_upsert(target->collection, target->id,
								  JsonbPGetDatum(ds_target_stored(target, true)),
								  target->expected, outcome);
}

/* Where the document may be absent, it is better created by the batch. */
static bool
patch(const DsTarget *target, DsOutcome *outcome)
{
	if (target->expected == DS_NO_VERSION || target->expected == DS_ANY_VERSION ||
		!ds_engine_updates(target->collection) || !ds_engine_allows(target->collection, CMD_UPDATE))
		return false;
	ds_document_patch(target->collection, target->id, JsonbPGetDatum(ds_target_stored(target, false)),
					  target->expected, outcome);
	outcome->present = outcome->written;
	outcome->actual = outcome->version - 1;
	return true;
}

static bool
delete(const DsTarget *target, DsOutcome *outcome)
{
	if (!ds_engine_updates(target->collection) || !ds_engine_allows(target->collection, CMD_DELETE))
		return false;
	ds_document_delete(target->collection, target->id, target->expected, outcome);
	outcome->present = outcome->written;
	outcome->actual = outcome->version;
	return true;
}

static bool
write_at_once(const DsTarget *target, DsOutcome *outcome)
{
	switch (target->change)
	{
		case DS_CHANGE_STORE:
			return store(target, outcome) && outcome->written;
		case DS_CHANGE_PATCH:
			return patch(target, outcome) && outcome->written;
		case DS_CHANGE_DELETE:
			return delete(target, outcome) && outcome->written;
		default:
			return false;
	}
}

/*
 * Write the document, if the batch is one document that can be written at once;
 * false when it is left to others.
 */
bool
ds_one_document_write(DsBatch *batch)
{
	DsTarget   *target;
	DsOutcome	outcome;

	if (batch->count != 1 || batch->items[0].log != NULL)
		return false;
	target = batch->targets[0];
	if (!target->collection->is_plain || target->condition != NULL || !write_at_once(target, &outcome))
		return false;
	target->present = outcome.present;
	target->actual = outcome.actual;
	target->written = true;
	target->version = outcome.version;
	ds_item_compare(&batch->items[0]);
	return true;
}

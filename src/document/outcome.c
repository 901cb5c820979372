/*
 * outcome.c - the conflict of a call for one document
 */
#include "postgres.h"

#include "conflict/conflict.h"
#include "conflict/deferred.h"
#include "document/outcome.h"

static DsViolation
describe(const DsOutcome *outcome, const char *op, const DsCollection *collection, Datum id, int64 expected)
{
	DsViolation violation = {
		.item = 1,
		.op = op,
		.kind = DS_KIND_DOCUMENT,
		.relid = collection->relid,
		.id = ds_id_to_cstring(collection->id_type, id),
		.reason = outcome->reason,
		.expected = expected,
		.actual_known = outcome->present,
		.actual = outcome->actual,
	};

	return violation;
}

pg_noreturn static void
raise_alone(const DsViolation *violation)
{
	DsConflict	conflict;

	ds_conflict_begin(&conflict);
	ds_conflict_add_call(&conflict, 1);
	ds_conflict_add(&conflict, violation);
	ds_conflict_raise(&conflict, "");
}

/*
 * Raise the conflict where the expected version does not hold, or remember it
 * while conflicts are deferred.  op is the call's, as the conflict names it.
 *
 * Returns whether it holds; else the call's result is NULL.
 */
bool
ds_outcome_settle(const DsOutcome *outcome, const char *op, const DsCollection *collection, Datum id, int64 expected)
{
	bool		holds = outcome->reason == DS_NO_REASON;
	DsConflict *pending = ds_deferred_is_on() ? ds_deferred_add_call(1) : NULL;
	DsViolation violation;

	if (holds)
		return true;
	violation = describe(outcome, op, collection, id, expected);
	if (pending == NULL)
		raise_alone(&violation);
	ds_conflict_add(pending, &violation);
	return false;
}

/*
 * single.c - what the verbs on one document have in common
 *
 * Their first arguments are the collection and the id; one further argument
 * is the expected version.
 */
#include "postgres.h"

#include "api/single.h"
#include "base/errors.h"
#include "conflict/conflict.h"
#include "conflict/deferred.h"

/*
 * Check the arguments and lock the table.  Raises 22023, 22P02, 42P01, 42809.
 */
void
ds_single_begin(FunctionCallInfo fcinfo, int expected_argument, DsSingle *call)
{
	int64		expected = PG_ARGISNULL(expected_argument) ? DS_NO_VERSION
		: PG_GETARG_INT64(expected_argument);

	ds_require_argument(PG_ARGISNULL(0), "collection");
	ds_require_argument(PG_ARGISNULL(1), "id");
	call->expected = ds_expectation_in_force(ds_expectation_from_sql(expected, DS_ONLY_ITEM));
	ds_collection_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &call->collection);
	call->id = ds_id_from_text(call->collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_collection_require_short_id(&call->collection, call->id, DS_ONLY_ITEM);
}

static void
add_violation(const DsSingle *call, const char *op, const DsOutcome *outcome,
			  DsConflict *conflict)
{
	DsViolation violation = {
		.item = 1,
		.op = op,
		.kind = DS_KIND_DOCUMENT,
		.relid = call->collection.relid,
		.id = ds_id_to_cstring(call->collection.id_type, call->id),
		.reason = outcome->reason,
		.expected = call->expected,
		.actual_known = outcome->present,
		.actual = outcome->actual,
	};

	ds_conflict_add(conflict, &violation);
}

/*
 * Where the expected version does not hold, the conflict is raised, or remembered while conflicts are deferred.
 *
 * Returns whether the expectation held; the verb's result is NULL otherwise.
 */
bool
ds_single_end(const DsSingle *call, const char *op, const DsOutcome *outcome)
{
	bool		holds = outcome->reason == DS_HOLDS;

	if (ds_deferred_is_on())
	{
		DsConflict *pending = ds_deferred_add_call(1);

		if (!holds)
			add_violation(call, op, outcome, pending);
	}
	else if (!holds)
	{
		DsConflict	conflict;

		ds_conflict_begin(&conflict);
		ds_conflict_add_call(&conflict, 1);
		add_violation(call, op, outcome, &conflict);
		ds_conflict_raise(&conflict, "");
	}
	return holds;
}

/*
 * merge_set.c - two edits of a set, merged
 *
 * A set is an array whose order does not matter, nor how often it has a value.
 * Merged it has what all three have, and what either edit has added.  Where one
 * of the arrays given has just that, it is taken as it is; else what is left of
 * base comes in its order, and after it what was added, sorted.
 */
#include "postgres.h"

#include "base/compat.h"
#include "json/json_compare.h"
#include "json/merge_elements.h"
#include "json/merge_set.h"
#include "miscadmin.h"

/* The three, each value once. */
typedef struct Sets
{
	DsMergeElements base;
	DsMergeElements mine;
	DsMergeElements theirs;
} Sets;

static bool
has(const DsMergeElements *set, const JsonbValue *value)
{
	return ds_merge_elements_find(set, value) >= 0;
}

/* Whether a value of one edit is in the result: it was added, or the other one has it, too. */
static bool
stays(const Sets *sets, const JsonbValue *value, const DsMergeElements *other)
{
	CHECK_FOR_INTERRUPTS();
	return !has(&sets->base, value) || has(other, value);
}

/* Whether one edit is the result: all that it has stays, and the other one has added nothing else. */
static bool
is_result(const Sets *sets, const DsMergeElements *set, const DsMergeElements *other)
{
	for (int i = 0; i < set->count; i++)
		if (!stays(sets, &set->elements[i].key, other))
			return false;
	for (int i = 0; i < other->count; i++)
		if (stays(sets, &other->elements[i].key, set) && !has(set, &other->elements[i].key))
			return false;
	return true;
}

/* Push what was added, sorted: the two edits are walked side by side. */
static void
push_added(const Sets *sets, JsonbInState *state)
{
	int			mine = 0;
	int			theirs = 0;

	while (mine < sets->mine.count || theirs < sets->theirs.count)
	{
		DsMergeElement *a = mine < sets->mine.count ? &sets->mine.elements[sets->mine.sorted[mine]] : NULL;
		DsMergeElement *b = theirs < sets->theirs.count ? &sets->theirs.elements[sets->theirs.sorted[theirs]] : NULL;
		int			result = a == NULL ? 1 : b == NULL ? -1 : ds_json_compare(&a->key, &b->key);
		DsMergeElement *next = result < 0 ? a : b;

		CHECK_FOR_INTERRUPTS();
		mine += result <= 0;
		theirs += result >= 0;
		if (!has(&sets->base, &next->key))
			pushJsonbValue(state, WJB_ELEM, &next->value);
	}
}

/* An array as a value in another one: binary, as what a walk finds. */
static const JsonbValue *
build(const Sets *sets)
{
	JsonbInState state = {0};
	JsonbValue *result = palloc(sizeof(JsonbValue));
	Jsonb	   *built;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < sets->base.count; i++)
	{
		DsMergeElement *element = &sets->base.elements[i];

		CHECK_FOR_INTERRUPTS();
		if (has(&sets->mine, &element->key) && has(&sets->theirs, &element->key))
			pushJsonbValue(&state, WJB_ELEM, &element->value);
	}
	push_added(sets, &state);
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	built = JsonbValueToJsonb(state.result);
	result->type = jbvBinary;
	result->val.binary.data = &built->root;
	result->val.binary.len = VARSIZE(built) - VARHDRSZ;
	return result;
}

/* Merge three arrays, of which base may be NULL, which counts as an empty one. */
const JsonbValue *
ds_merge_set(const JsonbValue *base, const JsonbValue *mine, const JsonbValue *theirs)
{
	Sets		sets;
	bool		is_mine;
	bool		is_theirs;

	ds_merge_elements_read_set(base == NULL ? NULL : base->val.binary.data, &sets.base);
	ds_merge_elements_read_set(mine->val.binary.data, &sets.mine);
	ds_merge_elements_read_set(theirs->val.binary.data, &sets.theirs);
	is_mine = is_result(&sets, &sets.mine, &sets.theirs);
	is_theirs = is_result(&sets, &sets.theirs, &sets.mine);
	/* The same set in two orders: that of neither, but of the array that is lower. */
	if (is_mine && is_theirs)
		return ds_json_compare(mine, theirs) < 0 ? mine : theirs;
	if (is_mine || is_theirs)
		return is_mine ? mine : theirs;
	return build(&sets);
}

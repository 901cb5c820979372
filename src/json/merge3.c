/*
 * merge3.c - two edits of one JSON value, merged
 *
 * Base is what both edits began with, mine and theirs what they have made of it.
 * What only one of them has changed is taken, and so is what both have changed
 * alike; changed means not equal by jsonb's =.  Objects that both have changed
 * are merged member by member.  What both have changed in two ways collides,
 * unless a rule says how that is merged (merge_rules.c).
 *
 * Arrays are never merged by index: what was an element's index is another one's
 * after an insert.  So they are taken as a whole, but for keyed ones and sets.
 *
 * The result is the same with mine and theirs the other way round, and to merge
 * mine into it once more makes no other one; but a sum counts again.
 *
 * Everything is made in the current memory context, and conflicts point into
 * what was given.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "json/json.h"
#include "json/json_compare.h"
#include "json/merge3.h"
#include "json/merge_order.h"
#include "json/merge_rules.h"
#include "json/merge_set.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* What is done at one place. */
typedef enum Action
{
	TAKE,						/* a value, or nothing where that is NULL */
	MERGE_OBJECTS,
	MERGE_KEYED,
	COLLIDE
} Action;

typedef struct Decision
{
	Action		action;
	const JsonbValue *value;	/* to take */
	JsonbValue	key;			/* of a keyed array: the name of its elements' key */
	const char *kind;			/* of the collision */
} Decision;

/* A merge on its way. */
typedef struct Merge
{
	JsonbContainer *rules;
	bool		has_sums;		/* somewhere: what is equal on both sides counts twice there */
	StringInfoData path;
	StringInfoData rule_path;	/* the same, but for elements of keyed arrays */
	JsonbInState state;
	int			count;
	int			room;
	DsMergeConflict *conflicts;
} Merge;

/*
 * Deciding
 */

static bool
is_object(const JsonbValue *value)
{
	return ds_json_object(value) != NULL;
}

static bool
is_array(const JsonbValue *value)
{
	return ds_json_array(value) != NULL;
}

/* Whether mine and theirs are objects, or arrays, and base is one or is not there, which counts as an empty one. */
static bool
all_are(bool (*is) (const JsonbValue *value), const DsMergeSides *sides)
{
	return sides->mine != NULL && is(sides->mine) && sides->theirs != NULL && is(sides->theirs) &&
		(sides->base == NULL || is(sides->base));
}

static bool
all_are_numbers(const DsMergeSides *sides)
{
	return sides->base != NULL && sides->base->type == jbvNumeric &&
		sides->mine != NULL && sides->mine->type == jbvNumeric &&
		sides->theirs != NULL && sides->theirs->type == jbvNumeric;
}

/* theirs + (mine - base); 22003 when that is no number any more. */
static const JsonbValue *
sum(const DsMergeSides *sides)
{
	JsonbValue *result = palloc(sizeof(JsonbValue));
	Datum		change = DirectFunctionCall2(numeric_sub, NumericGetDatum(sides->mine->val.numeric),
											 NumericGetDatum(sides->base->val.numeric));

	result->type = jbvNumeric;
	result->val.numeric =
		DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(sides->theirs->val.numeric), change));
	return result;
}

/* Of an object, an array and a single value each is of another type. */
static int
type_of(const JsonbValue *value)
{
	return is_object(value) ? 2 : is_array(value) ? 1 : 0;
}

/* What kind of collision it is, in the words of the fields' editors. */
static const char *
name_collision(const DsMergeSides *sides)
{
	if (sides->mine == NULL)
		return "delete/edit";
	if (sides->theirs == NULL)
		return "edit/delete";
	if (sides->base == NULL)
		return "add/add";
	if (type_of(sides->mine) != type_of(sides->theirs) || type_of(sides->mine) != type_of(sides->base))
		return "type";
	return "edit/edit";
}

static void
take(Decision *decision, const JsonbValue *value)
{
	decision->action = TAKE;
	decision->value = value;
}

/* Decide about what both have changed.  What is alike can have sums in it, to which both have added. */
static void
decide_by_rule(const DsMergeSides *sides, DsMergeRule rule, bool has_sums, Decision *decision)
{
	bool		is_equal = ds_json_is_equal(sides->mine, sides->theirs);

	if (rule == DS_MERGE_SUM && all_are_numbers(sides))
		take(decision, sum(sides));
	else if (is_equal && !has_sums)
		take(decision, sides->theirs);
	else if (rule == DS_MERGE_FIELDS && all_are(is_object, sides))
		decision->action = MERGE_OBJECTS;
	else if (rule == DS_MERGE_KEYED && all_are(is_array, sides))
		decision->action = MERGE_KEYED;
	else if (is_equal)
		take(decision, sides->theirs);
	else if (rule == DS_MERGE_SET && all_are(is_array, sides))
		take(decision, ds_merge_set(sides->base, sides->mine, sides->theirs));
	else
	{
		decision->action = COLLIDE;
		decision->kind = name_collision(sides);
	}
}

/* Decide what is done at the place where the merge is. */
static void
decide(const Merge *merge, const DsMergeSides *sides, Decision *decision)
{
	DsMergeRule rule;

	memset(decision, 0, sizeof(Decision));
	if (ds_json_is_equal(sides->mine, sides->base))
		take(decision, sides->theirs);
	else if (ds_json_is_equal(sides->theirs, sides->base))
		take(decision, sides->mine);
	else
	{
		rule = ds_merge_rules_find(merge->rules, merge->rule_path.data, merge->rule_path.len, &decision->key);
		decide_by_rule(sides, rule, merge->has_sums, decision);
	}
}

/* Whether something is there when that is done. */
static bool
leaves_something(const Decision *decision)
{
	return decision->action != TAKE || decision->value != NULL;
}

/*
 * Collisions
 */

/* A copy of a value that is there for as long as the conflicts are. */
static const JsonbValue *
keep(const JsonbValue *value)
{
	JsonbValue *kept;

	if (value == NULL)
		return NULL;
	kept = palloc(sizeof(JsonbValue));
	*kept = *value;
	return kept;
}

/* Note a collision at the place where the merge is. */
static void
note(Merge *merge, const char *kind, const DsMergeSides *sides)
{
	DsMergeConflict *conflict;

	if (merge->count == merge->room)
	{
		Size		bytes = mul_size(merge->room *= 2, sizeof(DsMergeConflict));

		merge->conflicts = repalloc_huge(merge->conflicts, bytes);
	}
	conflict = &merge->conflicts[merge->count];
	conflict->path = pnstrdup(merge->path.data, merge->path.len);
	conflict->kind = kind;
	conflict->sides = (DsMergeSides) {keep(sides->base), keep(sides->mine), keep(sides->theirs)};
	conflict->number = merge->count++;
}

static int
compare_conflicts(const void *left, const void *right)
{
	const DsMergeConflict *a = left;
	const DsMergeConflict *b = right;
	int			result = strcmp(a->path, b->path);

	CHECK_FOR_INTERRUPTS();
	return result != 0 ? result : a->number - b->number;
}

/*
 * Merging
 */

static void push_decided(Merge *merge, JsonbIteratorToken token, const DsMergeSides *sides, const Decision *decision);

static void
push(Merge *merge, JsonbIteratorToken token, const JsonbValue *value)
{
	pushJsonbValue(&merge->state, token, unconstify(JsonbValue *, value));
}

/* The container of a value that may be missing. */
static JsonbContainer *
container_of(const JsonbValue *value)
{
	return value == NULL ? NULL : value->val.binary.data;
}

/* The member of an object that may be missing, or NULL. */
static const JsonbValue *
find_member(JsonbContainer *object, const JsonbValue *key, JsonbValue *member)
{
	return object == NULL ? NULL
		: getKeyJsonValueFromContainer(object, key->val.string.val, key->val.string.len, member);
}

/* Go to a member of the object, or element of the array, where the merge is; back to where it was. */
static void
enter(Merge *merge, const JsonbValue *key)
{
	ds_merge_path_append(&merge->path, key);
	ds_merge_path_append(&merge->rule_path, key);
}

static void
enter_element(Merge *merge, int index)
{
	/* By RFC 6901 a hyphen is the element that is not there yet. */
	if (index < 0)
		appendStringInfoString(&merge->path, "/-");
	else
		appendStringInfo(&merge->path, "/%d", index);
	appendStringInfoString(&merge->rule_path, "/" DS_MERGE_ANY_ELEMENT);
}

static void
go_back(Merge *merge, int length, int rule_length)
{
	merge->path.len = length;
	merge->path.data[length] = '\0';
	merge->rule_path.len = rule_length;
	merge->rule_path.data[rule_length] = '\0';
}

static void
push_member(Merge *merge, const JsonbValue *key, const DsMergeSides *sides)
{
	int			length = merge->path.len;
	int			rule_length = merge->rule_path.len;
	Decision	decision;

	enter(merge, key);
	decide(merge, sides, &decision);
	if (leaves_something(&decision))
	{
		push(merge, WJB_KEY, key);
		push_decided(merge, WJB_VALUE, sides, &decision);
	}
	go_back(merge, length, rule_length);
}

/* Merge objects; one that is missing has no members.  What neither mine nor theirs has is gone. */
static void
push_objects(Merge *merge, const DsMergeSides *sides)
{
	JsonbContainer *base = container_of(sides->base);
	JsonbContainer *mine = container_of(sides->mine);
	JsonbContainer *theirs = container_of(sides->theirs);
	JsonbValue	in_base;
	JsonbValue	in_other;
	DsJsonWalk	walk;

	push(merge, WJB_BEGIN_OBJECT, NULL);
	ds_json_walk_begin(&walk, mine);
	while (ds_json_walk_next(&walk))
	{
		DsMergeSides member = {
			.base = find_member(base, &walk.key, &in_base),
			.mine = &walk.value,
			.theirs = find_member(theirs, &walk.key, &in_other)
		};

		push_member(merge, &walk.key, &member);
	}
	ds_json_walk_begin(&walk, theirs);
	while (ds_json_walk_next(&walk))
	{
		DsMergeSides member = {
			.base = find_member(base, &walk.key, &in_base),
			.theirs = &walk.value
		};

		if (find_member(mine, &walk.key, &in_other) == NULL)
			push_member(merge, &walk.key, &member);
	}
	push(merge, WJB_END_OBJECT, NULL);
}

/* An element that both have added has no index: where its members collide, it does so as a whole. */
static void
collide_as_whole(Merge *merge, int count, const DsMergeSides *element)
{
	if (merge->count == count)
		return;
	merge->count = count;
	note(merge, "add/add", element);
}

static void
push_element(Merge *merge, const DsMergeSides *element, int index)
{
	int			length = merge->path.len;
	int			rule_length = merge->rule_path.len;
	int			count = merge->count;
	Decision	decision;

	enter_element(merge, index);
	decide(merge, element, &decision);
	if (leaves_something(&decision))
		push_decided(merge, WJB_ELEM, element, &decision);
	if (index < 0)
		collide_as_whole(merge, count, element);
	go_back(merge, length, rule_length);
}

static const JsonbValue *
element_at(const DsMergeElements *elements, int place)
{
	return place < 0 ? NULL : &elements->elements[place].value;
}

/* Three keyed arrays. */
typedef struct Arrays
{
	DsMergeElements base;
	DsMergeElements mine;
	DsMergeElements theirs;
} Arrays;

/* Read them; one that is missing has no elements.  False when the keys of one are none. */
static bool
read_arrays(const DsMergeSides *sides, const JsonbValue *key, Arrays *arrays)
{
	return ds_merge_elements_read(container_of(sides->base), key, &arrays->base) &&
		ds_merge_elements_read(container_of(sides->mine), key, &arrays->mine) &&
		ds_merge_elements_read(container_of(sides->theirs), key, &arrays->theirs);
}

static void
push_elements(Merge *merge, const Arrays *arrays, const DsMergeOrder *order)
{
	push(merge, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < order->count; i++)
	{
		const DsMergePlaces *places = &order->places[i];
		DsMergeSides element = {
			.base = element_at(&arrays->base, places->base),
			.mine = element_at(&arrays->mine, places->mine),
			.theirs = element_at(&arrays->theirs, places->theirs)
		};

		CHECK_FOR_INTERRUPTS();
		push_element(merge, &element, places->base);
	}
	push(merge, WJB_END_ARRAY, NULL);
}

/* Merge arrays of objects that have a key. */
static void
push_keyed(Merge *merge, JsonbIteratorToken token, const DsMergeSides *sides, const JsonbValue *key)
{
	Arrays		arrays;
	DsMergeOrder order;

	if (!read_arrays(sides, key, &arrays))
	{
		if (!ds_json_is_equal(sides->mine, sides->theirs))
			note(merge, "key", sides);
		push(merge, token, sides->theirs);
		return;
	}
	ds_merge_order(&arrays.base, &arrays.mine, &arrays.theirs, &order);
	if (order.collides)
		note(merge, "order", sides);
	push_elements(merge, &arrays, &order);
}

/* Do what was decided, where something is to be there. */
static void
push_decided(Merge *merge, JsonbIteratorToken token, const DsMergeSides *sides, const Decision *decision)
{
	static const JsonbValue nothing = {.type = jbvNull};

	check_stack_depth();
	switch (decision->action)
	{
		case TAKE:
			push(merge, token, decision->value);
			break;
		case MERGE_OBJECTS:
			push_objects(merge, sides);
			break;
		case MERGE_KEYED:
			push_keyed(merge, token, sides, &decision->key);
			break;
		case COLLIDE:
			note(merge, decision->kind, sides);
			push(merge, token, &nothing);
			break;
	}
}

/* The whole value, or NULL where it is gone or collides. */
static Jsonb *
merge_root(Merge *merge, const DsMergeSides *sides)
{
	Decision	decision;

	decide(merge, sides, &decision);
	if (decision.action == TAKE)
		return decision.value == NULL ? NULL : JsonbValueToJsonb(unconstify(JsonbValue *, decision.value));
	if (decision.action == COLLIDE)
		note(merge, decision.kind, sides);
	else
		push_decided(merge, WJB_VALUE, sides, &decision);
	return merge->count > 0 ? NULL : JsonbValueToJsonb(merge->state.result);
}

static const JsonbValue *
root_of(Jsonb *json, JsonbValue *value)
{
	if (json == NULL)
		return NULL;
	ds_json_root(json, value);
	return value;
}

/*
 * Merge two edits of a value, by rules that ds_merge_rules_read() has checked;
 * NULL is a value that is missing.  Raises 54001 when the JSON is nested deeper
 * than the stack allows.
 */
void
ds_merge3(Jsonb *base, Jsonb *mine, Jsonb *theirs, JsonbContainer *rules, DsMerged *result)
{
	Merge		merge = {.rules = rules, .has_sums = ds_merge_rules_have_sum(rules), .room = 8};
	JsonbValue	roots[3];
	DsMergeSides sides = {root_of(base, &roots[0]), root_of(mine, &roots[1]), root_of(theirs, &roots[2])};

	initStringInfo(&merge.path);
	initStringInfo(&merge.rule_path);
	merge.conflicts = palloc(merge.room * sizeof(DsMergeConflict));
	result->merged = merge_root(&merge, &sides);
	qsort(merge.conflicts, merge.count, sizeof(DsMergeConflict), compare_conflicts);
	result->conflict_count = merge.count;
	result->conflicts = merge.conflicts;
}

static void
push_string(JsonbInState *state, JsonbIteratorToken token, const char *string)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	pushJsonbValue(state, token, &value);
}

static void
push_side(JsonbInState *state, const char *name, const JsonbValue *value)
{
	if (value == NULL)
		return;
	push_string(state, WJB_KEY, name);
	pushJsonbValue(state, WJB_VALUE, unconstify(JsonbValue *, value));
}

/* The conflicts as an array of objects, in which a value that is missing has no key; NULL when there are none. */
Jsonb *
ds_merge3_conflicts(const DsMerged *result)
{
	JsonbInState state = {0};

	if (result->conflict_count == 0)
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < result->conflict_count; i++)
	{
		const DsMergeConflict *conflict = &result->conflicts[i];

		CHECK_FOR_INTERRUPTS();
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_string(&state, WJB_KEY, "path");
		push_string(&state, WJB_VALUE, conflict->path);
		push_string(&state, WJB_KEY, "kind");
		push_string(&state, WJB_VALUE, conflict->kind);
		push_side(&state, "base", conflict->sides.base);
		push_side(&state, "mine", conflict->sides.mine);
		push_side(&state, "theirs", conflict->sides.theirs);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(state.result);
}

/*
 * merge_patch.c - JSON merge patches, RFC 7396
 *
 * A patch looks like the document that it changes: its members replace those
 * of the document, null removes one, and objects are merged in their turn.
 * Anything else in a patch, an array for one, replaces what is there.
 *
 * The statements that patch documents call the SQL function, on the row that
 * they have locked.
 */
#include "postgres.h"

#include "base/compat.h"
#include "json/json.h"
#include "json/merge_patch.h"
#include "miscadmin.h"

/* The member of an object that has that key, or NULL; it is put into *member. */
static JsonbValue *
find_member(JsonbContainer *object, const JsonbValue *key, JsonbValue *member)
{
	return getKeyJsonValueFromContainer(object, key->val.string.val, key->val.string.len, member);
}

/* The object that a member of the target is; NULL when it is none, or not there. */
static JsonbContainer *
find_object(JsonbContainer *target, const JsonbValue *key)
{
	JsonbValue	member;

	return target != NULL && find_member(target, key, &member) != NULL ? ds_json_object(&member) : NULL;
}

/* Push the members of the target that the patch does not name. */
static void
push_others(JsonbInState *state, JsonbContainer *target, JsonbContainer *patch)
{
	DsJsonWalk	walk;
	JsonbValue	named;

	ds_json_walk_begin(&walk, target);
	while (ds_json_walk_next(&walk))
	{
		if (find_member(patch, &walk.key, &named) != NULL)
			continue;
		pushJsonbValue(state, WJB_KEY, &walk.key);
		pushJsonbValue(state, WJB_VALUE, &walk.value);
	}
}

/* Push what a patch makes of an object; a target that is NULL has no members. */
static void
push_merged(JsonbInState *state, JsonbContainer *target, JsonbContainer *patch)
{
	DsJsonWalk	walk;

	check_stack_depth();
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (target != NULL)
		push_others(state, target, patch);

	ds_json_walk_begin(&walk, patch);
	while (ds_json_walk_next(&walk))
	{
		JsonbContainer *object = ds_json_object(&walk.value);

		if (walk.value.type == jbvNull)
			continue;
		pushJsonbValue(state, WJB_KEY, &walk.key);
		if (object == NULL)
			pushJsonbValue(state, WJB_VALUE, &walk.value);
		else
			push_merged(state, find_object(target, &walk.key), object);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * What a patch makes of a target, in the current memory context.  A target
 * that is NULL or no object counts as {}; a patch that is no object is the
 * result itself.
 */
Jsonb *
ds_merge_patch(Jsonb *target, Jsonb *patch)
{
	JsonbInState state = {0};
	bool		has_members = target != NULL && JB_ROOT_IS_OBJECT(target);

	if (!JB_ROOT_IS_OBJECT(patch))
		return patch;
	push_merged(&state, has_members ? &target->root : NULL, &patch->root);
	return JsonbValueToJsonb(state.result);
}

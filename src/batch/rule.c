/*
 * rule.c - what is done with a target
 *
 * By what becomes of its row, and by what is expected of it: the statement that
 * is due when it is absent, or present, and when absence is looked at once
 * more.  A target that is not as expected is a violation, and comes to none.
 */
#include "postgres.h"

#include "batch/rule.h"
#include "conflict/expectation.h"

typedef enum Expected
{
	ABSENT,
	ANYTHING,
	PRESENT,
	AS_FOUND,					/* a head that no item makes: its items may put up with absence */
	EXPECTATIONS
} Expected;

static const DsRule rules[DS_CHANGES][EXPECTATIONS] = {
	[DS_CHANGE_NONE] = {
		[ABSENT] = {DS_NO_STATEMENT, DS_NO_STATEMENT, DS_LOOK_AFTER_WRITES},
		[ANYTHING] = {DS_NO_STATEMENT, DS_NO_STATEMENT, DS_LOOK_NEVER},
		[PRESENT] = {DS_NO_STATEMENT, DS_NO_STATEMENT, DS_LOOK_NEVER},
		[AS_FOUND] = {DS_NO_STATEMENT, DS_NO_STATEMENT, DS_LOOK_BEFORE_WRITES},
	},
	[DS_CHANGE_STORE] = {
		[ABSENT] = {DS_INSERT_MANY, DS_NO_STATEMENT, DS_LOOK_AFTER_WRITES},
		[ANYTHING] = {DS_INSERT_MANY, DS_UPDATE_MANY, DS_LOOK_NEVER},
		[PRESENT] = {DS_NO_STATEMENT, DS_UPDATE_MANY, DS_LOOK_NEVER},
		[AS_FOUND] = {DS_NO_STATEMENT, DS_UPDATE_MANY, DS_LOOK_BEFORE_WRITES},
	},
	[DS_CHANGE_PATCH] = {
		[ABSENT] = {DS_INSERT_MANY, DS_NO_STATEMENT, DS_LOOK_AFTER_WRITES},
		[ANYTHING] = {DS_INSERT_MANY, DS_PATCH_MANY, DS_LOOK_NEVER},
		[PRESENT] = {DS_NO_STATEMENT, DS_PATCH_MANY, DS_LOOK_NEVER},
	},
	[DS_CHANGE_DELETE] = {
		[ANYTHING] = {DS_NO_STATEMENT, DS_DELETE_MANY, DS_LOOK_BEFORE_WRITES},
		[PRESENT] = {DS_NO_STATEMENT, DS_DELETE_MANY, DS_LOOK_NEVER},
	},
};

static Expected
expected_of(const DsTarget *target)
{
	if (target->head != NULL)
		return target->head->may_create ? ANYTHING : AS_FOUND;
	switch (target->expected)
	{
		case DS_NO_VERSION:
			return ABSENT;
		case DS_ANY_VERSION:
			return ANYTHING;
		default:
			return PRESENT;
	}
}

/* The rule for a target. */
const DsRule *
ds_rule_of(const DsTarget *target)
{
	return &rules[target->change][expected_of(target)];
}

/* Whether a target must be new. */
bool
ds_rule_is_create(const DsTarget *target)
{
	return expected_of(target) == ABSENT && ds_rule_of(target)->if_absent == DS_INSERT_MANY;
}

/* The statement that locks a target, in the mode that its change needs. */
DsStatement
ds_rule_lock(const DsTarget *target)
{
	static const DsStatement locks[DS_CHANGES] = {
		[DS_CHANGE_NONE] = DS_LOCK_MANY_FOR_ASSERT,
		[DS_CHANGE_STORE] = DS_LOCK_MANY_FOR_UPSERT,
		[DS_CHANGE_PATCH] = DS_LOCK_MANY_FOR_UPSERT,
		[DS_CHANGE_DELETE] = DS_LOCK_MANY_FOR_DELETE,
	};

	return locks[target->change];
}

/*
 * rule.h - what is done with a target
 */
#ifndef DS_RULE_H
#define DS_RULE_H

#include "postgres.h"

#include "batch/target.h"
#include "table/statement.h"

/* When a target that is absent, and may be, is looked at once more: no row lock can hold it. */
typedef enum DsLook
{
	DS_LOOK_NEVER,
	DS_LOOK_BEFORE_WRITES,
	DS_LOOK_AFTER_WRITES
} DsLook;

typedef struct DsRule
{
	DsStatement if_absent;
	DsStatement if_present;
	DsLook		look;
} DsRule;

extern const DsRule *ds_rule_of(const DsTarget *target);
extern bool ds_rule_is_create(const DsTarget *target);
extern DsStatement ds_rule_lock(const DsTarget *target);

#endif							/* DS_RULE_H */

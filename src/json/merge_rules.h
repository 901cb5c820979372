/*
 * merge_rules.h - how the values of a document are merged
 */
#ifndef DS_MERGE_RULES_H
#define DS_MERGE_RULES_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

typedef enum DsMergeRule
{
	DS_MERGE_FIELDS,			/* no rule: objects by their members, all else as a whole */
	DS_MERGE_ATOMIC,			/* as a whole */
	DS_MERGE_SET,				/* an array, of which order and number do not matter */
	DS_MERGE_SUM,				/* a number, which both change by an amount */
	DS_MERGE_KEYED				/* an array of objects, each with a key of its own */
} DsMergeRule;

/* The element of a keyed array, in the path of a rule: any of them. */
#define DS_MERGE_ANY_ELEMENT "*"

extern JsonbContainer *ds_merge_rules_read(Jsonb *rules, int item);
extern DsMergeRule ds_merge_rules_find(JsonbContainer *rules, const char *path, int length, JsonbValue *key);
extern bool ds_merge_rules_have_sum(JsonbContainer *rules);
extern void ds_merge_path_append(StringInfo path, const JsonbValue *key);

#endif							/* DS_MERGE_RULES_H */

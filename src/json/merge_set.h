/*
 * merge_set.h - two edits of a set, merged
 */
#ifndef DS_MERGE_SET_H
#define DS_MERGE_SET_H

#include "postgres.h"

#include "utils/jsonb.h"

extern const JsonbValue *ds_merge_set(const JsonbValue *base, const JsonbValue *mine, const JsonbValue *theirs);

#endif							/* DS_MERGE_SET_H */

/*
 * json_compare.h - JSON values side by side
 */
#ifndef DS_JSON_COMPARE_H
#define DS_JSON_COMPARE_H

#include "postgres.h"

#include "utils/jsonb.h"

extern bool ds_json_is_equal(const JsonbValue *left, const JsonbValue *right);
extern int	ds_json_compare(const JsonbValue *left, const JsonbValue *right);

#endif							/* DS_JSON_COMPARE_H */

/*
 * json.h - small helpers for JSON values that a caller gave
 */
#ifndef DS_JSON_H
#define DS_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

extern bool ds_json_string_is(const JsonbValue *string, const char *word);
extern const char *ds_json_quote(const JsonbValue *string);
extern char *ds_json_digits(const JsonbValue *number);
extern bool ds_json_is_bigint(const JsonbValue *string);
extern bool ds_json_is_like(const JsonbValue *string, const char *word);
extern bool ds_json_is_encoded_twice(Jsonb *json);
extern Datum ds_json_require_object(Datum data, const char *name, int item);
extern void ds_json_root(Jsonb *json, JsonbValue *value);
extern Jsonb *ds_json_copy(const void *bytes, int length);
extern Datum ds_json_empty_object(void);

#endif							/* DS_JSON_H */

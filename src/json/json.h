/*
 * json.h - small helpers for JSON values that a caller gave
 */
#ifndef DS_JSON_H
#define DS_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

/* A walk over the members of an object, or the elements of an array. */
typedef struct DsJsonWalk
{
	JsonbIterator *iterator;
	JsonbValue	key;			/* of a member */
	JsonbValue	value;
} DsJsonWalk;

/* Where the member with that key belongs, or NULL. */
typedef JsonbValue **(*DsJsonFindPlace) (void *context, const JsonbValue *key);

extern bool ds_json_string_is(const JsonbValue *string, const char *word);
extern const char *ds_json_quote(const JsonbValue *string);
extern char *ds_json_digits(const JsonbValue *number);
extern bool ds_json_is_bigint(const JsonbValue *string);
extern bool ds_json_is_like(const JsonbValue *string, const char *word);
extern bool ds_json_is_encoded_twice(Jsonb *json);
extern void ds_json_root(Jsonb *json, JsonbValue *value);
extern Jsonb *ds_json_copy(const void *bytes, int length);
extern Datum ds_json_empty_object(void);

extern JsonbContainer *ds_json_object(const JsonbValue *value);
extern JsonbContainer *ds_json_array(const JsonbValue *value);
extern Datum ds_json_require_object(Datum data, const char *name, int item);
extern JsonbValue *ds_json_member(JsonbContainer *object, const char *key, JsonbValue *value);
extern void ds_json_walk_begin(DsJsonWalk *walk, JsonbContainer *container);
extern bool ds_json_walk_next(DsJsonWalk *walk);
extern bool ds_json_read_members(JsonbContainer *object, DsJsonFindPlace find_place, void *context,
								 JsonbValue *values, JsonbValue *unknown);

#endif							/* DS_JSON_H */

/*
 * json.h - JSON values that a caller gave
 *
 * The room json/ knows JSON, and nothing of documents:
 *
 *	json.c			values as the server has read them: objects, arrays, words
 *	merge_patch.c	a merge patch, RFC 7396: docstore.merge_patch(), which the
 *					statements that patch documents call on the row they lock
 *	merge3.c		two edits of one value, merged: what both have changed in two
 *					ways collides; docstore.merge3()
 *	merge_rules.c, merge_set.c, merge_elements.c, merge_order.c
 *					the rules by which a value is merged otherwise: sums, sets,
 *					arrays whose elements have keys
 *	json_compare.c	what is equal, and an order that is the same everywhere
 *	json_parse.c	text as jsonb, the very bytes that the server makes of it; what
 *					is unusual is left to the server
 *	json_tape.c, json_text.h, json_build.c, json_number.c
 *					the two passes of that
 *
 * It may call base/.
 */
#ifndef DS_JSON_H
#define DS_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

/* A piece of the caller's bytes; start is NULL where there is nothing. */
typedef struct DsBytes
{
	const char *start;
	int			length;
} DsBytes;

/* A walk over the members of an object, or the elements of an array. */
typedef struct DsJsonWalk
{
	JsonbIterator *iterator;
	JsonbValue	key;			/* of a member */
	JsonbValue	value;
} DsJsonWalk;

/* Where the member with that key belongs, or NULL. */
typedef JsonbValue **(*DsJsonFindPlace) (void *context, const JsonbValue *key);

/* Whether a JSON string is that word; in line, as each key of each item is asked many times. */
static inline bool
ds_json_string_is(const JsonbValue *string, const char *word)
{
	return (size_t) string->val.string.len == strlen(word) &&
		memcmp(string->val.string.val, word, string->val.string.len) == 0;
}

extern const char *ds_json_quote(const JsonbValue *string);
extern char *ds_json_digits(const JsonbValue *number);
extern bool ds_json_is_bigint(const JsonbValue *string);
extern bool ds_json_is_like(const JsonbValue *string, const char *word);
extern bool ds_json_is_encoded_twice(Jsonb *json);
extern void ds_json_root(Jsonb *json, JsonbValue *value);
extern bool ds_json_read_text(const JsonbValue *value, DsBytes *text);
extern Datum ds_json_text(const DsBytes *text);
extern Datum ds_json_text_array(const DsBytes *texts, int count);
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

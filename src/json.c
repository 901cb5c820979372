/*
 * json.c - small helpers for JSON values that a caller gave
 */
#include "postgres.h"

#include "json.h"
#include "mb/pg_wchar.h"

/* A longer piece of the caller's text does not go into a message. */
#define QUOTED_BYTES 64

/* Whether a JSON string is that word. */
bool
ds_json_string_is(const JsonbValue *string, const char *word)
{
	return (size_t) string->val.string.len == strlen(word) &&
		memcmp(string->val.string.val, word, string->val.string.len) == 0;
}

/* A JSON string for a message: quoted, and cut where it is long. */
const char *
ds_json_quote(const JsonbValue *string)
{
	int			length = pg_mbcliplen(string->val.string.val, string->val.string.len, QUOTED_BYTES);

	return psprintf("\"%.*s\"", length, string->val.string.val);
}

/*
 * Whether a whole value is a JSON string.  Where an object or an array is
 * due, that is what some drivers make of a text that they encode again.
 */
bool
ds_json_is_encoded_twice(Jsonb *json)
{
	JsonbValue	scalar;

	return JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, &scalar) &&
		scalar.type == jbvString;
}

/*
 * json.c - JSON values that a caller gave
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "json/json.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

/* A longer piece of the caller's text does not go into a message. */
#define QUOTED_BYTES 64

/*
 * Whether a JSON string was probably meant to be that word: it is the same in
 * lower case, but for one letter of three at most.
 */
bool
ds_json_is_like(const JsonbValue *string, const char *word)
{
	int			length = string->val.string.len;
	int			limit = Min(length, (int) strlen(word)) / 3;
	char		lower[QUOTED_BYTES];

	if (length > QUOTED_BYTES)
		return false;
	for (int i = 0; i < length; i++)
		lower[i] = pg_ascii_tolower((unsigned char) string->val.string.val[i]);
	return varstr_levenshtein_less_equal(lower, length, word, strlen(word), 1, 1, 1, limit, true) <= limit;
}

/* A JSON string for a message: as JSON, on one line, and cut where it is long. */
const char *
ds_json_quote(const JsonbValue *string)
{
	int			length = pg_mbcliplen(string->val.string.val, string->val.string.len, QUOTED_BYTES);
	StringInfoData quoted;

	initStringInfo(&quoted);
	escape_json(&quoted, pnstrdup(string->val.string.val, length));
	return quoted.data;
}

/*
 * The digits of a JSON number that is due to be a bigint, or NULL when it has
 * far too many of them to be one, or to be shown.
 */
char *
ds_json_digits(const JsonbValue *number)
{
	char	   *digits = numeric_normalize(number->val.numeric);

	return strlen(digits) <= QUOTED_BYTES ? digits : NULL;
}

/*
 * Whether a JSON string is a whole number just as bigint writes it, and not
 * negative: "17", but neither "017" nor "+17".  It may be out of range.
 */
bool
ds_json_is_bigint(const JsonbValue *string)
{
	const char *digits = string->val.string.val;
	int			length = string->val.string.len;

	for (int i = 0; i < length; i++)
		if (digits[i] < '0' || digits[i] > '9')
			return false;
	return length == 1 || (length > 1 && digits[0] != '0');
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

/* A whole value as it would be under a key; it points into the original. */
void
ds_json_root(Jsonb *json, JsonbValue *value)
{
	if (JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, value))
		return;
	value->type = jbvBinary;
	value->val.binary.data = &json->root;
	value->val.binary.len = VARSIZE(json) - VARHDRSZ;
}

/* Whether a value is a string that is not empty, whose bytes *text then is. */
bool
ds_json_read_text(const JsonbValue *value, DsBytes *text)
{
	if (value->type != jbvString || value->val.string.len == 0)
		return false;
	text->start = value->val.string.val;
	text->length = value->val.string.len;
	return true;
}

/* The same bytes as a text, in the current memory context. */
Datum
ds_json_text(const DsBytes *text)
{
	return PointerGetDatum(cstring_to_text_with_len(text->start, text->length));
}

/* Many of them as an array. */
Datum
ds_json_text_array(const DsBytes *texts, int count)
{
	Datum	   *values = palloc(mul_size(Max(count, 1), sizeof(Datum)));

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[i] = ds_json_text(&texts[i]);
	}
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * A jsonb of its own, in the current memory context, from the bytes of one
 * without header: those that stand for an object within another one are just
 * that (jsonb_util.c copies a container in the same way).
 */
Jsonb *
ds_json_copy(const void *bytes, int length)
{
	Jsonb	   *json = palloc(VARHDRSZ + length);

	SET_VARSIZE(json, VARHDRSZ + length);
	memcpy(VARDATA(json), bytes, length);
	return json;
}

/* {} */
Datum
ds_json_empty_object(void)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
}

/*
 * Objects and arrays
 */

/* The object that a value is, or NULL. */
JsonbContainer *
ds_json_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data)
		? value->val.binary.data : NULL;
}

/* The array that a value is, or NULL. */
JsonbContainer *
ds_json_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) &&
		!JsonContainerIsScalar(value->val.binary.data)
		? value->val.binary.data : NULL;
}

/* Check that the argument called name is a JSON object and return it; 22023 otherwise. */
Datum
ds_json_require_object(Datum data, const char *name, int item)
{
	Jsonb	   *json = DatumGetJsonbP(data);

	if (JB_ROOT_IS_OBJECT(json))
		return JsonbPGetDatum(json);

	if (ds_json_is_encoded_twice(json))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s%s must be a JSON object, not a JSON string", ds_error_item_prefix(item), name),
				 errhint("The client seems to have encoded the JSON twice. Bind the object itself, or bind its text as text and cast it to jsonb.")));

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s must be a JSON object", ds_error_item_prefix(item), name),
			 errhint("Wrap the value in an object, as in {\"value\": ...}.")));
}

/* The member of an object that has that key, put into *value; NULL when there is none. */
JsonbValue *
ds_json_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value);
}

/* Begin to walk over the members of an object, or the elements of an array. */
void
ds_json_walk_begin(DsJsonWalk *walk, JsonbContainer *container)
{
	walk->iterator = JsonbIteratorInit(container);
	(void) JsonbIteratorNext(&walk->iterator, &walk->value, true);
}

/* Go on to the next one, which is in key and value; false when there is none. */
bool
ds_json_walk_next(DsJsonWalk *walk)
{
	JsonbIteratorToken token;

	CHECK_FOR_INTERRUPTS();
	token = JsonbIteratorNext(&walk->iterator, &walk->value, true);
	if (token == WJB_KEY)
	{
		walk->key = walk->value;
		token = JsonbIteratorNext(&walk->iterator, &walk->value, true);
	}
	return token == WJB_VALUE || token == WJB_ELEM;
}

/*
 * Put the members of an object where they belong, by their keys; values has
 * room for one of each.  False for a key that belongs nowhere, which is put
 * into *unknown.
 */
bool
ds_json_read_members(JsonbContainer *object, DsJsonFindPlace find_place, void *context,
					 JsonbValue *values, JsonbValue *unknown)
{
	DsJsonWalk	walk;

	ds_json_walk_begin(&walk, object);
	while (ds_json_walk_next(&walk))
	{
		JsonbValue **place = find_place(context, &walk.key);

		if (place == NULL)
		{
			*unknown = walk.key;
			return false;
		}
		*values = walk.value;
		*place = values++;
	}
	return true;
}

/*
 * result.c - the rows of save() as one JSON value, to be stored
 *
 * An array with an object for each row, whose keys are the names of the
 * columns: jsonb_to_recordset() shows it to whoever looks into the table.
 *
 * What is read back may have been changed by its owner with plain SQL, so
 * nothing about its shape is taken for granted.
 */
#include "postgres.h"

#include "base/compat.h"
#include "batch/result.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static const struct
{
	const char *name;
	PGFunction	from_numeric;	/* NULL: it is a text */
}			columns[DS_RESULT_COLUMNS] = {
	{"item", numeric_int4},
	{"op", NULL},
	{"target", NULL},
	{"id", NULL},
	{"version", numeric_int8},
};

void
ds_result_begin(JsonbInState *state)
{
	memset(state, 0, sizeof(JsonbInState));
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
}

static void
set_string(JsonbValue *value, const char *string, int length)
{
	value->type = jbvString;
	value->val.string.val = unconstify(char *, string);
	value->val.string.len = length;
}

static JsonbValue
stored_value(int column, Datum datum, bool is_null)
{
	JsonbValue	value = {.type = jbvNull};

	if (is_null)
		return value;
	if (columns[column].from_numeric == NULL)
	{
		text	   *string = DatumGetTextPP(datum);

		set_string(&value, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
		return value;
	}
	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(columns[column].from_numeric == numeric_int4
										 ? DatumGetInt32(datum) : DatumGetInt64(datum));
	return value;
}

/* Add a row; its texts must stay where they are until the end. */
void
ds_result_add(JsonbInState *state, const Datum *values, const bool *nulls)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < DS_RESULT_COLUMNS; i++)
	{
		JsonbValue	key;
		JsonbValue	value = stored_value(i, values[i], nulls[i]);

		set_string(&key, columns[i].name, strlen(columns[i].name));
		pushJsonbValue(state, WJB_KEY, &key);
		pushJsonbValue(state, WJB_VALUE, &value);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

Jsonb *
ds_result_end(JsonbInState *state)
{
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(state->result);
}

/* The number of rows; -1 when it is no such value. */
int
ds_result_count(Jsonb *result)
{
	if (!JB_ROOT_IS_ARRAY(result) || JB_ROOT_IS_SCALAR(result))
		return -1;
	return JB_ROOT_COUNT(result);
}

/* Read a row, from 0; false when it is none. */
bool
ds_result_read(Jsonb *result, int row, Datum *values, bool *nulls)
{
	JsonbValue *object = getIthJsonbValueFromContainer(&result->root, row);

	if (object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		return false;
	for (int i = 0; i < DS_RESULT_COLUMNS; i++)
	{
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(object->val.binary.data, columns[i].name,
										 strlen(columns[i].name), &value) == NULL)
			return false;
		nulls[i] = value.type == jbvNull;
		if (nulls[i])
			continue;
		if (value.type != (columns[i].from_numeric == NULL ? jbvString : jbvNumeric))
			return false;
		values[i] = columns[i].from_numeric == NULL
			? PointerGetDatum(cstring_to_text_with_len(value.val.string.val, value.val.string.len))
			: DirectFunctionCall1(columns[i].from_numeric, NumericGetDatum(value.val.numeric));
	}
	return true;
}

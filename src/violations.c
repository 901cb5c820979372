/*
 * violations.c - docstore.violations(): a conflict's DETAIL as rows
 */
#include "postgres.h"

#include "errors.h"
#include "expectation.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_violations);

/* item, op, kind, target, id, reason, expected, actual */
#define COLUMNS 8

static void
refuse_detail(void)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("detail is not that of a version conflict"),
			 errhint("Pass the DETAIL field of an error whose constraint name is docstore_expected_version.")));
}

/*
 * The JSON in a DETAIL: from its constant beginning to the last brace, as
 * proxies and drivers put prefixes before it and line ends after it.
 */
static Jsonb *
find_json(const char *detail)
{
	const char *begin = strstr(detail, "{\"total\": ");
	const char *end = strrchr(detail, '}');

	if (begin == NULL || end < begin)
		refuse_detail();
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(pnstrdup(begin, end - begin + 1))));
}

static JsonbValue *
member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value);
}

static Datum
text_member(JsonbContainer *object, const char *key, bool *is_null)
{
	JsonbValue	value;

	*is_null = member(object, key, &value) == NULL || value.type != jbvString;
	if (*is_null)
		return (Datum) 0;
	return PointerGetDatum(cstring_to_text_with_len(value.val.string.val, value.val.string.len));
}

static Datum
number_member(JsonbContainer *object, const char *key, bool *is_null)
{
	JsonbValue	value;

	*is_null = member(object, key, &value) == NULL || value.type != jbvNumeric;
	if (*is_null)
		return (Datum) 0;
	return DirectFunctionCall1(numeric_int8, NumericGetDatum(value.val.numeric));
}

static void
put_violation(ReturnSetInfo *set, JsonbContainer *violation)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	JsonbValue	value;

	values[0] = Int32GetDatum((int32) DatumGetInt64(number_member(violation, "item", &nulls[0])));
	values[1] = text_member(violation, "op", &nulls[1]);
	values[2] = text_member(violation, "kind", &nulls[2]);
	values[3] = text_member(violation, "collection", &nulls[3]);
	values[4] = text_member(violation, "id", &nulls[4]);
	values[5] = text_member(violation, "reason", &nulls[5]);
	nulls[6] = member(violation, "expected", &value) == NULL;
	if (!nulls[6])
		values[6] = Int64GetDatum(ds_expectation_from_json(&value, DS_ONLY_ITEM));
	values[7] = number_member(violation, "actual", &nulls[7]);
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

/*
 * docstore.violations(detail text) RETURNS TABLE (item int, op text,
 *		kind text, target text, id text, reason text, expected bigint,
 *		actual bigint)
 *
 * A row for each violation that the DETAIL lists, with expected and actual as
 * in SQL (actual is NULL when it is absent or hidden); no row for NULL.  The
 * rows may be fewer than the conflict's total.  22023 when detail has no
 * conflict in it.
 */
Datum
ds_violations(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	JsonbValue	list;
	Jsonb	   *json;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;

	json = find_json(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!JB_ROOT_IS_OBJECT(json) || member(&json->root, "violations", &list) == NULL ||
		list.type != jbvBinary || !JsonContainerIsArray(list.val.binary.data))
		refuse_detail();

	for (uint32 i = 0; i < JsonContainerSize(list.val.binary.data); i++)
	{
		JsonbValue *violation = getIthJsonbValueFromContainer(list.val.binary.data, i);

		if (violation->type != jbvBinary || !JsonContainerIsObject(violation->val.binary.data))
			refuse_detail();
		put_violation(set, violation->val.binary.data);
	}
	return (Datum) 0;
}

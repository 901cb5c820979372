/*
 * json_compare.c - JSON values side by side
 *
 * Equal is what jsonb's = calls equal: numbers by their value, objects whatever
 * the order of their keys.  The order is one of our own for single values, since
 * that of jsonb goes by the database's collation for strings; what is made in
 * this order is to be the same everywhere.
 *
 * Values are those of a walk: nested ones are binary.
 */
#include "postgres.h"

#include "fmgr.h"
#include "json/json_compare.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static int
compare_strings(const JsonbValue *left, const JsonbValue *right)
{
	int			length = Min(left->val.string.len, right->val.string.len);
	int			result = memcmp(left->val.string.val, right->val.string.val, length);

	if (result != 0)
		return result;
	return (left->val.string.len > right->val.string.len) - (left->val.string.len < right->val.string.len);
}

static int
compare_numbers(const JsonbValue *left, const JsonbValue *right)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(left->val.numeric),
											 NumericGetDatum(right->val.numeric)));
}

/* The same bytes are the same value; of two values the bytes may differ, in the scale of a number. */
static bool
has_same_bytes(const JsonbValue *left, const JsonbValue *right)
{
	return left->val.binary.len == right->val.binary.len &&
		memcmp(left->val.binary.data, right->val.binary.data, left->val.binary.len) == 0;
}

/* One total order: null, strings, numbers, booleans, then arrays and objects; 0 for what is equal. */
int
ds_json_compare(const JsonbValue *left, const JsonbValue *right)
{
	if (left->type != right->type)
		return left->type < right->type ? -1 : 1;
	switch (left->type)
	{
		case jbvNull:
			return 0;
		case jbvString:
			return compare_strings(left, right);
		case jbvNumeric:
			return compare_numbers(left, right);
		case jbvBool:
			return (int) left->val.boolean - (int) right->val.boolean;
		case jbvBinary:
			return has_same_bytes(left, right) ? 0
				: compareJsonbContainers(left->val.binary.data, right->val.binary.data);
		default:
			elog(ERROR, "unexpected jsonb value %d", (int) left->type);
	}
}

/* Whether two values are equal; NULL is one that is missing, which only another such one is equal to. */
bool
ds_json_is_equal(const JsonbValue *left, const JsonbValue *right)
{
	if (left == NULL || right == NULL)
		return left == right;
	return ds_json_compare(left, right) == 0;
}

/*
 * conflicts.c - conflicts: raised, and read
 *
 *	docstore.check_conflicts()
 *	docstore.violations()
 *	docstore_internal.conflict_sqlstate()
 *
 * Nobody but the callers of docstore.violations() reads the DETAIL of a conflict
 * again: conflict.c writes it.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "conflict/conflict.h"
#include "conflict/deferred.h"
#include "conflict/expectation.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_check_conflicts);
PG_FUNCTION_INFO_V1(ds_conflict_sqlstate);
PG_FUNCTION_INFO_V1(ds_violations);

/*
 * docstore.check_conflicts() RETURNS void
 *
 * Raises one conflict with all violations that are pending, and does nothing
 * when there is none; 25000 in a worker of a parallel query, which could not
 * know.  Locks: none.
 */
Datum
ds_check_conflicts(pg_attribute_unused() PG_FUNCTION_ARGS)
{
	ds_call_require_no_parallel("docstore.check_conflicts()");
	ds_deferred_check("");
	PG_RETURN_VOID();
}

/*
 * docstore_internal.conflict_sqlstate() RETURNS text
 *
 * For the view docstore.error_codes: the setting as it is once the library is
 * loaded, which current_setting() would not see to.
 */
Datum
ds_conflict_sqlstate(pg_attribute_unused() PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(ds_conflict_code()));
}

/*
 * The DETAIL as rows
 */

/* item, op, kind, target, id, reason, expected, actual */
#define COLUMNS 8

#define HINT "Pass the DETAIL field of an error whose constraint name is docstore_expected_version."

pg_noreturn static void
refuse_detail(void)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("detail is not the DETAIL of a version conflict"),
			 errhint(HINT)));
}

/* While the server reads the JSON: whatever it finds wrong is a bad argument. */
static void
detail_error(pg_attribute_unused() void *arg)
{
	if (!ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	errhint(HINT);
}

/* Where the object ends that begins at begin, or NULL. */
static const char *
find_end(const char *begin)
{
	bool		in_string = false;
	int			depth = 0;

	for (const char *c = begin; *c != '\0'; c++)
	{
		CHECK_FOR_INTERRUPTS();
		if (in_string)
		{
			if (*c == '\\' && c[1] != '\0')
				c++;
			else if (*c == '"')
				in_string = false;
		}
		else if (*c == '"')
			in_string = true;
		else if (*c == '{')
			depth++;
		else if (*c == '}' && --depth == 0)
			return c + 1;
	}
	return NULL;
}

/* The JSON in a DETAIL, around which proxies and drivers may have put text. */
static Jsonb *
find_json(const char *detail)
{
	const char *begin = strstr(detail, "{\"total\": ");
	const char *end = begin == NULL ? NULL : find_end(begin);

	if (end == NULL)
		refuse_detail();
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(pnstrdup(begin, end - begin))));
}

static Datum
text_member(JsonbContainer *object, const char *key, bool *is_null)
{
	JsonbValue	value;

	*is_null = ds_json_member(object, key, &value) == NULL || value.type != jbvString;
	if (*is_null)
		return (Datum) 0;
	return PointerGetDatum(cstring_to_text_with_len(value.val.string.val, value.val.string.len));
}

/* The id, or in its place the scope, as the text of its JSON. */
static Datum
id_member(JsonbContainer *violation, bool *is_null)
{
	JsonbValue	scope;

	if (ds_json_member(violation, "scope", &scope) == NULL || scope.type != jbvBinary)
		return text_member(violation, "id", is_null);
	*is_null = false;
	return CStringGetTextDatum(JsonbToCString(NULL, scope.val.binary.data, scope.val.binary.len));
}

static Datum
number_member(JsonbContainer *object, const char *key, bool *is_null)
{
	JsonbValue	value;

	*is_null = ds_json_member(object, key, &value) == NULL || value.type != jbvNumeric;
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

	values[0] = DirectFunctionCall1(int84, number_member(violation, "item", &nulls[0]));
	values[1] = text_member(violation, "op", &nulls[1]);
	values[2] = text_member(violation, "kind", &nulls[2]);
	values[3] = text_member(violation, "collection", &nulls[3]);
	if (nulls[3])
		values[3] = text_member(violation, "table", &nulls[3]);
	if (nulls[3])
		values[3] = text_member(violation, "log", &nulls[3]);
	values[4] = id_member(violation, &nulls[4]);
	values[5] = text_member(violation, "reason", &nulls[5]);
	nulls[6] = ds_json_member(violation, "expected", &value) == NULL;
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
	ErrorContextCallback context = {error_context_stack, detail_error, NULL};
	JsonbValue	list;
	JsonbContainer *array;
	DsJsonWalk	walk;
	Jsonb	   *json;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;

	error_context_stack = &context;
	json = find_json(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!JB_ROOT_IS_OBJECT(json) || ds_json_member(&json->root, "violations", &list) == NULL ||
		(array = ds_json_array(&list)) == NULL)
		refuse_detail();

	ds_json_walk_begin(&walk, array);
	while (ds_json_walk_next(&walk))
	{
		JsonbContainer *violation = ds_json_object(&walk.value);

		if (violation == NULL)
			refuse_detail();
		put_violation(set, violation);
	}
	error_context_stack = context.previous;
	return (Datum) 0;
}

/*
 * parse.c - JSON that is no document yet: parse, parse_many, merge_patch, merge3
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json_parse.h"
#include "json/merge3.h"
#include "json/merge_patch.h"
#include "json/merge_rules.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_parse);
PG_FUNCTION_INFO_V1(ds_parse_many);
PG_FUNCTION_INFO_V1(ds_merge_patch_sql);
PG_FUNCTION_INFO_V1(ds_merge3_sql);

/*
 * docstore.parse(json text) RETURNS jsonb
 *
 * What json::jsonb is, and its errors.  Locks: none.
 */
Datum
ds_parse(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(ds_json_parse(PG_GETARG_TEXT_PP(0)));
}

/*
 * docstore.parse_many(json text[]) RETURNS jsonb[]
 *
 * Likewise each element, NULL for NULL, in an array of the same dimensions.
 */
Datum
ds_parse_many(PG_FUNCTION_ARGS)
{
	ArrayType  *given = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(given, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			values[i] = JsonbPGetDatum(ds_json_parse(DatumGetTextPP(values[i])));
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, ARR_NDIM(given), ARR_DIMS(given), ARR_LBOUND(given),
											 JSONBOID, -1, false, TYPALIGN_INT));
}

/*
 * docstore.merge_patch(target jsonb, patch jsonb) RETURNS jsonb
 *
 * What the patch makes of the target, by RFC 7396; a target that is NULL
 * counts as {}.  NULL for a patch that is NULL.  Raises 54001 when the JSON is
 * nested deeper than the stack allows.  Locks: none.
 */
Datum
ds_merge_patch_sql(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(ds_merge_patch(PG_ARGISNULL(0) ? NULL : PG_GETARG_JSONB_P(0),
									 PG_GETARG_JSONB_P(1)));
}

/* An argument that stands for a value that is missing where it is NULL. */
static Jsonb *
json_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : PG_GETARG_JSONB_P(number);
}

/*
 * docstore.merge3(base jsonb, mine jsonb, theirs jsonb, rules jsonb DEFAULT '{}')
 * RETURNS TABLE (merged jsonb, conflicts jsonb)
 *
 * One row: what two edits of base make together, or where they collide.  NULL
 * is a value that is missing; merged is NULL when it is gone, or when there are
 * conflicts, which are NULL when there are none.  22023 for rules that are
 * none, 54001 when the JSON is nested deeper than the stack allows.  Locks:
 * none.
 */
Datum
ds_merge3_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	JsonbContainer *rules = PG_ARGISNULL(3) ? NULL : ds_merge_rules_read(PG_GETARG_JSONB_P(3), DS_ONLY_ITEM);
	DsMerged	result;
	Jsonb	   *conflicts;
	Datum		values[2];
	bool		nulls[2];

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_merge3(json_argument(fcinfo, 0), json_argument(fcinfo, 1), json_argument(fcinfo, 2), rules, &result);
	conflicts = ds_merge3_conflicts(&result);

	nulls[0] = result.merged == NULL;
	values[0] = nulls[0] ? (Datum) 0 : JsonbPGetDatum(result.merged);
	nulls[1] = conflicts == NULL;
	values[1] = nulls[1] ? (Datum) 0 : JsonbPGetDatum(conflicts);
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	return (Datum) 0;
}

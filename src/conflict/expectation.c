/*
 * expectation.c - expected versions: the vocabulary and the one comparison
 *
 * One vocabulary serves every function and every item:
 *
 *	n > 0				it is there at exactly version n; in JSON, also "n"
 *	0, NULL, "none"		it is not there
 *	-1, "any"			the caller does not care
 *	-2, "exists"		it is there, at whatever version
 *
 * The comparison is equality, never "less than", and it is made in one place
 * only.  Its caller must hold the lock under which the version was read, or
 * know another reason why the answer cannot change (see document.c).
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "conflict/expectation.h"
#include "json/json.h"
#include "json/json_number.h"
#include "utils/guc.h"

#define VOCABULARY_HINT \
	"An expected version is n > 0 (exactly that version), 0 or \"none\" (absent), " \
	"-1 or \"any\" (do not check), -2 or \"exists\" (present at any version)."

bool		ds_expectation_checks = true;

/* Define docstore.checks. */
void
ds_expectation_init(void)
{
	DefineCustomBoolVariable("docstore.checks",
							 "Compares expected versions.",
							 "Off treats every expected version as \"any\": for bulk loads and repairs.",
							 &ds_expectation_checks,
							 true,
							 PGC_USERSET,
							 0,
							 NULL, NULL, NULL);
}

pg_noreturn static void
refuse(const char *given, int item)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sinvalid expected version %s", ds_error_item_prefix(item), given),
			 errhint(VOCABULARY_HINT)));
}

/* Check an expected version that came as bigint; returns it. */
int64
ds_expectation_from_sql(int64 expected, int item)
{
	if (expected < DS_SOME_VERSION)
		refuse(psprintf(INT64_FORMAT, expected), item);
	return expected;
}

/* Digits that stand for an expected version: a whole number, within bigint. */
static int64
expectation_from_digits(const char *digits, const char *given, int item)
{
	char	   *end;
	int64		expected;

	errno = 0;
	expected = strtoi64(digits, &end, 10);
	if (errno != 0 || *end != '\0')
		refuse(given, item);
	return ds_expectation_from_sql(expected, item);
}

static int64
expectation_from_number(const JsonbValue *number, int item)
{
	char	   *digits;
	int64		small;

	if (ds_json_number_is_small(number->val.numeric, &small))
		return small;
	digits = ds_json_digits(number);
	if (digits == NULL)
		refuse("with more digits than a bigint can have", item);
	return expectation_from_digits(digits, digits, item);
}

/* One of the words, or the digits that many drivers make of a bigint. */
static int64
expectation_from_string(const JsonbValue *string, int item)
{
	if (ds_json_string_is(string, "none"))
		return DS_NO_VERSION;
	if (ds_json_string_is(string, "any"))
		return DS_ANY_VERSION;
	if (ds_json_string_is(string, "exists"))
		return DS_SOME_VERSION;
	if (!ds_json_is_bigint(string))
		refuse(ds_json_quote(string), item);
	return expectation_from_digits(pnstrdup(string->val.string.val, string->val.string.len),
								   ds_json_quote(string), item);
}

/*
 * Read an expected version from an item.  A key that was left out is a NULL
 * pointer here, and means the same as JSON null: absent.
 */
int64
ds_expectation_from_json(const JsonbValue *expected, int item)
{
	if (expected == NULL || expected->type == jbvNull)
		return DS_NO_VERSION;

	if (expected->type == jbvNumeric)
		return expectation_from_number(expected, item);

	if (expected->type == jbvString)
		return expectation_from_string(expected, item);

	refuse("of a JSON type other than number and string", item);
}

/* What docstore.checks leaves of an expected version. */
int64
ds_expectation_in_force(int64 expected)
{
	return ds_expectation_checks ? expected : DS_ANY_VERSION;
}

/*
 * What is expected where a condition is: that the document is there, if not at
 * which version.  Where it may be absent there is nothing to ask: 22023.
 */
int64
ds_expectation_with_condition(int64 expected, int item)
{
	if (expected == DS_NO_VERSION)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sif_contains cannot be combined with absence", ds_error_item_prefix(item)),
				 errhint("With if_contains, pass the version that was loaded, or -1 or \"any\" to check the condition only.")));
	return expected == DS_ANY_VERSION ? DS_SOME_VERSION : expected;
}

/* A delete of something that is expected to be absent makes no sense. */
void
ds_expectation_refuse_absence(int64 expected, int item)
{
	if (expected == DS_NO_VERSION)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sa delete cannot expect absence", ds_error_item_prefix(item)),
				 errhint("Pass the version that was loaded, -1 or \"any\" to delete whatever is there, "
						 "or -2 or \"exists\" to require that something is there.")));
}

/* Compare; actual counts only when present. */
DsReason
ds_expectation_compare(int64 expected, bool present, int64 actual)
{
	switch (expected)
	{
		case DS_ANY_VERSION:
			return DS_NO_REASON;
		case DS_NO_VERSION:
			return present ? DS_EXISTS : DS_NO_REASON;
		case DS_SOME_VERSION:
			return present ? DS_NO_REASON : DS_MISSING;
		default:
			if (!present)
				return DS_MISSING;
			return actual == expected ? DS_NO_REASON : DS_STALE;
	}
}

/*
 * Whether a version that is committed makes an expectation fail for good, as
 * versions never go back: what is read without a lock can be reported then.
 */
bool
ds_expectation_is_passed(int64 expected, int64 actual)
{
	return expected >= DS_NO_VERSION && actual > expected;
}

/* How the conflict's DETAIL writes an expected version. */
const char *
ds_expectation_to_json(int64 expected)
{
	if (expected == DS_ANY_VERSION)
		return "\"any\"";
	if (expected == DS_SOME_VERSION)
		return "\"exists\"";
	return psprintf(INT64_FORMAT, expected);
}

/* The word for a reason; NULL when the expectation holds. */
const char *
ds_reason_name(DsReason reason)
{
	switch (reason)
	{
		case DS_NO_REASON:
			return NULL;
		case DS_STALE:
			return "stale";
		case DS_MISSING:
			return "missing";
		case DS_EXISTS:
			return "exists";
		case DS_CLOSED:
			return "closed";
		case DS_SCOPE_REASON:
			return "scope";
		case DS_CONDITION:
			return "condition";
		case DS_COLLISION:
			return "merge";
		case DS_BEHIND:
			return "behind";
	}
	elog(ERROR, "unexpected reason %d", (int) reason);
}

/*
 * array.c - arrays that a caller gave
 */
#include "postgres.h"

#include "base/array.h"
#include "base/errors.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

/*
 * Take the array apart that is the argument called name.  The values are not
 * copied.  More than one dimension is 22023; lower bounds do not matter.
 */
DsArray
ds_array_read(ArrayType *array, const char *name)
{
	DsArray		result;
	int16		length;
	bool		by_value;
	char		align;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s must have one dimension, not %d", name, ARR_NDIM(array)),
				 errhint("Pass one element for each document.")));

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align,
					  &result.values, &result.nulls, &result.count);
	return result;
}

/* Refuse NULL in an argument versions: it would be passed over without a word. */
void
ds_array_require_versions(ArrayType *given, const char *hint)
{
	DsArray		versions = ds_array_read(given, "versions");

	for (int i = 0; i < versions.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (versions.nulls[i])
			ereport(ERROR,
					(errcode(DS_ERRCODE_ARGUMENT),
					 errmsg("%sversion must not be NULL", ds_error_item_prefix(i + 1)),
					 errhint("%s", hint)));
	}
}

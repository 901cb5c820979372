/*
 * array.c - arrays that a caller gave
 */
#include "postgres.h"

#include "base/array.h"
#include "base/errors.h"
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

/*
 * array.h - arrays that a caller gave
 */
#ifndef DS_ARRAY_H
#define DS_ARRAY_H

#include "postgres.h"

#include "utils/array.h"

typedef struct DsArray
{
	int			count;
	Datum	   *values;
	bool	   *nulls;
} DsArray;

extern DsArray ds_array_read(ArrayType *array, const char *name);
extern void ds_array_require_versions(ArrayType *given, const char *hint);

#endif							/* DS_ARRAY_H */

/*
 * result.h - the rows of save() as one JSON value, to be stored
 */
#ifndef DS_RESULT_H
#define DS_RESULT_H

#include "postgres.h"

#include "base/compat.h"

/* The columns that are stored: item, op, target, id, version. */
#define DS_RESULT_COLUMNS 5

extern void ds_result_begin(JsonbInState *state);
extern void ds_result_add(JsonbInState *state, const Datum *values, const bool *nulls);
extern Jsonb *ds_result_end(JsonbInState *state);
extern int	ds_result_count(Jsonb *result);
extern bool ds_result_read(Jsonb *result, int row, Datum *values, bool *nulls);

#endif							/* DS_RESULT_H */

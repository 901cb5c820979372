/*
 * json_number.h - numbers of JSON as numeric
 */
#ifndef DS_JSON_NUMBER_H
#define DS_JSON_NUMBER_H

#include "postgres.h"

#include "utils/numeric.h"

extern int	ds_json_number_write_integer(const char *text, int length, char *to);
extern int	ds_json_number_write_decimal(const char *text, int length, char *to);
extern int	ds_json_number_convert(const char *text, int length, char *to);
extern bool ds_json_number_is_small(Numeric number, int64 *value);

#endif							/* DS_JSON_NUMBER_H */

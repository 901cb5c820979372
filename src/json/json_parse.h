/*
 * json_parse.h - JSON text as jsonb, several times faster
 */
#ifndef DS_JSON_PARSE_H
#define DS_JSON_PARSE_H

#include "postgres.h"

#include "utils/jsonb.h"

extern Jsonb *ds_json_parse(const text *json);

#endif							/* DS_JSON_PARSE_H */

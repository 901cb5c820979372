/*
 * json_build.h - a jsonb from the values of a JSON text
 */
#ifndef DS_JSON_BUILD_H
#define DS_JSON_BUILD_H

#include "postgres.h"

#include "json/json_tape.h"
#include "utils/jsonb.h"

extern Jsonb *ds_json_build(const DsTape *tape);

#endif							/* DS_JSON_BUILD_H */

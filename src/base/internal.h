/*
 * internal.h - the schema of the functions that only docstore itself calls
 */
#ifndef DS_INTERNAL_H
#define DS_INTERNAL_H

#include "postgres.h"

extern Oid	ds_internal_schema(void);
extern const char *ds_internal_schema_name(void);
extern bool ds_internal_is(Oid function, const char *name);

#endif							/* DS_INTERNAL_H */

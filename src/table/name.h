/*
 * name.h - the names of tables
 */
#ifndef DS_NAME_H
#define DS_NAME_H

#include "postgres.h"

#include "base/compat.h"
#include "nodes/primnodes.h"
#include "storage/lockdefs.h"

extern RangeVar *ds_name_read(const char *name, int item);
extern RangeVar *ds_name_read_new(const char *name, int most);
extern Oid	ds_name_find(const char *name, LOCKMODE lock, int item);
extern char *ds_name_of(Oid relid);
pg_noreturn extern void ds_name_refuse_unknown(const char *kind, const char *name, int item, const char *hint);

#endif							/* DS_NAME_H */

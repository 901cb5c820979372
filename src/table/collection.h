/*
 * collection.h - the tables that docstore works on, described and remembered
 */
#ifndef DS_COLLECTION_H
#define DS_COLLECTION_H

#include "postgres.h"

#include "base/compat.h"
#include "storage/lockdefs.h"
#include "table/description.h"
#include "table/name.h"

extern void ds_collection_init(void);
extern const char *ds_collection_lock(Oid relid, LOCKMODE lock);
extern void ds_collection_open(Oid relid, LOCKMODE lock, int item, DsCollection *collection);
pg_noreturn extern void ds_collection_refuse_unknown(const char *name, int item);
extern Oid	ds_collection_find(const char *name, LOCKMODE lock, int item);
extern const DsCollection *ds_collection_look(Oid relid, DsKind kind, const char **obstacle);
extern bool ds_collection_describe(Oid relid, DsKind kind, DsCollection *collection,
								   const char **obstacle);
extern void ds_collection_look_again(const DsCollection *described);
extern void ds_collection_forget(Oid relid);
extern bool ds_collection_recognise(Oid relid, DsCollection *collection);
extern void ds_collection_prepare(DsCollection *collection);
extern void ds_collection_require_short_id(const DsCollection *collection, Datum id, int item);

#endif							/* DS_COLLECTION_H */

/*
 * floor.h - versions that a collection has used up
 */
#ifndef DS_FLOOR_H
#define DS_FLOOR_H

#include "postgres.h"

#include "collection.h"

extern Oid	ds_floor_find(Oid relid);
extern void ds_floor_create(Oid relid);
extern void ds_floor_raise(const DsCollection *collection, int64 version);
extern void ds_floor_keep(const DsCollection *collection);
extern int64 ds_floor_next_version(const DsCollection *collection);
extern int64 ds_floor_begin_lift(int64 version);
extern void ds_floor_end_lift(int64 before);
extern bool ds_floor_is_lift(int64 version);

#endif							/* DS_FLOOR_H */

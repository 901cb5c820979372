/*
 * far_floor.h - the floor of a distributed table, on the coordinator
 */
#ifndef DS_FAR_FLOOR_H
#define DS_FAR_FLOOR_H

#include "postgres.h"

#include "base/compat.h"

pg_noreturn extern void ds_far_floor_refuse(Oid relid, const char *answer);
extern void ds_far_floor_raise(Oid relid, int64 version);
extern int64 ds_far_floor_next_version(Oid relid, int tries);
extern bool ds_far_floor_reaches(Oid relid, int64 version);

#endif							/* DS_FAR_FLOOR_H */

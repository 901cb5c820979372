/*
 * track.h - beginning and ending the history of a collection
 */
#ifndef DS_TRACK_H
#define DS_TRACK_H

#include "postgres.h"

extern Oid	ds_track_make(Oid relid, int64 max_rows, bool notify, bool by_month);
extern void ds_track_drop(Oid relid);
extern char *ds_track_fault(Oid relid);

/* All that is there is recorded. */
#define DS_ALL_ROWS PG_INT64_MAX

#endif							/* DS_TRACK_H */

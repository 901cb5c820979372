/*
 * direct_targets.h - the targets of a batch without the executor
 */
#ifndef DS_DIRECT_TARGETS_H
#define DS_DIRECT_TARGETS_H

#include "postgres.h"

#include "batch/target.h"

extern void ds_direct_lock_targets(DsTarget **targets, int count);
extern void ds_direct_update_targets(DsTarget **targets, int count);
extern void ds_direct_insert_targets(DsTarget **targets, int count);

#endif							/* DS_DIRECT_TARGETS_H */

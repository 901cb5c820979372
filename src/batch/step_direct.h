/*
 * step_direct.h - the steps of a batch without the executor
 */
#ifndef DS_STEP_DIRECT_H
#define DS_STEP_DIRECT_H

#include "postgres.h"

#include "batch/target.h"

extern void ds_step_direct_lock(DsTarget **targets, int count);
extern void ds_step_direct_update_or_lock(DsTarget **targets, int count);
extern void ds_step_direct_update(DsTarget **targets, int count);
extern void ds_step_direct_insert(DsTarget **targets, int count);

#endif							/* DS_STEP_DIRECT_H */

/*
 * scope_lock.h - what appends and scopes lock besides rows
 */
#ifndef DS_SCOPE_LOCK_H
#define DS_SCOPE_LOCK_H

#include "postgres.h"

#include "batch/batch.h"

extern void ds_scopes_lock(DsBatch *batch);
extern void ds_scope_lock_absence(DsBatch *batch);
extern void ds_scope_unlock_absence(DsBatch *batch);

#endif							/* DS_SCOPE_LOCK_H */

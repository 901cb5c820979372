/*
 * scope_check.h - whether the scopes of a batch hold
 */
#ifndef DS_SCOPE_CHECK_H
#define DS_SCOPE_CHECK_H

#include "postgres.h"

#include "batch/batch.h"

extern void ds_scopes_check(DsBatch *batch);
extern void ds_scopes_compare(DsItem *item);

#endif							/* DS_SCOPE_CHECK_H */

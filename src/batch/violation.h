/*
 * violation.h - the violations of a batch
 */
#ifndef DS_VIOLATION_H
#define DS_VIOLATION_H

#include "postgres.h"

#include "batch/item.h"
#include "conflict/conflict.h"

extern void ds_items_add_violations(const DsBatch *batch, DsConflict *conflict);

#endif							/* DS_VIOLATION_H */

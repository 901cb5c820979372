/*
 * merge.h - items that are merged with what is there
 */
#ifndef DS_MERGE_H
#define DS_MERGE_H

#include "postgres.h"

#include "batch/item.h"

extern void ds_merge_require_exact(int64 expected, int item);
extern bool ds_merge_is_possible(const DsTarget *target);
extern void ds_merges_forget(DsBatch *batch);
extern void ds_merges_look(DsBatch *batch);

#endif							/* DS_MERGE_H */

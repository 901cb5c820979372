/*
 * gather.h - which rows the items of a batch are about
 */
#ifndef DS_GATHER_H
#define DS_GATHER_H

#include "postgres.h"

#include "batch/item.h"

extern void ds_targets_gather(DsBatch *batch);

#endif							/* DS_GATHER_H */

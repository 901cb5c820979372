/*
 * compare.h - how items stand
 */
#ifndef DS_COMPARE_H
#define DS_COMPARE_H

#include "postgres.h"

#include "batch/item.h"

extern void ds_item_compare(DsItem *item);
extern int	ds_items_compare(DsBatch *batch);
extern void ds_items_finish(DsBatch *batch);

#endif							/* DS_COMPARE_H */

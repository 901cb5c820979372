/*
 * direct_items.h - the items of a batch without the executor
 */
#ifndef DS_DIRECT_ITEMS_H
#define DS_DIRECT_ITEMS_H

#include "postgres.h"

#include "batch/batch.h"

extern void ds_direct_lock_items(DsItem **items, int count);
extern void ds_direct_update_items(DsItem **items, int count);
extern void ds_direct_insert_items(DsItem **items, int count);

#endif							/* DS_DIRECT_ITEMS_H */

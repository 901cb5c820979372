/*
 * log_items.h - what the items of logs lock, look at and store besides heads
 */
#ifndef DS_LOG_ITEMS_H
#define DS_LOG_ITEMS_H

#include "postgres.h"

#include "batch/item.h"

extern void ds_log_items_require_distinct(const DsBatch *batch);
extern void ds_log_items_look_ahead(const DsBatch *batch);
extern void ds_log_items_lock(const DsBatch *batch);
extern void ds_log_items_lock_absence(const DsBatch *batch);
extern void ds_log_items_unlock_absence(const DsBatch *batch);
extern void ds_log_items_look(DsBatch *batch);
extern void ds_log_item_take_positions(DsItem *item);
extern void ds_log_items_store(DsBatch *batch);

#endif							/* DS_LOG_ITEMS_H */

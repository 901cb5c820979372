/*
 * order.h - the one global order of locks
 */
#ifndef DS_ORDER_H
#define DS_ORDER_H

#include "postgres.h"

#include "batch/item.h"

extern void ds_order_targets(DsBatch *batch);

#endif							/* DS_ORDER_H */

/*
 * order.h - the one global order of locks
 */
#ifndef DS_ORDER_H
#define DS_ORDER_H

#include "postgres.h"

#include "batch/batch.h"

extern void ds_order_items(DsBatch *batch);

#endif							/* DS_ORDER_H */

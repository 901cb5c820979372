/*
 * item_reader.h - the items of a batch, as JSON
 */
#ifndef DS_ITEM_READER_H
#define DS_ITEM_READER_H

#include "postgres.h"

#include "batch/item.h"
#include "utils/jsonb.h"

extern void ds_items_read(Jsonb *changes, DsBatch *batch);

#endif							/* DS_ITEM_READER_H */

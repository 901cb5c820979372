/*
 * one_append.h - a batch of one append, without the executor
 */
#ifndef DS_ONE_APPEND_H
#define DS_ONE_APPEND_H

#include "postgres.h"

#include "batch/item.h"

extern bool ds_one_append_write(DsBatch *batch);

#endif							/* DS_ONE_APPEND_H */

/*
 * direct_append.h - one append without the executor
 */
#ifndef DS_DIRECT_APPEND_H
#define DS_DIRECT_APPEND_H

#include "postgres.h"

#include "batch/item.h"

extern bool ds_direct_append(DsBatch *batch);

#endif							/* DS_DIRECT_APPEND_H */

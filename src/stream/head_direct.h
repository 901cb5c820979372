/*
 * head_direct.h - the heads of streams without the executor
 */
#ifndef DS_HEAD_DIRECT_H
#define DS_HEAD_DIRECT_H

#include "postgres.h"

#include "batch/batch.h"
#include "table/direct.h"

extern void ds_head_direct_read(DsDirect *direct, DsHead *head);
extern bool ds_head_direct_update(DsDirect *direct, const DsHead *head, Datum properties);
extern bool ds_head_direct_insert(DsDirect *direct, const DsHead *head, Datum properties);

#endif							/* DS_HEAD_DIRECT_H */

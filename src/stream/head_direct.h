/*
 * head_direct.h - the heads of streams without the executor
 */
#ifndef DS_HEAD_DIRECT_H
#define DS_HEAD_DIRECT_H

#include "postgres.h"

#include "stream/head.h"
#include "table/direct.h"

extern void ds_head_direct_read(DsDirect *direct, DsHead *head);
extern bool ds_head_direct_update(DsDirect *direct, const DsHead *head, Datum properties, int64 version);
extern bool ds_head_direct_insert(DsDirect *direct, const DsHead *head, Datum stream, Datum properties);

#endif							/* DS_HEAD_DIRECT_H */

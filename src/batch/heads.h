/*
 * heads.h - the heads of streams that a batch is about
 */
#ifndef DS_HEADS_H
#define DS_HEADS_H

#include "postgres.h"

#include "batch/item.h"

extern int	ds_heads_compare(const DsLog *log, Datum stream, const DsLog *other_log, Datum other);
extern void ds_heads_refuse_nested(const DsBatch *batch);
extern void ds_heads_prepare(DsBatch *batch);

#endif							/* DS_HEADS_H */

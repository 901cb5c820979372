/*
 * direct_stream.h - heads and events without the executor
 */
#ifndef DS_DIRECT_STREAM_H
#define DS_DIRECT_STREAM_H

#include "postgres.h"

#include "batch.h"
#include "direct.h"

extern void ds_direct_read_head(DsDirect *direct, DsHead *head);
extern bool ds_direct_update_head(DsDirect *direct, const DsHead *head, Datum properties);
extern bool ds_direct_insert_head(DsDirect *direct, const DsHead *head, Datum properties);
extern void ds_direct_insert_events(const DsBatch *batch, const DsLog *log);

#endif							/* DS_DIRECT_STREAM_H */

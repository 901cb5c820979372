/*
 * event_id.h - events that are stored already
 */
#ifndef DS_EVENT_ID_H
#define DS_EVENT_ID_H

#include "postgres.h"

#include "batch/batch.h"

extern void ds_event_ids_require_distinct(const DsBatch *batch);
extern void ds_event_ids_find(DsBatch *batch);

#endif							/* DS_EVENT_ID_H */

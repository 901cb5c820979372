/*
 * store_events.h - the only writer of events
 */
#ifndef DS_STORE_EVENTS_H
#define DS_STORE_EVENTS_H

#include "postgres.h"

#include "batch/batch.h"

extern void ds_events_store(DsBatch *batch);
extern Datum ds_empty_object(void);
extern void ds_event_take_positions(DsItem *item);
extern void ds_event_form(const DsItem *item, const DsEvent *event, Datum *values, bool *nulls);

#endif							/* DS_STORE_EVENTS_H */

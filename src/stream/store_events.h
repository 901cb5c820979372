/*
 * store_events.h - the only writer of events
 */
#ifndef DS_STORE_EVENTS_H
#define DS_STORE_EVENTS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "stream/event.h"

extern void ds_events_take_positions(DsAppend *append);
extern void ds_events_store(const DsLog *log, List *appends);

#endif							/* DS_STORE_EVENTS_H */

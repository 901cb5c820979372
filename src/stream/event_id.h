/*
 * event_id.h - events that are stored already
 */
#ifndef DS_EVENT_ID_H
#define DS_EVENT_ID_H

#include "postgres.h"

#include "stream/event.h"

extern void ds_event_ids_find(DsAppend *append);

#endif							/* DS_EVENT_ID_H */

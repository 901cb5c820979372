/*
 * direct_stream.h - heads and events without the executor
 */
#ifndef DS_DIRECT_STREAM_H
#define DS_DIRECT_STREAM_H

#include "postgres.h"

#include "batch/batch.h"
#include "table/direct.h"

/* So many events are written to the table before their index entries are made. */
#define DS_DIRECT_EVENTS 256

/* Events on their way into a log. */
typedef struct DsDirectEvents
{
	DsDirect	direct;
	int			count;
	TupleTableSlot *slots[DS_DIRECT_EVENTS];
	MemoryContext context;		/* of their values */
} DsDirectEvents;

extern void ds_direct_read_head(DsDirect *direct, DsHead *head);
extern bool ds_direct_update_head(DsDirect *direct, const DsHead *head, Datum properties);
extern bool ds_direct_insert_head(DsDirect *direct, const DsHead *head, Datum properties);
extern void ds_direct_begin_events(DsDirectEvents *rows, const DsLog *log);
extern bool ds_direct_has_event_ids(DsDirectEvents *rows, const DsItem *item);
extern void ds_direct_insert_events(DsDirectEvents *rows, const DsItem *item);
extern void ds_direct_write_events(DsDirectEvents *rows);
extern void ds_direct_end_events(DsDirectEvents *rows);

#endif							/* DS_DIRECT_STREAM_H */

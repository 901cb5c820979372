/*
 * event_rows.h - the rows of events without the executor
 */
#ifndef DS_EVENT_ROWS_H
#define DS_EVENT_ROWS_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "stream/event.h"
#include "table/direct.h"

/* So many are written to the table before their index entries are made. */
#define DS_EVENT_ROWS 256

/* Events on their way into a log. */
typedef struct DsEventRows
{
	DsDirect	direct;
	int			count;
	TupleTableSlot *slots[DS_EVENT_ROWS];
	MemoryContext context;		/* of their values */
	Oid			unused[DS_UNUSED];
} DsEventRows;

extern void ds_event_rows_begin(DsEventRows *rows, const DsLog *log, List *appends);
extern bool ds_event_rows_have_ids(DsEventRows *rows, const DsAppend *append);
extern void ds_event_rows_add(DsEventRows *rows, const DsAppend *append);
extern void ds_event_rows_write(DsEventRows *rows);
extern void ds_event_rows_end(DsEventRows *rows);

#endif							/* DS_EVENT_ROWS_H */

/*
 * reading.h - what those who read events have in common
 */
#ifndef DS_READING_H
#define DS_READING_H

#include "postgres.h"

#include "feed/cursor.h"
#include "fmgr.h"
#include "log/log.h"
#include "table/plan.h"

/* The columns of an event e that readers get, in SQL. */
#define DS_READING_COLUMNS \
	"e.log_position, e.stream, e.version, e.type, e.data, e.metadata, e.event_id, " \
	"e.source_type, e.stream_type, e.stream_id, e.recorded_at"

/* What can be said of a cursor before anything is read. */
typedef enum DsCursorState
{
	DS_CURSOR_GOOD,
	DS_CURSOR_FOREIGN,			/* of another server: its event is here, and has another place */
	DS_CURSOR_LOST				/* its event is not here; see lost.c */
} DsCursorState;

/* What plans are told apart by, after one for each shape of a scope. */
enum
{
	DS_READING_FORWARDS = DS_PLAN_READ + 1000,
	DS_READING_BACKWARDS,
	DS_READING_PLACE,
	DS_READING_SAFE_END,
	DS_READING_WAITING,
	DS_READING_BEHIND,
	DS_READING_CONSUMERS,
	DS_READING_STREAM,
	DS_READING_ERASE_ALL,
	DS_READING_ERASE_SOME
};

extern Datum ds_reading_max_count(FunctionCallInfo fcinfo, int argument, char *null);
extern DsCursorState ds_reading_judge(const DsLog *log, const DsCursor *cursor);

#endif							/* DS_READING_H */

/*
 * cursor_check.h - whether a reader who goes on from a cursor misses nothing
 */
#ifndef DS_CURSOR_CHECK_H
#define DS_CURSOR_CHECK_H

#include "postgres.h"

#include "feed/cursor.h"
#include "feed/feed.h"
#include "table/description.h"

/* What can be said of a cursor before anything is read. */
typedef enum DsCursorState
{
	DS_CURSOR_GOOD,
	DS_CURSOR_FOREIGN,			/* of another server: another row has its position */
	DS_CURSOR_LOST,				/* its row is gone, and others may have come before it since */
	DS_CURSOR_DROPPED			/* rows that came after it may have been dropped with their partition */
} DsCursorState;

extern bool ds_cursor_is_reached(const DsCollection *table, const DsCursor *cursor, const DsHorizon *horizon);
extern DsCursorState ds_cursor_check(const DsCollection *table, const DsCursor *cursor);

#endif							/* DS_CURSOR_CHECK_H */

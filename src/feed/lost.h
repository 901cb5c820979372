/*
 * lost.h - cursors whose events are gone
 */
#ifndef DS_LOST_H
#define DS_LOST_H

#include "postgres.h"

#include "feed/cursor.h"
#include "table/collection.h"

extern bool ds_cursor_is_lost(const DsCollection *events, const DsCursor *cursor);

#endif							/* DS_LOST_H */

/*
 * cursor.h - how far a reader of a log has come
 */
#ifndef DS_CURSOR_H
#define DS_CURSOR_H

#include "postgres.h"

#include "access/transam.h"

/* The place of an event in the order of the feed; see feed.c. */
typedef struct DsCursor
{
	int64		generation;
	FullTransactionId transaction_id;
	int64		log_position;
} DsCursor;

/* Before every event that there can be, written as a cursor. */
#define DS_CURSOR_ORIGIN "0-0-0"

/* The cursor of a row e of the events, in SQL. */
#define DS_CURSOR_SQL "pg_catalog.concat_ws('-', e.generation, e.transaction_id, e.log_position)"

/* What the rows of a log are compared with cursors by, in SQL. */
#define DS_CURSOR_ROW "(e.generation, e.transaction_id, e.log_position)"

#define DS_CURSOR_PARAMETERS 3

extern bool ds_cursor_parse(const char *given, DsCursor *cursor);
extern void ds_cursor_read(text *given, const char *name, DsCursor *cursor);
extern int	ds_cursor_compare(const DsCursor *left, const DsCursor *right);
extern void ds_cursor_begin(DsCursor *cursor);
extern bool ds_cursor_is_origin(const DsCursor *cursor);
extern DsCursor ds_cursor_next_place(const DsCursor *cursor);
extern void ds_cursor_parameters(const DsCursor *cursor, Datum *values);

#endif							/* DS_CURSOR_H */

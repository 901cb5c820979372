/*
 * cursor.h - how far a reader has come
 */
#ifndef DS_CURSOR_H
#define DS_CURSOR_H

#include "postgres.h"

#include "access/transam.h"
#include "table/description.h"

/* The place of a row in the order of the feed; see feed.c. */
typedef struct DsCursor
{
	int64		generation;
	FullTransactionId transaction_id;
	int64		position;
} DsCursor;

/* Before every row that there can be, written as a cursor. */
#define DS_CURSOR_ORIGIN "0-0-0"

#define DS_CURSOR_PARAMETERS 3

extern char *ds_cursor_columns(const DsCollection *table);
extern char *ds_cursor_sql(const DsCollection *table);
extern bool ds_cursor_parse(const char *given, DsCursor *cursor);
extern void ds_cursor_read(text *given, const char *name, DsCursor *cursor);
extern int	ds_cursor_compare(const DsCursor *left, const DsCursor *right);
extern void ds_cursor_begin(DsCursor *cursor);
extern bool ds_cursor_is_origin(const DsCursor *cursor);
extern DsCursor ds_cursor_next_place(const DsCursor *cursor);
extern void ds_cursor_parameters(const DsCursor *cursor, Datum *values);

#endif							/* DS_CURSOR_H */

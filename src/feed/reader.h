/*
 * reader.h - what a reader of a feed asks for
 */
#ifndef DS_READER_H
#define DS_READER_H

#include "postgres.h"

#include "feed/cursor.h"
#include "feed/feed.h"
#include "table/description.h"

/* Which rows, and how many. */
typedef struct DsFeedRange
{
	DsCursor	from;			/* the first place */
	DsCursor	to;				/* the first place that is not wanted any more */
	Datum		max_count;		/* of a LIMIT */
	char		no_max_count;	/* 'n' for all of them, else ' ' */
} DsFeedRange;

extern void ds_reader_range(const DsCollection *table, text *after, text *until, DsFeedRange *range);
extern char *ds_reader_find_end(const DsCollection *table, const DsHorizon *horizon);
extern const char *ds_reader_end(const DsCollection *table);
extern int64 ds_reader_count_after(const DsCollection *table, const DsCursor *cursor);

#endif							/* DS_READER_H */

/*
 * read_feed.h - the events of scopes, in the order of the feed
 */
#ifndef DS_READ_FEED_H
#define DS_READ_FEED_H

#include "postgres.h"

#include "feed/cursor.h"
#include "nodes/execnodes.h"
#include "scope/scope.h"

/* Which events, and how many. */
typedef struct DsFeedRange
{
	DsCursor	from;			/* the first place */
	DsCursor	to;				/* the first place that is not wanted any more */
	Datum		max_count;		/* of a LIMIT */
	char		no_max_count;	/* 'n' for all of them, else ' ' */
} DsFeedRange;

extern uint64 ds_scopes_read_feed(const DsLog *log, const DsScope *scopes, int count, const DsFeedRange *range,
								  ReturnSetInfo *set);

#endif							/* DS_READ_FEED_H */

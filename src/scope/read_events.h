/*
 * read_events.h - the events of scopes, by position
 */
#ifndef DS_READ_EVENTS_H
#define DS_READ_EVENTS_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "scope/scope.h"

/* Which positions, and how many events. */
typedef struct DsPositionRange
{
	int64		after;			/* not this one */
	bool		backwards;		/* down from there, not up */
	Datum		max_count;		/* of a LIMIT */
	char		no_max_count;	/* 'n' for all of them, else ' ' */
} DsPositionRange;

extern void ds_scopes_read_events(const DsLog *log, const DsScope *scopes, int count, const DsPositionRange *range,
								  ReturnSetInfo *set);

#endif							/* DS_READ_EVENTS_H */

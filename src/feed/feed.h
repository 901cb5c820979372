/*
 * feed.h - the order in which readers of a log go on
 *
 * The room feed/ knows that order, and where a reader stands in it.  It enforces
 *
 *	feed.c			no event is skipped: the horizon, below which all that will
 *					ever come is there; what a reader has got survives a crash
 *	generation.c	events that are written after a restore, or on another
 *					timeline, sort after all that were there before
 *	cursor.c		a cursor is the place of an event; there is one way to write it
 *	cursor_check.c	a cursor from which events would be skipped is refused
 *	place.c			looks into the index on the order
 *	mark.c			what a snapshot shows of a log, as the server itself would say;
 *					what cannot be told is not shown
 *
 * It may call log/, table/ and base/.  Where a cursor is kept is the caller's
 * affair: in the client, or in a collection (docstore.commit_cursor()).
 */
#ifndef DS_FEED_H
#define DS_FEED_H

#include "postgres.h"

#include "access/transam.h"
#include "table/description.h"
#include "utils/snapshot.h"

/* Events below it are all that there will ever be; see feed.c. */
typedef struct DsHorizon
{
	int64		generation;
	FullTransactionId transaction_id;
} DsHorizon;

extern void ds_feed_init(void);
extern DsHorizon ds_feed_find_horizon(const DsCollection *events, Snapshot snapshot);
extern FullTransactionId ds_feed_follow(const DsCollection *events, Datum stream, int64 version);
extern void ds_feed_flush(void);

#endif							/* DS_FEED_H */

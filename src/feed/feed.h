/*
 * feed.h - the order in which readers of a table go on
 *
 * The room feed/ knows that order, and where a reader stands in it.  A table has
 * one that has an index on generation, transaction_id and a position; its kind
 * says so, by the functions here (kind.h).  What its rows are about is not known
 * here.  The room enforces
 *
 *	feed.c			no row is skipped: the horizon, below which all that will ever
 *					come is there; what a reader has got survives a crash
 *	generation.c	rows that are written after a restore, or on another timeline,
 *					sort after all that were there before
 *	cursor.c		a cursor is the place of a row; there is one way to write it
 *	cursor_check.c	a cursor from which rows would be skipped is refused
 *	place.c			looks into the index on the order
 *	reader.c		what a reader gets is decided by one snapshot
 *	status.c		who holds readers back, and how many rows wait
 *	mark.c			what a snapshot shows of a table, as the server itself would say;
 *					what cannot be told is not shown
 *
 * It may call table/ and base/.  Where a cursor is kept is the caller's affair:
 * in the client, or in a collection (docstore.commit_cursor()).
 */
#ifndef DS_FEED_H
#define DS_FEED_H

#include "postgres.h"

#include "access/transam.h"
#include "table/description.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* Rows below it are all that there will ever be; see feed.c. */
typedef struct DsHorizon
{
	int64		generation;
	FullTransactionId transaction_id;
} DsHorizon;

/* For kinds of tables that have a feed. */
extern void ds_feed_describe(Relation rel, DsCollection *table);
extern bool ds_feed_is_outdated(const DsCollection *table);
extern void ds_feed_carry_over(DsCollection *now, const DsCollection *then);

extern DsHorizon ds_feed_find_horizon(const DsCollection *table, Snapshot snapshot);
extern void ds_feed_flush(void);
extern bool ds_feed_is_replicated(void);

#endif							/* DS_FEED_H */

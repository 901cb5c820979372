/*
 * feed.h - the order in which readers of a log go on
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

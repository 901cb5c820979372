/*
 * feed.h - the order in which readers of a log go on
 */
#ifndef DS_FEED_H
#define DS_FEED_H

#include "postgres.h"

#include "access/transam.h"
#include "utils/relcache.h"

extern bool ds_feed_is_own(int64 generation);
extern int64 ds_feed_find_generation(Relation events, Oid feed);

#endif							/* DS_FEED_H */

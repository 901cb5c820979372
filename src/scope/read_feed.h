/*
 * read_feed.h - the events of scopes, in the order of the feed
 */
#ifndef DS_READ_FEED_H
#define DS_READ_FEED_H

#include "postgres.h"

#include "feed/reader.h"
#include "nodes/execnodes.h"
#include "scope/scope.h"

extern uint64 ds_scopes_read_feed(const DsLog *log, const DsScope *scopes, int count, const DsFeedRange *range,
								  ReturnSetInfo *set);

#endif							/* DS_READ_FEED_H */

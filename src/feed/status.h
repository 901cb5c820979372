/*
 * status.h - how far readers of a feed can go, and why no further
 */
#ifndef DS_STATUS_H
#define DS_STATUS_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "table/description.h"

extern void ds_feed_return_status(const DsCollection *table, ReturnSetInfo *set);

#endif							/* DS_STATUS_H */

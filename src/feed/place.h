/*
 * place.h - what is where in the order of readers
 */
#ifndef DS_PLACE_H
#define DS_PLACE_H

#include "postgres.h"

#include "access/sdir.h"
#include "access/stratnum.h"
#include "feed/cursor.h"
#include "table/collection.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* In place of a strategy: any generation will do. */
#define DS_ANY_GENERATION	InvalidStrategy

extern bool ds_place_find(Relation rel, Oid feed, Snapshot snapshot, ScanDirection direction,
						  StrategyNumber strategy, int64 generation, DsCursor *place);
extern bool ds_place_is_taken(const DsCollection *table, const DsCursor *place);
extern bool ds_place_is_visible(const DsCollection *table, const DsCursor *place);

#endif							/* DS_PLACE_H */

/*
 * place.h - what is where in the order of readers
 */
#ifndef DS_PLACE_H
#define DS_PLACE_H

#include "postgres.h"

#include "access/sdir.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "executor/tuptable.h"
#include "feed/cursor.h"
#include "table/collection.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* In place of a strategy: any generation will do. */
#define DS_ANY_GENERATION	InvalidStrategy

/* The rows from a place on; see ds_place_scan_begin(). */
typedef struct DsPlaceScan
{
	Relation	rel;
	Relation	index;
	struct IndexScanDescData *scan;
	TupleTableSlot *slot;		/* the row, until the next one */
	ScanKeyData key;
	ScanKeyData from[2];		/* what it compares with */
} DsPlaceScan;

extern bool ds_place_find(Relation rel, Oid feed, Snapshot snapshot, ScanDirection direction,
						  StrategyNumber strategy, int64 generation, DsCursor *place);
extern bool ds_place_is_taken(const DsCollection *table, const DsCursor *place);
extern void ds_place_scan_begin(const DsCollection *table, Snapshot snapshot, const DsCursor *from, DsPlaceScan *scan);
extern bool ds_place_scan_next(DsPlaceScan *scan);
extern void ds_place_scan_end(DsPlaceScan *scan);
extern bool ds_place_find_time(const DsCollection *table, const DsCursor *place, TimestampTz *time);
extern bool ds_place_is_visible(const DsCollection *table, const DsCursor *place);

#endif							/* DS_PLACE_H */

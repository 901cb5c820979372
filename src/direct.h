/*
 * direct.h - ordinary tables without the executor
 */
#ifndef DS_DIRECT_H
#define DS_DIRECT_H

#include "postgres.h"

#include "batch.h"
#include "collection.h"
#include "document.h"
#include "utils/rel.h"

extern void ds_direct_init(void);
extern void ds_direct_describe(Relation rel, DsCollection *collection);
extern bool ds_direct_updates(const DsCollection *collection);
extern bool ds_direct_inserts(const DsCollection *collection);

extern bool ds_direct_upsert(const DsCollection *collection, Datum id, Datum data,
							 int64 expected, DsOutcome *outcome);
extern void ds_direct_lock(DsItem **items, int count);
extern void ds_direct_update(DsItem **items, int count);
extern void ds_direct_insert(DsItem **items, int count, int64 version);

#endif							/* DS_DIRECT_H */

/*
 * generation.h - whose transaction ids the rows of a table have
 */
#ifndef DS_GENERATION_H
#define DS_GENERATION_H

#include "postgres.h"

#include "table/description.h"
#include "utils/relcache.h"

extern bool ds_generation_is_of_this_cluster(int64 generation);
extern int64 ds_generation_look(Relation rel, const DsCollection *table);
extern int64 ds_generation_find(Relation rel, const DsCollection *table);

#endif							/* DS_GENERATION_H */

/*
 * generation.h - whose transaction ids the events of a log have
 */
#ifndef DS_GENERATION_H
#define DS_GENERATION_H

#include "postgres.h"

#include "utils/relcache.h"

extern bool ds_generation_is_of_this_cluster(int64 generation);
extern int64 ds_generation_look(Relation events, Oid feed);
extern int64 ds_generation_find(Relation events, Oid feed);

#endif							/* DS_GENERATION_H */

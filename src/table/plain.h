/*
 * plain.h - which tables need nothing of the executor
 */
#ifndef DS_PLAIN_H
#define DS_PLAIN_H

#include "postgres.h"

#include "table/description.h"
#include "utils/relcache.h"

extern void ds_plain_describe(Relation rel, DsCollection *table);

#endif							/* DS_PLAIN_H */

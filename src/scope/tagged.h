/*
 * tagged.h - how many events have some tags, roughly
 */
#ifndef DS_TAGGED_H
#define DS_TAGGED_H

#include "postgres.h"

#include "scope/scope.h"

extern double ds_tagged_share(const DsLog *log, const DsBytes *tags, int count);

#endif							/* DS_TAGGED_H */

/*
 * tagged.h - how many events have some tags, roughly
 */
#ifndef DS_TAGGED_H
#define DS_TAGGED_H

#include "postgres.h"

#include "scope/scope.h"

/* To find an event by its tags takes as long as to read so many in an order. */
#define DS_COST_OF_TAGGED 10

extern double ds_tagged_count(const DsLog *log, const DsScope *scope, double end, Datum *rare);

#endif							/* DS_TAGGED_H */

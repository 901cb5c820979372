/*
 * condition.h - what a document must contain to be written
 */
#ifndef DS_CONDITION_H
#define DS_CONDITION_H

#include "postgres.h"

#include "document/outcome.h"
#include "table/collection.h"

extern bool ds_condition_holds(const DsCollection *collection, Datum id, Datum condition);
extern void ds_condition_patch(const DsCollection *collection, Datum id, Datum patch, Datum condition,
							   int64 expected, DsOutcome *outcome);

#endif							/* DS_CONDITION_H */

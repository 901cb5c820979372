/*
 * ranges.h - the partitions of a table by ranges of one column
 */
#ifndef DS_RANGES_H
#define DS_RANGES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/relcache.h"

extern int	ds_ranges_list(Relation rel, Oid **tables, int *rest);
extern int	ds_ranges_find(Relation rel, TimestampTz time);
extern TimestampTz ds_ranges_start(Relation rel, TimestampTz time);
extern TimestampTz ds_ranges_whole_from(Relation rel);
extern TimestampTz ds_ranges_end(Relation rel);

#endif							/* DS_RANGES_H */

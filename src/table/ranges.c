/*
 * ranges.c - the partitions of a table by ranges of one column
 *
 * The column is a time.  Partitions are numbered from the latest one back; the
 * one that takes what no other does, the rest, is number 0.  Callers have locked
 * the table, which keeps partitions from being dropped and detached.
 */
#include "postgres.h"

#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "table/ranges.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* The server has them in the order of their bounds, and the rest last. */
static PartitionDesc
partitions_of(Relation rel)
{
	return RelationGetPartitionDesc(rel, true);
}

/* List the partitions; rest is the number of the one that takes what no other does, or -1. */
int
ds_ranges_list(Relation rel, Oid **tables, int *rest)
{
	PartitionDesc partitions = partitions_of(rel);
	int			count = partitions->nparts;

	*tables = palloc(sizeof(Oid) * Max(count, 1));
	for (int i = 0; i < count; i++)
		(*tables)[i] = partitions->oids[count - 1 - i];
	*rest = count > 0 && partitions->boundinfo->default_index >= 0
		? count - 1 - partitions->boundinfo->default_index : -1;
	return count;
}

/* The last bound that is not after a time; -1 when there is none. */
static int
find_bound(Relation rel, TimestampTz time)
{
	PartitionKey key = RelationGetPartitionKey(rel);
	PartitionDesc partitions = partitions_of(rel);
	Datum		value = TimestampTzGetDatum(time);
	bool		is_equal;

	return partitions->nparts == 0
		? -1 : partition_range_datum_bsearch(key->partsupfunc, key->partcollation, partitions->boundinfo, 1, &value, &is_equal);
}

/* The time that a bound is; -infinity and infinity where it is none. */
static TimestampTz
time_of(PartitionBoundInfo bounds, int bound)
{
	switch (bounds->kind[bound][0])
	{
		case PARTITION_RANGE_DATUM_MINVALUE:
			return DT_NOBEGIN;
		case PARTITION_RANGE_DATUM_MAXVALUE:
			return DT_NOEND;
		default:
			return DatumGetTimestampTz(bounds->datums[bound][0]);
	}
}

/* The number of the partition that takes a time; -1 when there is none. */
int
ds_ranges_find(Relation rel, TimestampTz time)
{
	PartitionDesc partitions = partitions_of(rel);
	int			index;

	if (partitions->nparts == 0)
		return -1;
	index = partitions->boundinfo->indexes[find_bound(rel, time) + 1];
	if (index < 0)
		index = partitions->boundinfo->default_index;
	return index < 0 ? -1 : partitions->nparts - 1 - index;
}

/* When the range begins that a time is in; -infinity when it has no beginning. */
TimestampTz
ds_ranges_start(Relation rel, TimestampTz time)
{
	int			bound = find_bound(rel, time);

	return bound < 0 ? DT_NOBEGIN : time_of(partitions_of(rel)->boundinfo, bound);
}

/*
 * From when on no range is missing, up to the last one; -infinity when none is
 * at all, infinity when there are no ranges.
 */
TimestampTz
ds_ranges_whole_from(Relation rel)
{
	PartitionDesc partitions = partitions_of(rel);
	int			bound;

	if (partitions->nparts == 0 || partitions->boundinfo->ndatums == 0)
		return DT_NOEND;
	bound = partitions->boundinfo->ndatums - 1;
	/* What is told of a bound is the range that ends there. */
	while (bound > 0 && partitions->boundinfo->indexes[bound] >= 0)
		bound--;
	return time_of(partitions->boundinfo, bound);
}

/* When the last range ends; infinity when it does not, -infinity when there are no ranges. */
TimestampTz
ds_ranges_end(Relation rel)
{
	PartitionDesc partitions = partitions_of(rel);

	if (partitions->nparts == 0 || partitions->boundinfo->ndatums == 0)
		return DT_NOBEGIN;
	return time_of(partitions->boundinfo, partitions->boundinfo->ndatums - 1);
}

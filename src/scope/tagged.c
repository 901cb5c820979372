/*
 * tagged.c - how many events have some tags, roughly
 *
 * The server's statistics list the tags that are frequent, with the share of
 * the events with tags that has each.  Those that are not listed are rarer than
 * all that are.  An event has all of some tags no more often than the rarest of
 * them, and most often much less so; it is taken for that often here, as who
 * asks for two tags asks for what they have in common.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "scope/tagged.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* The share of a tag where the statistics list none: of the rows that they sample every one is another's. */
#define SHARE_OF_UNLISTED 0.0005

/* What is known before a log was analyzed. */
#define UNKNOWN_SHARE 1.0

/* The share of one tag; the last numbers of such a list are the least and the greatest share in it. */
static double
share_of(const AttStatsSlot * listed, const DsBytes *tag)
{
	for (int i = 0; i < listed->nvalues; i++)
	{
		const text *value = DatumGetTextPP(listed->values[i]);

		if (VARSIZE_ANY_EXHDR(value) == (Size) tag->length && memcmp(VARDATA_ANY(value), tag->start, tag->length) == 0)
			return listed->numbers[i];
	}
	return listed->nnumbers > listed->nvalues ? listed->numbers[listed->nvalues] : SHARE_OF_UNLISTED;
}

/* Which share of the events of a log has all of these tags: 1 where nothing is known. */
double
ds_tagged_share(const DsLog *log, const DsBytes *tags, int count)
{
	HeapTuple	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(log->events.relid),
										Int16GetDatum(log->events.columns[DS_TAGS]), BoolGetDatum(false));
	double		share = UNKNOWN_SHARE;
	AttStatsSlot listed;

	if (!HeapTupleIsValid(tuple))
		return share;
	if (get_attstatsslot(&listed, tuple, STATISTIC_KIND_MCELEM, InvalidOid, ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS))
	{
		for (int i = 0; i < count; i++)
			share = Min(share, share_of(&listed, &tags[i]));
		free_attstatsslot(&listed);
	}
	else
		share = SHARE_OF_UNLISTED;
	share *= 1.0 - ((Form_pg_statistic) GETSTRUCT(tuple))->stanullfrac;
	ReleaseSysCache(tuple);
	return share;
}

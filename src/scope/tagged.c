/*
 * tagged.c - how many events have some tags, roughly
 *
 * The server's statistics list the tags that are frequent, with the share of
 * the events with tags that has each.  Those that are not listed are rarer than
 * all that are.  An event has all of some tags no more often than the rarest of
 * them; it is taken for that often here.
 *
 * So the index need not be asked for those that are much more frequent, such as
 * one that each event of a tenant has: to go through all that it has of them
 * takes longer than to look at the few events that have the rare ones.
 *
 * The list is kept for the session, of one log at a time: to read it takes longer
 * than all else here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "json/json.h"
#include "scope/tagged.h"
#include "storage/itemptr.h"
#include "table/row_error.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* The share of a tag where the statistics list none: of the rows that they sample every one is another's. */
#define SHARE_OF_UNLISTED 0.0005

/* The index is not asked for a tag that is so many times as frequent as another one that is wanted, too. */
#define MUCH_MORE 10

/* What the statistics say of the tags of a log, and which row of theirs has said it. */
typedef struct Listed
{
	Oid			events;			/* of them; invalid: nothing is listed here */
	ItemPointerData row;
	TransactionId xmin;
	int			count;
	text	  **tags;			/* in the order of their bytes */
	float4	   *shares;
	double		other;			/* the share of a tag that is not listed */
	double		tagged;			/* of all events */
} Listed;

static Listed listed = {0};
static MemoryContext listed_context = NULL;

/* Keep what a row of the statistics says. */
static void
keep(Oid events, HeapTuple row)
{
	AttStatsSlot slot;
	MemoryContext caller;

	listed.events = InvalidOid;
	if (listed_context == NULL)
		listed_context = AllocSetContextCreate(CacheMemoryContext, "docstore tags", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(listed_context);

	listed.count = 0;
	listed.other = SHARE_OF_UNLISTED;
	listed.tagged = 1.0 - ((Form_pg_statistic) GETSTRUCT(row))->stanullfrac;
	if (get_attstatsslot(&slot, row, STATISTIC_KIND_MCELEM, InvalidOid, ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS))
	{
		caller = MemoryContextSwitchTo(listed_context);
		listed.tags = palloc(mul_size(Max(slot.nvalues, 1), sizeof(text *)));
		listed.shares = palloc(mul_size(Max(slot.nvalues, 1), sizeof(float4)));
		for (int i = 0; i < slot.nvalues; i++)
		{
			listed.tags[i] = DatumGetTextPCopy(slot.values[i]);
			listed.shares[i] = slot.numbers[i];
		}
		MemoryContextSwitchTo(caller);
		listed.count = slot.nvalues;
		/* After the shares come the least and the greatest of them. */
		if (slot.nnumbers > slot.nvalues)
			listed.other = slot.numbers[slot.nvalues];
		free_attstatsslot(&slot);
	}
	listed.row = row->t_self;
	listed.xmin = HeapTupleHeaderGetRawXmin(row->t_data);
	listed.events = events;
}

/* Have the list of a log; false when it was never analyzed. */
static bool
have_listed(const DsCollection *events)
{
	HeapTuple	row = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(events->relid),
									  Int16GetDatum(events->columns[DS_TAGS]), BoolGetDatum(false));

	if (!HeapTupleIsValid(row))
		return false;
	if (listed.events != events->relid || !ItemPointerEquals(&listed.row, &row->t_self) ||
		listed.xmin != HeapTupleHeaderGetRawXmin(row->t_data))
		keep(events->relid, row);
	ReleaseSysCache(row);
	return true;
}

static int
compare(const DsBytes *tag, const text *other)
{
	int			length = VARSIZE_ANY_EXHDR(other);
	int			result = memcmp(tag->start, VARDATA_ANY(other), Min(tag->length, length));

	return result != 0 ? result : tag->length - length;
}

/* The share of one tag, of the events that have any. */
static double
share_of(const DsBytes *tag)
{
	int			first = 0;
	int			end = listed.count;

	while (first < end)
	{
		int			middle = first + (end - first) / 2;
		int			order = compare(tag, listed.tags[middle]);

		if (order == 0)
			return listed.shares[middle];
		if (order < 0)
			end = middle;
		else
			first = middle + 1;
	}
	return listed.other;
}

/*
 * How many of the events of a log, of which there are that many, the index of
 * tags brings for a scope; infinity where it cannot be used.  rare gets those of
 * its tags that the index is to be asked for, as an array.
 */
double
ds_tagged_count(const DsLog *log, const DsScope *scope, double end, Datum *rare)
{
	double	   *shares;
	DsBytes    *tags;
	double		least = 1.0;
	int			count = 0;

	/* Where a policy is to be asked first the server does not use the index. */
	if (scope->tags_filter != DS_EQUAL || !log->events.event.has_tags_index || ds_row_security_applies(&log->events) ||
		!have_listed(&log->events))
		return get_float8_infinity();

	shares = palloc(mul_size(scope->tag_count, sizeof(double)));
	tags = palloc(mul_size(scope->tag_count, sizeof(DsBytes)));
	for (int i = 0; i < scope->tag_count; i++)
	{
		shares[i] = share_of(&scope->tags[i]);
		least = Min(least, shares[i]);
	}
	for (int i = 0; i < scope->tag_count; i++)
		if (shares[i] <= least * MUCH_MORE)
			tags[count++] = scope->tags[i];
	*rare = ds_json_text_array(tags, count);
	return end * least * listed.tagged;
}

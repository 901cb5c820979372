/*
 * mark.c - what a snapshot shows of a table
 *
 * A mark is a snapshot of the server's, written down: below xmin all
 * transactions had ended, from xmax on none had, and between them those had not
 * that are listed.  Whether an event is in it is asked of the transaction that
 * wrote its row, xmin in the row's header, just as the server asks it of the
 * snapshot.  Freezing keeps that id.
 *
 * The transaction_id of an event does not tell: it is never below that of the
 * event before it in its stream, so it can be another transaction's, one that
 * had ended, while the writer still ran.  But it is never below the writer's.
 * So what a mark does not show has a transaction_id of xmin or more, and
 * readers find it by the order of the feed.
 *
 * Ids mean something in one history only.  A mark has the generation of the log
 * (generation.c), and does not count in another one: another cluster, another
 * timeline, a log that was restored.  Transactions whose end was not flushed
 * are lost when the server crashes, and their ids are given again; so a mark
 * does not count either after the server was started anew.  What a standby
 * shows was flushed on the primary.
 *
 * Of its own transaction a mark shows what a command before it has stored; the
 * rows say which, by cmin.  That can be overwritten, by who fails to erase the
 * event, say; so the event must also have a position that had been drawn.  While
 * events are being stored a trigger sees only those that are before its own,
 * with the cmin of all of them: then the position must be before the first one
 * that is not there.
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/compat.h"
#include "feed/generation.h"
#include "feed/mark.h"
#include "feed/place.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/pg_shmem.h"
#include "storage/proc.h"
#include "table/collection.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* More subtransactions than these are not written down. */
#define MAX_SUBTRANSACTIONS 1000

/* A mark that is older than that many transactions is too old to tell. */
#define MAX_AGE ((uint64) 1 << 31)

/* The positions that a transaction has drawn last, one for each log. */
typedef struct Drawn
{
	Oid			events;
	int64		position;
} Drawn;

static FullTransactionId drawn_by = {0};
static int	drawn_count = 0;
static Drawn *drawn = NULL;

/* Remember the last position that this transaction has drawn for a log. */
void
ds_mark_note_position(Oid events, int64 position)
{
	FullTransactionId own = GetTopFullTransactionId();

	if (!FullTransactionIdEquals(drawn_by, own))
	{
		drawn_by = own;
		drawn_count = 0;
		drawn = MemoryContextAlloc(TopTransactionContext, sizeof(Drawn));
	}
	for (int i = 0; i < drawn_count; i++)
		if (drawn[i].events == events)
		{
			drawn[i].position = position;
			return;
		}
	drawn = repalloc(drawn, mul_size(drawn_count + 1, sizeof(Drawn)));
	drawn[drawn_count++] = (Drawn) {events, position};
}

static int64
last_drawn(Oid events)
{
	if (FullTransactionIdEquals(drawn_by, GetTopFullTransactionIdIfAny()))
		for (int i = 0; i < drawn_count; i++)
			if (drawn[i].events == events)
				return drawn[i].position;
	return 0;
}

static DsUnderway *underway = NULL;

/* Begin to store events, in the order of their positions, by what runs triggers; it must be ended, also by an error. */
void
ds_mark_begin_storing(DsUnderway *begun)
{
	begun->outer = underway;
	underway = begun;
}

void
ds_mark_end_storing(const DsUnderway *ended)
{
	underway = ended->outer;
}

/* How many of the events that are being stored the active snapshot shows. */
static int
count_stored(const DsCollection *events, const DsUnderway *storing)
{
	int			stored = 0;
	int			missing = storing->count;

	while (stored < missing)
	{
		int			middle = stored + (missing - stored) / 2;

		if (ds_place_is_visible(events, &storing->places[middle]))
			stored = middle + 1;
		else
			missing = middle;
	}
	return stored;
}

/* The last position that the transaction has drawn, and before which no event of its own is still missing. */
static int64
last_stored(const DsCollection *events)
{
	int64		last = last_drawn(events->relid);

	for (const DsUnderway *storing = underway; storing != NULL; storing = storing->outer)
		if (storing->events == events->relid)
		{
			int			stored = count_stored(events, storing);

			if (stored < storing->count)
				last = Min(last, storing->places[stored].position - 1);
		}
	return last;
}

/*
 * A number for this run of the server, from its start or its recovery from a
 * crash to the next: that of its dynamic shared memory, which it draws then.
 */
static uint32
this_run(void)
{
	return ((const PGShmemHeader *) UsedShmemSegAddr)->dsm_control;
}

/* An id with its epoch: the last one up to next that it can be; 0 for none. */
static uint64
widen(TransactionId xid, uint64 next)
{
	uint64		wide = (next & ~(uint64) PG_UINT32_MAX) | xid;

	if (!TransactionIdIsNormal(xid) || (wide > next && next <= PG_UINT32_MAX))
		return 0;
	return wide > next ? wide - PG_UINT32_MAX - 1 : wide;
}

static uint64
next_id(void)
{
	return U64FromFullTransactionId(ReadNextFullTransactionId());
}

static int
compare_ids(const void *left, const void *right)
{
	uint64		a = *(const uint64 *) left;
	uint64		b = *(const uint64 *) right;

	return a < b ? -1 : a > b;
}

static uint64 *
widen_all(const TransactionId *xids, int count, const TransactionId *more, int more_count, uint64 next)
{
	uint64	   *wide = palloc(mul_size(Max(count + more_count, 1), sizeof(uint64)));

	for (int i = 0; i < count; i++)
		wide[i] = widen(xids[i], next);
	for (int i = 0; i < more_count; i++)
		wide[count + i] = widen(more[i], next);
	qsort(wide, count + more_count, sizeof(uint64), compare_ids);
	return wide;
}

/* The transaction itself, which is not among those that run, with its subtransactions. */
static void
take_own(const DsCollection *events, Snapshot snapshot, uint64 next, DsMark *mark)
{
	TransactionId top = GetTopTransactionIdIfAny();

	if (!TransactionIdIsValid(top))
		return;
	mark->own_count = MyProc->subxidStatus.count + 1;
	mark->own = widen_all(&top, 1, MyProc->subxids.xids, MyProc->subxidStatus.count, next);
	mark->is_partial |= MyProc->subxidStatus.overflowed;
	mark->command = snapshot->curcid;
	mark->position = last_stored(events);
}

/* The generation of what is appended now; on a standby, as far as it has come. */
static int64
find_generation(const DsCollection *events)
{
	Relation	rel;
	int64		generation;

	ds_collection_look_again(events);
	if (events->feed.current_generation != 0)
		return events->feed.current_generation;
	rel = table_open(events->relid, NoLock);
	generation = ds_generation_look(rel, events);
	table_close(rel, NoLock);
	return generation;
}

/*
 * Whether the latest generation that is there is one that a snapshot shows: a
 * snapshot that a transaction keeps may know nothing of what was restored since.
 */
static bool
shows_generation(const DsCollection *events, Snapshot snapshot)
{
	Relation	rel = table_open(events->relid, NoLock);
	DsCursor	latest = {0};
	DsCursor	shown = {0};

	(void) ds_place_find(rel, events->feed.index, SnapshotSelf, BackwardScanDirection, DS_ANY_GENERATION, 0, &latest);
	(void) ds_place_find(rel, events->feed.index, snapshot, BackwardScanDirection, DS_ANY_GENERATION, 0, &shown);
	table_close(rel, NoLock);
	return latest.generation == shown.generation;
}

/* Make a mark of a snapshot, of a log that is locked. */
void
ds_mark_take(const DsCollection *events, Snapshot snapshot, DsMark *mark)
{
	uint64		next = next_id();
	int			subtransactions = snapshot->subxcnt;

	memset(mark, 0, sizeof(DsMark));
	mark->log = events->relid;
	mark->generation = find_generation(events);
	if (snapshot->takenDuringRecovery != RecoveryInProgress() ||
		(IsolationUsesXactSnapshot() && !shows_generation(events, snapshot)))
		mark->generation = 0;
	mark->run = snapshot->takenDuringRecovery ? 0 : this_run();
	mark->xmin = widen(snapshot->xmin, next);
	mark->xmax = widen(snapshot->xmax, next);
	mark->is_partial = snapshot->suboverflowed;
	if (!snapshot->takenDuringRecovery && (mark->is_partial || subtransactions > MAX_SUBTRANSACTIONS))
	{
		/* There may be none: the server does not copy what has overflowed. */
		mark->is_partial = true;
		subtransactions = 0;
	}
	mark->running_count = snapshot->xcnt + subtransactions;
	mark->running = widen_all(snapshot->xip, snapshot->xcnt, snapshot->subxip, subtransactions, next);
	take_own(events, snapshot, next, mark);
}

/*
 * As text: numbers that are joined by "-", of which the last two are lists of
 * distances, from xmin and then from the one before
 */

static void
append_ids(StringInfo text, uint64 from, const uint64 *ids, int count)
{
	appendStringInfoChar(text, '-');
	for (int i = 0; i < count; i++)
	{
		appendStringInfo(text, "%s" UINT64_FORMAT, i > 0 ? "," : "", ids[i] - from);
		from = ids[i];
	}
}

char *
ds_mark_to_cstring(const DsMark *mark)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%u-" INT64_FORMAT "-%u-" UINT64_FORMAT "-" UINT64_FORMAT "-%d-%u-" INT64_FORMAT,
					 mark->log, mark->generation, mark->run, mark->xmin, mark->xmax, mark->is_partial ? 1 : 0,
					 mark->command, mark->position);
	append_ids(&text, mark->xmin, mark->own, mark->own_count);
	append_ids(&text, mark->xmin, mark->running, mark->running_count);
	return text.data;
}

/* Take a number without sign, up to max. */
static bool
take_number(const char **from, uint64 max, uint64 *number)
{
	char	   *rest;

	if (**from < '0' || **from > '9')
		return false;
	errno = 0;
	*number = strtou64(*from, &rest, 10);
	*from = rest;
	return errno == 0 && *number <= max;
}

static bool
take_char(const char **from, char expected)
{
	return *(*from)++ == expected;
}

static bool
take_ids(const char **from, uint64 id, uint64 **ids, int *count)
{
	int			room = 0;

	*count = 0;
	for (const char *c = *from; *c != '\0' && *c != '-'; c++)
		room += *c == ',';
	*ids = palloc(mul_size(room + 1, sizeof(uint64)));
	if (**from == '\0' || **from == '-')
		return true;
	for (;;)
	{
		uint64		distance;

		CHECK_FOR_INTERRUPTS();
		if (*count > room || !take_number(from, PG_UINT64_MAX - id, &distance))
			return false;
		id += distance;
		(*ids)[(*count)++] = id;
		if (**from != ',')
			return true;
		(*from)++;
	}
}

/* Read a mark; false when the text is none. */
bool
ds_mark_parse(const char *given, DsMark *mark)
{
	const char *rest = given;
	uint64		log;
	uint64		generation;
	uint64		run;
	uint64		is_partial;
	uint64		command;
	uint64		position;

	memset(mark, 0, sizeof(DsMark));
	if (!take_number(&rest, PG_UINT32_MAX, &log) || !take_char(&rest, '-') ||
		!take_number(&rest, PG_INT64_MAX, &generation) || !take_char(&rest, '-') ||
		!take_number(&rest, PG_UINT32_MAX, &run) || !take_char(&rest, '-') ||
		!take_number(&rest, PG_UINT64_MAX, &mark->xmin) || !take_char(&rest, '-') ||
		!take_number(&rest, PG_UINT64_MAX, &mark->xmax) || !take_char(&rest, '-') ||
		!take_number(&rest, 1, &is_partial) || !take_char(&rest, '-') ||
		!take_number(&rest, PG_UINT32_MAX, &command) || !take_char(&rest, '-') ||
		!take_number(&rest, PG_INT64_MAX, &position) || !take_char(&rest, '-') ||
		mark->xmin > mark->xmax ||
		!take_ids(&rest, mark->xmin, &mark->own, &mark->own_count) || !take_char(&rest, '-') ||
		!take_ids(&rest, mark->xmin, &mark->running, &mark->running_count) || *rest != '\0')
		return false;
	mark->log = log;
	mark->generation = generation;
	mark->run = run;
	mark->is_partial = is_partial == 1;
	mark->command = command;
	mark->position = position;
	/* There is one way to write a mark. */
	return strcmp(ds_mark_to_cstring(mark), given) == 0;
}

/*
 * Whether the ids in a mark mean something on this server, now; if not, it
 * shows nothing.
 */
DsMarkState
ds_mark_check(const DsCollection *events, const DsMark *mark)
{
	uint64		next = next_id();

	if (mark->log != events->relid ||
		(mark->generation != 0 && !ds_generation_is_of_this_cluster(mark->generation)))
		return DS_MARK_FOREIGN;
	return mark->generation == find_generation(events) &&
		(mark->run == 0 || mark->run == this_run()) &&
		mark->xmax <= next && next - mark->xmin < MAX_AGE ? DS_MARK_GOOD : DS_MARK_OUTDATED;
}

static bool
has(const uint64 *ids, int count, uint64 id)
{
	return count > 0 && bsearch(&id, ids, count, sizeof(uint64), compare_ids) != NULL;
}

/*
 * The transaction that a subtransaction is a part of, as long as the server
 * keeps that; 0 when it does not.
 *
 * The way to it ends with what is older than all that runs, whose own parent
 * must not be asked for.  That can be a subtransaction, too, unless it is the
 * event's transaction_id.
 */
static uint64
find_top(const DsMark *mark, const DsWriter *writer, uint64 next)
{
	TransactionId top;

	if (mark->run == 0 || TransactionIdPrecedes(writer->xmin, TransactionXmin))
		return 0;
	top = SubTransGetTopmostTransaction(writer->xmin);
	if (TransactionIdPrecedes(top, TransactionXmin))
		return widen(top, next) == writer->transaction_id ? writer->transaction_id : 0;
	return widen(top, next);
}

/*
 * Whether a mark that is good shows an event: its row, as it is now.  The
 * event is committed, or the own transaction's.
 *
 * Where not all subtransactions are known that ran, one that is not listed may
 * have been a part of a transaction that is.  It is none when it is the event's
 * transaction_id, as that is always a whole transaction's; otherwise the server
 * is asked, and what it does not know any more is not shown.
 */
bool
ds_mark_shows(const DsMark *mark, const DsWriter *writer)
{
	uint64		next = next_id();
	uint64		id = widen(writer->xmin, next);
	uint64		top = id;

	if (id == 0)
		return false;
	if (mark->is_partial && id >= mark->xmin && id != writer->transaction_id &&
		!has(mark->own, mark->own_count, id))
		top = find_top(mark, writer, next);
	if (has(mark->own, mark->own_count, top))
		return writer->command < mark->command && writer->position <= mark->position;
	if (id < mark->xmin)
		return true;
	return id < mark->xmax && top != 0 &&
		!has(mark->running, mark->running_count, id) && !has(mark->running, mark->running_count, top);
}

/*
 * deferred.c - conflicts that wait for the end of the transaction
 *
 * While docstore.conflicts is "deferred" a call with a violation writes
 * nothing, adds its violations to those that are pending, and returns NULL.
 * docstore.check_conflicts() raises all of them as one conflict, and so does
 * COMMIT: a transaction with a pending violation never commits.
 *
 * Items are counted through over all calls of the transaction that were made
 * in this mode, those without a violation too.
 *
 * What a rollback to a savepoint undoes is forgotten, as it was never written
 * and never missed: the first call within a subtransaction leaves a mark of
 * what was pending before, to which its abort goes back.
 *
 * Everything is in TopTransactionContext: at most docstore.max_violations
 * violations as text, and one mark for each subtransaction that is open.
 */
#include "postgres.h"

#include "access/xact.h"
#include "conflict/deferred.h"
#include "utils/guc.h"
#include "utils/memutils.h"

enum
{
	IMMEDIATE,
	DEFERRED
};

static const struct config_enum_entry modes[] = {
	{"immediate", IMMEDIATE, false},
	{"deferred", DEFERRED, false},
	{NULL, 0, false}
};

/* What was pending before the subtransaction at that level did anything. */
typedef struct Mark
{
	int			level;
	DsConflict	before;			/* its list counts by its length only */
	struct Mark *outer;
} Mark;

static int	mode = IMMEDIATE;

static DsConflict pending;		/* all zero when no call was made yet */
static Mark *marks = NULL;		/* innermost first */

/* The transaction has ended: its memory goes by itself. */
static void
forget_all(void)
{
	memset(&pending, 0, sizeof(DsConflict));
	marks = NULL;
}

/* Raise one conflict with all violations that are pending, if any is; preface begins its hint. */
void
ds_deferred_check(const char *preface)
{
	if (pending.total > 0)
		ds_conflict_raise(&pending, preface);
}

static void
transaction_event(XactEvent event, pg_attribute_unused() void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			ds_deferred_check("");
			break;
		case XACT_EVENT_PRE_PREPARE:
			ds_deferred_check("A transaction with conflicts cannot be prepared.");
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget_all();
			break;
		default:
			break;
	}
}

static void
drop_mark(void)
{
	Mark	   *mark = marks;

	marks = mark->outer;
	pfree(mark);
}

/* Go back to what was pending before; what is listed keeps its room. */
static void
restore(const DsConflict *before)
{
	StringInfoData list = pending.list;

	pending = *before;
	pending.list = list;
	if (list.data != NULL)
	{
		pending.list.len = before->list.len;
		pending.list.data[pending.list.len] = '\0';
	}
}

/*
 * A subtransaction that commits leaves its mark to the outer one, unless that
 * has an earlier one or is the transaction itself, whose abort forgets all.
 */
static void
subtransaction_event(SubXactEvent event, pg_attribute_unused() SubTransactionId id,
					 pg_attribute_unused() SubTransactionId parent,
					 pg_attribute_unused() void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (marks == NULL || marks->level < level)
		return;

	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		restore(&marks->before);
		drop_mark();
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (level == 2 || (marks->outer != NULL && marks->outer->level == level - 1))
			drop_mark();
		else
			marks->level = level - 1;
	}
}

/* Define docstore.conflicts and watch the ends of transactions. */
void
ds_deferred_init(void)
{
	DefineCustomEnumVariable("docstore.conflicts",
							 "When a conflict is raised: at once, or at the end of the transaction.",
							 NULL,
							 &mode,
							 IMMEDIATE,
							 modes,
							 PGC_USERSET,
							 0,
							 NULL, NULL, NULL);
	RegisterXactCallback(transaction_event, NULL);
	RegisterSubXactCallback(subtransaction_event, NULL);
}

/* Whether violations are to wait for the end of the transaction. */
bool
ds_deferred_is_on(void)
{
	return mode == DEFERRED;
}

/* Within a subtransaction: note how things stood before it, once. */
static void
set_mark(void)
{
	int			level = GetCurrentTransactionNestLevel();
	Mark	   *mark;

	if (level == 1 || (marks != NULL && marks->level == level))
		return;

	mark = MemoryContextAlloc(TopTransactionContext, sizeof(Mark));
	mark->level = level;
	mark->before = pending;
	mark->outer = marks;
	marks = mark;
}

/*
 * Count a call with that many items and return the conflict that its
 * violations are to be added to.  Calls without a violation count, too.
 */
DsConflict *
ds_deferred_add_call(int items)
{
	set_mark();
	if (pending.list.data == NULL)
	{
		MemoryContext context = MemoryContextSwitchTo(TopTransactionContext);

		ds_conflict_begin(&pending);
		MemoryContextSwitchTo(context);
	}
	ds_conflict_add_call(&pending, items);
	return &pending;
}

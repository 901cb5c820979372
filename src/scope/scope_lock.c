/*
 * scope_lock.c - what appends and scopes lock besides rows
 *
 * A scope holds up to a position, and must go on to hold until its transaction
 * ends: every append that could match it has to lock something that the scope
 * locks, too.  A scope with a source has the head of that stream.  For others,
 * each append takes these locks, and each scope one of them:
 *
 *	a tag			an append with an event that has it; a scope that names it
 *	stream_id		an append with that value; a scope that names it
 *	type			likewise, a scope one for each of its types
 *	stream_type		likewise
 *	source_type		likewise
 *	the log			every append; a scope that names none of these
 *
 * A scope takes the first in this order that it names, of its tags the first,
 * which all events have that it matches: the narrower, the fewer wait.
 * Appends do not stand in each other's way, nor do scopes (ROW EXCLUSIVE and
 * SHARE); an append and a scope do.  A call that appends and checks under one
 * lock takes it once, in a mode that conflicts with both.
 *
 * The log's lock is the relation lock on the sequence of its positions, which
 * nextval() takes anyhow.  The others are locks of the server's lock table that
 * no SQL command can take on them: tagged as objects of the log's table, by a
 * hash of the value.  So nobody without the right to append can hold them, as
 * with advisory locks; they are released when the transaction ends, show in
 * pg_locks, and obey lock_timeout and the deadlock detector.  Values share a
 * number of locks that is fixed, so that no call can fill the lock table; two
 * values that share one wait for each other in vain, which is all.
 *
 * Absence of a stream is locked in the same way: who makes one takes the lock
 * of its name as an append does, who relies on its absence as a scope does.
 *
 * Order: these locks by log and number, before all rows; those on absence
 * after the rows that are there, and before any is made.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "conflict/expectation.h"
#include "miscadmin.h"
#include "scope/scope_lock.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Of each kind of value. */
#define LOCKS 64

typedef enum Kind
{
	THE_LOG,
	ATTRIBUTE,					/* and which one */
	TYPE = ATTRIBUTE + DS_ATTRIBUTES,
	ABSENCE,
	TAG							/* the last: versions before 0.9.0 have the numbers of the others */
} Kind;

typedef struct DsScopeLock
{
	Oid			log;
	Oid			positions;
	uint32		number;			/* kind and hash; 0: the log itself */
	bool		appends;
	bool		checks;
} DsScopeLock;

static uint32
lock_number(Kind kind, const char *value, int length)
{
	return kind * LOCKS + hash_bytes((const unsigned char *) value, length) % LOCKS;
}

/* Lock like the other one, too. */
static void
merge(DsScopeLock *lock, const DsScopeLock *other)
{
	lock->appends |= other->appends;
	lock->checks |= other->checks;
}

static int
compare_locks(const void *left, const void *right)
{
	const DsScopeLock *a = left;
	const DsScopeLock *b = right;

	CHECK_FOR_INTERRUPTS();
	if (a->log != b->log)
		return a->log < b->log ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void
add_lock(DsScopeLocks *locks, const DsLog *log, Kind kind, const char *value, int length, bool appends)
{
	DsScopeLock lock = {
		.log = log->events.relid,
		.positions = log->events.feed.positions,
		.number = kind == THE_LOG ? 0 : lock_number(kind, value, length),
		.appends = appends,
		.checks = !appends,
	};

	/* Most calls have few, and say them again and again. */
	for (int i = locks->count - 1; i >= Max(locks->count - 8, 0); i--)
		if (compare_locks(&locks->list[i], &lock) == 0)
		{
			merge(&locks->list[i], &lock);
			return;
		}

	if (locks->count == locks->room)
	{
		locks->room = Max(8, locks->room * 2);
		locks->list = locks->list == NULL
			? palloc(mul_size(locks->room, sizeof(DsScopeLock)))
			: repalloc_huge(locks->list, mul_size(locks->room, sizeof(DsScopeLock)));
	}
	locks->list[locks->count++] = lock;
}

/*
 * Who may not append must not keep others from it: 42501.  What is needed
 * exactly is checked when it is used.
 */
void
ds_scope_locks_require_privilege(const DsLog *log)
{
	Oid			role = GetUserId();

	if (pg_class_aclcheck(log->events.relid, role, ACL_INSERT) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(log->events.relid, role, ACL_INSERT, ACLMASK_ANY) == ACLCHECK_OK ||
		pg_class_aclcheck(log->streams.relid, role, ACL_UPDATE) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(log->streams.relid, role, ACL_UPDATE, ACLMASK_ANY) == ACLCHECK_OK)
		return;
	aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(log->events.relid));
}

/* The same as the event before it, as in most calls. */
static bool
is_same(const DsBytes *a, const DsBytes *b)
{
	return a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

/* An append takes the locks of the log and of all that its events say. */
void
ds_scope_locks_add_append(DsScopeLocks *locks, const DsAppend *append)
{
	add_lock(locks, append->log, THE_LOG, NULL, 0, true);
	for (int i = 0; i < append->count; i++)
	{
		const DsEvent *event = &append->events[i];
		const DsEvent *before = i > 0 ? event - 1 : NULL;

		CHECK_FOR_INTERRUPTS();
		if (before == NULL || !is_same(&event->type, &before->type))
			add_lock(locks, append->log, TYPE, event->type.start, event->type.length, true);
		for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
			if (event->attributes[attribute].start != NULL &&
				(before == NULL || before->attributes[attribute].start == NULL || !is_same(&event->attributes[attribute], &before->attributes[attribute])))
				add_lock(locks, append->log, ATTRIBUTE + attribute,
						 event->attributes[attribute].start, event->attributes[attribute].length, true);
		for (int tag = 0; tag < event->tag_count; tag++)
			add_lock(locks, append->log, TAG, event->tags[tag].start, event->tags[tag].length, true);
	}
}

static void
add_attribute(DsScopeLocks *locks, const DsLog *log, const DsScope *scope, DsAttribute attribute)
{
	add_lock(locks, log, ATTRIBUTE + attribute, scope->attributes[attribute].start, scope->attributes[attribute].length, false);
}

/* What a scope locks that names no source, as the head of this file says. */
static void
add_scope(DsScopeLocks *locks, const DsLog *log, const DsScope *scope)
{
	if (scope->tags_filter == DS_EQUAL)
		add_lock(locks, log, TAG, scope->tags[0].start, scope->tags[0].length, false);
	else if (scope->filters[DS_ATTRIBUTE_STREAM_ID] == DS_EQUAL)
		add_attribute(locks, log, scope, DS_ATTRIBUTE_STREAM_ID);
	else if (scope->type_count > 0)
		for (int i = 0; i < scope->type_count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			add_lock(locks, log, TYPE, scope->types[i].start, scope->types[i].length, false);
		}
	else if (scope->filters[DS_ATTRIBUTE_STREAM_TYPE] == DS_EQUAL)
		add_attribute(locks, log, scope, DS_ATTRIBUTE_STREAM_TYPE);
	else if (scope->filters[DS_ATTRIBUTE_SOURCE_TYPE] == DS_EQUAL)
		add_attribute(locks, log, scope, DS_ATTRIBUTE_SOURCE_TYPE);
	else
		add_lock(locks, log, THE_LOG, NULL, 0, false);
}

/* Scopes of one log take what their appends would take, too; those with a source have a head for it. */
void
ds_scope_locks_add_scopes(DsScopeLocks *locks, const DsLog *log, const DsScope *scopes, int count)
{
	for (int i = 0; i < count; i++)
		if (ds_expectation_checks && scopes[i].source_filter != DS_EQUAL)
			add_scope(locks, log, &scopes[i]);
}

/* Who makes a stream takes the lock of its name as an append does, who relies on its absence as a scope does. */
void
ds_scope_locks_add_absence(DsScopeLocks *locks, const DsLog *log, Datum stream, bool makes)
{
	const text *name = DatumGetTextPP(stream);

	add_lock(locks, log, ABSENCE, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), makes);
}

static LOCKMODE
lock_mode(const DsScopeLock *lock)
{
	if (lock->appends)
		return lock->checks ? ShareRowExclusiveLock : RowExclusiveLock;
	return ShareLock;
}

static void
take_lock(const DsScopeLock *lock)
{
	LOCKMODE	mode = lock_mode(lock);
	LOCKTAG		tag;

	if (lock->number == 0)
	{
		LockRelationOid(lock->positions, mode);
		return;
	}
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, lock->log, lock->number, 0);
	(void) LockAcquire(&tag, mode, false, false);
}

/* Take what was added, each once, in order, until the transaction ends. */
void
ds_scope_locks_take(DsScopeLocks *locks)
{
	if (locks->count > 1)
		qsort(locks->list, locks->count, sizeof(DsScopeLock), compare_locks);
	for (int i = 0; i < locks->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i + 1 < locks->count && compare_locks(&locks->list[i], &locks->list[i + 1]) == 0)
			merge(&locks->list[i + 1], &locks->list[i]);
		else
			take_lock(&locks->list[i]);
	}
	if (locks->list != NULL)
		pfree(locks->list);
}

/* Give back the lock on the absence of a stream, which was the only one that was taken. */
void
ds_scope_lock_release_absence(const DsLog *log, Datum stream, bool makes)
{
	const text *name = DatumGetTextPP(stream);
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, log->events.relid,
					   lock_number(ABSENCE, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)), 0);
	LockRelease(&tag, makes ? RowExclusiveLock : ShareLock, false);
}

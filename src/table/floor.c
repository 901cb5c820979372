/*
 * floor.c - versions that a collection has used up
 *
 * A version that a document once had must never match a later document of
 * the same id that was deleted and created again.  There are no tombstones:
 * each collection has a floor, at or above every version that was deleted, and
 * new documents start right above it.
 *
 * The floor is the last value of a sequence that the table's version column
 * owns: it goes with the table when that is dumped, renamed or dropped, and
 * it is outside of transactions, so nobody waits for anybody.
 *
 *	- Whoever deletes raises the floor before committing.
 *	- Whoever creates takes the version above the floor, inserts, and looks at
 *	  the floor again once the id is won.  Winning it means that any delete of
 *	  that id has committed, so its version is below the floor by then; a
 *	  document that started too low is taken back by its creator, who inserts
 *	  it once more (direct.c and document.c; batch.c all of a batch), before
 *	  anybody can see it.
 *
 * A crash cannot lose the floor of a delete that survived: the sequence's WAL
 * is written before that of the commit.
 *
 * docstore.create_collection() makes the sequence.  A table that somebody
 * made by hand gets one with its first delete, in the name of its owner; the
 * catalogue tells everybody else (collection.c).  Until then its versions
 * start at 1.
 *
 * Partitions share the floor of the table that they are a part of.  One that
 * was a collection of its own still has the floor from then, and documents
 * start above that, too.
 *
 * All who delete and create share one floor, so it heeds whom it can trust.
 * Anybody who may insert can forge a version: were the floor to follow that,
 * one delete would use up the versions of all.  So roles other than the owner
 * raise it no further than a clock could have counted.  And a floor is what others
 * have deleted: who cannot see all documents is not told of it, and gets
 * versions that the clock gives.
 *
 * Callers need no privilege on the sequence.  It is written in the name of its
 * owner, by functions of the server that run nothing of a user's (identity.c);
 * commands would fire event triggers.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "commands/defrem.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "parser/parse_node.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/far_floor.h"
#include "table/floor.h"
#include "table/identity.h"
#include "table/tracking.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

/*
 * What a clock may be ahead of the one here, and a version be ahead of the
 * floor, for others than the owner: a server that has failed over to one whose
 * clock is late, documents that have been written for long since they were
 * created above the floor.
 */
#define CLOCK_SLACK USECS_PER_DAY
#define FLOOR_SLACK 1000000

/* In a description: what partitions have brought along is looked at each time. */
#define UNKNOWN_FLOOR (-1)

/* From its third try on, who is always too low starts higher and higher. */
#define MAX_HEADROOM_BITS 20

/*
 * The sequence that is the floor of just this table, or InvalidOid.  A floor
 * starts at 0, which tells it from a sequence that fills the column.
 */
static Oid
find_own(Oid relid)
{
	ListCell   *cell;

	foreach(cell, ds_catalogue_sequences(relid, get_attnum(relid, "version"), DEPENDENCY_AUTO))
		if (ds_catalogue_lowest_value(lfirst_oid(cell)) == 0)
			return lfirst_oid(cell);
	return InvalidOid;
}

/* The sequence that is a table's floor, or InvalidOid while it has none. */
Oid
ds_floor_find(Oid relid)
{
	return find_own(ds_catalogue_root(relid));
}

static void
require_create(Oid owner, Oid schema)
{
	if (object_aclcheck(NamespaceRelationId, schema, GetUserId(), ACL_CREATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of collection \"%s\" may not create the floor of its versions in schema \"%s\"",
						ds_name_of(owner), get_namespace_name(schema)),
				 errdetail("The first delete creates a sequence, so that no version is ever given twice to documents of one id."),
				 errhint("Grant the owner CREATE on the schema for as long as the first delete takes.")));
}

/*
 * Make the sequence; see identity.c for what must not run here.  Written as
 * CREATE SEQUENCE .. MINVALUE 0 START 0 OWNED BY the version column.
 */
static void
define_sequence(Oid owner)
{
	Oid			schema = get_rel_namespace(owner);
	char	   *schema_name = get_namespace_name(schema);
	char	   *name = ChooseRelationName(get_rel_name(owner), "version", "floor", schema, false);
	CreateSeqStmt *statement = makeNode(CreateSeqStmt);
	List	   *column = list_make3(makeString(schema_name), makeString(get_rel_name(owner)),
									makeString("version"));

	statement->sequence = makeRangeVar(schema_name, name, -1);
	statement->options = list_make3(makeDefElem("minvalue", (Node *) makeInteger(0), -1),
									makeDefElem("start", (Node *) makeInteger(0), -1),
									makeDefElem("owned_by", (Node *) column, -1));
	statement->ownerId = GetUserId();
	(void) DefineSequence(make_parsestate(NULL), statement);
}

/* Let all sessions look again: the catalogue entries of the tables themselves are as they were. */
static void
announce_floor(Oid owner)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(owner, NoLock, NULL))
		CacheInvalidateRelcacheByRelid(lfirst_oid(cell));
	CommandCounterIncrement();
}

/*
 * Make the floor of a table that has none, in the name of its owner and
 * beside it.  Those who come at the same moment wait for each other, on a
 * lock that nothing else takes, until the first has committed.  42501 when the
 * owner of the table may not make it.
 */
void
ds_floor_create(Oid relid)
{
	Oid			owner = ds_catalogue_root(relid);
	DsIdentity	caller;

	LockDatabaseObject(RelationRelationId, owner, 1, ExclusiveLock);
	if (OidIsValid(ds_floor_find(owner)))
		return;

	caller = ds_identity_become_owner(owner);
	require_create(owner, get_rel_namespace(owner));
	define_sequence(owner);
	ds_identity_become(caller);
	announce_floor(owner);
}

/* What a sequence holds, read as pg_sequence_last_value() does; its page is in a buffer that is pinned. */
static int64
last_value_in(Buffer buffer)
{
	Page		page;
	HeapTupleHeader tuple;
	int64		value;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	value = ((Form_pg_sequence_data) ((char *) tuple + tuple->t_hoff))->last_value;
	UnlockReleaseBuffer(buffer);
	return value;
}

static int64
last_value(Relation sequence)
{
	return last_value_in(ReadBuffer(sequence, 0));
}

/*
 * What is remembered of a table, as it is now; NULL where it is no collection,
 * as one that was guarded need not be any more.
 */
static const DsCollection *
look_at(Oid relid)
{
	const char *obstacle;

	AcceptInvalidationMessages();
	return ds_collection_look(relid, DS_DOCUMENTS, &obstacle);
}

/* Whether the floor of a table is on the coordinator only. */
static bool
is_far(Oid relid)
{
	const DsCollection *collection = look_at(relid);

	return collection != NULL && collection->document.hides_floor;
}

/*
 * The floor of a table, opened and locked for the rest of the transaction, or
 * NULL.  remembered: what its description says, which does not notice when the
 * floor is dropped.
 */
static Relation
open_remembered(Oid relid, Oid remembered, LOCKMODE lock)
{
	Relation	sequence = OidIsValid(remembered) ? try_relation_open(remembered, lock) : NULL;
	Oid			found;

	if (sequence != NULL || !OidIsValid(remembered))
		return sequence;
	found = ds_floor_find(relid);
	return OidIsValid(found) ? try_relation_open(found, lock) : NULL;
}

/* The same, by what is known of the table now: the first delete may have made the floor. */
static Relation
open_sequence(Oid relid, LOCKMODE lock)
{
	const DsCollection *collection = look_at(relid);

	return open_remembered(relid, collection == NULL ? ds_floor_find(relid) : collection->document.floor, lock);
}

/* The same; made if there is none. */
static Relation
require_sequence(Oid relid, LOCKMODE lock)
{
	Relation	sequence = open_sequence(relid, lock);

	if (sequence != NULL)
		return sequence;
	ds_floor_create(relid);
	sequence = open_sequence(relid, lock);
	if (sequence == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_SERIALIZATION),
				 errmsg("the floor of collection \"%s\" was dropped during a delete", ds_name_of(relid)),
				 errhint("Try again, and do not drop the sequence that the version column owns.")));
	return sequence;
}

/*
 * Make the floor of a collection, where there is none, for a delete that is to
 * come: who deletes holds locks on rows, with which nobody may wait for it.
 * Who may not delete is told so by the delete.
 */
void
ds_floor_require(Oid relid)
{
	if (pg_class_aclcheck(relid, GetUserId(), ACL_DELETE) != ACLCHECK_OK)
		return;
	if (is_far(relid))
		ds_far_floor_raise(relid, 0);
	else
		relation_close(require_sequence(relid, RowExclusiveLock), NoLock);
}

/* The clock as a version: microseconds since 1970. */
static int64
clock_version(void)
{
	return GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

/*
 * Whether the caller is the table's owner, or has that role's privileges.  Not
 * so who acts for another: functions of the owner's and foreign keys delete
 * what their callers have put there.
 */
static bool
is_owner(Oid relid)
{
	return !InLocalUserIdChange() &&
		object_ownercheck(RelationRelationId, ds_catalogue_root(relid), GetUserId());
}

/* Refuse a version that nobody but the owner may use up: 42501. */
static void
require_trust(Oid relid, int64 floor, int64 version)
{
	if (version - floor <= FLOOR_SLACK || version <= clock_version() + CLOCK_SLACK || is_owner(relid))
		return;
	ereport(ERROR,
			(errcode(DS_ERRCODE_HIDDEN),
			 errmsg("only the owner of collection \"%s\" can delete a document at so high a version",
					ds_name_of(relid)),
			 errdetail("New documents start above every deleted version, and nobody else may use up that many versions."),
			 ds_tracking_is(relid)
			 ? errhint("Have the owner delete it.")
			 : errhint("Have the owner delete it, or first set its version to a lower number with UPDATE.")));
}

/* Raise the floor, in the name of its owner; see identity.c for what must not run here. */
static void
set_value(Relation sequence, int64 value)
{
	DsIdentity	caller = ds_identity_become_owner(RelationGetRelid(sequence));

	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(RelationGetRelid(sequence)),
						Int64GetDatum(value));
	ds_identity_become(caller);
}

/*
 * Raise the floor of a table to a version that is being deleted.  The floor is
 * made if there is none; 42501 when the owner of the table may not make it,
 * and for others than the owner when the version is beyond belief.
 *
 * The lock on the sequence's page makes comparing and setting one step; it is
 * held for just that, and no SQL command takes it.
 */
void
ds_floor_raise(Oid relid, int64 version)
{
	Relation	sequence;

	if (is_far(relid))
	{
		ds_far_floor_raise(relid, version);
		return;
	}
	sequence = require_sequence(relid, RowExclusiveLock);
	if (last_value(sequence) < version)
	{
		LockPage(sequence, 0, ExclusiveLock);
		if (last_value(sequence) < version)
		{
			require_trust(relid, last_value(sequence), version);
			set_value(sequence, version);
		}
		UnlockPage(sequence, 0, ExclusiveLock);
	}
	relation_close(sequence, NoLock);
}

/*
 * Let a restart of the sequence leave the floor where it is: TRUNCATE .. RESTART
 * IDENTITY.  Written as ALTER SEQUENCE .. START WITH; see identity.c for what
 * must not run here.
 */
void
ds_floor_keep(Oid relid)
{
	Relation	sequence = open_sequence(relid, RowExclusiveLock);
	AlterSeqStmt *statement = makeNode(AlterSeqStmt);
	char	   *value;
	DsIdentity	caller;

	if (sequence == NULL)
		return;
	value = psprintf(INT64_FORMAT, last_value(sequence));
	statement->sequence = makeRangeVar(get_namespace_name(RelationGetNamespace(sequence)),
									   pstrdup(RelationGetRelationName(sequence)), -1);
	statement->options = list_make1(makeDefElem("start", (Node *) makeFloat(value), -1));
	caller = ds_identity_become_owner(RelationGetRelid(sequence));
	relation_close(sequence, NoLock);
	(void) AlterSequence(make_parsestate(NULL), statement);
	ds_identity_become(caller);
	CommandCounterIncrement();
}

/*
 * Partitions that were tables of their own
 */

/*
 * The tables that were attached to the one that a table is a part of, and can
 * have its documents: itself, what it is a part of, its own partitions.
 * *is_fixed: nobody attaches one without this table being described anew.
 */
static List *
attached_tables(Oid relid, bool *is_fixed)
{
	List	   *tables = get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL;
	List	   *parts = (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE
						 ? find_all_inheritors(relid, NoLock, NULL) : list_make1_oid(relid));
	ListCell   *cell;

	*is_fixed = list_length(tables) <= 1;
	foreach(cell, parts)
		if (lfirst_oid(cell) != relid && get_rel_relkind(lfirst_oid(cell)) == RELKIND_PARTITIONED_TABLE)
			*is_fixed = false;
	return tables == NIL ? list_delete_first(parts) : list_concat(parts, list_delete_last(tables));
}

/* What a sequence holds, that may be dropped. */
static int64
last_value_if_any(Oid relid)
{
	Relation	sequence = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	int64		value = 0;

	if (sequence != NULL)
	{
		value = last_value(sequence);
		relation_close(sequence, NoLock);
	}
	return value;
}

/*
 * The highest floor that partitions have of their own, from before they were
 * attached: since then it is the floor of the whole table that rises.
 */
static int64
highest_attached(Oid relid, bool *is_fixed)
{
	int64		highest = 0;
	ListCell   *cell;

	foreach(cell, attached_tables(relid, is_fixed))
		highest = Max(highest, last_value_if_any(find_own(lfirst_oid(cell))));
	return highest;
}

/*
 * Note in the description of a collection what it has for its floor.  What
 * partitions have brought along is remembered where whoever attaches one tells;
 * where partitions have partitions, it is looked at each time.
 */
void
ds_floor_describe(DsCollection *collection)
{
	bool		is_fixed;

	collection->document.has_partitions = collection->partitioned || get_rel_relispartition(collection->relid);
	collection->document.floor = ds_floor_find(collection->relid);
	collection->document.hides_floor = ds_distributed_hides_floor(collection->relid);
	collection->document.attached_floor = highest_attached(collection->relid, &is_fixed);
	if (!is_fixed)
		collection->document.attached_floor = UNKNOWN_FLOOR;
}

/*
 * New documents
 */

/*
 * Whether a table, or the one that it is a partition of, can have documents
 * that the caller does not see.
 */
static bool
hides_documents(Oid relid)
{
	Oid			root = ds_catalogue_root(relid);

	return pg_class_aclcheck(root, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		check_enable_rls(root, InvalidOid, true) == RLS_ENABLED ||
		(root != relid && check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED);
}

/* Look the floor of a table up, as it is now. */
static void
look_up(DsFloor *floor, Oid relid)
{
	const DsCollection *collection = look_at(relid);
	Oid			sequence = collection == NULL ? ds_floor_find(relid) : collection->document.floor;
	bool		is_fixed;

	floor->relid = relid;
	floor->is_far = collection != NULL && collection->document.hides_floor;
	floor->has_partitions = collection == NULL || collection->document.has_partitions;
	floor->attached = collection == NULL ? UNKNOWN_FLOOR : collection->document.attached_floor;
	if (floor->attached == UNKNOWN_FLOOR)
		floor->attached = highest_attached(relid, &is_fixed);
	floor->sequence = open_remembered(relid, sequence, AccessShareLock);
	floor->buffer = InvalidBuffer;
}

/* Open the floor of a table that is locked, for one who creates documents. */
void
ds_floor_open(DsFloor *floor, Oid relid)
{
	look_up(floor, relid);
	floor->hides_documents = hides_documents(relid);
}

void
ds_floor_close(DsFloor *floor)
{
	if (floor->sequence != NULL)
		relation_close(floor->sequence, NoLock);
	floor->sequence = NULL;
}

/*
 * Pin the page of a floor's sequence.  It is read for each document of a batch,
 * and most often is still where it was, which the server tells in less time than
 * where it is.  It is not kept pinned: who drops the file would wait for that.
 */
static Buffer
pin(DsFloor *floor)
{
	if (floor->buffer == InvalidBuffer || BufferIsLocal(floor->buffer) ||
		!ReadRecentBuffer(floor->sequence->rd_locator, MAIN_FORKNUM, 0, floor->buffer))
		floor->buffer = ReadBuffer(floor->sequence, 0);
	return floor->buffer;
}

/* The value of a floor now: ALTER SEQUENCE, which the lock does not keep out, gives it another file. */
static int64
value_of(DsFloor *floor)
{
	AcceptInvalidationMessages();
	return Max(floor->attached, floor->sequence == NULL ? 0 : last_value_in(pin(floor)));
}

/*
 * The version that a new document gets.  tries: how often one was too low; who
 * needs long for a try, and meets others who delete all the time, gets above
 * them in the end.  22003 when there is none left.
 */
int64
ds_floor_next_version(DsFloor *floor, int tries)
{
	int64		value = value_of(floor);
	int64		headroom = tries < 2 ? 1 : (int64) 1 << Min(tries, MAX_HEADROOM_BITS);

	if (floor->is_far)
		return ds_far_floor_next_version(floor->relid, tries);
	if (value == PG_INT64_MAX)
		ereport(ERROR,
				(errcode(DS_ERRCODE_VERSION_OVERFLOW),
				 errmsg("collection \"%s\" has no version left for a new document",
						ds_name_of(floor->relid)),
				 errdetail("A document was deleted at the highest possible version, and new ones start above it."),
				 errhint("Set the sequence that the version column owns to a lower value with setval().")));
	if (value > PG_INT64_MAX - headroom)
		headroom = 1;
	if (value > 0 && floor->hides_documents)
		return Max(value + headroom, clock_version());
	return value + headroom;
}

/*
 * Whether a version is used up by now: asked by its creator, who has won the
 * id.  Where there was no floor the first delete may have made it since, and a
 * partition may have been attached: then all is looked at once more.
 */
bool
ds_floor_reaches(DsFloor *floor, int64 version)
{
	DsFloor		now;
	bool		result;

	if (floor->is_far)
		return ds_far_floor_reaches(floor->relid, version);
	if (floor->sequence != NULL && !floor->has_partitions)
		return value_of(floor) >= version;
	look_up(&now, floor->relid);
	result = value_of(&now) >= version;
	ds_floor_close(&now);
	return result;
}

/*
 * The same of a version that the caller names: who does not see all documents
 * cannot find out by trying at which versions others were deleted.  He has got
 * no such version, but for one from before anything was deleted.
 */
bool
ds_floor_reaches_any(DsFloor *floor, int64 version)
{
	if (floor->hides_documents && version < clock_version() - CLOCK_SLACK)
		return value_of(floor) > 0;
	return ds_floor_reaches(floor, version);
}

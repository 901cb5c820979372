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
 *	  document that started too low is lifted by its creator (document.c and
 *	  attempt.c), before anybody can see it.
 *
 * A crash cannot lose the floor of a delete that survived: the sequence's WAL
 * is written before that of the commit.
 *
 * docstore.create_collection() makes the sequence.  A table that somebody
 * made by hand gets one with its first delete, in the name of its owner; the
 * catalogue tells everybody else (collection.c).  Until then its versions
 * start at 1.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_sequence.h"
#include "commands/defrem.h"
#include "commands/sequence.h"
#include "catalogue.h"
#include "compat.h"
#include "distributed.h"
#include "errors.h"
#include "floor.h"
#include "identity.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "plan.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* The version that a new document is being lifted to, or 0. */
static int64 lift_version = 0;

/* A floor starts at 0, which tells it from a sequence that fills the column. */
static bool
starts_at_zero(Oid sequence)
{
	HeapTuple	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_sequence) GETSTRUCT(tuple))->seqmin == 0;
	ReleaseSysCache(tuple);
	return result;
}

/* The sequence that is a table's floor, or InvalidOid while it has none. */
Oid
ds_floor_find(Oid relid)
{
	Oid			owner = ds_catalogue_root(relid);
	AttrNumber	version = get_attnum(owner, "version");
	ListCell   *cell;

	foreach(cell, getOwnedSequences(owner))
	{
		Oid			sequence = lfirst_oid(cell);
		Oid			table;
		int32		column;

		if (sequenceIsOwned(sequence, DEPENDENCY_AUTO, &table, &column) &&
			column == version && starts_at_zero(sequence))
			return sequence;
	}
	return InvalidOid;
}

static void
require_create(Oid owner, Oid schema)
{
	if (object_aclcheck(NamespaceRelationId, schema, GetUserId(), ACL_CREATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of collection \"%s\" may not make the floor of its versions in schema \"%s\"",
						ds_collection_name(owner), get_namespace_name(schema)),
				 errdetail("The first delete makes a sequence, so that no version is ever given twice to documents of one id."),
				 errhint("Grant the owner CREATE on the schema for as long as the first delete takes.")));
}

/*
 * Make the floor of a table that has none, in the name of its owner and
 * beside it.  Those who come at the same moment wait for each other, on a
 * lock that nothing else takes, until the first has committed.
 */
void
ds_floor_create(Oid relid)
{
	Oid			owner = ds_catalogue_root(relid);
	Oid			schema = get_rel_namespace(owner);
	DsIdentity	caller;
	char	   *name;

	ds_distributed_refuse_floor(owner);
	LockDatabaseObject(RelationRelationId, owner, 1, ExclusiveLock);
	AcceptInvalidationMessages();
	if (OidIsValid(ds_floor_find(owner)))
		return;

	caller = ds_identity_become_owner(owner);
	require_create(owner, schema);
	name = ChooseRelationName(get_rel_name(owner), "version", "floor", schema, false);
	ds_plan_execute_utility(psprintf("CREATE SEQUENCE %s MINVALUE 0 START 0 OWNED BY %s.version",
									 quote_qualified_identifier(get_namespace_name(schema), name),
									 ds_collection_name(owner)));
	ds_identity_become(caller);

	/* The catalogue entry of the table itself is as it was. */
	CacheInvalidateRelcacheByRelid(relid);
	if (owner != relid)
		CacheInvalidateRelcacheByRelid(owner);
	CommandCounterIncrement();
}

/* What a sequence holds, read as pg_sequence_last_value() does. */
static int64
last_value(Relation sequence)
{
	Buffer		buffer = ReadBuffer(sequence, 0);
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

/* The floor, opened and locked for the rest of the transaction, or NULL. */
static Relation
open_floor(const DsCollection *collection, LOCKMODE lock)
{
	Oid			sequence = ds_collection_floor(collection->relid);

	return OidIsValid(sequence) ? try_relation_open(sequence, lock) : NULL;
}

/*
 * Raise the floor to a version that is being deleted.  The floor is made if
 * there is none; 42501 when the owner of the table may not make it.
 *
 * The lock on the sequence's page makes comparing and setting one step; it is
 * held for just that, and no SQL command takes it.
 */
void
ds_floor_raise(const DsCollection *collection, int64 version)
{
	Relation	sequence = open_floor(collection, RowExclusiveLock);

	if (sequence == NULL)
	{
		ds_floor_create(collection->relid);
		sequence = open_floor(collection, RowExclusiveLock);
		if (sequence == NULL)
			elog(ERROR, "relation %u has no floor", collection->relid);
	}

	if (last_value(sequence) < version)
	{
		LockPage(sequence, 0, ExclusiveLock);
		if (last_value(sequence) < version)
		{
			DsIdentity	caller = ds_identity_become_owner(RelationGetRelid(sequence));

			DirectFunctionCall2(setval_oid, ObjectIdGetDatum(RelationGetRelid(sequence)),
								Int64GetDatum(version));
			ds_identity_become(caller);
		}
		UnlockPage(sequence, 0, ExclusiveLock);
	}
	relation_close(sequence, NoLock);
}

/* Let a restart of the sequence leave the floor where it is: TRUNCATE .. RESTART IDENTITY. */
void
ds_floor_keep(const DsCollection *collection)
{
	Relation	sequence = open_floor(collection, RowExclusiveLock);
	DsIdentity	caller;
	char	   *sql;

	if (sequence == NULL)
		return;
	sql = psprintf("ALTER SEQUENCE %s START WITH " INT64_FORMAT,
				   ds_collection_name(RelationGetRelid(sequence)), last_value(sequence));
	caller = ds_identity_become_owner(RelationGetRelid(sequence));
	relation_close(sequence, NoLock);
	ds_plan_execute_utility(sql);
	ds_identity_become(caller);
}

/* The version that a new document gets; 22003 when there is none left. */
int64
ds_floor_next_version(const DsCollection *collection)
{
	Relation	sequence = open_floor(collection, AccessShareLock);
	int64		floor = 0;

	if (sequence != NULL)
	{
		floor = last_value(sequence);
		relation_close(sequence, NoLock);
	}
	if (floor == PG_INT64_MAX)
		ereport(ERROR,
				(errcode(DS_ERRCODE_VERSION_OVERFLOW),
				 errmsg("collection \"%s\" has no version left for a new document",
						ds_collection_name(collection->relid)),
				 errdetail("A document was deleted at the highest possible version, and new ones start above it."),
				 errhint("Set the sequence that the version column owns to a lower value with setval().")));
	return floor + 1;
}

/*
 * While a new document is lifted to a version, the guard of its table has to
 * let that pass.  What was being lifted before, by a call further out, comes
 * back with the end of the lift; callers see to it that an error ends it, too.
 */
int64
ds_floor_begin_lift(int64 version)
{
	int64		before = lift_version;

	lift_version = version;
	return before;
}

void
ds_floor_end_lift(int64 before)
{
	lift_version = before;
}

bool
ds_floor_is_lift(int64 version)
{
	return lift_version != 0 && version == lift_version;
}

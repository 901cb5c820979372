/*
 * floors.c - what other nodes ask the coordinator of the floor of a distributed collection
 *
 * They are called on the coordinator, by far_floor.c, in the name of whoever
 * creates or deletes documents there.  Anybody can call them, so they tell
 * and do no more than documents that are created and deleted would.
 */
#include "postgres.h"

#include "base/errors.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "table/collection.h"
#include "table/far_floor.h"
#include "table/floor.h"
#include "utils/acl.h"

PG_FUNCTION_INFO_V1(ds_next_version);
PG_FUNCTION_INFO_V1(ds_is_used_up);
PG_FUNCTION_INFO_V1(ds_use_up);

/*
 * Lock a collection whose floor is here, and describe it; 42501 without one of
 * these privileges on it or one of its columns.
 */
static Oid
open_collection(Oid relid, AclMode privileges)
{
	DsCollection collection;

	ds_collection_open(relid, AccessShareLock, DS_ONLY_ITEM, &collection);
	if (collection.document.hides_floor)
		ds_far_floor_refuse(relid, NULL);
	if (pg_class_aclmask(relid, GetUserId(), privileges, ACLMASK_ANY) == 0 &&
		pg_attribute_aclcheck_all(relid, GetUserId(), privileges, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, NameStr(collection.name));
	return relid;
}

/*
 * docstore_internal.next_version(relation regclass, tries integer) RETURNS bigint
 *
 * The version that the caller would get for a new document.
 */
Datum
ds_next_version(PG_FUNCTION_ARGS)
{
	DsFloor		floor;
	int64		version;

	ds_floor_open(&floor, open_collection(PG_GETARG_OID(0), ACL_INSERT));
	version = ds_floor_next_version(&floor, Max(PG_GETARG_INT32(1), 0));
	ds_floor_close(&floor);
	PG_RETURN_INT64(version);
}

/*
 * docstore_internal.is_used_up(relation regclass, version bigint) RETURNS boolean
 *
 * Whether a version of a new document, which the caller got a moment ago, is
 * too low by now.
 */
Datum
ds_is_used_up(PG_FUNCTION_ARGS)
{
	DsFloor		floor;
	bool		result;

	ds_floor_open(&floor, open_collection(PG_GETARG_OID(0), ACL_INSERT));
	result = ds_floor_reaches_any(&floor, PG_GETARG_INT64(1));
	ds_floor_close(&floor);
	PG_RETURN_BOOL(result);
}

/*
 * docstore_internal.use_up(relation regclass, version bigint) RETURNS void
 *
 * Raise the floor, as a delete at that version does: 42501 where it is beyond
 * belief.  0 only makes the floor, where there is none.
 */
Datum
ds_use_up(PG_FUNCTION_ARGS)
{
	ds_floor_raise(open_collection(PG_GETARG_OID(0), ACL_DELETE | ACL_UPDATE | ACL_TRUNCATE), PG_GETARG_INT64(1));
	PG_RETURN_VOID();
}

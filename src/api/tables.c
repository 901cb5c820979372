/*
 * tables.c - making tables, and guarding those that others write:
 * create_collection, create_log, repair_log, guard, unguard
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "guard/guard_triggers.h"
#include "guard/trigger_state.h"
#include "log/create_log.h"
#include "log/log.h"
#include "miscadmin.h"
#include "table/create_collection.h"
#include "table/distributed.h"
#include "table/id.h"
#include "table/name.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ds_create_collection);
PG_FUNCTION_INFO_V1(ds_create_log);
PG_FUNCTION_INFO_V1(ds_repair_log);
PG_FUNCTION_INFO_V1(ds_guard);
PG_FUNCTION_INFO_V1(ds_unguard);

static const DsIdType *
require_id_type(Oid oid)
{
	const DsIdType *type = ds_id_type(oid);

	if (type == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("ids cannot be of type %s",
						format_type_extended(oid, -1, FORMAT_TYPE_ALLOW_INVALID)),
				 errhint("The id type of a collection is text, uuid, bigint or integer.")));
	return type;
}

/*
 * docstore.create_collection(name text, id_type regtype DEFAULT 'text')
 * RETURNS regclass
 *
 * name is read as regclass reads names: folded to lower case unless quoted,
 * and made in the first schema of the search_path unless qualified.  Returns
 * the new table.  Raises 22023 for bad arguments, 42622 for a name that the
 * server would cut, else what CREATE TABLE raises (42P07 when the name is
 * taken, 42501 without CREATE on the schema).
 */
Datum
ds_create_collection(PG_FUNCTION_ARGS)
{
	const DsIdType *id_type;
	RangeVar   *name;
	Oid			relid;

	ds_call_require_writable("docstore.create_collection()");
	ds_argument_require(PG_ARGISNULL(0), "name");
	ds_argument_require(PG_ARGISNULL(1), "id_type");
	name = ds_name_read_new(text_to_cstring(PG_GETARG_TEXT_PP(0)), NAMEDATALEN - 1);
	id_type = require_id_type(PG_GETARG_OID(1));

	relid = ds_collection_create(RangeVarGetCreationNamespace(name), name->relname, id_type);
	ds_distributed_note_local("collection", relid,
							  "To have it where its schema is, make it in another schema, and then call ALTER TABLE ... SET SCHEMA.");
	PG_RETURN_OID(relid);
}

/*
 * docstore.create_log(name text, notify boolean DEFAULT false) RETURNS regclass
 *
 * name is read as regclass reads names; the other tables' names are made of
 * it.  Returns the table of events, which is the log.  Raises 22023 for bad
 * arguments, 42622 for a name that is too long, else what CREATE TABLE raises
 * (42P07 when a name is taken, 42501 without CREATE on the schema).
 */
Datum
ds_create_log(PG_FUNCTION_ARGS)
{
	RangeVar   *name;
	Oid			relid;

	ds_call_require_writable("docstore.create_log()");
	ds_argument_require(PG_ARGISNULL(0), "name");
	ds_argument_require(PG_ARGISNULL(1), "notify");
	name = ds_log_read_new_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	relid = ds_log_create(name, PG_GETARG_BOOL(1));
	ds_distributed_note_local("log", relid, "Call its functions on this node. It stays here when the schema moves.");
	PG_RETURN_OID(relid);
}

/* Privileges come before locks. */
static void
require_owner(Oid relid)
{
	if (get_rel_relkind(relid) != '\0' && !object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
}

/*
 * docstore.repair_log(log regclass, notify boolean DEFAULT false) RETURNS void
 *
 * Makes the triggers of a log what they should be (trigger_state.c): that for
 * replication, and with notify that for notifications, too.  Gives a log that
 * an older version has made what it lacks.  Changes nothing where nothing is
 * amiss.  Raises 22023, 42P01, 42809, 42501 for others than the owner, 2BP01
 * while views or functions need the key that it would replace.
 * Locks: SHARE ROW EXCLUSIVE on the log's tables, ACCESS EXCLUSIVE where the
 * log lacks something.
 */
Datum
ds_repair_log(PG_FUNCTION_ARGS)
{
	Oid			relid;
	DsLog		log;
	char		notify;

	ds_call_require_writable("docstore.repair_log()");
	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "notify");
	relid = PG_GETARG_OID(0);
	require_owner(relid);
	ds_log_open(relid, ds_log_is_incomplete(relid) ? AccessExclusiveLock : ShareRowExclusiveLock,
				DS_ONLY_ITEM, &log);

	ds_log_complete(relid);
	if (ds_trigger_log_fault(relid) != NULL)
		ds_log_make_replicate_trigger(relid, ds_trigger_state(relid, DS_LOG_REPLICATE, "replicate_event") != DS_NO_TRIGGER);
	notify = ds_trigger_state(relid, DS_LOG_NOTIFY, "notify_log");
	if (PG_GETARG_BOOL(1) && notify != TRIGGER_FIRES_ON_ORIGIN && notify != TRIGGER_FIRES_ALWAYS)
		ds_log_make_notify_trigger(relid, notify != DS_NO_TRIGGER);
	PG_RETURN_VOID();
}

/* Whether the guard is to be strict; the function had no such argument before 0.7.0. */
static bool
strict_argument(FunctionCallInfo fcinfo)
{
	if (PG_NARGS() < 3)
		return false;
	ds_argument_require(PG_ARGISNULL(2), "strict");
	return PG_GETARG_BOOL(2);
}

/*
 * docstore.guard(table_name regclass, version_column name DEFAULT 'version',
 * strict boolean DEFAULT false) RETURNS void
 *
 * Errors and locks: ds_guard_make(), and 22023 for NULL.
 */
Datum
ds_guard(PG_FUNCTION_ARGS)
{
	ds_call_require_writable("docstore.guard()");
	ds_argument_require(PG_ARGISNULL(0), "table_name");
	ds_argument_require(PG_ARGISNULL(1), "version_column");
	ds_guard_make(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), strict_argument(fcinfo));
	PG_RETURN_VOID();
}

/*
 * docstore.unguard(table_name regclass) RETURNS void
 *
 * Errors and locks: ds_guard_drop(), and 22023 for NULL.
 */
Datum
ds_unguard(PG_FUNCTION_ARGS)
{
	ds_call_require_writable("docstore.unguard()");
	ds_argument_require(PG_ARGISNULL(0), "table_name");
	ds_guard_drop(PG_GETARG_OID(0));
	PG_RETURN_VOID();
}

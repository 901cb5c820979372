/*
 * guard_triggers.c - making and dropping guards: which table can be guarded, by
 * whom, and with which triggers
 *
 * A guarded table has triggers that hold whoever writes it by plain SQL, an
 * ORM most often, to the rule of versions:
 *
 *	docstore_guard			BEFORE INSERT OR UPDATE, FOR EACH ROW: guard_row.c.
 *	docstore_guard_delete	AFTER DELETE OR UPDATE OF id, FOR EACH ROW, of a
 *							collection: guard_floor.c.
 *	docstore_guard_truncate	BEFORE TRUNCATE, of a collection: likewise.
 *
 * The server gives those for rows to all partitions, and to those that come
 * later.  So a partition that is guarded by itself is in the way of them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/internal.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "guard/guard.h"
#include "guard/guard_triggers.h"
#include "guard/trigger_state.h"
#include "log/log.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/floor.h"
#include "table/name.h"
#include "table/plan.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

pg_noreturn static void
refuse_unknown(const char *name)
{
	ds_name_refuse_unknown("table", name, DS_ONLY_ITEM, "Check its name and the search_path.");
}

static void
require_table(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	if (kind == '\0')
		refuse_unknown(ds_name_of(relid));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" cannot be guarded", ds_name_of(relid)),
				 errdetail("It is not an ordinary or partitioned table."),
				 errhint("Guard %s.", kind == RELKIND_VIEW || kind == RELKIND_MATVIEW
						 ? "the tables that it reads from"
						 : kind == RELKIND_FOREIGN_TABLE ? "the table on the server that has it"
						 : "a table")));
}

/*
 * Privileges come before locks, so that nobody makes others wait at a table
 * where he may do nothing.  To make a trigger takes TRIGGER, to drop one its
 * owner.
 */
static void
require_trigger_privilege(Oid relid)
{
	AclResult	result = pg_class_aclcheck(relid, GetUserId(), ACL_TRIGGER);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
}

static void
require_owner(Oid relid)
{
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/* Lock a table; 42P01 when it is gone by then, and 42809 when it has become a view. */
static void
lock_table(Oid relid, LOCKMODE lock)
{
	const char *gone = ds_collection_lock(relid, lock);

	if (gone != NULL)
		refuse_unknown(gone);
	require_table(relid);
}

/* Raise 42809 for a version that no UPDATE can name: who reads a row and writes it back is refused. */
static void
require_no_identity(Oid relid, const char *name)
{
	DsColumn	column;

	if (ds_catalogue_column(relid, name, &column) && column.is_always_identity)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" cannot be guarded", ds_name_of(relid)),
				 errdetail("Its column \"%s\" is GENERATED ALWAYS AS IDENTITY.", name),
				 errhint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY first.")));
}

/* The table whose guard a table has: itself, one that it is a partition of, or invalid. */
static Oid
guarded_table(Oid relid)
{
	DsTrigger	trigger;

	return ds_trigger_find(relid, DS_GUARD, "guard_row", &trigger) ? ds_trigger_table(trigger.oid) : InvalidOid;
}

/* Find the guard that a table has, or has as a partition, if it goes by that column, be it gone by now. */
static bool
find_guard(Oid relid, const char *column, DsTrigger *trigger)
{
	return ds_trigger_find(relid, DS_GUARD, "guard_row", trigger) && strcmp(trigger->column, column) == 0;
}

/*
 * Refuse a table that has a guard, or whose partitions have one, which the new
 * one would meet there: 42710.  And those with partitions elsewhere, whose rows
 * do not tell when they were written: 42809.
 * Locks the partitions as CREATE TRIGGER does next.
 */
static void
require_unguarded(Oid relid)
{
	List	   *tables = list_make1_oid(relid);
	ListCell   *cell;

	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		tables = find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
	foreach(cell, tables)
	{
		Oid			table = lfirst_oid(cell);
		Oid			guarded = guarded_table(table);

		if (OidIsValid(guarded))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("table \"%s\" is guarded already", ds_name_of(table)),
					 table != guarded ? errdetail("It is a partition of table \"%s\", which is guarded.", ds_name_of(guarded))
					 : table != relid ? errdetail("It is a partition of table \"%s\".", ds_name_of(relid)) : 0,
					 table != relid ? errhint("Call docstore.unguard() for the partition first. It is then guarded with that table.")
					 : errhint("To name another version column, call docstore.unguard() first.")));
		if (get_rel_relkind(table) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(DS_ERRCODE_NOT_A_COLLECTION),
					 errmsg("\"%s\" cannot be guarded", ds_name_of(relid)),
					 errdetail("Its partition \"%s\" is a foreign table.", ds_name_of(table)),
					 errhint("Guard the foreign table on its own server, and the other partitions one by one.")));
	}
}

/* Tables that inherit from another have triggers of their own. */
static void
report_children(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_RELATION && has_subclass(relid))
		ereport(NOTICE,
				(errmsg("tables that inherit from \"%s\" are not guarded with it", ds_name_of(relid)),
				 errhint("Call docstore.guard() for each of them.")));
}

/* Make a trigger of the guard's unless it is there as it should be, and see to when it fires. */
static void
make_trigger(Oid relid, const char *name, const char *function, const char *timing, const char *enable)
{
	const char *table = ds_name_of(relid);
	DsTrigger	trigger;
	bool		is_there = ds_trigger_find(relid, name, function, &trigger);

	if (!is_there || trigger.is_altered)
		ds_plan_execute_utility(psprintf("CREATE %sTRIGGER %s %s EXECUTE FUNCTION %s.%s()", is_there ? "OR REPLACE " : "",
										 name, psprintf(timing, table), ds_internal_schema_name(), function));
	ds_plan_execute_utility(psprintf("ALTER TABLE %s %s TRIGGER %s", table, enable, name));
}

/* A collection's floor knows of versions that are used up by others than docstore. */
static void
guard_floor(Oid relid)
{
	ds_floor_create(relid);
	make_trigger(relid, DS_GUARD "_delete", "guard_delete",
				 "AFTER DELETE OR UPDATE OF id ON %s FOR EACH ROW",
				 "ENABLE ALWAYS");
	make_trigger(relid, DS_GUARD "_truncate", "guard_truncate",
				 "BEFORE TRUNCATE ON %s FOR EACH STATEMENT",
				 "ENABLE ALWAYS");
}

/* Make the trigger of rows with CREATE, or anew with CREATE OR REPLACE; a second argument makes it strict. */
static void
make_row_trigger(const char *create, Oid relid, const char *column, bool is_strict)
{
	ds_plan_execute_utility(psprintf("%s TRIGGER " DS_GUARD " BEFORE INSERT OR UPDATE ON %s "
									 "FOR EACH ROW EXECUTE FUNCTION %s.guard_row(%s%s)", create,
									 ds_name_of(relid), ds_internal_schema_name(),
									 quote_literal_cstr(column), is_strict ? ", 'strict'" : ""));
}

/*
 * Make the triggers of a table that is guarded by itself what they should be,
 * if they are not; false when they are, or the guard is for another column.
 * Raises 42501 for others than the owner.
 */
static bool
renew(Oid relid, const char *column, bool is_strict)
{
	DsCollection collection;
	DsTrigger	trigger;

	if (guarded_table(relid) != relid || !find_guard(relid, column, &trigger) ||
		(trigger.is_strict == is_strict && ds_trigger_guard_fault(relid) == NULL))
		return false;
	require_owner(relid);
	if (trigger.is_strict != is_strict || trigger.is_altered)
		make_row_trigger("CREATE OR REPLACE", relid, column, is_strict);
	ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE %sTRIGGER " DS_GUARD, ds_name_of(relid),
									 trigger.state == TRIGGER_FIRES_ALWAYS ? "ALWAYS " : ""));
	if (ds_collection_recognise(relid, &collection))
		guard_floor(relid);
	return true;
}

/*
 * Guard a table by its column of versions.  A guard that is there becomes
 * strict, or plain again, as it is asked for; one whose triggers are not as
 * they should be is repaired.
 *
 * Raises 42P01 and 42809 for what is no table, 42703 and 42804 for what is no
 * version column, 42710 when the table or one of its partitions is guarded, 42501
 * without TRIGGER on the table or, where it is a collection or has the guard,
 * for others than its owner.
 * Locks: SHARE ROW EXCLUSIVE on the table and its partitions, as CREATE TRIGGER.
 */
void
ds_guard_make(Oid relid, const char *column, bool is_strict)
{
	DsCollection collection;
	DsTrigger	trigger;

	require_table(relid);
	require_trigger_privilege(relid);
	lock_table(relid, ShareRowExclusiveLock);
	ds_guard_require_version_column(relid, column, find_guard(relid, column, &trigger));
	require_no_identity(relid, column);
	ds_distributed_refuse_guard(relid);
	ds_log_refuse_guard(relid, column);
	if (renew(relid, column, is_strict))
		return;
	require_unguarded(relid);

	make_row_trigger("CREATE", relid, column, is_strict);
	if (ds_collection_recognise(relid, &collection))
		guard_floor(relid);
	report_children(relid);
}

/* Refuse a table without a guard, 42704, and one that has it as a partition, 2BP01. */
static void
require_own_guard(Oid relid)
{
	Oid			guarded = guarded_table(relid);

	if (!OidIsValid(guarded))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not guarded", ds_name_of(relid)),
				 errhint("Use docstore.guard() to guard it.")));
	if (guarded != relid)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("table \"%s\" is guarded as a partition", ds_name_of(relid)),
				 errdetail("It is a partition of table \"%s\", which is guarded with all its partitions.",
						   ds_name_of(guarded)),
				 errhint("Call docstore.unguard() for that table, or detach the partition.")));
}

/*
 * Remove the guard of a table.  The floor of a collection stays.
 *
 * Raises 42P01, 42809, 42501 for others than the owner, 42704 when the table is
 * not guarded, and 2BP01 when it is as a partition of another one.
 * Locks: ACCESS EXCLUSIVE on the table, as DROP TRIGGER, which locks its
 * partitions likewise.
 */
void
ds_guard_drop(Oid relid)
{
	static const struct
	{
		const char *name;
		const char *function;
	}			triggers[] = {
		{DS_GUARD, "guard_row"},
		{DS_GUARD "_delete", "guard_delete"},
		{DS_GUARD "_truncate", "guard_truncate"},
	};
	DsTrigger	trigger;

	require_table(relid);
	require_owner(relid);
	lock_table(relid, AccessExclusiveLock);
	require_own_guard(relid);

	for (size_t i = 0; i < lengthof(triggers); i++)
		if (ds_trigger_find(relid, triggers[i].name, triggers[i].function, &trigger))
			ds_plan_execute_utility(psprintf("DROP TRIGGER %s ON %s", triggers[i].name,
											 ds_name_of(relid)));
}

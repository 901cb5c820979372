/*
 * guard.c - the column of versions that a guard goes by, and what its triggers
 * are not called for
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "guard/guard.h"
#include "table/collection.h"
#include "utils/lsyscache.h"

/* Whether a column of that type can hold versions. */
bool
ds_guard_is_version_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/*
 * Raise 42703 or 42804 unless the table has that column, and it can hold
 * versions.  A guard that has had it may have lost it by a rename.
 */
void
ds_guard_require_version_column(Oid relid, const char *name, bool is_guarded)
{
	AttrNumber	column = get_attnum(relid, name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"", ds_name_of(relid), name),
				 errhint("Name the column that holds the version: docstore.guard('...', 'lock_version').%s",
						 is_guarded ? " After a rename, unguard the table and guard it again." : "")));
	if (!ds_guard_is_version_type(get_atttype(relid, column)) ||
		get_attgenerated(relid, column) != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" cannot hold versions", name,
						ds_name_of(relid)),
				 errhint("A version column must be a smallint, integer or bigint, and must not be generated.")));
}

/* Raise 39P01: a trigger function that somebody calls by hand. */
void
ds_guard_refuse_call(const char *function)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("docstore_internal.%s() can only be called by the triggers of docstore.guard()", function),
			 errhint("Call docstore.guard() for the table.")));
}

/* Raise 39P01: a trigger that somebody has made by hand. */
void
ds_guard_refuse_trigger(const TriggerData *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" was not made by docstore.guard()", trigger->tg_trigger->tgname),
			 errhint("Drop it, and call docstore.guard() for the table.")));
}

/*
 * compat.h - every test of the server's version, in one place
 *
 * The names below read like the newest server's; older servers get them
 * from here.  PostgreSQL 15 is the oldest server that is served.
 */
#ifndef DS_COMPAT_H
#define DS_COMPAT_H

#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "executor/executor.h"
#include "utils/acl.h"
#include "utils/jsonb.h"
#include "utils/regproc.h"
#include "utils/relcache.h"
#include "utils/selfuncs.h"

#if PG_VERSION_NUM < 150000
#error "docstore needs PostgreSQL 15 or newer"
#endif

/* 16 took the layout of values of variable length out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 lets a list of names be parsed without raising. */
#if PG_VERSION_NUM < 160000
#define stringToQualifiedNameList(name, escontext) (stringToQualifiedNameList) (name)
#endif

/* 16 made one function of the privilege checks of each kind of object. */
#if PG_VERSION_NUM < 160000
#define object_aclcheck(class, oid, role, mode) pg_namespace_aclcheck(oid, role, mode)
#define object_ownercheck(class, oid, role) pg_class_ownercheck(oid, role)
#endif

/* 16 says locator and number where files were nodes. */
#if PG_VERSION_NUM < 160000
#define rd_locator rd_node
#define relNumber relNode
#endif

/* 16 has a name for results that must be looked at. */
#if PG_VERSION_NUM < 160000
#define pg_nodiscard __attribute__((warn_unused_result))
#endif

/* 16 tells indexes that summarize (BRIN) from others, which an update may spare. */
#if PG_VERSION_NUM < 160000
typedef bool TU_UpdateIndexes;

#define TU_None false
#define only_summarizing(indexes) false
#else
#define only_summarizing(indexes) ((indexes) == TU_Summarizing)
#endif

/* 17 renamed the saved search path and its comparison. */
#if PG_VERSION_NUM < 170000
#define SearchPathMatchesCurrentEnvironment(path) OverrideSearchPathMatchesCurrent(path)
#endif

/* 17 asks the statistics as well, for which it wants the planner's state. */
#if PG_VERSION_NUM < 170000
#define estimate_array_length(root, array) (estimate_array_length) (array)
#endif

/* 18 writes "does not return" in front, as C11 does. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* 18 tells constraint checks which row to pass over, and has virtual columns. */
#if PG_VERSION_NUM < 180000
#define ExecCheckIndexConstraints(target, slot, estate, conflict, own, arbiters) \
	(ExecCheckIndexConstraints) (target, slot, estate, conflict, arbiters)
#define has_generated_columns(constr) ((constr)->has_generated_stored)
#else
#define has_generated_columns(constr) ((constr)->has_generated_stored || (constr)->has_generated_virtual)
#endif

/* 18 has NOT NULL that old rows need not obey: whether they do, as the catalogue and as a table's description say. */
#if PG_VERSION_NUM < 180000
#define is_validated_not_null(relid, column) true
#define may_have_old_nulls(desc, number) false
#else
static inline bool
is_validated_not_null(Oid relid, AttrNumber column)
{
	HeapTuple	constraint = findNotNullConstraintAttnum(relid, column);

	return HeapTupleIsValid(constraint) && ((Form_pg_constraint) GETSTRUCT(constraint))->convalidated;
}
#define may_have_old_nulls(desc, number) \
	(TupleDescCompactAttr(desc, number)->attnullability == ATTNULLABLE_INVALID)
#endif

/* 18 refuses changes of tables whose replica identity has generated columns that are not published. */
#if PG_VERSION_NUM < 180000
#define gencols_valid_for(published, command) true
#else
#define gencols_valid_for(published, command) \
	((command) == CMD_DELETE ? (published)->gencols_valid_for_delete : (published)->gencols_valid_for_update)
#endif

/* 18 can be asked for a primary key that is deferrable. */
#if PG_VERSION_NUM < 180000
#define RelationGetPrimaryKeyIndex(table, deferrable_too) (RelationGetPrimaryKeyIndex) (table)
#endif

/* 18 counts the searches of an index scan, 19 has flags for scans. */
#if PG_VERSION_NUM < 180000
#define index_beginscan(table, index, snapshot, instrument, keys, orderbys, flags) \
	(index_beginscan) (table, index, snapshot, keys, orderbys)
#elif PG_VERSION_NUM < 190000
#define index_beginscan(table, index, snapshot, instrument, keys, orderbys, flags) \
	(index_beginscan) (table, index, snapshot, instrument, keys, orderbys)
#endif
#if PG_VERSION_NUM < 190000
#define table_beginscan(table, snapshot, count, keys, flags) (table_beginscan) (table, snapshot, count, keys)
#endif

/* 19 has options for an update, and flags for what is made of index entries. */
#if PG_VERSION_NUM < 190000
#define table_tuple_update(table, place, slot, command, options, snapshot, crosscheck, wait, failure, mode, indexes) \
	(table_tuple_update) (table, place, slot, command, snapshot, crosscheck, wait, failure, mode, indexes)

#define EIIT_IS_UPDATE (1 << 0)
#define EIIT_NO_DUPE_ERROR (1 << 1)
#define EIIT_ONLY_SUMMARIZING (1 << 2)
#endif
#if PG_VERSION_NUM < 160000
#define ExecInsertIndexTuples(target, estate, flags, slot, arbiters, conflict) \
	(ExecInsertIndexTuples) (target, slot, estate, ((flags) & EIIT_IS_UPDATE) != 0, \
							 ((flags) & EIIT_NO_DUPE_ERROR) != 0, conflict, arbiters)
#elif PG_VERSION_NUM < 190000
#define ExecInsertIndexTuples(target, estate, flags, slot, arbiters, conflict) \
	(ExecInsertIndexTuples) (target, slot, estate, ((flags) & EIIT_IS_UPDATE) != 0, \
							 ((flags) & EIIT_NO_DUPE_ERROR) != 0, conflict, arbiters, \
							 ((flags) & EIIT_ONLY_SUMMARIZING) != 0)
#endif

/* 19 builds jsonb values in a state that holds the result as well. */
#if PG_VERSION_NUM < 190000
typedef struct JsonbInState
{
	JsonbValue *result;
	JsonbParseState *parseState;
} JsonbInState;

#define pushJsonbValue(state, token, value) \
	((void) ((state)->result = (pushJsonbValue) (&(state)->parseState, token, value)))
#endif

/* 18 gave the magic block a name and a version. */
#if PG_VERSION_NUM >= 180000
#define DS_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "docstore", .version = "0.10.0")
#else
#define DS_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif							/* DS_COMPAT_H */

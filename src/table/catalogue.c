/*
 * catalogue.c - what the catalogue says of a table, also without a lock on it
 *
 * The rule that tells collections and logs from other tables asks here, and so
 * the views can go by that very rule (views.c), while they lock no table and
 * wait for nobody.  Without a lock anything may be dropped between two
 * questions: it is not there then, and nothing here raises an error for it.
 * The relation cache would, and keeps an entry of many kilobytes for each
 * table that somebody has looked at.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/compat.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_sequence.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"
#include "table/catalogue.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Copy the row in pg_class of a relation; false, and zeroes, when there is none. */
bool
ds_catalogue_relation(Oid relid, FormData_pg_class *relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	memset(relation, 0, sizeof(FormData_pg_class));
	if (!HeapTupleIsValid(tuple))
		return false;
	memcpy(relation, GETSTRUCT(tuple), CLASS_TUPLE_SIZE);
	ReleaseSysCache(tuple);
	return true;
}

/* Whether a table is partitioned by ranges of just this column, and has a partition for all that is in none. */
bool
ds_catalogue_is_by_range(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCache1(PARTRELID, ObjectIdGetDatum(relid));
	Form_pg_partitioned_table form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_partitioned_table) GETSTRUCT(tuple);
	result = form->partstrat == PARTITION_STRATEGY_RANGE && form->partnatts == 1 &&
		form->partattrs.values[0] == column && OidIsValid(form->partdefid);
	ReleaseSysCache(tuple);
	return result;
}

/* The owner of a relation; InvalidOid when there is none. */
Oid
ds_catalogue_owner(Oid relid)
{
	FormData_pg_class relation;

	return ds_catalogue_relation(relid, &relation) ? relation.relowner : InvalidOid;
}

/* Describe the column of that name; false when there is none. */
bool
ds_catalogue_column(Oid relid, const char *name, DsColumn *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, name);
	Form_pg_attribute form;

	memset(column, 0, sizeof(DsColumn));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_attribute) GETSTRUCT(tuple);
	column->number = form->attnum;
	column->type = form->atttypid;
	column->collation = form->attcollation;
	column->is_not_null = form->attnotnull && is_validated_not_null(relid, form->attnum);
	column->is_generated = form->attgenerated != '\0';
	column->has_default = form->atthasdef;
	column->is_always_identity = form->attidentity == ATTRIBUTE_IDENTITY_ALWAYS;
	ReleaseSysCache(tuple);
	return true;
}

/* Whether texts that are equal in a collation have equal bytes; so have values without one. */
bool
ds_catalogue_is_deterministic(Oid collation)
{
	HeapTuple	tuple;
	bool		result;

	if (!OidIsValid(collation))
		return true;
	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_collation) GETSTRUCT(tuple))->collisdeterministic;
	ReleaseSysCache(tuple);
	return result;
}

/* Begin a scan of a catalogue for the rows whose first column in an index is a table. */
static SysScanDesc
begin_scan(Relation catalogue, AttrNumber column, Oid index, Oid relid)
{
	ScanKeyData key;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	return systable_beginscan(catalogue, index, true, NULL, 1, &key);
}

/* What the row in pg_class says of rules may be out of date. */
bool
ds_catalogue_has_rules(Oid relid)
{
	FormData_pg_class relation;
	Relation	rules;
	SysScanDesc scan;
	bool		found;

	if (!ds_catalogue_relation(relid, &relation) || !relation.relhasrules)
		return false;

	rules = table_open(RewriteRelationId, AccessShareLock);
	scan = begin_scan(rules, Anum_pg_rewrite_ev_class, RewriteRelRulenameIndexId, relid);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rules, AccessShareLock);
	return found;
}

/* The rows in pg_index of a table's indexes, copied. */
List *
ds_catalogue_indexes(Oid relid)
{
	Relation	indexes = table_open(IndexRelationId, AccessShareLock);
	SysScanDesc scan = begin_scan(indexes, Anum_pg_index_indrelid, IndexIndrelidIndexId, relid);
	List	   *result = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (((Form_pg_index) GETSTRUCT(tuple))->indislive)
			result = lappend(result, heap_copytuple(tuple));
	systable_endscan(scan);
	table_close(indexes, AccessShareLock);
	return result;
}

static Oid
access_method(Oid index)
{
	FormData_pg_class relation;

	return ds_catalogue_relation(index, &relation) ? relation.relam : InvalidOid;
}

/* Whether an index that can be used has just these columns, each in ascending order. */
bool
ds_catalogue_index_is_on(HeapTuple index, const AttrNumber *columns, int count)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(index);
	const int2vector *options;
	bool		is_null;

	if (form->indnkeyatts != count || !form->indisvalid || !form->indimmediate ||
		access_method(form->indexrelid) != BTREE_AM_OID)
		return false;
	options = (const int2vector *) DatumGetPointer(SysCacheGetAttr(INDEXRELID, index,
																   Anum_pg_index_indoption, &is_null));
	for (int i = 0; i < count; i++)
		if (form->indkey.values[i] != columns[i] || options->values[i] != 0)
			return false;
	return true;
}

/* Whether an index that can be used has the elements of just this column, an array. */
bool
ds_catalogue_index_is_gin_on(HeapTuple index, AttrNumber column)
{
	Form_pg_index form = (Form_pg_index) GETSTRUCT(index);

	return form->indnkeyatts == 1 && form->indisvalid && form->indkey.values[0] == column &&
		access_method(form->indexrelid) == GIN_AM_OID;
}

/* Whether an index has all rows. */
bool
ds_catalogue_index_is_whole(HeapTuple index)
{
	return heap_attisnull(index, Anum_pg_index_indpred, NULL);
}

/* Whether an index has those rows only, and all of them, where a column is not NULL. */
bool
ds_catalogue_index_is_where_not_null(HeapTuple index, AttrNumber column)
{
	bool		is_null;
	Datum		predicate = SysCacheGetAttr(INDEXRELID, index, Anum_pg_index_indpred, &is_null);
	const NullTest *test = is_null ? NULL : stringToNode(TextDatumGetCString(predicate));

	return test != NULL && IsA(test, NullTest) && test->nulltesttype == IS_NOT_NULL &&
		IsA(test->arg, Var) && ((const Var *) test->arg)->varattno == column;
}

/* In the order in which objects were made. */
static int
compare_addresses(const ListCell *left, const ListCell *right)
{
	Oid			a = ((const ObjectAddress *) lfirst(left))->objectId;
	Oid			b = ((const ObjectAddress *) lfirst(right))->objectId;

	return a < b ? -1 : a > b;
}

/*
 * What depends on an index, or on the constraint that it is for, as addresses:
 * versions of the server have either.
 */
static List *
find_dependents(Oid index)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	Oid			constraint = get_index_constraint(index);
	List	   *dependents = NIL;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	for (int i = 0; i < 2; i++)
	{
		ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(i == 0 ? RelationRelationId : ConstraintRelationId));
		ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(i == 0 ? index : constraint));
		scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, keys);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
			ObjectAddress *dependent = palloc(sizeof(ObjectAddress));

			ObjectAddressSet(*dependent, form->classid, form->objid);
			if (form->objid != index && form->objid != constraint)
				dependents = lappend(dependents, dependent);
		}
		systable_endscan(scan);
	}
	table_close(rel, AccessShareLock);
	list_sort(dependents, compare_addresses);
	return dependents;
}

/* Whether a foreign key refers to the key of an index. */
bool
ds_catalogue_is_referred_to(Oid index)
{
	ListCell   *cell;

	foreach(cell, find_dependents(index))
		if (((const ObjectAddress *) lfirst(cell))->classId == ConstraintRelationId)
			return true;
	return false;
}

/* The view that a rule makes of a relation, or any other object, as messages name it; NULL when it is gone. */
static char *
describe_user(const ObjectAddress * object)
{
	ObjectAddress user = *object;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (object->classId == RewriteRelationId)
	{
		rel = table_open(RewriteRelationId, AccessShareLock);
		ScanKeyInit(&key, Anum_pg_rewrite_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object->objectId));
		scan = systable_beginscan(rel, RewriteOidIndexId, true, NULL, 1, &key);
		if (HeapTupleIsValid(tuple = systable_getnext(scan)))
			ObjectAddressSet(user, RelationRelationId, ((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class);
		systable_endscan(scan);
		table_close(rel, AccessShareLock);
	}
	return getObjectDescription(&user, true);
}

/*
 * The views and functions that group by the key of an index and show more than
 * that, which they may as long as it is the primary key; NULL when there are none.
 */
char *
ds_catalogue_users_of_key(Oid index)
{
	StringInfoData users;
	ListCell   *cell;

	initStringInfo(&users);
	foreach(cell, find_dependents(index))
	{
		const		ObjectAddress *dependent = lfirst(cell);
		const char *user = dependent->classId == ConstraintRelationId ? NULL : describe_user(dependent);

		if (user != NULL)
			appendStringInfo(&users, "%s%s", users.len == 0 ? "" : ", ", user);
	}
	return users.len == 0 ? NULL : users.data;
}

/*
 * The table or index that a partition is a part of, the topmost one; any other
 * itself.  A table whose DETACH .. CONCURRENTLY has begun is a part of none.
 */
Oid
ds_catalogue_root(Oid relid)
{
	List	   *ancestors = get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL;

	return ancestors == NIL ? relid : llast_oid(ancestors);
}

/* The sequences that a column owns, with that kind of dependency: AUTO, or INTERNAL of an identity. */
List *
ds_catalogue_sequences(Oid relid, AttrNumber column, DependencyType dependency)
{
	List	   *sequences = NIL;
	ListCell   *cell;

	foreach(cell, getOwnedSequences(relid))
	{
		Oid			table;
		int32		owner;

		if (sequenceIsOwned(lfirst_oid(cell), dependency, &table, &owner) && owner == column)
			sequences = lappend_oid(sequences, lfirst_oid(cell));
	}
	return sequences;
}

/* The lowest value that a sequence can have; PG_INT64_MIN when there is none. */
int64
ds_catalogue_lowest_value(Oid sequence)
{
	HeapTuple	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
	int64		lowest;

	if (!HeapTupleIsValid(tuple))
		return PG_INT64_MIN;
	lowest = ((Form_pg_sequence) GETSTRUCT(tuple))->seqmin;
	ReleaseSysCache(tuple);
	return lowest;
}

/* The sequence of a column that is an identity, or InvalidOid. */
Oid
ds_catalogue_identity(Oid relid, AttrNumber column)
{
	List	   *sequences = ds_catalogue_sequences(relid, column, DEPENDENCY_INTERNAL);

	return sequences == NIL ? InvalidOid : linitial_oid(sequences);
}

/*
 * guard.c - docstore.guard(): tables that somebody else writes
 *
 * A guarded table has triggers that hold whoever writes it by plain SQL, an
 * ORM most often, to the rule of versions:
 *
 *	docstore_guard			BEFORE INSERT OR UPDATE, FOR EACH ROW.  An update that
 *							leaves the version, or raises it by one, is stored with
 *							the version raised by one; any other is the conflict.
 *	docstore_guard_delete	AFTER DELETE, FOR EACH ROW, of a collection: raises its
 *							floor (floor.c).
 *	docstore_guard_truncate	BEFORE TRUNCATE, of a collection: likewise.
 *
 * Some ORMs send "version = version + 1", which the server computes anew from
 * the row that it finds after a wait, so that it always fits.  Hence an
 * update is the conflict, too, when the row was written after the snapshot of
 * the statement: its writer cannot have seen it.
 *
 * The floor's triggers fire always, for changes that replication applies, too,
 * since those use versions up as well.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "catalogue.h"
#include "collection.h"
#include "commands/trigger.h"
#include "compat.h"
#include "conflict.h"
#include "errors.h"
#include "executor/spi.h"
#include "floor.h"
#include "fmgr.h"
#include "log.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "plan.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ds_guard);
PG_FUNCTION_INFO_V1(ds_unguard);
PG_FUNCTION_INFO_V1(ds_guard_row);
PG_FUNCTION_INFO_V1(ds_guard_delete);
PG_FUNCTION_INFO_V1(ds_guard_truncate);

#define GUARD "docstore_guard"

/*
 * Making and dropping the triggers
 */

static void
require_table(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	if (kind == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%u\" does not exist", relid),
				 errhint("Check its name and the search_path.")));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" cannot be guarded", ds_collection_name(relid)),
				 errdetail("It is not an ordinary or partitioned table."),
				 errhint("Guard the tables that it reads from.")));
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

static bool
is_version_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* The column that holds versions; 42703 or 42804 when there is no such. */
static AttrNumber
require_version_column(Oid relid, const char *name)
{
	AttrNumber	column = get_attnum(relid, name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"", ds_collection_name(relid), name),
				 errhint("Name the column that holds the version: docstore.guard('...', 'lock_version'). After a rename, unguard the table and guard it again.")));
	if (!is_version_type(get_atttype(relid, column)) || get_attgenerated(relid, column) != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" cannot hold versions", name,
						ds_collection_name(relid)),
				 errhint("The version is a smallint, integer or bigint that is not generated.")));
	return column;
}

static bool
is_guarded(Oid relid)
{
	return OidIsValid(get_trigger_oid(relid, GUARD, true));
}

/* A collection's floor knows of deletes that docstore does not make. */
static void
guard_floor(Oid relid)
{
	const char *table = ds_collection_name(relid);

	ds_floor_create(relid);
	ds_plan_execute_utility(psprintf("CREATE TRIGGER " GUARD "_delete AFTER DELETE ON %s "
									 "FOR EACH ROW EXECUTE FUNCTION docstore.guard_delete()", table));
	ds_plan_execute_utility(psprintf("CREATE TRIGGER " GUARD "_truncate BEFORE TRUNCATE ON %s "
									 "FOR EACH STATEMENT EXECUTE FUNCTION docstore.guard_truncate()", table));
	ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER " GUARD "_delete, "
									 "ENABLE ALWAYS TRIGGER " GUARD "_truncate", table));
}

/*
 * docstore.guard(table_name regclass, version_column name DEFAULT 'version')
 * RETURNS void
 *
 * Raises 42P01 and 42809 for what is no table, 42703 and 42804 for what is no
 * version column, 42710 when the table is guarded, 42501 without TRIGGER on the
 * table or, where it is a collection, for others than its owner.
 * Locks: SHARE ROW EXCLUSIVE on the table, as CREATE TRIGGER.
 */
Datum
ds_guard(PG_FUNCTION_ARGS)
{
	Oid			relid;
	char	   *column;
	DsCollection collection;

	ds_require_writable("docstore.guard()");
	ds_require_argument(PG_ARGISNULL(0), "table_name");
	ds_require_argument(PG_ARGISNULL(1), "version_column");
	relid = PG_GETARG_OID(0);
	column = NameStr(*PG_GETARG_NAME(1));

	require_table(relid);
	require_trigger_privilege(relid);
	LockRelationOid(relid, ShareRowExclusiveLock);
	require_table(relid);
	require_version_column(relid, column);
	ds_log_refuse_guard(relid, column);
	if (is_guarded(relid))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" is guarded already", ds_collection_name(relid)),
				 errhint("To name another version column, call docstore.unguard() first.")));

	ds_plan_execute_utility(psprintf("CREATE TRIGGER " GUARD " BEFORE INSERT OR UPDATE ON %s "
									 "FOR EACH ROW EXECUTE FUNCTION docstore.guard_row(%s)",
									 ds_collection_name(relid), quote_literal_cstr(column)));
	if (ds_collection_recognise(relid, &collection))
		guard_floor(relid);
	PG_RETURN_VOID();
}

/*
 * docstore.unguard(table_name regclass) RETURNS void
 *
 * Raises 42P01, 42809, 42501 for others than the owner, and 42704 when the
 * table is not guarded.  The floor of a collection stays.
 * Locks: ACCESS EXCLUSIVE on the table, as DROP TRIGGER.
 */
Datum
ds_unguard(PG_FUNCTION_ARGS)
{
	static const char *const triggers[] = {GUARD, GUARD "_delete", GUARD "_truncate"};
	Oid			relid;

	ds_require_writable("docstore.unguard()");
	ds_require_argument(PG_ARGISNULL(0), "table_name");
	relid = PG_GETARG_OID(0);

	require_table(relid);
	require_owner(relid);
	LockRelationOid(relid, AccessExclusiveLock);
	require_table(relid);
	if (!is_guarded(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not guarded", ds_collection_name(relid)),
				 errhint("docstore.guard() guards it.")));

	for (size_t i = 0; i < lengthof(triggers); i++)
		if (OidIsValid(get_trigger_oid(relid, triggers[i], true)))
			ds_plan_execute_utility(psprintf("DROP TRIGGER %s ON %s", triggers[i],
											 ds_collection_name(relid)));
	PG_RETURN_VOID();
}

/*
 * The triggers
 */

static TriggerData *
require_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore.%s() is for the triggers of docstore.guard()", function),
				 errhint("Call docstore.guard() for the table.")));
	return (TriggerData *) fcinfo->context;
}

/* Refuse a trigger that somebody has made by hand where it does not fit: 39P01. */
static void
require_fit(const TriggerData *trigger, bool fits)
{
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" was not made by docstore.guard()", trigger->tg_trigger->tgname),
				 errhint("Drop it, and call docstore.guard() for the table.")));
}

typedef struct Guarded
{
	Relation	table;			/* that has the row: it may be a partition */
	Oid			relid;			/* the one that was guarded */
	TupleDesc	columns;
	AttrNumber	column;			/* of versions */
	Oid			type;
} Guarded;

static void
read_trigger(const TriggerData *trigger, Guarded *guarded)
{
	Relation	table = trigger->tg_relation;

	require_fit(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) &&
				TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
				!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) &&
				trigger->tg_trigger->tgnargs > 0);

	guarded->table = table;
	guarded->relid = trigger->tg_trigger->tgisclone
		? ds_catalogue_root(RelationGetRelid(table)) : RelationGetRelid(table);
	guarded->columns = RelationGetDescr(table);
	guarded->column = SPI_fnumber(guarded->columns, trigger->tg_trigger->tgargs[0]);
	if (guarded->column <= 0 ||
		!is_version_type(SPI_gettypeid(guarded->columns, guarded->column)))
		require_version_column(RelationGetRelid(table), trigger->tg_trigger->tgargs[0]);
	guarded->type = SPI_gettypeid(guarded->columns, guarded->column);
}

/* The version in a row; 0 for NULL. */
static int64
version_of(const Guarded *guarded, HeapTuple row)
{
	bool		is_null;
	Datum		value = heap_getattr(row, guarded->column, guarded->columns, &is_null);

	if (is_null)
		return 0;
	if (guarded->type == INT2OID)
		return DatumGetInt16(value);
	return guarded->type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

/* The highest version that the column can hold. */
static int64
highest_possible(const Guarded *guarded)
{
	if (guarded->type == INT2OID)
		return PG_INT16_MAX;
	return guarded->type == INT4OID ? PG_INT32_MAX : PG_INT64_MAX;
}

/* The row with another version. */
static HeapTuple
with_version(const Guarded *guarded, HeapTuple row, int64 version)
{
	int			column = guarded->column;
	bool		is_null = false;
	Datum		value = guarded->type == INT2OID ? Int16GetDatum((int16) version)
		: guarded->type == INT4OID ? Int32GetDatum((int32) version) : Int64GetDatum(version);

	return heap_modify_tuple_by_cols(row, guarded->columns, 1, &column, &value, &is_null);
}

/* Raise 22003: the version cannot grow any more. */
pg_noreturn static void
refuse_growth(const Guarded *guarded)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_OVERFLOW),
			 errmsg("a row of table \"%s\" is at the highest possible version",
					ds_collection_name(guarded->relid)),
			 guarded->type == INT8OID
			 ? errhint("Set its version to a lower number, while the table is not guarded.")
			 : errhint("Make the version column a bigint.")));
}

/* Whether the caller can read a column of all rows of a table. */
static bool
may_read(Oid relid, const char *column)
{
	AttrNumber	number = get_attnum(relid, column);

	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return false;
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		(number != InvalidAttrNumber &&
		 pg_attribute_aclcheck(relid, number, GetUserId(), ACL_SELECT) == ACLCHECK_OK);
}

/*
 * Whether the conflict may tell what is in a column.  A writer needs no SELECT,
 * and may be able to update rows that he cannot see; so nothing is told under
 * row security, as in the server's own messages about keys.
 */
static bool
may_tell(const Guarded *guarded, AttrNumber column)
{
	const char *name = NameStr(TupleDescAttr(guarded->columns, column - 1)->attname);

	return may_read(guarded->relid, name) || may_read(RelationGetRelid(guarded->table), name);
}

static void
append_key_value(StringInfo key, const Guarded *guarded, HeapTuple row, AttrNumber column, bool quoted)
{
	bool		is_null;
	Datum		value = heap_getattr(row, column, guarded->columns, &is_null);
	Oid			output;
	bool		is_varlena;
	char	   *string;

	getTypeOutputInfo(TupleDescAttr(guarded->columns, column - 1)->atttypid, &output, &is_varlena);
	string = is_null ? "" : OidOutputFunctionCall(output, value);
	if (quoted)
		escape_json(key, string);
	else
		appendStringInfoString(key, string);
}

/* The columns of a table's primary key, in its own order; NIL when there is none. */
static List *
key_columns(Relation table)
{
	List	   *indexes = RelationGetIndexList(table);
	List	   *columns = NIL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(cell));
		index = (Form_pg_index) GETSTRUCT(tuple);
		for (int i = 0; index->indisprimary && i < index->indnkeyatts; i++)
			columns = lappend_int(columns, index->indkey.values[i]);
		ReleaseSysCache(tuple);
	}
	return columns;
}

/*
 * The primary key of a row: its value, or a JSON array of several; NULL when
 * there is none, or when it must not be told.
 */
static const char *
key_of(const Guarded *guarded, HeapTuple row)
{
	List	   *columns = key_columns(guarded->table);
	bool		is_composite = list_length(columns) > 1;
	StringInfoData key;
	ListCell   *cell;

	if (columns == NIL)
		return NULL;
	initStringInfo(&key);
	foreach(cell, columns)
	{
		if (!may_tell(guarded, lfirst_int(cell)))
			return NULL;
		if (is_composite)
			appendStringInfoString(&key, key.len == 0 ? "[" : ", ");
		append_key_value(&key, guarded, row, lfirst_int(cell), is_composite);
	}
	if (is_composite)
		appendStringInfoChar(&key, ']');
	return key.data;
}

/*
 * Raise the conflict for a row.  What its writer saw is taken to be the version
 * that was sent: who sends another one asks for what he saw in the WHERE clause,
 * and his statement finds no row.
 */
static void
refuse_update(const Guarded *guarded, HeapTuple old, int64 sent)
{
	DsConflict	conflict;
	DsViolation violation = {
		.item = 1,
		.op = "update",
		.kind = DS_KIND_ROW,
		.relid = guarded->relid,
		.id = key_of(guarded, old),
		.reason = DS_STALE,
		.expected = Max(sent, 0),
		.actual_known = may_tell(guarded, guarded->column),
		.actual = version_of(guarded, old),
	};

	ds_conflict_begin(&conflict);
	ds_conflict_add_call(&conflict, 1);
	ds_conflict_add(&conflict, &violation);
	ds_conflict_raise(&conflict, DS_CONFLICT_HINT);
}

/* Whether a row was written by this transaction. */
static bool
is_own(HeapTuple row)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->t_data));
}

/* Whether a row was written after the statement that updates it had begun. */
static bool
is_newer_than_statement(HeapTuple row)
{
	return !is_own(row) &&
		XidInMVCCSnapshot(HeapTupleHeaderGetXmin(row->t_data), GetActiveSnapshot());
}

/* Whether docstore lifts a document that it has just created above the floor. */
static bool
is_lift(const Guarded *guarded, HeapTuple old, int64 version)
{
	return ds_floor_is_lift(version) && is_own(old) && version > version_of(guarded, old);
}

static HeapTuple
guard_update(const Guarded *guarded, HeapTuple old, HeapTuple new)
{
	int64		before = version_of(guarded, old);
	int64		after = version_of(guarded, new);

	if (after == before || (after > before && after - 1 == before))
	{
		if (is_newer_than_statement(old))
			refuse_update(guarded, old, before - 1);
		if (before == highest_possible(guarded))
			refuse_growth(guarded);
		return after == before ? with_version(guarded, new, before + 1) : new;
	}
	if (!is_lift(guarded, old, after))
		refuse_update(guarded, old, after);
	return new;
}

/*
 * docstore.guard_row() RETURNS trigger: see the head of this file.
 *
 * An inserted row keeps the version that its writer sends, as ORMs begin with
 * 0 or with 1; NULL becomes 1.
 */
Datum
ds_guard_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_trigger(fcinfo, "guard_row");
	Guarded		guarded;
	bool		is_null;

	read_trigger(trigger, &guarded);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(guard_update(&guarded, trigger->tg_trigtuple, trigger->tg_newtuple));

	heap_getattr(trigger->tg_trigtuple, guarded.column, guarded.columns, &is_null);
	return PointerGetDatum(is_null ? with_version(&guarded, trigger->tg_trigtuple, 1)
						   : trigger->tg_trigtuple);
}

/* docstore.guard_delete() RETURNS trigger: raise the floor of a collection. */
Datum
ds_guard_delete(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_trigger(fcinfo, "guard_delete");
	Oid			relid = RelationGetRelid(trigger->tg_relation);
	DsCollection collection;
	bool		is_null;

	require_fit(trigger, TRIGGER_FIRED_AFTER(trigger->tg_event) &&
				TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
				TRIGGER_FIRED_BY_DELETE(trigger->tg_event));
	if (!ds_collection_recognise(relid, &collection))
		return PointerGetDatum(NULL);
	ds_floor_raise(&collection,
				   DatumGetInt64(heap_getattr(trigger->tg_trigtuple, collection.version,
											  RelationGetDescr(trigger->tg_relation), &is_null)));
	return PointerGetDatum(NULL);
}

/* The highest version in a table that nobody else can read or write any more. */
static int64
highest_version(Oid relid)
{
	Relation	table = table_open(relid, NoLock);
	AttrNumber	version = get_attnum(relid, "version");
	TupleTableSlot *slot = table_slot_create(table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL);
	int64		highest = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		is_null;

		CHECK_FOR_INTERRUPTS();
		highest = Max(highest, DatumGetInt64(slot_getattr(slot, version, &is_null)));
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return highest;
}

/*
 * docstore.guard_truncate() RETURNS trigger: raise the floor of a collection
 * to the highest version of all that are about to go, which takes a look at
 * every row.  TRUNCATE .. RESTART IDENTITY restarts the floor, too, so it is
 * made to restart where it is.
 */
Datum
ds_guard_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = require_trigger(fcinfo, "guard_truncate");
	Oid			relid = RelationGetRelid(trigger->tg_relation);
	DsCollection collection;
	ListCell   *cell;

	require_fit(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) &&
				TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event));
	if (!ds_collection_recognise(relid, &collection))
		return PointerGetDatum(NULL);
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION)
			ds_floor_raise(&collection, highest_version(lfirst_oid(cell)));
	ds_floor_keep(&collection);
	return PointerGetDatum(NULL);
}

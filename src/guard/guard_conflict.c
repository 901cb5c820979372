/*
 * guard_conflict.c - the conflict of a guarded table, and what it may tell
 *
 * An UPDATE needs no privilege to read, and policies for SELECT do not keep
 * it from rows that it finds without reading a column.  So the key of the row
 * and its version are told to those only who could select them at this very
 * moment: without row security their privileges say so; with it the row is
 * looked for with a SELECT in the caller's name, which tells nothing that
 * his own SELECT would not.
 *
 * Nothing is told of what the server changes in the name of a table's owner
 * to keep a foreign key: whoever wrote the other table may not know this one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "conflict/conflict.h"
#include "executor/spi.h"
#include "guard/guard_conflict.h"
#include "guard/trigger_state.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "utils/acl.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

/* The table that was guarded; the row's own once something that the statement fires has dropped the trigger. */
static Oid
guarded_table(const DsGuarded *guarded)
{
	Oid			relid = ds_trigger_table(guarded->trigger);

	return OidIsValid(relid) ? relid : RelationGetRelid(guarded->table);
}

/* The same as its users know it, who have never heard of shards. */
Oid
ds_guarded_table(const DsGuarded *guarded)
{
	return ds_distributed_known_as(guarded_table(guarded));
}

/*
 * Whether a SELECT from a table finds the row, by its place.  It takes a
 * snapshot of its own, since the row may be newer than that of the statement.
 */
static bool
finds_row(Oid relid, const DsGuarded *guarded, HeapTuple row)
{
	Oid			types[] = {TIDOID, OIDOID};
	Datum		values[] = {PointerGetDatum(&row->t_self), ObjectIdGetDatum(RelationGetRelid(guarded->table))};
	int			result;
	bool		found;

	SPI_connect();
	result = SPI_execute_with_args(psprintf("SELECT FROM %s AS t WHERE t.ctid OPERATOR(pg_catalog.=) $1 "
											"AND t.tableoid OPERATOR(pg_catalog.=) $2", ds_name_of(relid)),
								   lengthof(types), types, values, NULL, false, 1);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/* Whether the caller can see a row through a table, its own or one that it is a partition of. */
static bool
can_see(Oid relid, const DsGuarded *guarded, HeapTuple row)
{
	if (check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED)
		return true;
	return row_security && pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		finds_row(relid, guarded, row);
}

static bool
may_read(Oid relid, const char *column)
{
	AttrNumber	number = get_attnum(relid, column);

	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		(number != InvalidAttrNumber &&
		 pg_attribute_aclcheck(relid, number, GetUserId(), ACL_SELECT) == ACLCHECK_OK);
}

#define TABLES 2

/* A row, and through which tables the caller sees it. */
typedef struct Refused
{
	const DsGuarded *guarded;
	HeapTuple	row;
	Oid			tables[TABLES]; /* its own, and the one that is guarded */
	bool		seen[TABLES];
} Refused;

static Refused
look(const DsGuarded *guarded, HeapTuple row)
{
	Oid			relid = guarded_table(guarded);
	Refused		refused = {guarded, row, {RelationGetRelid(guarded->table), relid}, {false}};

	for (int i = 0; i < TABLES; i++)
		refused.seen[i] = !InNoForceRLSOperation() &&
			(i == 0 || refused.tables[i] != refused.tables[0]) &&
			can_see(refused.tables[i], guarded, row);
	return refused;
}

static bool
may_tell(const Refused *refused, AttrNumber column)
{
	const char *name = NameStr(TupleDescAttr(refused->guarded->columns, column - 1)->attname);

	for (int i = 0; i < TABLES; i++)
		if (refused->seen[i] && may_read(refused->tables[i], name))
			return true;
	return false;
}

static void
append_key_value(StringInfo key, const Refused *refused, AttrNumber column, bool quoted)
{
	TupleDesc	columns = refused->guarded->columns;
	bool		is_null;
	Datum		value = heap_getattr(refused->row, column, columns, &is_null);
	Oid			output;
	bool		is_varlena;
	char	   *string;

	getTypeOutputInfo(TupleDescAttr(columns, column - 1)->atttypid, &output, &is_varlena);
	string = is_null ? "" : OidOutputFunctionCall(output, value);
	if (quoted)
		escape_json(key, string);
	else
		appendStringInfoString(key, string);
}

/* The columns of a table's primary key, in its own order; NIL when there is none. */
static List *
key_columns(Oid relid)
{
	List	   *columns = NIL;
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(relid))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT((HeapTuple) lfirst(cell));

		for (int i = 0; index->indisprimary && i < index->indnkeyatts; i++)
			columns = lappend_int(columns, index->indkey.values[i]);
	}
	return columns;
}

/*
 * The primary key of a row: its value, or a JSON array of several; NULL when
 * there is none, or when it must not be told.
 */
static const char *
key_of(const Refused *refused)
{
	List	   *columns = key_columns(RelationGetRelid(refused->guarded->table));
	bool		is_composite = list_length(columns) > 1;
	StringInfoData key;
	ListCell   *cell;

	if (columns == NIL)
		return NULL;
	initStringInfo(&key);
	foreach(cell, columns)
	{
		if (!may_tell(refused, lfirst_int(cell)))
			return NULL;
		if (is_composite)
			appendStringInfoString(&key, key.len == 0 ? "[" : ", ");
		append_key_value(&key, refused, lfirst_int(cell), is_composite);
	}
	if (is_composite)
		appendStringInfoChar(&key, ']');
	return key.data;
}

pg_noreturn static void
refuse(const Refused *refused, int64 expected, int64 actual)
{
	DsConflict	conflict;
	DsViolation violation = {
		.item = 1,
		.op = "update",
		.kind = DS_KIND_ROW,
		.relid = ds_guarded_table(refused->guarded),
		.id = key_of(refused),
		.reason = DS_STALE,
		.expected = expected,
		.actual_known = may_tell(refused, refused->guarded->column),
		.actual = actual,
	};

	ds_conflict_begin(&conflict);
	ds_conflict_add_call(&conflict, 1);
	ds_conflict_add(&conflict, &violation);
	ds_conflict_raise(&conflict, "");
}

/*
 * Raise the conflict for a row that is at one version, where another was sent.
 * That is taken to be what its writer saw: one who counts by himself asks for
 * what he saw in the WHERE clause, so that his statement does not find the row.
 */
void
ds_guard_refuse_update(const DsGuarded *guarded, HeapTuple old, int64 version, int64 sent)
{
	Refused		refused = look(guarded, old);

	refuse(&refused, Max(sent, 0), version);
}

/*
 * Raise the conflict for a row that was changed after its writer saw it.  He
 * saw a version before that which is there; from whom that is to be hidden,
 * the one before is, too.
 */
void
ds_guard_refuse_unseen(const DsGuarded *guarded, HeapTuple old, int64 version)
{
	Refused		refused = look(guarded, old);

	refuse(&refused, may_tell(&refused, guarded->column) ? Max(version, 1) - 1 : DS_SOME_VERSION, version);
}

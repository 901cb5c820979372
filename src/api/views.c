/*
 * views.c - what the views docstore.collections, docstore.logs and docstore.guarded ask of a table
 *
 * Whether a table is a collection or a log is asked of the rule itself
 * (collection.c, log.c), so that a view shows just what docstore accepts.
 *
 * These functions lock no table and wait for nobody, whatever somebody else
 * does with a table at the moment: all they read is the catalogue and the
 * sizes of files.  pg_total_relation_size() would wait for whoever has locked a
 * table exclusively.  A table that is dropped meanwhile is none; it has no
 * rows, no size and no options, which is NULL.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "fmgr.h"
#include "guard/guard.h"
#include "guard/trigger_state.h"
#include "history/history.h"
#include "log/log.h"
#include "miscadmin.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/kind.h"
#include "table/floor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ds_is_collection);
PG_FUNCTION_INFO_V1(ds_log_tables);
PG_FUNCTION_INFO_V1(ds_trigger_fault);
PG_FUNCTION_INFO_V1(ds_collection_options);
PG_FUNCTION_INFO_V1(ds_estimated_rows);
PG_FUNCTION_INFO_V1(ds_table_size);

/*
 * docstore_internal.is_collection(relation regclass) RETURNS boolean
 *
 * The temporary tables of other sessions cannot be read, and so are none.
 */
Datum
ds_is_collection(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);

	PG_RETURN_BOOL(!isOtherTempNamespace(get_rel_namespace(relid)) &&
				   ds_kind_is(relid, DS_DOCUMENTS));
}

/*
 * docstore_internal.log_tables(relation regclass) RETURNS oid[]
 *
 * The tables of a log: its events, its streams and, unless they have been
 * dropped, its consumers.  NULL when the table is no log.
 */
Datum
ds_log_tables(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Datum		tables[3] = {ObjectIdGetDatum(relid)};
	Oid			consumers;

	if (isOtherTempNamespace(get_rel_namespace(relid)) || !ds_log_is(relid))
		PG_RETURN_NULL();
	tables[1] = ObjectIdGetDatum(ds_log_companion_of(relid, DS_LOG_STREAMS));
	consumers = ds_log_companion_of(relid, DS_LOG_CONSUMERS);
	tables[2] = ObjectIdGetDatum(consumers);
	PG_RETURN_ARRAYTYPE_P(construct_array(tables, OidIsValid(consumers) ? 3 : 2, OIDOID,
										  sizeof(Oid), true, TYPALIGN_INT));
}

/*
 * docstore_internal.trigger_fault(relation regclass) RETURNS text
 *
 * What is wrong with docstore's triggers on a log or a guarded table, or that
 * the log is distributed; NULL when nothing is.
 */
Datum
ds_trigger_fault(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *fault = NULL;

	if (ds_trigger_state(relid, DS_GUARD, "guard_row") != DS_NO_TRIGGER)
		fault = ds_trigger_guard_fault(relid);
	if (fault == NULL && ds_log_is(relid))
		fault = ds_distributed_is(relid) || ds_distributed_is(ds_log_companion_of(relid, DS_LOG_STREAMS))
			? psprintf("log %s is distributed", ds_name_of(relid)) : ds_trigger_log_fault(relid);
	if (fault == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(fault));
}

/*
 * Options
 */

/* Append the qualified name of a relation as a JSON string; null when there is none. */
static void
append_name(StringInfo json, Oid relid)
{
	char	   *name = OidIsValid(relid) ? get_rel_name(relid) : NULL;
	char	   *schema = name != NULL ? get_namespace_name(get_rel_namespace(relid)) : NULL;

	if (schema == NULL)
		appendStringInfoString(json, "null");
	else
		escape_json(json, quote_qualified_identifier(schema, name));
}

/* The log or tracked collection whose consumers a collection has, or InvalidOid. */
static Oid
read_by_consumers(Oid relid)
{
	char	   *name = get_rel_name(relid);
	size_t		length = name == NULL ? 0 : strlen(name);
	Oid			read;

	if (length <= strlen(DS_LOG_CONSUMERS) ||
		strcmp(name + length - strlen(DS_LOG_CONSUMERS), DS_LOG_CONSUMERS) != 0)
		return InvalidOid;
	read = get_relname_relid(pnstrdup(name, length - strlen(DS_LOG_CONSUMERS)), get_rel_namespace(relid));
	return OidIsValid(read) && ds_log_companion_of(read, DS_LOG_CONSUMERS) == relid &&
		(ds_log_is(read) || OidIsValid(ds_history_of(read))) ? read : InvalidOid;
}

/* The tables that have rows of a table: its partitions, or itself. */
static List *
tables_with_rows(Oid relid)
{
	List	   *result = NIL;
	ListCell   *cell;

	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return list_make1_oid(relid);
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_PARTITIONED_TABLE)
			result = lappend_oid(result, lfirst_oid(cell));
	return result;
}

/*
 * docstore_internal.collection_options(relation regclass) RETURNS jsonb
 *
 * What can be chosen of a collection; NULL when it has just been dropped.
 */
Datum
ds_collection_options(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	StringInfoData json;
	DsColumn	id;

	if (!ds_catalogue_column(relid, "id", &id))
		PG_RETURN_NULL();
	initStringInfo(&json);
	appendStringInfo(&json, "{\"id_type\": \"%s\", \"created_at\": %s, \"updated_at\": %s, \"floor\": ",
					 format_type_be(id.type),
					 ds_kind_column(relid, "created_at", TIMESTAMPTZOID) ? "true" : "false",
					 ds_kind_column(relid, "updated_at", TIMESTAMPTZOID) ? "true" : "false");
	append_name(&json, ds_floor_find(relid));
	appendStringInfoString(&json, ", \"partitions\": ");
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		appendStringInfo(&json, "%d", list_length(tables_with_rows(relid)));
	else
		appendStringInfoString(&json, "null");
	appendStringInfoString(&json, ", \"consumers_of\": ");
	append_name(&json, read_by_consumers(relid));
	if (ds_distributed_is(relid))
		appendStringInfoString(&json, ", \"distributed\": true");
	appendStringInfoChar(&json, '}');
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

/*
 * Rows and sizes
 */

/* The rows that the statistics know of a table; negative when they do not know. */
static double
rows_of(Oid relid)
{
	FormData_pg_class relation;

	return ds_catalogue_relation(relid, &relation) ? relation.reltuples : -1;
}

/*
 * docstore_internal.estimated_rows(relation regclass) RETURNS bigint
 *
 * As of the last VACUUM or ANALYZE, of all partitions; those that neither has
 * seen yet count as empty.  NULL when neither has seen any.
 */
Datum
ds_estimated_rows(PG_FUNCTION_ARGS)
{
	double		sum = 0;
	bool		is_known = false;
	ListCell   *cell;

	foreach(cell, tables_with_rows(PG_GETARG_OID(0)))
	{
		double		rows = rows_of(lfirst_oid(cell));

		is_known |= rows >= 0;
		sum += Max(rows, 0);
	}
	if (!is_known)
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) sum);
}

/* The size of a file of a relation and of those that continue it; a file that is not there has none. */
static int64
files_size(const char *path)
{
	int64		size = 0;

	for (int segment = 0;; segment++)
	{
		struct stat file;

		if (stat(segment == 0 ? path : psprintf("%s.%d", path, segment), &file) != 0)
			return size;
		size += file.st_size;
	}
}

/* The size of a relation with all its forks. */
static int64
relation_size(Oid relid)
{
	LOCAL_FCINFO(call, 1);
	Datum		path;
	int64		size = 0;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(relid);
	call->args[0].isnull = false;
	path = pg_relation_filepath(call);
	if (call->isnull)
		return 0;
	for (ForkNumber fork = MAIN_FORKNUM; fork <= MAX_FORKNUM; fork++)
	{
		char	   *file = TextDatumGetCString(path);

		size += files_size(fork == MAIN_FORKNUM ? file : psprintf("%s_%s", file, forkNames[fork]));
	}
	return size;
}

static int64
size_with_indexes(Oid relid)
{
	int64		size = relation_size(relid);
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(relid))
		size += relation_size(((Form_pg_index) GETSTRUCT((HeapTuple) lfirst(cell)))->indexrelid);
	return size;
}

static Oid
toast_table_of(Oid relid)
{
	FormData_pg_class relation;

	return ds_catalogue_relation(relid, &relation) ? relation.reltoastrelid : InvalidOid;
}

/*
 * docstore_internal.table_size(relation regclass) RETURNS bigint
 *
 * What pg_total_relation_size() returns, of all partitions; NULL for a table
 * that has just been dropped.
 */
Datum
ds_table_size(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	int64		size = 0;
	ListCell   *cell;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		PG_RETURN_NULL();
	foreach(cell, tables_with_rows(relid))
	{
		Oid			toast = toast_table_of(lfirst_oid(cell));

		CHECK_FOR_INTERRUPTS();
		size += size_with_indexes(lfirst_oid(cell));
		if (OidIsValid(toast))
			size += size_with_indexes(toast);
	}
	PG_RETURN_INT64(size);
}

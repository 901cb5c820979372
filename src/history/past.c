/*
 * past.c - what a document was
 *
 * History is read by the caller, with its privileges and under its row security,
 * as the calling query's snapshot shows it.
 *
 * A document that was there before its collection was tracked may not be
 * recorded yet: it is when it is changed next.  Until then history does not
 * have its version, and the document itself tells what that is.  It has been so
 * since its updated_at; where there is no such column, at least since the
 * transaction began.
 *
 * That recorded_at grows with the versions of a document is record.c's affair.
 * So what was there at a time is the last version that is not later.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/change.h"
#include "history/history.h"
#include "history/past.h"
#include "json/json.h"
#include "miscadmin.h"
#include "table/plan.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* The columns that readers get, as they are numbered here, and in SQL. */
enum
{
	ID,
	VERSION,
	OP,
	DATA,
	RECORDED_AT,
	ACTOR,
	CONTEXT,
	COLUMNS
};

#define COLUMN_LIST "t.id::pg_catalog.text, t.version, t.op, t.data, t.recorded_at, t.actor, t.context"

#define OF_DOCUMENT "t.id OPERATOR(pg_catalog.=) $1"

/*
 * Lock and describe the history of a collection that is open; 42704 when it has
 * none, 42809 when that is not fit.  A table of that name for ids of another
 * type was the history of another collection.
 */
void
ds_past_open(const DsCollection *collection, LOCKMODE lock, DsCollection *history)
{
	ds_history_open(collection->relid, ds_history_find(collection->relid), lock, history);
	if (history->id_type != collection->id_type)
		ds_history_refuse_untracked(collection->relid);
}

static void
build_list(const void *context, DsStatementText *text)
{
	const DsPast *past = context;

	text->sql = psprintf("SELECT " COLUMN_LIST " FROM %s WHERE " OF_DOCUMENT " AND t.version OPERATOR(pg_catalog.<=) $2 "
						 "ORDER BY t.version DESC LIMIT $3 OFFSET $4", ds_statement_target(&past->history));
	text->in_order = true;
	ds_statement_set_types(text, 4, (const Oid[]) {past->collection.id_type->oid, INT8OID, INT8OID, INT8OID});
}

static void
build_version(const void *context, DsStatementText *text)
{
	const DsPast *past = context;

	text->sql = psprintf("SELECT " COLUMN_LIST " FROM %s WHERE " OF_DOCUMENT " AND t.version OPERATOR(pg_catalog.=) $2",
						 ds_statement_target(&past->history));
	ds_statement_set_types(text, 2, (const Oid[]) {past->collection.id_type->oid, INT8OID});
}

/* A deletion is a version, too, at which nothing is there. */
static void
build_at(const void *context, DsStatementText *text)
{
	const DsPast *past = context;

	text->sql = psprintf("SELECT " COLUMN_LIST " FROM (SELECT t.* FROM %s WHERE " OF_DOCUMENT
						 " AND t.recorded_at OPERATOR(pg_catalog.<=) $2 ORDER BY t.version DESC LIMIT 1) AS t "
						 "WHERE t.op OPERATOR(pg_catalog.<>) '" DS_OP_DELETED "'", ds_statement_target(&past->history));
	text->in_order = true;
	ds_statement_set_types(text, 2, (const Oid[]) {past->collection.id_type->oid, TIMESTAMPTZOID});
}

/* Find what history has of a version, as far as the caller may see; false when that is nothing. */
static bool
find_recorded(const DsPast *past, int64 version, DsExecution execution)
{
	Datum		values[] = {past->id, Int64GetDatum(version)};

	return ds_plan_run(&past->history, (DsPlanKey) {.build = build_version}, past, execution, values, NULL) > 0;
}

/* The document as it is, for a caller who may load it; false when it is not there. */
static bool
load(const DsPast *past, DsExecution execution, Datum *values, bool *nulls)
{
	Datum		parameters[] = {past->id, (Datum) 0};

	if (pg_class_aclcheck(past->collection.relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		ds_plan_execute(&past->collection, DS_LOAD, execution, parameters, " n") == 0)
		return false;
	memset(nulls, false, sizeof(bool) * COLUMNS);
	nulls[ACTOR] = nulls[CONTEXT] = true;
	values[ID] = CStringGetTextDatum(ds_id_to_cstring(past->collection.id_type, past->id));
	values[VERSION] = Int64GetDatum(ds_plan_int64(0, 2));
	values[OP] = CStringGetTextDatum(DS_OP_CREATED);
	values[DATA] = ds_plan_value(0, 3, JSONBOID, &nulls[DATA]);
	values[RECORDED_AT] = ds_plan_value(0, 5, TIMESTAMPTZOID, &nulls[RECORDED_AT]);
	return true;
}

/*
 * Return the recorded versions of the document up to one, newest first: so many
 * of them, without the first that are to be skipped.
 */
void
ds_past_return_list(const DsPast *past, int64 up_to, Datum max_count, char no_max_count, int64 skip,
					ReturnSetInfo *set)
{
	Datum		values[] = {past->id, Int64GetDatum(up_to), max_count, Int64GetDatum(skip)};
	char		nulls[] = {' ', ' ', no_max_count, ' '};

	SPI_connect();
	ds_plan_return(&past->history, (DsPlanKey) {.build = build_list}, past, values, nulls, set);
	SPI_finish();
}

/* Return one version of the document, if it is known. */
void
ds_past_return_version(const DsPast *past, int64 version, ReturnSetInfo *set)
{
	Datum		parameters[] = {past->id, Int64GetDatum(version)};
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	SPI_connect();
	if (ds_plan_return(&past->history, (DsPlanKey) {.build = build_version}, past, parameters, NULL, set) == 0 &&
		load(past, DS_READ, values, nulls) && DatumGetInt64(values[VERSION]) == version)
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	SPI_finish();
}

/* Return the version that the document was at, if it was there and that is known. */
void
ds_past_return_at(const DsPast *past, TimestampTz at, ReturnSetInfo *set)
{
	Datum		parameters[] = {past->id, TimestampTzGetDatum(at)};
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	SPI_connect();
	if (load(past, DS_READ, values, nulls) &&
		(nulls[RECORDED_AT] ? GetCurrentTransactionStartTimestamp() : DatumGetTimestampTz(values[RECORDED_AT])) <= at &&
		!find_recorded(past, DatumGetInt64(values[VERSION]), DS_READ))
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	else
		ds_plan_return(&past->history, (DsPlanKey) {.build = build_at}, past, parameters, NULL, set);
	SPI_finish();
}

/* What a row of history says; data that is NULL counts as {}. */
static DsPastState
read_recorded(MemoryContext into, Datum *data)
{
	char	   *op = TextDatumGetCString(ds_plan_datum(0, OP + 1, TEXTOID));
	bool		is_null;
	Datum		stored = ds_plan_value(0, DATA + 1, JSONBOID, &is_null);

	if (strcmp(op, DS_OP_ERASED) == 0)
		return DS_PAST_ERASED;
	if (strcmp(op, DS_OP_DELETED) == 0)
		return DS_PAST_DELETION;
	MemoryContextSwitchTo(into);
	*data = is_null ? ds_json_empty_object() : JsonbPGetDatum(DatumGetJsonbPCopy(stored));
	return DS_PAST_RECORDED;
}

/*
 * Find the data of a version, as it is committed now or written by this very
 * transaction, into the current memory context.
 */
DsPastState
ds_past_find_data(const DsPast *past, int64 version, Datum *data)
{
	MemoryContext caller = CurrentMemoryContext;
	DsPastState result = DS_PAST_UNKNOWN;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];

	SPI_connect();
	if (find_recorded(past, version, DS_WRITE))
		result = read_recorded(caller, data);
	else if (load(past, DS_WRITE, values, nulls) && DatumGetInt64(values[VERSION]) == version)
	{
		result = DS_PAST_PRESENT;
		MemoryContextSwitchTo(caller);
		*data = nulls[DATA] ? ds_json_empty_object() : JsonbPGetDatum(DatumGetJsonbPCopy(values[DATA]));
	}
	SPI_finish();
	return result;
}

/*
 * Look at a version again whose data was found, and see to it that it is not
 * erased before the transaction ends: who writes its data anew does so first, so
 * that its locks come in the order of everybody's, the document and then its
 * history.  Who erases all versions waits, and finds the new one, too (prune.c).
 * A document that was not recorded yet is by now, where it is tracked.
 */
DsPastState
ds_past_keep(const DsPast *past, int64 version, DsPastState state)
{
	DsChanges	changes;
	char		op;

	ds_changes_begin(&changes, &past->history);
	op = ds_changes_lock(&changes, past->id, version);
	ds_changes_end(&changes);
	if (op == *DS_OP_ERASED)
		return DS_PAST_ERASED;
	return op == '\0' && state == DS_PAST_RECORDED ? DS_PAST_UNKNOWN : state;
}

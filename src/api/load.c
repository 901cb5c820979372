/*
 * load.c - reading documents: load, load_many, get
 *
 * All are STABLE and read what the calling query's snapshot shows.  To a
 * planner a function is opaque before PostgreSQL 19, which can put a subquery
 * in its place; what it needs to plan joins well is the number of rows.
 */
#include "postgres.h"

#include "base/array.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "document/metadata.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "storage/shmem.h"
#include "table/collection.h"
#include "table/engine_setting.h"
#include "table/plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_load);
PG_FUNCTION_INFO_V1(ds_load_many);
PG_FUNCTION_INFO_V1(ds_load_many_support);
PG_FUNCTION_INFO_V1(ds_get);

/* id, version, data, created_at, updated_at */
#define COLUMNS 5

/* Put the documents of the last result into the caller's. */
static void
put_documents(FunctionCallInfo fcinfo, const DsIdType *type, uint64 rows)
{
	const Oid	types[COLUMNS] = {type->oid, INT8OID, JSONBOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;

	for (uint64 row = 0; row < rows; row++)
	{
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS];

		CHECK_FOR_INTERRUPTS();
		for (int column = 0; column < COLUMNS; column++)
			values[column] = ds_plan_value(row, column + 1, types[column], &nulls[column]);
		if (type->oid != TEXTOID)
			values[0] = CStringGetTextDatum(ds_id_to_cstring(type, values[0]));
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
}

/*
 * docstore.load(collection regclass, id text, unless_version bigint DEFAULT NULL)
 * RETURNS TABLE (id text, version bigint, data jsonb, created_at timestamptz,
 *				  updated_at timestamptz)
 *
 * One row, or none when there is no such document, when the caller may not
 * see it, or when it is still at unless_version.  22023, 22P02, 42P01, 42809
 * for bad arguments.  Locks: ACCESS SHARE on the table.
 */
Datum
ds_load(PG_FUNCTION_ARGS)
{
	DsCollection collection;
	Datum		values[2];
	char		nulls[2] = {' ', PG_ARGISNULL(2) ? 'n' : ' '};

	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "id");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	ds_collection_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &collection);
	values[0] = ds_id_from_text(collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	values[1] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);

	SPI_connect();
	put_documents(fcinfo, collection.id_type,
				  ds_plan_execute(&collection, DS_LOAD, DS_READ, values, nulls));
	SPI_finish();
	return (Datum) 0;
}

typedef struct Wanted
{
	const DsIdType *type;
	Datum	   *ids;
} Wanted;

/* By id, and by place where the id is the same. */
static int
compare_wanted(const void *left, const void *right, void *arg)
{
	const Wanted *wanted = arg;
	int			a = *(const int *) left;
	int			b = *(const int *) right;
	int			result = ds_id_compare(wanted->type, wanted->ids[a], wanted->ids[b]);

	CHECK_FOR_INTERRUPTS();
	return result != 0 ? result : a - b;
}

/* Keep the first of each id, in the order given; returns how many are left. */
static int
drop_repeated(const DsIdType *type, Datum *ids, int count)
{
	Wanted		wanted = {type, ids};
	int		   *places = palloc(mul_size(count, sizeof(int)));
	bool	   *repeated = palloc0(count);
	int			kept = 0;

	for (int i = 0; i < count; i++)
		places[i] = i;
	qsort_arg(places, count, sizeof(int), compare_wanted, &wanted);
	for (int i = 1; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		repeated[places[i]] = ds_id_compare(type, ids[places[i - 1]], ids[places[i]]) == 0;
	}
	for (int i = 0; i < count; i++)
		if (!repeated[i])
			ids[kept++] = ids[i];
	return kept;
}

/* The ids as values of the collection's id type, each once. */
static DsArray
wanted_ids(ArrayType *given, const DsIdType *type)
{
	DsArray		ids = ds_array_read(given, "ids");

	for (int i = 0; i < ids.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ids.nulls[i])
			ereport(ERROR,
					(errcode(DS_ERRCODE_ARGUMENT),
					 errmsg("%sid must not be NULL", ds_error_item_prefix(i + 1)),
					 errhint("Leave unknown ids out of the array.")));
		ids.values[i] = ds_id_from_text(type, DatumGetTextPP(ids.values[i]), i + 1);
	}
	ids.count = drop_repeated(type, ids.values, ids.count);
	return ids;
}

/* Load documents one by one, as of the snapshot of the query. */
static void
load_each(FunctionCallInfo fcinfo, const DsCollection *collection, const DsArray *ids)
{
	for (int i = 0; i < ids->count; i++)
	{
		Datum		values[2] = {ids->values[i], (Datum) 0};

		CHECK_FOR_INTERRUPTS();
		put_documents(fcinfo, collection->id_type,
					  ds_plan_execute(collection, DS_LOAD, DS_READ, values, " n"));
		SPI_freetuptable(SPI_tuptable);
	}
}

static void
load_at_once(FunctionCallInfo fcinfo, const DsCollection *collection, const DsArray *ids)
{
	const DsIdType *type = collection->id_type;
	Datum		values[1];

	values[0] = PointerGetDatum(construct_array(ids->values, ids->count, type->oid, type->length,
												type->by_value, type->align));
	put_documents(fcinfo, type, ds_plan_execute(collection, DS_LOAD_MANY, DS_READ, values, NULL));
}

/*
 * docstore.load_many(collection regclass, ids text[]) RETURNS TABLE as load()
 *
 * Each document that is found once, in the order of the ids.  Errors and
 * locks as docstore.load().
 */
Datum
ds_load_many(PG_FUNCTION_ARGS)
{
	DsCollection collection;
	DsArray		ids;

	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "ids");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	ds_collection_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &collection);
	ids = wanted_ids(PG_GETARG_ARRAYTYPE_P(1), collection.id_type);

	SPI_connect();
	if (ds_engine_setting_is_by_row(&collection))
		load_each(fcinfo, &collection, &ids);
	else
		load_at_once(fcinfo, &collection, &ids);
	SPI_finish();
	return (Datum) 0;
}

/*
 * docstore_internal.load_many_support(internal) RETURNS internal
 *
 * Tells the planner how many rows docstore.load_many() returns: as many as
 * there are ids, by the estimate that the server makes for unnest().
 */
Datum
ds_load_many_support(PG_FUNCTION_ARGS)
{
	Node	   *asked = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *request;

	if (!IsA(asked, SupportRequestRows))
		PG_RETURN_POINTER(NULL);
	request = (SupportRequestRows *) asked;
	if (!is_funcclause(request->node) || list_length(((FuncExpr *) request->node)->args) < 2)
		PG_RETURN_POINTER(NULL);

	request->rows = estimate_array_length(request->root,
										  lsecond(((FuncExpr *) request->node)->args));
	PG_RETURN_POINTER(request);
}

static Jsonb *
empty_object(void)
{
	JsonbInState state = {0};

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(state.result);
}

/*
 * Read a document, into the current memory context; NULL when it is not there.
 * Data that is NULL counts as {}.
 */
static Jsonb *
read_document(const DsCollection *collection, Datum id, int64 *version)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[2] = {id, (Datum) 0};
	Jsonb	   *data = NULL;
	bool		is_null;

	SPI_connect();
	if (ds_plan_execute(collection, DS_LOAD, DS_READ, values, " n") > 0)
	{
		Datum		stored = ds_plan_value(0, 3, JSONBOID, &is_null);

		*version = ds_plan_int64(0, 2);
		MemoryContextSwitchTo(caller);
		data = is_null ? empty_object() : DatumGetJsonbPCopy(stored);
	}
	SPI_finish();
	return data;
}

/*
 * docstore.get(collection regclass, id text) RETURNS jsonb
 *
 * The document with one key more, "@metadata", which says its collection, id
 * and version; NULL when there is no such document, or when the caller may not
 * see it.  22023, 22P02, 42P01, 42809 for bad arguments; 22023 also when
 * plain SQL has stored something that is no object.  Locks: ACCESS SHARE on
 * the table.
 */
Datum
ds_get(PG_FUNCTION_ARGS)
{
	DsCollection collection;
	Datum		id;
	Jsonb	   *data;
	int64		version;

	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "id");
	ds_collection_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &collection);
	id = ds_id_from_text(collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);

	data = read_document(&collection, id, &version);
	if (data == NULL)
		PG_RETURN_NULL();
	if (!JB_ROOT_IS_OBJECT(data))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("document \"%s\" of collection \"%s\" is not a JSON object",
						ds_id_to_cstring(collection.id_type, id),
						ds_name_of(collection.relid)),
				 errhint("Only a JSON object can carry its version. Use docstore.load() to read other documents.")));
	PG_RETURN_JSONB_P(ds_metadata_add(data, collection.relid, collection.id_type, id, version));
}

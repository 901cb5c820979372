/*
 * get.c - docstore.get(): read one document that carries its version
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "document/metadata.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "table/collection.h"
#include "table/plan.h"

PG_FUNCTION_INFO_V1(ds_get);

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

	ds_require_argument(PG_ARGISNULL(0), "collection");
	ds_require_argument(PG_ARGISNULL(1), "id");
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
						ds_collection_name(collection.relid)),
				 errhint("Only an object can carry its version; docstore.load() reads the others, too.")));
	PG_RETURN_JSONB_P(ds_metadata_add(data, collection.relid, collection.id_type, id, version));
}

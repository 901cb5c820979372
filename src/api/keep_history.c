/*
 * keep_history.c - what is kept of a history: prune_history, erase_history
 */
#include "postgres.h"

#include "base/age.h"
#include "base/array.h"
#include "base/errors.h"
#include "fmgr.h"
#include "history/past.h"
#include "history/prune.h"
#include "table/collection.h"

PG_FUNCTION_INFO_V1(ds_prune_history);
PG_FUNCTION_INFO_V1(ds_erase_history);

static void
require_at_least(int32 value, int32 least, const char *name, const char *hint)
{
	if (value < least)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s must be at least %d, but is %d", name, least, value),
				 errhint("%s", hint)));
}

/*
 * docstore.prune_history(collection regclass, older_than interval, keep int DEFAULT 1,
 *						  max_rows int DEFAULT NULL) RETURNS bigint
 *
 * Deletes rows of a history that are older and not among the newest of their
 * document, and all of documents that were deleted before; returns how many,
 * max_rows at the most.  What stays in any case, prune.c says.  Raises 22023,
 * 25006, 42501, 42704, 42P01, 42809.  Locks: ACCESS SHARE on the collection, as
 * DELETE on its history.
 */
Datum
ds_prune_history(PG_FUNCTION_ARGS)
{
	DsCollection collection;
	DsCollection history;
	TimestampTz before;

	ds_call_require_writable("docstore.prune_history()");
	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "older_than");
	ds_argument_require(PG_ARGISNULL(2), "keep");
	before = ds_age_before(PG_GETARG_DATUM(1));
	require_at_least(PG_GETARG_INT32(2), 0, "keep", "It is the number of rows to keep of each document, however old they are.");
	if (!PG_ARGISNULL(3))
		require_at_least(PG_GETARG_INT32(3), 1, "max_rows", "Pass NULL to delete all that are due.");
	ds_collection_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &collection);
	ds_past_open(&collection, RowExclusiveLock, &history);

	PG_RETURN_INT64(ds_history_prune(&history, before, PG_GETARG_INT32(2),
									 PG_ARGISNULL(3) ? (Datum) 0 : Int64GetDatum(PG_GETARG_INT32(3)),
									 PG_ARGISNULL(3)));
}

/*
 * docstore.erase_history(collection regclass, id text, versions bigint[] DEFAULT NULL)
 * RETURNS bigint
 *
 * Blanks data, actor and context of these versions of a document, of all that
 * the statement sees when versions is NULL.  Returns how many rows it has
 * blanked: those that were before, and versions that are not there, do not
 * count.  The document itself is left alone.  Raises 22023, 22P02, 25006, 42501,
 * 42704, 42P01, 42809.
 * Locks: ACCESS SHARE on the collection, as UPDATE on its history.
 */
Datum
ds_erase_history(PG_FUNCTION_ARGS)
{
	DsCollection collection;
	DsCollection history;
	Datum		id;

	ds_call_require_writable("docstore.erase_history()");
	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "id");
	if (!PG_ARGISNULL(2))
		ds_array_require_versions(PG_GETARG_ARRAYTYPE_P(2), "To erase all versions of the document, leave versions out.");
	ds_collection_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &collection);
	id = ds_id_from_text(collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_past_open(&collection, RowExclusiveLock, &history);

	PG_RETURN_INT64(ds_history_erase(&history, id, PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2), PG_ARGISNULL(2)));
}

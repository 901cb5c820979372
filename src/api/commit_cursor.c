/*
 * commit_cursor.c - docstore.commit_cursor(): how far a consumer has come
 *
 * What is stored is a document of the collection <log>_consumers, under the
 * consumer's name: {"cursor": "..."}.  It is written as every document is.
 */
#include "postgres.h"

#include "api/single.h"
#include "base/compat.h"
#include "base/errors.h"
#include "feed/cursor.h"
#include "fmgr.h"
#include "log/log.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(ds_commit_cursor);

/* The document of a consumer. */
static Datum
form_document(text *cursor)
{
	JsonbInState state = {0};
	JsonbValue	key = {.type = jbvString};
	JsonbValue	value = {.type = jbvString};

	key.val.string.val = "cursor";
	key.val.string.len = strlen("cursor");
	value.val.string.val = VARDATA_ANY(cursor);
	value.val.string.len = VARSIZE_ANY_EXHDR(cursor);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	pushJsonbValue(&state, WJB_KEY, &key);
	pushJsonbValue(&state, WJB_VALUE, &value);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(state.result));
}

/* As ds_single_begin(), with a log in place of the collection. */
static void
begin(FunctionCallInfo fcinfo, DsSingle *call)
{
	int64		expected = PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3);
	DsLog		log;

	memset(call, 0, sizeof(DsSingle));
	call->expected = ds_expectation_in_force(ds_expectation_from_sql(expected, DS_ONLY_ITEM));
	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("consumer must not be empty"),
				 errhint("Give each consumer of a log a name of its own.")));
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);
	ds_collection_open(ds_log_consumers(log.events.relid, RowExclusiveLock), RowExclusiveLock, DS_ONLY_ITEM,
					   &call->collection);
	call->id = ds_id_from_text(call->collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_collection_require_short_id(&call->collection, call->id, DS_ONLY_ITEM);
}

/*
 * docstore.commit_cursor(log regclass, consumer text, cursor text, expected bigint) RETURNS bigint
 *
 * Stores a cursor for a consumer whose stored one is at the expected version;
 * NULL expects none.  Returns the new version.  Raises the conflict, or
 * remembers it and returns NULL while conflicts are deferred; 22023, 42P01 and
 * 42809 for bad arguments.
 * Locks: as docstore.upsert() on the collection, ACCESS SHARE on the log.
 */
Datum
ds_commit_cursor(PG_FUNCTION_ARGS)
{
	DsSingle	call;
	DsOutcome	outcome;
	DsCursor	cursor;

	ds_require_writable("docstore.commit_cursor()");
	ds_require_argument(PG_ARGISNULL(0), "log");
	ds_require_argument(PG_ARGISNULL(1), "consumer");
	ds_require_argument(PG_ARGISNULL(2), "cursor");
	ds_cursor_read(PG_GETARG_TEXT_PP(2), "cursor", &cursor);
	begin(fcinfo, &call);

	ds_document_upsert(&call.collection, call.id, form_document(PG_GETARG_TEXT_PP(2)),
					   call.expected, &outcome);

	if (!ds_single_end(&call, "commit_cursor", &outcome))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

/*
 * history.c - what a document was: history, load_version, load_at; and back to that: revert
 *
 * The first three are STABLE and read what the calling query's snapshot shows.
 * What they read is the caller's to read: the history is a table with
 * privileges and policies of its own.
 */
#include "postgres.h"

#include "base/errors.h"
#include "document/document.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/past.h"
#include "table/collection.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ds_history);
PG_FUNCTION_INFO_V1(ds_load_version);
PG_FUNCTION_INFO_V1(ds_load_at);
PG_FUNCTION_INFO_V1(ds_revert);

/*
 * Check the first two arguments, and lock the tables.  Raises 22023, 22P02,
 * 42P01, 42809, and 42704 when the collection has no history.
 */
static void
begin(FunctionCallInfo fcinfo, LOCKMODE lock, DsPast *past)
{
	ds_argument_require(PG_ARGISNULL(0), "collection");
	ds_argument_require(PG_ARGISNULL(1), "id");
	ds_collection_open(PG_GETARG_OID(0), lock, DS_ONLY_ITEM, &past->collection);
	past->id = ds_id_from_text(past->collection.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_past_open(&past->collection, AccessShareLock, &past->history);
}

/* A number of rows that must not be negative. */
static int64
read_count(FunctionCallInfo fcinfo, int argument, const char *name, const char *hint)
{
	int32		count = PG_GETARG_INT32(argument);

	if (count < 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s must not be negative, but is %d", name, count),
				 errhint("%s", hint)));
	return count;
}

/* The version to begin with: the one below the argument, or the last one. */
static int64
read_before(FunctionCallInfo fcinfo, int argument)
{
	int64		before = PG_ARGISNULL(argument) ? PG_INT64_MAX : PG_GETARG_INT64(argument);

	if (PG_ARGISNULL(argument))
		return PG_INT64_MAX;
	if (before < 1)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("before_version must be at least 1, but is " INT64_FORMAT, before),
				 errhint("Pass the last version of the page before, or NULL to begin at the newest one.")));
	return before - 1;
}

/*
 * docstore.history(collection regclass, id text, max_count int DEFAULT NULL,
 *					before_version bigint DEFAULT NULL, skip int DEFAULT 0)
 * RETURNS TABLE (id text, version bigint, op text, data jsonb, recorded_at timestamptz,
 *				  actor text, context jsonb)
 *
 * What is recorded of a document, newest first: of what is left below
 * before_version, without the first that are skipped, max_count rows.  NULL is
 * all of them.  Raises 22023, 22P02, 42704, 42P01, 42809.  Locks: ACCESS SHARE on
 * the tables.
 */
Datum
ds_history(PG_FUNCTION_ARGS)
{
	DsPast		past;
	Datum		max_count = (Datum) 0;
	int64		up_to;
	int64		skip;

	ds_argument_require(PG_ARGISNULL(4), "skip");
	if (!PG_ARGISNULL(2))
		max_count = Int64GetDatum(read_count(fcinfo, 2, "max_count", "Pass NULL for all versions."));
	up_to = read_before(fcinfo, 3);
	skip = read_count(fcinfo, 4, "skip", "Pass 0 to begin at the first one.");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	begin(fcinfo, AccessShareLock, &past);
	ds_past_return_list(&past, up_to, max_count, PG_ARGISNULL(2) ? 'n' : ' ', skip, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/*
 * docstore.load_version(collection regclass, id text, version bigint) RETURNS TABLE as history()
 *
 * One version of a document, which can be its deletion; no row when it is not
 * known.  A document that is not recorded yet is its own version.  Errors and
 * locks as docstore.history().
 */
Datum
ds_load_version(PG_FUNCTION_ARGS)
{
	DsPast		past;

	ds_argument_require(PG_ARGISNULL(2), "version");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	begin(fcinfo, AccessShareLock, &past);
	ds_past_return_version(&past, PG_GETARG_INT64(2), (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/*
 * docstore.load_at(collection regclass, id text, at timestamptz) RETURNS TABLE as history()
 *
 * The version that a document was at, by the clock of who wrote it; no row when
 * it was not there, or when that is not known.  A document that is not
 * recorded yet has been so since its updated_at.  Errors and locks as
 * docstore.history().
 */
Datum
ds_load_at(PG_FUNCTION_ARGS)
{
	DsPast		past;

	ds_argument_require(PG_ARGISNULL(2), "at");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	begin(fcinfo, AccessShareLock, &past);
	ds_past_return_at(&past, PG_GETARG_TIMESTAMPTZ(2), (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/* Refuse to go back to a version that has no data: PT404, and what is known of it. */
static void
require_data(const DsPast *past, int64 version, DsPastState state)
{
	const char *id = ds_id_to_cstring(past->collection.id_type, past->id);
	const char *collection = ds_name_of(past->collection.relid);

	if (state == DS_PAST_RECORDED || state == DS_PAST_PRESENT)
		return;
	ereport(ERROR,
			(errcode(DS_ERRCODE_NO_SUCH_VERSION),
			 state == DS_PAST_ERASED
			 ? errmsg("version " INT64_FORMAT " of document \"%s\" of collection \"%s\" was erased", version, id, collection)
			 : state == DS_PAST_DELETION
			 ? errmsg("version " INT64_FORMAT " of document \"%s\" of collection \"%s\" is its deletion", version, id, collection)
			 : errmsg("history has no version " INT64_FORMAT " of document \"%s\" of collection \"%s\"", version, id, collection),
			 state == DS_PAST_DELETION
			 ? errhint("Pass the version before it. To delete the document, use docstore.delete().")
			 : errhint("docstore.history() lists the versions that there are.")));
}

/*
 * docstore.revert(collection regclass, id text, to_version bigint, expected_version bigint)
 * RETURNS bigint
 *
 * Gives a document the data that it had at a version, as docstore.upsert()
 * would; one that was deleted comes back.  Returns the new version.  PT404 when
 * that version is not known, was erased, also meanwhile, or is a deletion.  Other
 * errors, and locks, as docstore.upsert() and docstore.history(); the row of that
 * version FOR SHARE.
 */
Datum
ds_revert(PG_FUNCTION_ARGS)
{
	DsPast		past;
	DsPastState state;
	DsOutcome	outcome;
	int64		expected = PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3);
	Datum		data = (Datum) 0;

	ds_call_require_writable("docstore.revert()");
	ds_argument_require(PG_ARGISNULL(2), "to_version");
	expected = ds_expectation_in_force(ds_expectation_from_sql(expected, DS_ONLY_ITEM));
	begin(fcinfo, RowExclusiveLock, &past);
	ds_collection_require_short_id(&past.collection, past.id, DS_ONLY_ITEM);
	state = ds_past_find_data(&past, PG_GETARG_INT64(2), &data);
	require_data(&past, PG_GETARG_INT64(2), state);

	ds_document_upsert(&past.collection, past.id, data, expected, &outcome);
	if (outcome.written)
		require_data(&past, PG_GETARG_INT64(2), ds_past_keep(&past, PG_GETARG_INT64(2), state));

	if (!ds_outcome_settle(&outcome, "revert", &past.collection, past.id, expected))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

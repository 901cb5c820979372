/*
 * request.c - calls that are answered once, however often they are sent
 *
 * A client that loses its connection during COMMIT cannot know whether its
 * call was committed.  When it has given the call a request_id, it sends the
 * same call again: if the first one is committed, this one returns what that
 * one returned, and writes nothing.
 *
 * The table docstore.requests remembers it, with a row for each role and
 * request_id.  The row is inserted before anything else is locked, by the
 * transaction that executes the call, and so lives and dies with the writes.
 * A second call with the same id waits in its own INSERT for that transaction
 * to end: after a commit it finds the row, after a rollback it executes.
 *
 * The table is open to all roles and has row security, so each role sees and
 * changes its own rows only.  The statements name the role as well, for those
 * that row security does not apply to.  Nobody has DELETE, which to the server
 * is the right to lock the whole table, too: rows are deleted by its owner.
 *
 * The row holds a hash of the changes, to tell a retry from another call that
 * was given the same id by mistake.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "document.h"
#include "errors.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "identity.h"
#include "miscadmin.h"
#include "request.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ds_forget_requests);

/* See document.c; each further try needs somebody who forgets the request just then. */
#define MAX_TRIES 20

#define MAX_PARAMETERS 3

typedef enum Statement
{
	FIND,
	CLAIM,
	ANSWER,
	FORGET,
	STATEMENTS
} Statement;

#define OF_REQUEST " WHERE role OPERATOR(pg_catalog.=) $1 AND request_id OPERATOR(pg_catalog.=) $2"

/* The first parameter is always the role.  Not const, as SPI takes no const types. */
static struct
{
	const char *sql;
	int			parameters;
	Oid			types[MAX_PARAMETERS];
}			statements[STATEMENTS] = {
	[FIND] = {
		"SELECT changes_hash, result FROM docstore.requests" OF_REQUEST,
		2, {REGROLEOID, UUIDOID}
	},
	[CLAIM] = {
		"INSERT INTO docstore.requests (role, request_id, changes_hash) VALUES ($1, $2, $3)"
		" ON CONFLICT (role, request_id) DO NOTHING",
		3, {REGROLEOID, UUIDOID, BYTEAOID}
	},
	[ANSWER] = {
		"UPDATE docstore.requests SET result = $3" OF_REQUEST,
		3, {REGROLEOID, UUIDOID, JSONBOID}
	},
	[FORGET] = {
		"DELETE FROM docstore.requests WHERE role OPERATOR(pg_catalog.=) $1"
		" AND created_at OPERATOR(pg_catalog.<) $2",
		2, {REGROLEOID, TIMESTAMPTZOID}
	},
};

static SPIPlanPtr kept_plans[STATEMENTS];

/*
 * Execute a statement, with a plan that is kept for the session; returns the
 * number of rows.  The names in it are qualified, so the server may make the
 * plan again from its text, after CREATE EXTENSION too.
 */
static uint64
execute(Statement statement, bool read_only, Datum *values)
{
	int			result;

	if (kept_plans[statement] == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statements[statement].sql, statements[statement].parameters,
									   statements[statement].types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		kept_plans[statement] = plan;
	}
	result = SPI_execute_plan(kept_plans[statement], values, NULL, read_only, 0);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

static char *
id_text(const DsRequest *request)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, request->id));
}

/* Refuse a row that was found, unless it answers this very call. */
static void
check_found(const DsRequest *request, bytea *hash)
{
	bytea	   *expected = DatumGetByteaPP(request->hash);

	if (VARSIZE_ANY_EXHDR(hash) != VARSIZE_ANY_EXHDR(expected) ||
		memcmp(VARDATA_ANY(hash), VARDATA_ANY(expected), VARSIZE_ANY_EXHDR(hash)) != 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("request %s was made with other changes", id_text(request)),
				 errhint("Send the same changes again to learn what became of them, or use a new request_id.")));
	if (request->result == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("request %s is still being executed by this transaction", id_text(request)),
				 errhint("Give each call of docstore.save() a request_id of its own.")));
}

/* Take the result from the row that was found; it outlives SPI. */
static void
read_result(DsRequest *request)
{
	HeapTuple	row = SPI_tuptable->vals[0];
	TupleDesc	columns = SPI_tuptable->tupdesc;
	bool		is_null;
	Datum		hash = SPI_getbinval(row, columns, 1, &is_null);
	Datum		result = SPI_getbinval(row, columns, 2, &is_null);

	if (!is_null)
		request->result = DatumGetJsonbP(SPI_datumTransfer(JsonbPGetDatum(DatumGetJsonbP(result)),
														   false, -1));
	check_found(request, DatumGetByteaPP(hash));
}

/*
 * Look for the request in what is committed now, or was done by this
 * transaction, whatever its snapshot shows.
 */
static bool
find(DsRequest *request)
{
	Datum		values[] = {request->role, request->id};
	bool		found;

	PushActiveSnapshot(GetLatestSnapshot());
	found = execute(FIND, true, values) > 0;
	if (found)
		read_result(request);
	PopActiveSnapshot();
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/*
 * Make the call with these changes the one that executes the request, or find
 * out what the request was answered: then request->result is set.
 *
 * Waits for a transaction that is executing the same request.  Raises 22023
 * when the request was made with other changes, or is being executed further
 * out; at REPEATABLE READ and SERIALIZABLE 40001 when it was committed while
 * this call waited.
 */
void
ds_request_claim(DsRequest *request, Datum id, Jsonb *changes)
{
	request->role = ObjectIdGetDatum(GetUserId());
	request->id = id;
	request->hash = DirectFunctionCall1(sha256_bytea, JsonbPGetDatum(changes));
	request->result = NULL;

	SPI_connect();
	for (int try = 1; !find(request); try++)
	{
		Datum		values[] = {request->role, request->id, request->hash};

		CHECK_FOR_INTERRUPTS();
		if (execute(CLAIM, false, values) > 0)
			break;
		if (try == MAX_TRIES)
			ds_document_refuse_old_snapshot();
	}
	SPI_finish();
}

/*
 * Remember what the call that has claimed the request returns.  Raises 27000
 * when the request is not there any more: a retry would not be recognised.
 */
void
ds_request_answer(const DsRequest *request, Jsonb *result)
{
	Datum		values[] = {request->role, request->id, JsonbPGetDatum(result)};

	SPI_connect();
	if (execute(ANSWER, false, values) != 1)
		ereport(ERROR,
				(errcode(DS_ERRCODE_TRIGGER),
				 errmsg("request %s was deleted while it was executed", id_text(request)),
				 errhint("Let no trigger delete rows of docstore.requests.")));
	SPI_finish();
}

/* Raise 22023 for a stored result that docstore cannot have written. */
void
ds_request_refuse_result(const DsRequest *request)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("the stored result of request %s is damaged", id_text(request)),
			 errhint("Somebody has changed it in docstore.requests: delete that row.")));
}

/* While the time is computed: an interval that leads out of the calendar. */
static void
older_than_error(pg_attribute_unused() void *arg)
{
	if (!ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	errhint("Pass an interval such as '7 days'.");
}

/* The time that lies so far back; 22023 where there is none. */
static Datum
time_before(Datum older_than)
{
	ErrorContextCallback context = {error_context_stack, older_than_error, NULL};
	Interval	zero = {0};
	Datum		result;

	error_context_stack = &context;
	if (DatumGetBool(DirectFunctionCall2(interval_lt, older_than, IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("older_than must not be negative")));
	result = DirectFunctionCall2(timestamptz_mi_interval,
								 TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
								 older_than);
	error_context_stack = context.previous;
	return result;
}

/*
 * docstore.forget_requests(older_than interval) RETURNS bigint
 *
 * Deletes the caller's requests that are older, so that they are not answered
 * any more; returns how many.  22023 when older_than is NULL, negative, or
 * leads out of the calendar.  Locks: as the DELETE that it executes.
 */
Datum
ds_forget_requests(PG_FUNCTION_ARGS)
{
	Oid			requests = get_relname_relid("requests", get_namespace_oid("docstore", false));
	DsIdentity	caller;
	Datum		values[2];
	uint64		forgotten;

	ds_require_writable("docstore.forget_requests()");
	ds_require_argument(PG_ARGISNULL(0), "older_than");
	values[0] = ObjectIdGetDatum(GetUserId());
	values[1] = time_before(PG_GETARG_DATUM(0));

	caller = ds_identity_become_owner(requests);
	SPI_connect();
	forgotten = execute(FORGET, false, values);
	SPI_finish();
	ds_identity_become(caller);
	PG_RETURN_INT64((int64) forgotten);
}

/*
 * request.c - calls that are answered once, however often they are sent
 *
 * A client that loses its connection during COMMIT cannot know whether its
 * call was committed.  When it has given the call a request_id, it sends the
 * same call again: if the first one is committed, this one returns what that
 * one returned, and writes nothing but a mark in the WAL.
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
 * is the right to lock the whole table, too: rows are deleted without the
 * executor, which would run what somebody has put on the table in the name of
 * its owner.
 *
 * The row holds a hash of the changes, to tell a retry from another call that
 * was given the same id by mistake.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "base/compat.h"
#include "base/errors.h"
#include "batch/request.h"
#include "catalog/namespace.h"
#include "catalog/pg_control.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "table/plan.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* See document.c; each further try needs somebody who forgets the request just then. */
#define MAX_TRIES 20

#define MAX_PARAMETERS 3

/* In bytes. */
#define HASHED_AT_ONCE 1048576

typedef enum Statement
{
	FIND,
	CLAIM,
	ANSWER,
	STATEMENTS
} Statement;

#define OF_REQUEST " WHERE role OPERATOR(pg_catalog.=) $1 AND request_id OPERATOR(pg_catalog.=) $2"

/* The first parameter is always the role. */
typedef struct Parameterised
{
	const char *sql;
	int			parameters;
	Oid			types[MAX_PARAMETERS];
} Parameterised;

static const Parameterised statements[STATEMENTS] = {
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
};

static void
build(const void *context, DsStatementText *text)
{
	const Statement *statement = context;

	text->sql = pstrdup(statements[*statement].sql);
	text->parameters = statements[*statement].parameters;
	memcpy(text->types, statements[*statement].types, sizeof(statements[*statement].types));
}

/* Lock docstore.requests; 42P01 when the extension has just been dropped. */
static Oid
lock_requests(LOCKMODE lock)
{
	Oid			requests = get_relname_relid("requests", get_namespace_oid("docstore", false));

	if (OidIsValid(requests))
		LockRelationOid(requests, lock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(requests)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"docstore.requests\" does not exist"),
				 errhint("CREATE EXTENSION docstore makes it.")));
	return requests;
}

/* Execute a statement; returns the number of rows. */
static uint64
execute(Statement statement, DsExecution execution, Datum *values)
{
	Oid			requests = lock_requests(execution == DS_READ ? AccessShareLock : RowExclusiveLock);

	return ds_plan_run_on(requests, (DsPlanKey) {.build = build, .form = statement}, &statement, execution, values, NULL);
}

/* The request_id, for messages. */
char *
ds_request_id(const DsRequest *request)
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
				 errmsg("request %s was made with other changes", ds_request_id(request)),
				 errhint("Send the same changes again to get their result, or use a new request_id.")));
	if (request->result == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("request %s is still being executed by this transaction", ds_request_id(request)),
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
	found = execute(FIND, DS_READ, values) > 0;
	if (found)
		read_result(request);
	PopActiveSnapshot();
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/*
 * Let COMMIT wait for the synchronous standbys, for all that was written so
 * far.  Whoever waited in the COMMIT of the first call may have been cancelled,
 * or terminated: then it is committed here, and may be nowhere else, and a
 * failover would lose what this call acknowledges.  The server waits for a
 * transaction that has an id and has written WAL.  (An append that was sent
 * again has locked the head of its stream, which is that.)
 */
static void
keep_waiting(void)
{
	char		nothing = 0;	/* a record has some data */

	(void) GetTopTransactionId();
	XLogBeginInsert();
	XLogRegisterData(&nothing, sizeof(nothing));
	(void) XLogInsert(RM_XLOG_ID, XLOG_NOOP);
}

/* The SHA-256 of changes, as sha256() has it, but in pieces: they can be large. */
static Datum
hash_of(Jsonb *changes)
{
	pg_cryptohash_ctx *state = pg_cryptohash_create(PG_SHA256);
	bytea	   *hash = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	size_t		length = VARSIZE(changes) - VARHDRSZ;
	bool		is_done = pg_cryptohash_init(state) == 0;

	SET_VARSIZE(hash, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	for (size_t at = 0; is_done && at < length; at += HASHED_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		is_done = pg_cryptohash_update(state, (uint8 *) VARDATA(changes) + at,
									   Min(length - at, HASHED_AT_ONCE)) == 0;
	}
	if (!is_done ||
		pg_cryptohash_final(state, (uint8 *) VARDATA(hash), PG_SHA256_DIGEST_LENGTH) != 0)
		elog(ERROR, "could not compute a hash: %s", pg_cryptohash_error(state));
	pg_cryptohash_free(state);
	return PointerGetDatum(hash);
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
	request->hash = hash_of(changes);
	request->result = NULL;

	SPI_connect();
	for (int try = 1; !find(request); try++)
	{
		Datum		values[] = {request->role, request->id, request->hash};

		CHECK_FOR_INTERRUPTS();
		if (execute(CLAIM, DS_WRITE, values) > 0)
			break;
		if (try == MAX_TRIES)
			ds_error_raise_old_snapshot();
	}
	SPI_finish();
	if (request->result != NULL)
		keep_waiting();
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
	if (execute(ANSWER, DS_WRITE, values) != 1)
		ereport(ERROR,
				(errcode(DS_ERRCODE_TRIGGER),
				 errmsg("request %s was deleted while it was being executed", ds_request_id(request)),
				 errhint("Triggers must not delete rows of docstore.requests.")));
	SPI_finish();
}

/* Raise 22023 for a stored result that docstore cannot have written. */
void
ds_request_refuse_result(const DsRequest *request)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("the stored result of request %s is damaged", ds_request_id(request)),
			 errhint("It was changed in docstore.requests. Delete that row.")));
}

/* The requests of a role, by the primary key, as a snapshot shows them. */
typedef struct Requests
{
	Relation	table;
	Relation	key;
	TupleTableSlot *row;
	IndexScanDesc scan;
} Requests;

static void
begin_requests(Requests *requests, Oid role)
{
	ScanKeyData by_role;

	requests->table = table_open(lock_requests(RowExclusiveLock), NoLock);
	CheckCmdReplicaIdentity(requests->table, CMD_DELETE);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	requests->key = index_open(RelationGetPrimaryKeyIndex(requests->table, false), RowExclusiveLock);
	requests->row = table_slot_create(requests->table, NULL);
	requests->scan = index_beginscan(requests->table, requests->key, GetActiveSnapshot(), NULL, 1, 0, 0);
	ScanKeyInit(&by_role, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(role));
	index_rescan(requests->scan, &by_role, 1, NULL, 0);
}

static void
end_requests(Requests *requests)
{
	index_endscan(requests->scan);
	index_close(requests->key, NoLock);
	ExecDropSingleTupleTableSlot(requests->row);
	PopActiveSnapshot();
	table_close(requests->table, NoLock);
	CommandCounterIncrement();
}

/*
 * Lock the request that was found, in its latest version; false when it is gone.
 * 40001 when the snapshot does not show that.
 */
static bool
lock_request(Requests *requests)
{
	ItemPointerData place = requests->row->tts_tid;
	TM_FailureData failure;
	TM_Result	result = table_tuple_lock(requests->table, &place, GetActiveSnapshot(), requests->row,
										  GetCurrentCommandId(true), LockTupleExclusive, LockWaitBlock,
										  IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
										  &failure);

	if (result != TM_Ok && result != TM_SelfModified && IsolationUsesXactSnapshot())
		ds_error_raise_old_snapshot();
	return result == TM_Ok;
}

/*
 * Delete a role's requests that were made before a time; returns how many.
 * Locks: as DELETE.
 */
int64
ds_request_forget(Oid role, TimestampTz before)
{
	Requests	requests;
	AttrNumber	created_at;
	int64		forgotten = 0;
	bool		is_null;

	begin_requests(&requests, role);
	created_at = get_attnum(RelationGetRelid(requests.table), "created_at");
	while (index_getnext_slot(requests.scan, ForwardScanDirection, requests.row))
	{
		CHECK_FOR_INTERRUPTS();
		if (DatumGetTimestampTz(slot_getattr(requests.row, created_at, &is_null)) >= before ||
			!lock_request(&requests))
			continue;
		simple_table_tuple_delete(requests.table, &requests.row->tts_tid, GetActiveSnapshot());
		forgotten++;
	}
	end_requests(&requests);
	return forgotten;
}

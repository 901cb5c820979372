/*
 * consumers.c - consumers of a log, or of a tracked collection: commit_cursor, how far one has come; consumers, how
 * far all have; create_consumers
 *
 * What is stored is a document of the collection <name>_consumers, under the
 * consumer's name: {"cursor": "..."}.  A log is made with that collection; one
 * that is tracked gets it when it is wanted.  It is written as every document is, with
 * one rule more: a cursor does not go back, whatever version is expected.  Who
 * runs twice, and takes the end of the log before the version is loaded, would
 * else handle events again, and nobody would notice.  Who wants that says so: by
 * deleting the document, or by writing it.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "document/document.h"
#include "document/outcome.h"
#include "executor/spi.h"
#include "feed/cursor.h"
#include "feed/cursor_check.h"
#include "feed/place.h"
#include "feed/reader.h"
#include "fmgr.h"
#include "funcapi.h"
#include "history/history.h"
#include "log/log.h"
#include "miscadmin.h"
#include "table/catalogue.h"
#include "table/create_collection.h"
#include "table/kind.h"
#include "table/plan.h"
#include "table/row_error.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_commit_cursor);
PG_FUNCTION_INFO_V1(ds_consumers);
PG_FUNCTION_INFO_V1(ds_create_consumers);

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

static void
require_name(const text *consumer)
{
	if (VARSIZE_ANY_EXHDR(consumer) == 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("consumer must not be empty"),
				 errhint("Give each consumer a name of its own.")));
}

/* What a consumer is to have come to. */
typedef struct Commit
{
	const DsCollection *feed;
	DsCursor	cursor;
	Datum		document;
} Commit;

/* How often a document that is neither there nor can be created is tried: see document.c. */
#define MAX_TRIES 20

/* The cursor in a document that is locked; false when it has none. */
static bool
read_locked(const DsCollection *consumers, Datum id, DsCursor *cursor)
{
	Datum		values[2] = {id, (Datum) 0};
	JsonbValue	member;
	bool		is_null = true;
	bool		found = false;

	if (ds_plan_execute(consumers, DS_LOAD, DS_WRITE, values, " n") > 0)
	{
		Jsonb	   *data = DatumGetJsonbP(ds_plan_value(0, 3, JSONBOID, &is_null));

		found = !is_null && JB_ROOT_IS_OBJECT(data) &&
			getKeyJsonValueFromContainer(&data->root, "cursor", strlen("cursor"), &member) != NULL &&
			member.type == jbvString &&
			ds_cursor_parse(pnstrdup(member.val.string.val, member.val.string.len), cursor);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/*
 * Whether the stored cursor is not passed over by going back.  One whose event
 * is not there protects nothing: it was lost, as its reader is told, or it is of
 * another server, or what came before it was deleted with it.
 */
static bool
go_forward(const DsCollection *consumers, Datum id, void *context, DsDocumentChange *change, DsOutcome *outcome)
{
	const Commit *commit = context;
	DsCursor	stored;

	change->data = commit->document;
	ds_collection_look_again(commit->feed);
	if (read_locked(consumers, id, &stored) && ds_cursor_compare(&commit->cursor, &stored) < 0 &&
		ds_place_is_taken(commit->feed, &stored))
		outcome->reason = DS_BEHIND;
	return outcome->reason == DS_NO_REASON;
}

/* Store a cursor; one that is not expected to be there may be created meanwhile. */
static void
store_cursor(Commit *commit, const DsCollection *consumers, Datum id, int64 expected, DsOutcome *outcome)
{
	if (!ds_expectation_checks || expected == DS_NO_VERSION)
	{
		ds_document_upsert(consumers, id, commit->document, expected, outcome);
		return;
	}
	for (int try = 0; try < MAX_TRIES; try++)
	{
		ds_document_decide(consumers, id, expected == DS_ANY_VERSION ? DS_SOME_VERSION : expected,
						   go_forward, commit, outcome);
		if (expected != DS_ANY_VERSION || outcome->reason != DS_MISSING)
			return;
		ds_document_upsert(consumers, id, commit->document, DS_NO_VERSION, outcome);
		if (outcome->reason != DS_EXISTS)
			return;
	}
	ds_row_refuse_unwritable(consumers, id);
}

pg_noreturn static void
refuse_no_consumers(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("collection \"%s\" has no table for its consumers", ds_name_of(relid)),
			 errdetail("It would be called \"%s\", in the schema of the collection, and belong to its owner.",
					   ds_log_companion(get_rel_name(relid), DS_LOG_CONSUMERS)),
			 errhint("Use docstore.create_consumers() to make it. If the collection was renamed, rename the table that it had.")));
}

/* Lock the collection of consumers, and what they read as its readers do: a log, or a tracked collection. */
static void
open_consumers(Oid relid, LOCKMODE lock, DsCollection *feed, DsCollection *consumers)
{
	const char *gone = ds_collection_lock(relid, AccessShareLock);
	DsLog		log;
	const char *obstacle;
	Oid			found;

	if (gone != NULL)
		ds_log_refuse_unknown(gone, DS_ONLY_ITEM);
	if (!ds_collection_describe(relid, DS_EVENTS, feed, &obstacle) &&
		ds_collection_recognise(relid, consumers))
	{
		ds_history_open(relid, ds_history_find(relid), AccessShareLock, feed);
		found = ds_log_lock_companion(relid, DS_LOG_CONSUMERS, lock);
		if (!OidIsValid(found))
			refuse_no_consumers(relid);
	}
	else
	{
		ds_log_open(relid, AccessShareLock, DS_ONLY_ITEM, &log);
		*feed = log.events;
		found = ds_log_consumers(relid, lock);
	}
	ds_collection_open(found, lock, DS_ONLY_ITEM, consumers);
}

/*
 * docstore.commit_cursor(log regclass, consumer text, cursor text, expected bigint) RETURNS bigint
 *
 * Stores a cursor for a consumer whose stored one is at the expected version;
 * NULL expects none.  Returns the new version.  Raises the conflict, or
 * remembers it and returns NULL while conflicts are deferred; its reason is
 * behind when the stored cursor comes after this one, and its row is there.
 * 22023, 42P01, 42809 and 42704 for bad arguments.
 * Locks: as docstore.upsert() on the consumers, ACCESS SHARE on the log, or on
 * the collection and its history.
 */
Datum
ds_commit_cursor(PG_FUNCTION_ARGS)
{
	DsCollection feed;
	DsCollection consumers;
	DsOutcome	outcome;
	Commit		commit = {.feed = &feed};
	int64		expected;
	Datum		id;

	ds_call_require_writable("docstore.commit_cursor()");
	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "consumer");
	ds_argument_require(PG_ARGISNULL(2), "cursor");
	ds_cursor_read(PG_GETARG_TEXT_PP(2), "cursor", &commit.cursor);
	expected = ds_expectation_in_force(
		ds_expectation_from_sql(PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3), DS_ONLY_ITEM));
	require_name(PG_GETARG_TEXT_PP(1));
	open_consumers(PG_GETARG_OID(0), RowExclusiveLock, &feed, &consumers);
	id = ds_id_from_text(consumers.id_type, PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_collection_require_short_id(&consumers, id, DS_ONLY_ITEM);

	commit.document = form_document(PG_GETARG_TEXT_PP(2));
	store_cursor(&commit, &consumers, id, expected, &outcome);
	if (!ds_outcome_settle(&outcome, "commit_cursor", &consumers, id, expected))
		PG_RETURN_NULL();
	PG_RETURN_INT64(outcome.version);
}

/* The columns of the result. */
enum
{
	CONSUMER,
	VERSION,
	CURSOR,
	UPDATED_AT,
	BEHIND,
	STATE,
	COLUMNS
};

static void
build_consumers(const void *context, DsStatementText *text)
{
	const DsCollection *consumers = context;

	text->sql = psprintf("SELECT t.id::pg_catalog.text, t.version, "
						 "t.data OPERATOR(pg_catalog.->>) 'cursor', %s FROM %s%s AS t ORDER BY t.id",
						 consumers->columns[DS_DOCUMENT_UPDATED_AT] ? "t.updated_at" : "NULL::pg_catalog.timestamptz",
						 consumers->partitioned ? "" : "ONLY ", ds_name_of(consumers->relid));
	text->parameters = 0;
}

/* Read what a consumer has stored; returns what is to be said of it. */
static const char *
read_stored(const DsCollection *feed, const char *stored, DsCursor *cursor)
{
	static const char *const states[] = {
		[DS_CURSOR_GOOD] = "good",
		[DS_CURSOR_FOREIGN] = "foreign",
		[DS_CURSOR_LOST] = "lost",
		[DS_CURSOR_DROPPED] = "lost",
	};

	if (stored == NULL)
	{
		ds_cursor_begin(cursor);
		return states[DS_CURSOR_GOOD];
	}
	return ds_cursor_parse(stored, cursor) ? states[ds_cursor_check(feed, cursor)] : "invalid";
}

/* Add a row for each consumer. */
static void
put_consumers(const DsCollection *feed, const DsCollection *consumers, ReturnSetInfo *set)
{
	uint64		rows = ds_plan_run(consumers, (DsPlanKey) {.build = build_consumers}, consumers,
								   DS_READ, NULL, NULL);
	SPITupleTable *found = SPI_tuptable;

	for (uint64 row = 0; row < rows; row++)
	{
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS];
		DsCursor	cursor;
		const char *state;

		CHECK_FOR_INTERRUPTS();
		for (int column = CONSUMER; column <= UPDATED_AT; column++)
			values[column] = SPI_getbinval(found->vals[row], found->tupdesc, column + 1, &nulls[column]);
		state = read_stored(feed, nulls[CURSOR] ? NULL : TextDatumGetCString(values[CURSOR]), &cursor);
		nulls[BEHIND] = strcmp(state, "good") != 0;
		values[BEHIND] = nulls[BEHIND] ? (Datum) 0 : Int64GetDatum(ds_reader_count_after(feed, &cursor));
		nulls[STATE] = false;
		values[STATE] = CStringGetTextDatum(state);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
}

/*
 * docstore.consumers(log regclass)
 * RETURNS TABLE (consumer text, version bigint, cursor text, updated_at timestamptz, behind bigint,
 *				  state text)
 *
 * The consumers that the caller may see, and how many events or changes each has
 * still to read.  That is NULL where their reader would refuse the cursor; the
 * state says why: lost, foreign, or invalid, where plain SQL has stored what is no cursor;
 * else it is good.  Counting takes as long as there are such.
 * Raises 22023, 42P01, 42809, 42704.  Locks: ACCESS SHARE on the tables.
 */
Datum
ds_consumers(PG_FUNCTION_ARGS)
{
	DsCollection feed;
	DsCollection consumers;

	ds_argument_require(PG_ARGISNULL(0), "log");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	open_consumers(PG_GETARG_OID(0), AccessShareLock, &feed, &consumers);

	SPI_connect();
	put_consumers(&feed, &consumers, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

/* Raise 42622 where the name of the consumers would be cut. */
static void
require_short(Oid relid)
{
	int			most = NAMEDATALEN - 1 - (int) strlen(DS_LOG_CONSUMERS);

	if ((int) strlen(get_rel_name(relid)) > most)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for a collection with consumers", get_rel_name(relid)),
				 errdetail("The name of their table is its name with \"" DS_LOG_CONSUMERS "\" added."),
				 errhint("Rename it to a name of at most %d bytes.", most)));
}

/* Privileges come before locks. */
static void
require_owner(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	if (kind != '\0' && !object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), get_rel_name(relid));
}

/* Raise 42P07: the name of the consumers is another table's. */
pg_noreturn static void
refuse_name(Oid relid, Oid taken)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_TABLE),
			 errmsg("the table for the consumers of collection \"%s\" would be called \"%s\", and there is such a table",
					ds_name_of(relid), ds_name_of(taken)),
			 errdetail("It cannot be that table: it has another owner, or is no collection with ids of type text."),
			 errhint("Rename that table.")));
}

/* Whether a table is the collection of cursors that there would have to be. */
static bool
is_consumers_of(Oid relid, Oid table)
{
	DsColumn	id;

	return ds_log_companion_of(relid, DS_LOG_CONSUMERS) == table && ds_kind_is(table, DS_DOCUMENTS) &&
		ds_catalogue_column(table, "id", &id) && id.type == TEXTOID;
}

/* Make the collection of cursors, of the same owner. */
static Oid
create_consumers(const DsCollection *collection, const char *name)
{
	Oid			result = ds_collection_create(collection->schema, name, ds_id_type(TEXTOID));

	if (collection->owner != GetUserId())
		ds_plan_execute_utility(psprintf("ALTER TABLE %s OWNER TO %s", ds_name_of(result),
										 quote_identifier(GetUserNameFromId(collection->owner, false))));
	return result;
}

/*
 * docstore.create_consumers(collection regclass) RETURNS regclass
 *
 * Makes the collection that has the cursors of those who follow a tracked one,
 * in its schema, of its owner; or returns the one that is there.  Raises 22023,
 * 42P01, 42809, 42704 for bad arguments, 42501 for others than the owner, 42622,
 * and 42P07 when the name is another table's.
 * Locks: ACCESS SHARE on the collection and its history.
 */
Datum
ds_create_consumers(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	DsCollection collection;
	DsCollection history;
	char	   *name;
	Oid			taken;

	ds_call_require_writable("docstore.create_consumers()");
	ds_argument_require(PG_ARGISNULL(0), "collection");
	require_owner(relid);
	if (ds_log_is(relid))
		ereport(ERROR,
				(errcode(DS_ERRCODE_NOT_A_COLLECTION),
				 errmsg("\"%s\" is a log, and not a collection", ds_name_of(relid)),
				 errhint("docstore.create_log() has made the table for its consumers.")));
	ds_collection_open(relid, AccessShareLock, DS_ONLY_ITEM, &collection);
	ds_history_open(relid, ds_history_find(relid), AccessShareLock, &history);
	require_short(relid);

	name = ds_log_companion(get_rel_name(relid), DS_LOG_CONSUMERS);
	taken = get_relname_relid(name, collection.schema);
	if (OidIsValid(taken) && !is_consumers_of(relid, taken))
		refuse_name(relid, taken);
	PG_RETURN_OID(OidIsValid(taken) ? taken : create_consumers(&collection, name));
}

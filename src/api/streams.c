/*
 * streams.c - one stream: append, create_stream, set_properties, close_stream; stream, read_stream; erase
 *
 * What writes a stream has this in common: the first arguments are the log and
 * the stream.  Each is a batch of one item, so that what one stream takes and
 * what many take is the same.
 */
#include "postgres.h"

#include "base/array.h"
#include "base/errors.h"
#include "batch/batch.h"
#include "batch/stream_item.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json/json.h"
#include "miscadmin.h"
#include "table/plan.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(ds_append);
PG_FUNCTION_INFO_V1(ds_create_stream);
PG_FUNCTION_INFO_V1(ds_set_properties);
PG_FUNCTION_INFO_V1(ds_close_stream);
PG_FUNCTION_INFO_V1(ds_stream);
PG_FUNCTION_INFO_V1(ds_read_stream);
PG_FUNCTION_INFO_V1(ds_erase);

typedef struct Call
{
	DsLog		log;
	DsBatch		batch;			/* of one item */
	DsItem	   *item;
} Call;

/*
 * Check the first two arguments, lock the tables, and begin an item with that
 * op, which expects nothing yet.  Raises 22023, 42P01, 42809.
 */
static void
begin(FunctionCallInfo fcinfo, DsOp op, Call *call)
{
	ds_argument_require(PG_ARGISNULL(0), "log");
	if (op == DS_APPEND_ITEM && PG_ARGISNULL(1))
		ds_stream_item_refuse_no_stream(DS_ONLY_ITEM, "stream must not be NULL");
	ds_argument_require(PG_ARGISNULL(1), "stream");

	ds_items_init(&call->batch, 1);
	call->item = &call->batch.items[0];
	call->item->op = op;
	call->item->number = DS_ONLY_ITEM;
	call->item->expected = DS_ANY_VERSION;
	call->item->expected_revision = DS_ANY_VERSION;
	call->item->id = ds_id_of_stream(PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	ds_log_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &call->log);
	ds_collection_prepare(&call->log.streams);
	call->item->log = &call->log;
}

/*
 * Run the item; false, with nothing written, when its expectations do not hold
 * while conflicts are deferred.  Raises the conflict otherwise.
 */
pg_nodiscard static bool
run(Call *call)
{
	return ds_batch_run(&call->batch, true);
}

/*
 * Writing
 */

/* Put a row (version, log_position) for each event. */
static void
put_events(ReturnSetInfo *set, const DsItem *item)
{
	for (int i = 0; i < item->append.count; i++)
	{
		Datum		values[] = {Int64GetDatum(item->append.events[i].version), Int64GetDatum(item->append.events[i].position)};
		bool		nulls[] = {false, false};

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
}

/*
 * docstore.append(log regclass, stream text, events jsonb,
 *				   expected_version bigint DEFAULT docstore.any_version(),
 *				   scopes jsonb DEFAULT NULL)
 * RETURNS TABLE (version bigint, log_position bigint)
 *
 * Stores the events behind those that the stream has, and returns a row for
 * each in the order given.  The stream is made when it is not there.  Raises
 * one conflict when the expected version does not match, the stream is closed,
 * or a scope has an event that was not expected; while conflicts are deferred
 * (deferred.c) it returns no row then.  Events that are stored already, all of
 * them by their ids, are returned as they were; 23505 where only some are.
 * 22023, 42P01 and 42809 for bad arguments, before anything is locked.
 * Locks: ROW EXCLUSIVE on the tables, FOR NO KEY UPDATE on the head of the
 * stream, and what scope_lock.c says.
 */
Datum
ds_append(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	Call		call;
	DsItem	   *item;
	JsonbValue	given;

	ds_call_require_writable("docstore.append()");
	ds_argument_require(PG_ARGISNULL(2), "events");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	begin(fcinfo, DS_APPEND_ITEM, &call);
	item = call.item;

	ds_json_root(PG_GETARG_JSONB_P(2), &given);
	ds_stream_item_set_events(item, &given);
	item->expected = ds_expectation_in_force(
		ds_expectation_from_sql(PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3), DS_ONLY_ITEM));
	if (!PG_ARGISNULL(4))
	{
		ds_json_root(PG_GETARG_JSONB_P(4), &given);
		item->scopes = ds_scopes_read(&given, DS_ONLY_ITEM, &item->scope_count);
	}

	if (run(&call))
		put_events(set, item);
	return (Datum) 0;
}

/*
 * docstore.create_stream(log regclass, stream text, properties jsonb DEFAULT '{}')
 * RETURNS bigint
 *
 * Returns the version of the new stream, 0, which is what the first append can
 * expect.  Raises the conflict (exists) when the stream is there already, or
 * remembers it and returns NULL while conflicts are deferred; 22023, 42P01 and
 * 42809 for bad arguments.
 * Locks: ROW EXCLUSIVE on the tables, and the new row.
 */
Datum
ds_create_stream(PG_FUNCTION_ARGS)
{
	Call		call;
	JsonbValue	properties;

	ds_call_require_writable("docstore.create_stream()");
	ds_argument_require(PG_ARGISNULL(2), "properties");
	begin(fcinfo, DS_CREATE_STREAM_ITEM, &call);
	ds_json_root(PG_GETARG_JSONB_P(2), &properties);
	ds_stream_item_set_properties(call.item, &properties);

	if (!run(&call))
		PG_RETURN_NULL();
	PG_RETURN_INT64(call.item->version);
}

/*
 * docstore.set_properties(log regclass, stream text, properties jsonb,
 *						   expected_revision bigint) RETURNS bigint
 *
 * Replaces the properties as a whole, and returns the new revision.  Raises
 * the conflict when the stream is absent or its revision another one, or
 * remembers it and returns NULL while conflicts are deferred; 22023, 42P01 and
 * 42809 for bad arguments.
 * Locks: ROW EXCLUSIVE on the tables, FOR NO KEY UPDATE on the head.
 */
Datum
ds_set_properties(PG_FUNCTION_ARGS)
{
	Call		call;
	JsonbValue	properties;

	ds_call_require_writable("docstore.set_properties()");
	ds_argument_require(PG_ARGISNULL(2), "properties");
	begin(fcinfo, DS_SET_PROPERTIES_ITEM, &call);
	ds_json_root(PG_GETARG_JSONB_P(2), &properties);
	ds_stream_item_set_properties(call.item, &properties);
	ds_stream_item_set_revision(call.item,
								ds_expectation_from_sql(PG_ARGISNULL(3) ? DS_NO_VERSION : PG_GETARG_INT64(3),
														DS_ONLY_ITEM));

	if (!run(&call))
		PG_RETURN_NULL();
	PG_RETURN_INT64(call.item->version);
}

/*
 * docstore.close_stream(log regclass, stream text, expected_version bigint)
 * RETURNS bigint
 *
 * Returns the version at which the stream is closed; NULL when "any" is
 * expected and there is no stream.  Raises the conflict when the stream is at
 * another version, absent, or closed already, or remembers it and returns NULL
 * while conflicts are deferred; 22023, 42P01 and 42809 for bad arguments.
 * Locks: ROW EXCLUSIVE on the tables, FOR NO KEY UPDATE on the head.
 */
Datum
ds_close_stream(PG_FUNCTION_ARGS)
{
	Call		call;

	ds_call_require_writable("docstore.close_stream()");
	begin(fcinfo, DS_CLOSE_STREAM_ITEM, &call);
	call.item->expected = ds_expectation_in_force(
		ds_expectation_from_sql(PG_ARGISNULL(2) ? DS_NO_VERSION : PG_GETARG_INT64(2), DS_ONLY_ITEM));

	if (!run(&call) || !call.item->written)
		PG_RETURN_NULL();
	PG_RETURN_INT64(call.item->version);
}

/*
 * Reading
 */

static void
build_head(const void *context, DsStatementText *text)
{
	const DsCollection *streams = context;

	text->sql = psprintf("SELECT t.stream, t.version, t.revision, t.properties, t.created_at, t.closed_at "
						 "FROM %s%s AS t WHERE t.stream OPERATOR(pg_catalog.=) $1",
						 streams->partitioned ? "" : "ONLY ", ds_name_of(streams->relid));
	text->parameters = 1;
	text->types[0] = TEXTOID;
}

/*
 * docstore.stream(log regclass, stream text)
 * RETURNS TABLE (stream text, version bigint, revision bigint, properties jsonb,
 *				  created_at timestamptz, closed_at timestamptz)
 *
 * One row, or none when the stream is absent or not visible to the caller.
 * Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_stream(PG_FUNCTION_ARGS)
{
	DsLog		log;
	Datum		stream;

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "stream");
	stream = ds_id_of_stream(PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	ds_plan_return(&log.streams, (DsPlanKey) {.build = build_head}, &log.streams, &stream, NULL,
				   (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

/* The parameters of read_stream(): the stream, the version to begin with, how many. */
#define PARAMETERS 3

typedef struct Reading
{
	const DsLog *log;
	bool		backwards;
	int			columns;
} Reading;

static void
build_events(const void *context, DsStatementText *text)
{
	const Reading *reading = context;

	text->sql = psprintf("SELECT %s FROM ONLY %s AS e "
						 "WHERE e.stream OPERATOR(pg_catalog.=) $1 AND e.version OPERATOR(pg_catalog.%s) $2 "
						 "ORDER BY e.version%s LIMIT $3",
						 ds_log_read_columns(reading->log, reading->columns),
						 ds_name_of(reading->log->events.relid),
						 reading->backwards ? "<=" : ">=", reading->backwards ? " DESC" : "");
	text->parameters = PARAMETERS;
	text->in_order = true;
	text->types[0] = TEXTOID;
	text->types[1] = INT8OID;
	text->types[2] = INT8OID;
}

/* The argument from_version; NULL is the end that the reading begins at. */
static int64
read_from(FunctionCallInfo fcinfo, bool backwards)
{
	int64		from;

	if (PG_ARGISNULL(2))
		return backwards ? PG_INT64_MAX : 0;
	from = PG_GETARG_INT64(2);
	if (from < 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("from_version must not be negative, but is " INT64_FORMAT, from),
				 errhint("Versions begin at 1. Pass NULL to begin at the first event, or at the last one when reading backwards.")));
	return from;
}

/*
 * docstore.read_stream(log regclass, stream text, from_version bigint DEFAULT 1,
 *						max_count int DEFAULT NULL, backwards boolean DEFAULT false)
 * RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb,
 *				  metadata jsonb, event_id uuid, source_type text, stream_type text,
 *				  stream_id text, recorded_at timestamptz, tags text[])
 *
 * The events that the statement sees, from from_version on and upwards, or
 * backwards and downwards: with from_version NULL from the last one.
 * max_count NULL is all of them.  No rows for a stream that is absent or
 * empty.  Raises 22023, 42P01, 42809.  Locks: ACCESS SHARE on the log's tables.
 */
Datum
ds_read_stream(PG_FUNCTION_ARGS)
{
	DsLog		log;
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	Reading		reading = {&log, false, 0};
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS] = {' ', ' ', ' '};

	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "stream");
	ds_argument_require(PG_ARGISNULL(4), "backwards");
	reading.backwards = PG_GETARG_BOOL(4);
	values[0] = ds_id_of_stream(PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	values[1] = Int64GetDatum(read_from(fcinfo, reading.backwards));
	values[2] = ds_argument_max_count(fcinfo, 3, &nulls[2]);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	reading.columns = set->setDesc->natts;
	ds_log_open(PG_GETARG_OID(0), AccessShareLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	ds_plan_return(&log.events, (DsPlanKey) {.build = build_events, .form = reading.columns, .path = reading.backwards},
				   &reading, values, nulls, set);
	SPI_finish();
	return (Datum) 0;
}

/*
 * Erasing
 */

typedef struct Erasing
{
	const DsLog *log;
	bool		all;
} Erasing;

static void
build_erasure(const void *context, DsStatementText *text)
{
	const Erasing *erasing = context;

	text->sql = psprintf("UPDATE ONLY %s AS e SET data = '{}', metadata = NULL "
						 "WHERE e.stream OPERATOR(pg_catalog.=) $1%s "
						 "AND (e.data OPERATOR(pg_catalog.<>) '{}' OR e.metadata IS NOT NULL)",
						 ds_name_of(erasing->log->events.relid),
						 erasing->all ? "" : " AND e.version OPERATOR(pg_catalog.=) ANY ($2)");
	text->parameters = erasing->all ? 1 : 2;
	text->types[0] = TEXTOID;
	text->types[1] = INT8ARRAYOID;
}

/*
 * docstore.erase(log regclass, stream text, versions bigint[] DEFAULT NULL) RETURNS bigint
 *
 * Blanks data and metadata of these events of a stream, of all that the
 * statement sees when versions is NULL.  Returns how many events it has
 * blanked: those that were before, and versions that are not there, do not
 * count.  Raises 22023, 42P01, 42809, 25006, and 42501 without UPDATE on the
 * table of events.
 * Locks: ROW EXCLUSIVE on the log's tables, FOR NO KEY UPDATE on the events.
 */
Datum
ds_erase(PG_FUNCTION_ARGS)
{
	DsLog		log;
	Erasing		erasing = {&log, PG_ARGISNULL(2)};
	Datum		values[2];
	uint64		erased;

	ds_call_require_writable("docstore.erase()");
	ds_argument_require(PG_ARGISNULL(0), "log");
	ds_argument_require(PG_ARGISNULL(1), "stream");
	values[0] = ds_id_of_stream(PG_GETARG_TEXT_PP(1), DS_ONLY_ITEM);
	values[1] = erasing.all ? (Datum) 0 : PG_GETARG_DATUM(2);
	if (!erasing.all)
		ds_array_require_versions(PG_GETARG_ARRAYTYPE_P(2), "To erase all events of the stream, leave versions out.");
	ds_log_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	erased = ds_plan_run(&log.events, (DsPlanKey) {.build = build_erasure, .form = erasing.all}, &erasing, DS_WRITE, values, NULL);
	SPI_finish();
	PG_RETURN_INT64((int64) erased);
}

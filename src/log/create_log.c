/*
 * create_log.c - make the tables of an event log, and their triggers
 *
 * Ordinary tables, owned by the caller and no members of the extension, so
 * that pg_dump takes them along: the events; <log>_streams, with the head of
 * each stream; <log>_consumers, a collection of cursors.
 *
 * The events have these indexes: (log_position), the primary key, by which
 * scopes are checked that name no source; (stream, version), by which streams
 * are read, NULL for events that have none;
 * (generation, transaction_id, log_position), the order in which readers go on
 * (feed.c); (stream, event_id) of those events that came with an id; and the
 * tags of those that have some.
 *
 * Two triggers may be on the table of events: docstore_internal.notify_log(),
 * when that is asked for, and docstore_internal.replicate_event(), which fires
 * only where logical replication applies changes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/internal.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "log/create_log.h"
#include "log/log.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/create_collection.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ds_notify_log);

/* Heads are small and updated with each append: many versions fit on a page. */
#define STREAMS_FILLFACTOR 50

/* The longest name whose companions' names are not cut. */
#define MAX_NAME (NAMEDATALEN - 1 - 10)

static void
require_short(const char *name)
{
	if (strlen(name) > MAX_NAME)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for a log", name),
				 errdetail("The names of its other tables are its name with \"_streams\" and \"_consumers\" added."),
				 errhint("Choose a name of at most %d bytes.", MAX_NAME)));
}

/*
 * Make the trigger for logical replication unless it exists, and have it fire
 * only there.
 */
void
ds_log_make_replicate_trigger(Oid log, bool exists)
{
	const char *events = ds_name_of(log);

	if (!exists)
		ds_plan_execute_utility(psprintf(
			"CREATE TRIGGER " DS_LOG_REPLICATE " BEFORE INSERT OR UPDATE ON %s FOR EACH ROW "
			"EXECUTE FUNCTION %s.replicate_event()", events, ds_internal_schema_name()));
	ds_plan_execute_utility(psprintf(
		"ALTER TABLE %s ENABLE REPLICA TRIGGER " DS_LOG_REPLICATE, events));
}

/* Make the trigger for notifications, or have it fire if it exists. */
void
ds_log_make_notify_trigger(Oid log, bool exists)
{
	const char *events = ds_name_of(log);

	if (exists)
		ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE TRIGGER " DS_LOG_NOTIFY, events));
	else
		ds_plan_execute_utility(psprintf(
			"CREATE TRIGGER " DS_LOG_NOTIFY " AFTER INSERT ON %s FOR EACH STATEMENT "
			"EXECUTE FUNCTION %s.notify_log()", events, ds_internal_schema_name()));
}

/*
 * Without a list of what is pending, which each search would have to go
 * through: who checks a scope holds others up meanwhile.
 */
static void
create_tags_index(const char *events)
{
	ds_plan_execute_utility(psprintf(
		"CREATE INDEX ON %s USING gin (tags) WITH (fastupdate = off) WHERE tags IS NOT NULL", events));
}

/*
 * The primary key on (stream, version) that logs had before 0.9.0, which keeps
 * events without a stream out; invalid when there is none, or when foreign keys
 * refer to it.
 */
static Oid
find_former_key(Oid log)
{
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(log))
	{
		HeapTuple	index = lfirst(cell);
		Form_pg_index form = (Form_pg_index) GETSTRUCT(index);
		const AttrNumber key[] = {get_attnum(log, "stream"), get_attnum(log, "version")};

		if (form->indisprimary && ds_catalogue_index_is_on(index, key, lengthof(key)) &&
			!ds_catalogue_is_referred_to(form->indexrelid))
			return form->indexrelid;
	}
	return InvalidOid;
}

/* A unique index that tells the rows of a log apart by their positions, or invalid. */
static Oid
find_position_key(Oid log)
{
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(log))
	{
		HeapTuple	index = lfirst(cell);
		const AttrNumber key[] = {get_attnum(log, "log_position")};

		if (((Form_pg_index) GETSTRUCT(index))->indisunique && ds_catalogue_index_is_whole(index) &&
			ds_catalogue_index_is_on(index, key, lengthof(key)))
			return ((Form_pg_index) GETSTRUCT(index))->indexrelid;
	}
	return InvalidOid;
}

/*
 * Let events be without a stream.  The rows are told apart by their positions
 * from then on, for logical replication, too.
 */
static void
release_stream(Oid log, Oid former_key)
{
	const char *events = ds_name_of(log);
	Oid			positions = find_position_key(log);
	bool		identifies = get_index_isreplident(former_key);
	FormData_pg_class relation;

	if (OidIsValid(positions) && ds_catalogue_relation(log, &relation))
		identifies |= relation.relreplident == REPLICA_IDENTITY_DEFAULT;
	ds_plan_execute_utility(psprintf(
		"ALTER TABLE %s DROP CONSTRAINT %s, ADD UNIQUE (stream, version), "
		"ALTER stream DROP NOT NULL, ALTER version DROP NOT NULL%s", events,
		quote_identifier(get_rel_name(former_key)), OidIsValid(positions) ? "" : ", ADD PRIMARY KEY (log_position)"));
	if (identifies)
		ds_plan_execute_utility(psprintf("ALTER TABLE %s REPLICA IDENTITY USING INDEX %s", events,
										 quote_identifier(get_rel_name(find_position_key(log)))));
}

/* Refuse to replace a key while views or functions need it as the primary key: 2BP01. */
static void
require_unused_key(Oid log, Oid former_key)
{
	const char *users = ds_catalogue_users_of_key(former_key);

	if (users != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot repair log \"%s\" because other objects depend on its primary key", ds_name_of(log)),
				 errdetail("They group by stream and version, and show other columns: %s.", users),
				 errhint("Drop them, call docstore.repair_log() again, and create them again with all columns that they show in GROUP BY.")));
}

static bool
lacks_tags(Oid log)
{
	DsColumn	tags;

	return !ds_catalogue_column(log, ds_log_event_columns[DS_TAGS], &tags);
}

/* Whether docstore.repair_log() has to add something to the tables of a log; it needs no lock. */
bool
ds_log_is_incomplete(Oid log)
{
	return lacks_tags(log) || OidIsValid(find_former_key(log));
}

/* Give a log that was made by an older version what those of this version have; its table is locked. */
void
ds_log_complete(Oid log)
{
	const char *events = ds_name_of(log);
	Oid			former_key = find_former_key(log);

	if (OidIsValid(former_key))
		require_unused_key(log, former_key);
	if (lacks_tags(log))
	{
		ds_plan_execute_utility(psprintf("ALTER TABLE %s ADD COLUMN tags pg_catalog._text COLLATE \"C\"", events));
		create_tags_index(events);
	}
	if (OidIsValid(former_key))
		release_stream(log, former_key);
}

static void
create_events(const char *events)
{
	ds_plan_execute_utility(psprintf(
		"CREATE TABLE %s ("
		"log_position pg_catalog.int8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
		"version pg_catalog.int8, "
		"recorded_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), "
		"generation pg_catalog.int8 NOT NULL, "
		"transaction_id pg_catalog.xid8 NOT NULL, "
		"event_id pg_catalog.uuid, "
		"stream pg_catalog.text COLLATE \"C\", "
		"type pg_catalog.text COLLATE \"C\" NOT NULL, "
		"source_type pg_catalog.text COLLATE \"C\", "
		"stream_type pg_catalog.text COLLATE \"C\", "
		"stream_id pg_catalog.text COLLATE \"C\", "
		"data pg_catalog.jsonb" DS_COMPRESSION " NOT NULL, "
		"metadata pg_catalog.jsonb" DS_COMPRESSION ", "
		"tags pg_catalog._text COLLATE \"C\", "
		"UNIQUE (stream, version))", events));
	ds_plan_execute_utility(psprintf(
		"CREATE INDEX ON %s (generation, transaction_id, log_position)", events));
	ds_plan_execute_utility(psprintf(
		"CREATE UNIQUE INDEX ON %s (stream, event_id) WHERE event_id IS NOT NULL", events));
	create_tags_index(events);
}

/*
 * The properties come last: of an update that leaves the end of a row as it is
 * the server writes no more to the WAL than what comes before.
 */
static void
create_streams(const char *streams)
{
	ds_plan_execute_utility(psprintf(
		"CREATE TABLE %s ("
		"stream pg_catalog.text COLLATE \"C\" PRIMARY KEY, "
		"version pg_catalog.int8 NOT NULL, "
		"revision pg_catalog.int8 NOT NULL, "
		"created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
		"closed_at pg_catalog.timestamptz, "
		"generation pg_catalog.int8 NOT NULL, "
		"transaction_id pg_catalog.xid8 NOT NULL, "
		"properties pg_catalog.jsonb" DS_COMPRESSION " NOT NULL DEFAULT '{}'"
		") WITH (fillfactor = %d)", streams, STREAMS_FILLFACTOR));
}

/* The name of a log to make; 22023 when it is none, 42622 when the companions' names would be cut. */
RangeVar *
ds_log_read_new_name(const char *name)
{
	RangeVar   *result = ds_name_read_new(name, MAX_NAME);

	require_short(result->relname);
	return result;
}

/*
 * Make the tables of a log; returns the table of events, which is the log.
 * Raises what CREATE TABLE raises: 42P07 when a name is taken, 42501 without
 * CREATE on the schema.
 */
Oid
ds_log_create(const RangeVar *name, bool notify)
{
	Oid			schema = RangeVarGetCreationNamespace(name);
	char	   *schema_name = get_namespace_name(schema);
	Oid			log;

	create_events(quote_qualified_identifier(schema_name, name->relname));
	log = get_relname_relid(name->relname, schema);
	ds_log_make_replicate_trigger(log, false);
	create_streams(quote_qualified_identifier(schema_name, ds_log_companion(name->relname, DS_LOG_STREAMS)));
	ds_collection_create(schema, ds_log_companion(name->relname, DS_LOG_CONSUMERS), ds_id_type(TEXTOID));
	if (notify)
		ds_log_make_notify_trigger(log, false);
	return log;
}

/*
 * docstore_internal.notify_log() RETURNS trigger: AFTER INSERT, for each
 * statement
 *
 * Sends NOTIFY docstore with the qualified name of the log.  The server sends
 * equal notifications of a transaction once, when it commits.
 */
Datum
ds_notify_log(PG_FUNCTION_ARGS)
{
	TriggerData *call = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(call->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(call->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(call->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("docstore_internal.notify_log() can only be called by its trigger"),
				 errhint("Pass notify => true to docstore.create_log().")));
	Async_Notify("docstore", ds_name_of(RelationGetRelid(call->tg_relation)));
	PG_RETURN_POINTER(NULL);
}

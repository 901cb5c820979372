/*
 * event_id.c - events that are stored already
 *
 * An event_id is unique in its stream.  An append whose events are all stored
 * already, in that order, is one that is sent again: it succeeds, and is
 * answered with their versions and positions.  If only some are, it is 23505.
 *
 * This is looked at under the head's lock, and before the versions: the first
 * call has made them stale.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "stream/event_id.h"
#include "table/plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

/* An error names at most this many ids. */
#define MAX_NAMED 100

typedef struct Stored
{
	pg_uuid_t	id;				/* hash key: must be first */
	int64		version;
	int64		position;
} Stored;

/*
 * One look into the index for each id.  The range and the order leave no other
 * index to look into: one of all events of the stream, say.
 */
static void
build(const void *context, DsStatementText *text)
{
	const DsLog *log = context;

	text->sql = psprintf("SELECT e.event_id, e.version, e.log_position "
						 "FROM pg_catalog.unnest($2) AS u(id) CROSS JOIN LATERAL ("
						 "SELECT s.event_id, s.version, s.log_position FROM ONLY %s AS s "
						 "WHERE s.stream OPERATOR(pg_catalog.=) $1 "
						 "AND s.event_id OPERATOR(pg_catalog.>=) u.id AND s.event_id OPERATOR(pg_catalog.<=) u.id "
						 "ORDER BY s.event_id LIMIT 1) AS e",
						 ds_name_of(log->events.relid));
	text->parameters = 2;
	text->types[0] = TEXTOID;
	text->types[1] = UUIDARRAYOID;
	text->in_order = true;
}

static Datum
id_array(const DsAppend *append)
{
	Datum	   *ids = palloc(mul_size(append->count, sizeof(Datum)));
	int			count = 0;

	for (int i = 0; i < append->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (append->events[i].has_id)
			ids[count++] = UUIDPGetDatum(&append->events[i].id);
	}
	return PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

/* Those of an item's ids that are stored. */
static HTAB *
find_stored(const DsAppend *append)
{
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(Stored), .hcxt = CurrentMemoryContext};
	HTAB	   *stored = hash_create("docstore stored ids", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Datum		values[] = {append->stream, id_array(append)};
	uint64		rows = ds_plan_run(&append->log->events, (DsPlanKey) {.build = build}, append->log,
								   DS_WRITE_BATCH, values, NULL);

	for (uint64 row = 0; row < rows; row++)
	{
		Stored	   *entry = hash_search(stored, DatumGetUUIDP(ds_plan_datum(row, 1, UUIDOID)), HASH_ENTER, NULL);

		CHECK_FOR_INTERRUPTS();
		entry->version = ds_plan_int64(row, 2);
		entry->position = ds_plan_int64(row, 3);
	}
	SPI_freetuptable(SPI_tuptable);
	return stored;
}

static Stored *
find(HTAB *stored, const DsEvent *event)
{
	return event->has_id ? hash_search(stored, &event->id, HASH_FIND, NULL) : NULL;
}

pg_noreturn static void
refuse_overlap(const DsAppend *append, HTAB *stored)
{
	StringInfoData ids;
	int			named = 0;

	initStringInfo(&ids);
	for (int i = 0; i < append->count && named < MAX_NAMED; i++)
		if (find(stored, &append->events[i]) != NULL)
			appendStringInfo(&ids, "%s%s", named++ > 0 ? ", " : "",
							 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&append->events[i].id))));
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("%s%ld of %d events are stored in stream \"%s\" already", ds_error_item_prefix(append->item),
					hash_get_num_entries(stored), append->count, TextDatumGetCString(append->stream)),
			 errdetail("Stored already: %s%s.", ids.data,
					   hash_get_num_entries(stored) > named ? ", ..." : ""),
			 errhint("Send an append again exactly as it was, or give new events new ids.")));
}

/* Whether all events are stored in that order; they get their places then. */
static bool
take_places(const DsAppend *append, HTAB *stored)
{
	int64		version = 0;

	for (int i = 0; i < append->count; i++)
	{
		const Stored *entry = find(stored, &append->events[i]);

		CHECK_FOR_INTERRUPTS();
		if (entry == NULL || entry->version <= version)
			return false;
		version = entry->version;
		append->events[i].version = entry->version;
		append->events[i].position = entry->position;
	}
	return true;
}

/*
 * Find out whether an append is stored already; 23505, with the ids, where
 * some of its events are and others are not.  Callers hold the lock on the
 * head of the stream, and are connected to SPI.
 */
void
ds_event_ids_find(DsAppend *append)
{
	HTAB	   *stored;

	append->repeats = false;
	if (!ds_append_has_ids(append))
		return;
	stored = find_stored(append);
	if (hash_get_num_entries(stored) > 0)
	{
		if (!take_places(append, stored))
			refuse_overlap(append, stored);
		append->repeats = true;
	}
	hash_destroy(stored);
}

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

/* An id in the stream of a head, and the item that has it. */
typedef struct Given
{
	struct
	{
		const DsHead *head;
		pg_uuid_t	id;
	}			key;			/* hash key: must be first */
	int			item;
} Given;

pg_noreturn static void
refuse_twice(const Given *first, const DsItem *second)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("items %d and %d append the same event_id %s to stream \"%s\"",
					first->item, second->number,
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&first->key.id))),
					TextDatumGetCString(second->id)),
			 errhint("Give each event an id of its own, or none.")));
}

/* No two items append the same id to one stream; within an item, see event.c. */
void
ds_event_ids_require_distinct(const DsBatch *batch)
{
	HASHCTL		control = {.keysize = sizeof(((Given *) NULL)->key), .entrysize = sizeof(Given),
	.hcxt = CurrentMemoryContext};
	HTAB	   *ids;

	if (batch->count == 1)
		return;
	ids = hash_create("docstore given ids", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < batch->count; i++)
	{
		const DsItem *item = &batch->items[i];

		for (int e = 0; e < item->event_count; e++)
		{
			Given		given = {.key = {.head = item->head, .id = item->events[e].id}};
			Given	   *entry;
			bool		found;

			CHECK_FOR_INTERRUPTS();
			if (!item->events[e].has_id)
				continue;
			entry = hash_search(ids, &given.key, HASH_ENTER, &found);
			if (found)
				refuse_twice(entry, item);
			entry->item = item->number;
		}
	}
	hash_destroy(ids);
}

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
						 ds_collection_name(log->events.relid));
	text->parameters = 2;
	text->types[0] = TEXTOID;
	text->types[1] = UUIDARRAYOID;
	text->in_order = true;
}

static Datum
id_array(const DsItem *item)
{
	Datum	   *ids = palloc(mul_size(item->event_count, sizeof(Datum)));
	int			count = 0;

	for (int i = 0; i < item->event_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (item->events[i].has_id)
			ids[count++] = UUIDPGetDatum(&item->events[i].id);
	}
	return PointerGetDatum(construct_array(ids, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

/* Those of an item's ids that are stored. */
static HTAB *
find_stored(const DsItem *item)
{
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(Stored), .hcxt = CurrentMemoryContext};
	HTAB	   *stored = hash_create("docstore stored ids", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Datum		values[] = {item->id, id_array(item)};
	uint64		rows = ds_plan_run(&item->log->events, DS_PLAN_EVENT_IDS, build, item->log,
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
refuse_overlap(const DsItem *item, HTAB *stored)
{
	StringInfoData ids;
	int			named = 0;

	initStringInfo(&ids);
	for (int i = 0; i < item->event_count && named < MAX_NAMED; i++)
		if (find(stored, &item->events[i]) != NULL)
			appendStringInfo(&ids, "%s%s", named++ > 0 ? ", " : "",
							 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&item->events[i].id))));
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("%s%ld of %d events are stored in stream \"%s\" already", ds_item_prefix(item->number),
					hash_get_num_entries(stored), item->event_count, TextDatumGetCString(item->id)),
			 errdetail("Stored already: %s%s.", ids.data,
					   hash_get_num_entries(stored) > named ? ", ..." : ""),
			 errhint("Send an append again just as it was, or give new events new ids.")));
}

/* Whether all events are stored in that order; they get their places then. */
static bool
take_places(const DsItem *item, HTAB *stored)
{
	int64		version = 0;

	for (int i = 0; i < item->event_count; i++)
	{
		const Stored *entry = find(stored, &item->events[i]);

		CHECK_FOR_INTERRUPTS();
		if (entry == NULL || entry->version <= version)
			return false;
		version = entry->version;
		item->events[i].version = entry->version;
		item->events[i].position = entry->position;
	}
	return true;
}

static void
find_ids(DsItem *item)
{
	HTAB	   *stored = find_stored(item);

	if (hash_get_num_entries(stored) > 0)
	{
		if (!take_places(item, stored))
			refuse_overlap(item, stored);
		item->repeats = true;
	}
	hash_destroy(stored);
}

/*
 * Find out which appends of a batch are stored already; 23505, with the ids,
 * where some events of one are and others are not.  Callers hold the locks on
 * the heads, and are connected to SPI.
 */
void
ds_event_ids_find(DsBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		DsItem	   *item = &batch->items[i];

		CHECK_FOR_INTERRUPTS();
		item->repeats = false;
		if (item->op == DS_APPEND_ITEM && item->head->item->present &&
			ds_events_have_ids(item->events, item->event_count))
			find_ids(item);
	}
}

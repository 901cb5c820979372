/*
 * event.c - the events of an append: as JSON, and as rows
 *
 * An event is an object with the key type and, each of them optional, data,
 * metadata, event_id, tags, source_type, stream_type and stream_id.  Everything
 * about it is checked here, before anything is locked but the tables.
 *
 * Nothing is copied: an event points to the bytes of the caller's jsonb, and
 * what is an object there is a jsonb of its own (json.c).
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "fmgr.h"
#include "json/json.h"
#include "miscadmin.h"
#include "stream/event.h"
#include "stream/tags.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

const char *const ds_event_attributes[DS_ATTRIBUTES] = {
	[DS_ATTRIBUTE_SOURCE_TYPE] = "source_type",
	[DS_ATTRIBUTE_STREAM_TYPE] = "stream_type",
	[DS_ATTRIBUTE_STREAM_ID] = "stream_id",
};

/* The event that is read, for messages. */
typedef struct Place
{
	int			item;
	int			event;			/* from 1 */
} Place;

pg_noreturn static void
refuse_event(const Place *place, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sevent %d: %s", ds_error_item_prefix(place->item), place->event, problem),
			 errhint("An event is like {\"type\": \"MoneyDeposited\", \"data\": {\"amount\": 10}}.")));
}

static void
read_type(const Place *place, const JsonbValue *value, DsEvent *event)
{
	if (!ds_json_read_text(value, &event->type))
		refuse_event(place, "\"type\" must be a JSON string that is not empty");
}

static void
read_attribute(const Place *place, const char *key, const JsonbValue *value, DsBytes *attribute)
{
	if (value->type != jbvNull && !ds_json_read_text(value, attribute))
		refuse_event(place, psprintf("\"%s\" must be a JSON string that is not empty, or null", key));
}

static void
read_tags(const Place *place, const JsonbValue *value, DsEvent *event)
{
	const char *problem;

	if (value->type == jbvNull)
		return;
	problem = ds_tags_read(value, &event->tags, &event->tag_count);
	if (problem != NULL)
		refuse_event(place, problem);
	ds_tags_require_short(event->tags, event->tag_count,
						  psprintf("%sevent %d", ds_error_item_prefix(place->item), place->event));
}

static void
read_object(const Place *place, const char *key, const JsonbValue *value, DsBytes *object)
{
	if (ds_json_object(value) == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sevent %d: \"%s\" must be a JSON object%s", ds_error_item_prefix(place->item),
						place->event, key,
						value->type == jbvString ? ", not a JSON string" : ""),
				 value->type == jbvString
				 ? errhint("The client seems to have encoded the JSON twice. Put the object itself into the event.")
				 : errhint("An event is like {\"type\": \"MoneyDeposited\", \"data\": {\"amount\": 10}}.")));
	object->start = (const char *) value->val.binary.data;
	object->length = value->val.binary.len;
}

/* While the server reads an event_id: what is no UUID is a bad argument. */
static void
event_id_error(void *arg)
{
	const Place *place = arg;

	if (!ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	if (place->item == DS_ONLY_ITEM)
		errdetail("It is the \"event_id\" of event %d.", place->event);
	else
		errdetail("It is the \"event_id\" of event %d of item %d.", place->event, place->item);
	errhint("An event_id is a UUID, as a JSON string.");
}

static void
read_event_id(Place *place, const JsonbValue *value, DsEvent *event)
{
	ErrorContextCallback context = {error_context_stack, event_id_error, place};

	if (value->type == jbvNull)
		return;
	if (value->type != jbvString)
		refuse_event(place, "\"event_id\" must be a JSON string");

	error_context_stack = &context;
	event->id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in,
												   CStringGetDatum(pnstrdup(value->val.string.val,
																			value->val.string.len))));
	error_context_stack = context.previous;
	event->has_id = true;
}

/* Take the value of one key of an event. */
static void
read_member(Place *place, const JsonbValue *key, const JsonbValue *value, DsEvent *event)
{
	if (ds_json_string_is(key, "type"))
	{
		read_type(place, value, event);
		return;
	}
	if (ds_json_string_is(key, "data"))
	{
		read_object(place, "data", value, &event->data);
		return;
	}
	if (ds_json_string_is(key, "metadata"))
	{
		if (value->type != jbvNull)
			read_object(place, "metadata", value, &event->metadata);
		return;
	}
	if (ds_json_string_is(key, "event_id"))
	{
		read_event_id(place, value, event);
		return;
	}
	if (ds_json_string_is(key, "tags"))
	{
		read_tags(place, value, event);
		return;
	}
	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		if (ds_json_string_is(key, ds_event_attributes[attribute]))
		{
			read_attribute(place, ds_event_attributes[attribute], value, &event->attributes[attribute]);
			return;
		}
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sevent %d: unknown key %s", ds_error_item_prefix(place->item), place->event, ds_json_quote(key)),
			 errhint("An event has the keys \"type\", \"data\", \"metadata\", \"event_id\", \"tags\", \"source_type\", \"stream_type\" and \"stream_id\".")));
}

static void
read_event(Place *place, const JsonbValue *given, DsEvent *event)
{
	JsonbContainer *object = ds_json_object(given);
	DsJsonWalk	walk;

	if (object == NULL)
		refuse_event(place, "not a JSON object");
	ds_json_walk_begin(&walk, object);
	while (ds_json_walk_next(&walk))
		read_member(place, &walk.key, &walk.value, event);
	if (event->type.start == NULL)
		refuse_event(place, "\"type\" is missing");
}

/* The array of events that is given, which has at least one. */
static JsonbContainer *
require_events(const JsonbValue *given, int item)
{
	JsonbContainer *events = ds_json_array(given);
	bool		is_string = given->type == jbvString;

	if (events == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sevents must be a JSON array of events%s", ds_error_item_prefix(item),
						is_string ? ", not a JSON string" : ""),
				 is_string
				 ? errhint("The client seems to have encoded the JSON twice. Bind the array itself, or bind its text as text and cast it to jsonb.")
				 : errhint("Pass [{\"type\": \"MoneyDeposited\", \"data\": {\"amount\": 10}}, ...].")));
	if (JsonContainerSize(events) == 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%san append needs at least one event", ds_error_item_prefix(item)),
				 errhint("To check a stream without writing to it, use an item with op \"assert\" in docstore.save().")));
	return events;
}

/* Whether any event has an id. */
bool
ds_append_has_ids(const DsAppend *append)
{
	for (int i = 0; i < append->count; i++)
		if (append->events[i].has_id)
			return true;
	return false;
}

pg_noreturn static void
refuse_twice(const DsAppend *append, int first, int second)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sevents %d and %d have the same event_id %s", ds_error_item_prefix(append->item), first, second,
					DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&append->events[first - 1].id)))),
			 errhint("Give each event an id of its own, or none.")));
}

/* No two events of an append have the same id. */
static void
require_distinct_ids(const DsAppend *append)
{
	struct Seen
	{
		pg_uuid_t	id;			/* hash key: must be first */
		int			event;
	}		   *seen;
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(*seen),
	.hcxt = CurrentMemoryContext};
	HTAB	   *ids;

	if (append->count == 1 || !ds_append_has_ids(append))
		return;
	ids = hash_create("docstore event ids", append->count, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < append->count; i++)
	{
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (!append->events[i].has_id)
			continue;
		seen = hash_search(ids, &append->events[i].id, HASH_ENTER, &found);
		if (found)
			refuse_twice(append, seen->event, i + 1);
		seen->event = i + 1;
	}
	hash_destroy(ids);
}

/* A log that was made by an older version has no place for events without a stream: 42809. */
pg_noreturn static void
refuse_streamless(const DsAppend *append)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_LOG),
			 errmsg("%slog \"%s\" has no place for events without a stream", ds_error_item_prefix(append->item),
					ds_name_of(append->log->events.relid)),
			 errdetail("Its columns \"stream\" and \"version\" are NOT NULL, as they were in logs before docstore 0.9.0."),
			 errhint("Its owner changes that with docstore.repair_log(), once no foreign key refers to them.")));
}

/* An id is unique in its stream. */
pg_noreturn static void
refuse_id(const Place *place)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sevent %d: an event without a stream cannot have an \"event_id\"", ds_error_item_prefix(place->item),
					place->event),
			 errhint("An id is unique in its stream. Use docstore.save() with a request_id to send an append again.")));
}

/*
 * Read the events of an append, at least one; 22023 for whatever is wrong with
 * them.  What was given must stay where it is.
 */
void
ds_append_read(const JsonbValue *given, DsAppend *append)
{
	JsonbContainer *events = require_events(given, append->item);
	Place		place = {.item = append->item};
	DsJsonWalk	walk;

	if (append->stream == (Datum) 0 && !append->log->events.event.takes_streamless)
		refuse_streamless(append);
	append->count = JsonContainerSize(events);
	append->events = palloc_extended(mul_size(append->count, sizeof(DsEvent)),
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	ds_json_walk_begin(&walk, events);
	while (ds_json_walk_next(&walk))
	{
		DsEvent    *event = &append->events[place.event++];

		read_event(&place, &walk.value, event);
		if (event->has_id && append->stream == (Datum) 0)
			refuse_id(&place);
		if (event->tag_count > 0 && !ds_log_has_tags(append->log))
			ds_tags_refuse_log(append->log, append->item);
	}
	require_distinct_ids(append);
}

/*
 * As rows
 */

static Datum
text_or_null(const DsBytes *bytes, bool *null)
{
	*null = bytes->start == NULL;
	return *null ? (Datum) 0 : ds_json_text(bytes);
}

static Datum
object_or_null(const DsBytes *bytes, bool *null)
{
	*null = bytes->start == NULL;
	return *null ? (Datum) 0 : JsonbPGetDatum(ds_json_copy(bytes->start, bytes->length));
}

/* The values of an event's row, by DsEventColumn, in the current memory context. */
void
ds_event_form(const DsAppend *append, const DsEvent *event, Datum *values, bool *nulls)
{
	memset(nulls, false, sizeof(bool) * DS_EVENT_COLUMNS);
	values[DS_LOG_POSITION] = Int64GetDatum(event->position);
	values[DS_VERSION] = Int64GetDatum(event->version);
	values[DS_RECORDED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[DS_GENERATION] = Int64GetDatum(append->log->events.feed.current_generation);
	values[DS_TRANSACTION_ID] = UInt64GetDatum(append->transaction_id);
	values[DS_EVENT_ID] = UUIDPGetDatum(&event->id);
	nulls[DS_EVENT_ID] = !event->has_id;
	values[DS_STREAM] = append->stream;
	nulls[DS_STREAM] = nulls[DS_VERSION] = append->stream == (Datum) 0;
	values[DS_TYPE] = text_or_null(&event->type, &nulls[DS_TYPE]);
	values[DS_SOURCE_TYPE] = text_or_null(&event->attributes[DS_ATTRIBUTE_SOURCE_TYPE], &nulls[DS_SOURCE_TYPE]);
	values[DS_STREAM_TYPE] = text_or_null(&event->attributes[DS_ATTRIBUTE_STREAM_TYPE], &nulls[DS_STREAM_TYPE]);
	values[DS_STREAM_ID] = text_or_null(&event->attributes[DS_ATTRIBUTE_STREAM_ID], &nulls[DS_STREAM_ID]);
	values[DS_DATA] = event->data.start == NULL ? ds_json_empty_object()
		: object_or_null(&event->data, &nulls[DS_DATA]);
	values[DS_METADATA] = object_or_null(&event->metadata, &nulls[DS_METADATA]);
	nulls[DS_TAGS] = event->tag_count == 0;
	if (!nulls[DS_TAGS])
		values[DS_TAGS] = ds_json_text_array(event->tags, event->tag_count);
}

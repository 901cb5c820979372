/*
 * stream_item.c - the items of a batch that are about streams and scopes
 *
 *	append			log, stream, events, expected, expected_revision, scopes
 *	create_stream	log, stream, properties
 *	set_properties	log, stream, properties, expected_revision
 *	close_stream	log, stream, expected
 *	assert			log, stream, expected, expected_revision; or log, scope
 *	append_to_log	log, events, scopes
 *
 * The rules of item_reader.c apply.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/stream_item.h"
#include "utils/builtins.h"

pg_noreturn static void
refuse(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_error_item_prefix(item), problem),
			 errhint("An item is like {\"op\": \"append\", \"log\": \"ledger\", \"stream\": \"acc-1\", "
					 "\"events\": [{\"type\": \"MoneyDeposited\", \"data\": {...}}], \"expected\": 1}.")));
}

/* The events of an append: see event.c. */
void
ds_stream_item_set_events(DsItem *item, const JsonbValue *given)
{
	item->append.item = item->number;
	item->append.log = item->log;
	item->append.stream = item->id;
	ds_append_read(given, &item->append);
}

/* The properties that an item gives a stream: an object. */
void
ds_stream_item_set_properties(DsItem *item, const JsonbValue *given)
{
	bool		is_string = given->type == jbvString;

	if (given->type != jbvBinary || !JsonContainerIsObject(given->val.binary.data))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sproperties must be a JSON object%s", ds_error_item_prefix(item->number),
						is_string ? ", not a JSON string" : ""),
				 is_string
				 ? errhint("The client seems to have encoded the JSON twice. Bind the object itself, or bind its text as text and cast it to jsonb.")
				 : errhint("Pass {} for none.")));
	item->data = given->val.binary.data;
	item->data_length = given->val.binary.len;
}

/* The revision that new properties expect; absence is no revision. */
void
ds_stream_item_set_revision(DsItem *item, int64 expected)
{
	if (expected == DS_NO_VERSION)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%snew properties cannot expect absence", ds_error_item_prefix(item->number)),
				 errhint("Pass the revision that was read, -1 or \"any\" for whatever is there, "
						 "or make the stream with create_stream.")));
	item->expected_revision = ds_expectation_in_force(expected);
}

/* Refuse an append that names no stream: it was forgotten, or there is to be none. */
void
ds_stream_item_refuse_no_stream(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_error_item_prefix(item), problem),
			 item == DS_ONLY_ITEM
			 ? errhint("Pass the name of a stream, such as \"acc-1\". Events without a stream are appended with docstore.append_to_log().")
			 : errhint("Pass the name of a stream, such as \"acc-1\". Events without a stream are appended with the op \"append_to_log\".")));
}

static void
read_stream(const JsonbValue *given, DsItem *item)
{
	if (item->op == DS_APPEND_ITEM && (given == NULL || given->type == jbvNull))
		ds_stream_item_refuse_no_stream(item->number, given == NULL ? "\"stream\" is missing" : "\"stream\" must not be null");
	if (given == NULL)
		refuse(item->number, "\"stream\" is missing");
	if (given->type != jbvString)
		refuse(item->number, "\"stream\" must be a JSON string");
	item->id = ds_id_of_stream(cstring_to_text_with_len(given->val.string.val, given->val.string.len), item->number);
}

/* Refuse keys that an op has no use for. */
static void
refuse_key(const DsItem *item, const char *key, const JsonbValue *given)
{
	if (given != NULL)
		ds_item_refuse_keys(item, psprintf("op \"%s\" takes no \"%s\"", ds_op_name(item->op), key));
}

static void
require_key(const DsItem *item, const char *key, const JsonbValue *given)
{
	if (given == NULL)
		ds_item_refuse_keys(item, psprintf("op \"%s\" needs \"%s\"", ds_op_name(item->op), key));
}

static void
read_expected(const JsonbValue *given, DsItem *item)
{
	require_key(item, "expected", given);
	item->expected = ds_expectation_in_force(ds_expectation_from_json(given, item->number));
}

static void
read_revision(const JsonbValue *given, DsItem *item)
{
	if (given != NULL)
		item->expected_revision = ds_expectation_in_force(ds_expectation_from_json(given, item->number));
}

/* The events and scopes of an append, with a stream or without. */
static void
read_events(DsGiven *given, DsItem *item)
{
	refuse_key(item, "scope", given->scope);
	refuse_key(item, "properties", given->properties);
	if (given->events == NULL)
		refuse(item->number, psprintf("op \"%s\" needs \"events\"", ds_op_name(item->op)));
	ds_stream_item_set_events(item, given->events);
	if (given->scopes != NULL && given->scopes->type != jbvNull)
		item->scopes = ds_scopes_read(given->scopes, item->number, &item->scope_count);
}

/* An append may leave out what it expects, as docstore.append() may. */
static void
read_append(DsGiven *given, DsItem *item)
{
	read_events(given, item);
	if (given->expected != NULL)
		read_expected(given->expected, item);
	read_revision(given->expected_revision, item);
}

/* It has no stream, and so nothing can be expected of one. */
static void
read_append_to_log(DsGiven *given, DsItem *item)
{
	refuse_key(item, "stream", given->stream);
	refuse_key(item, "expected", given->expected);
	refuse_key(item, "expected_revision", given->expected_revision);
	read_events(given, item);
}

static void
read_set_properties(DsGiven *given, DsItem *item)
{
	const JsonbValue *revision = given->expected_revision != NULL ? given->expected_revision : given->expected;

	if (given->expected_revision != NULL)
		refuse_key(item, "expected", given->expected);
	require_key(item, "properties", given->properties);
	require_key(item, "expected_revision", revision);
	ds_stream_item_set_properties(item, given->properties);
	ds_stream_item_set_revision(item, ds_expectation_from_json(revision, item->number));
}

static void
read_scope_assert(DsGiven *given, DsItem *item)
{
	if (given->stream != NULL || given->expected != NULL || given->expected_revision != NULL ||
		given->properties != NULL)
		refuse(item->number, "an assert of a scope has the keys \"log\" and \"scope\" only");
	if (given->scope->type != jbvBinary || !JsonContainerIsObject(given->scope->val.binary.data))
		refuse(item->number, "\"scope\" must be a JSON object");
	item->scopes = ds_scopes_read(given->scope, item->number, &item->scope_count);
}

/*
 * Read an item whose op and log are known; 22023 for whatever is wrong with
 * it.  What was given must stay where it is.
 */
void
ds_stream_item_read(DsGiven *given, DsItem *item)
{
	item->expected = DS_ANY_VERSION;
	item->expected_revision = DS_ANY_VERSION;
	if (item->op == DS_APPEND_TO_LOG_ITEM)
	{
		read_append_to_log(given, item);
		return;
	}
	if (item->op != DS_APPEND_ITEM)
	{
		refuse_key(item, "events", given->events);
		refuse_key(item, "scopes", given->scopes);
	}
	if (item->op == DS_ASSERT_ITEM && given->scope != NULL)
	{
		read_scope_assert(given, item);
		return;
	}

	read_stream(given->stream, item);
	if (item->op == DS_APPEND_ITEM)
	{
		read_append(given, item);
		return;
	}
	refuse_key(item, "scope", given->scope);
	if (item->op == DS_SET_PROPERTIES_ITEM)
	{
		read_set_properties(given, item);
		return;
	}
	if (item->op == DS_CREATE_STREAM_ITEM)
	{
		refuse_key(item, "expected", given->expected);
		refuse_key(item, "expected_revision", given->expected_revision);
		if (given->properties != NULL)
			ds_stream_item_set_properties(item, given->properties);
		return;
	}
	refuse_key(item, "properties", given->properties);
	read_expected(given->expected, item);
	if (item->op == DS_CLOSE_STREAM_ITEM)
		refuse_key(item, "expected_revision", given->expected_revision);
	read_revision(given->expected_revision, item);
}

/*
 * item_reader.c - the items of a batch, as JSON
 *
 * An item is an object.  For a document it has the keys op, collection, id,
 * data and expected; of a put, data says all but the op (metadata.c).  Items
 * for streams and scopes are in stream_item.c.  Everything about it is checked
 * here, before anything is locked but the tables: a bad argument never hides
 * behind a conflict.
 *
 * Documents are not copied and not parsed again: the item points to the bytes
 * that stand for the object inside the array, which are a jsonb of their own
 * (jsonb_util.c copies a container in the same way).
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/item_reader.h"
#include "batch/stream_item.h"
#include "document/metadata.h"
#include "json/json.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "table/collection.h"
#include "utils/hsearch.h"

/* Sets of ops. */
#define OP(op) (1U << (op))
#define OF_ROWS (OP(DS_UPSERT_ITEM) | OP(DS_PATCH_ITEM) | OP(DS_DELETE_ITEM))
#define OF_DOCUMENTS (OF_ROWS | OP(DS_PUT_ITEM))
#define OF_LOGS (OP(DS_APPEND_ITEM) | OP(DS_SET_PROPERTIES_ITEM) | OP(DS_CREATE_STREAM_ITEM) | OP(DS_CLOSE_STREAM_ITEM))
#define ASSERT_ITEM OP(DS_ASSERT_ITEM)

/* The keys of an item, and which ops have them. */
static const struct Key
{
	const char *name;
	size_t		offset;
	uint32		ops;
}			keys[] = {
	{"op", offsetof(DsGiven, op), OF_DOCUMENTS | OF_LOGS | ASSERT_ITEM},
	{"collection", offsetof(DsGiven, collection), OF_ROWS | ASSERT_ITEM},
	{"id", offsetof(DsGiven, id), OF_ROWS | ASSERT_ITEM},
	{"data", offsetof(DsGiven, data), OP(DS_UPSERT_ITEM) | OP(DS_PATCH_ITEM) | OP(DS_PUT_ITEM)},
	{"log", offsetof(DsGiven, log), OF_LOGS | ASSERT_ITEM},
	{"stream", offsetof(DsGiven, stream), OF_LOGS | ASSERT_ITEM},
	{"events", offsetof(DsGiven, events), OP(DS_APPEND_ITEM)},
	{"expected", offsetof(DsGiven, expected), OF_ROWS | OP(DS_APPEND_ITEM) | OP(DS_CLOSE_STREAM_ITEM) | ASSERT_ITEM},
	{"expected_revision", offsetof(DsGiven, expected_revision), OP(DS_APPEND_ITEM) | OP(DS_SET_PROPERTIES_ITEM) | ASSERT_ITEM},
	{"scopes", offsetof(DsGiven, scopes), OP(DS_APPEND_ITEM)},
	{"scope", offsetof(DsGiven, scope), ASSERT_ITEM},
	{"properties", offsetof(DsGiven, properties), OP(DS_CREATE_STREAM_ITEM) | OP(DS_SET_PROPERTIES_ITEM)},
};

/* What others call these keys. */
static const struct
{
	const char *word;
	const char *key;
}			other_words[] = {
	{"patch", "data"},
	{"document", "data"},
	{"doc", "data"},
	{"body", "data"},
	{"value", "data"},
	{"version", "expected"},
	{"expected_version", "expected"},
	{"version", "expected_revision"},
	{"revision", "expected_revision"},
	{"table", "collection"},
	{"key", "id"},
	{"event", "events"},
	{"source", "stream"},
};

/* An item as it is read: what others point into. */
typedef struct Given
{
	DsGiven		keys;
	JsonbValue	values[lengthof(keys)];
	DsMetadata	metadata;		/* of a put */
} Given;

/* A collection's name as the items write it; names are looked up once. */
typedef struct NamedCollection
{
	char		name[NAMEDATALEN * 4 + 8];	/* hash key: schema and name, quoted */
	DsCollection *collection;
} NamedCollection;

typedef struct Reader
{
	HTAB	   *by_name;
	NamedCollection *latest;
	List	   *opened;			/* of DsCollection, one for each table */
	List	   *logs;			/* of DsLog, likewise */
} Reader;

#define EXAMPLE "An item is like {\"op\": \"upsert\", \"collection\": \"shops\", \"id\": \"c1\", \"data\": {...}, \"expected\": 1}."

pg_noreturn static void
refuse_item(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_item_prefix(item), problem),
			 errhint(EXAMPLE)));
}

static JsonbValue **
slot(Given *given, const struct Key *key)
{
	return (JsonbValue **) ((char *) &given->keys + key->offset);
}

static JsonbValue **
slot_for_key(Given *given, const JsonbValue *name)
{
	for (size_t i = 0; i < lengthof(keys); i++)
		if (ds_json_string_is(name, keys[i].name))
			return slot(given, &keys[i]);
	return NULL;
}

/* The op of that name, or -1. */
static int
find_op(const JsonbValue *name)
{
	static const DsOp ops[] = {
		DS_UPSERT_ITEM, DS_PUT_ITEM, DS_PATCH_ITEM, DS_DELETE_ITEM, DS_ASSERT_ITEM,
		DS_APPEND_ITEM, DS_SET_PROPERTIES_ITEM, DS_CREATE_STREAM_ITEM, DS_CLOSE_STREAM_ITEM
	};

	for (size_t i = 0; i < lengthof(ops); i++)
		if (name->type == jbvString && ds_json_string_is(name, ds_op_name(ops[i])))
			return ops[i];
	return -1;
}

/* The key that was probably meant by another one, of those that some of these ops have; or NULL. */
static const char *
find_meant(const JsonbValue *given, uint32 ops)
{
	for (size_t i = 0; i < lengthof(keys); i++)
		if ((keys[i].ops & ops) && ds_json_is_like(given, keys[i].name))
			return keys[i].name;
	for (size_t w = 0; w < lengthof(other_words); w++)
		for (size_t i = 0; i < lengthof(keys); i++)
			if ((keys[i].ops & ops) && strcmp(other_words[w].key, keys[i].name) == 0 &&
				ds_json_is_like(given, other_words[w].word))
				return keys[i].name;
	return NULL;
}

/* The keys of an op as a sentence tells them. */
static const char *
list_keys(DsOp op)
{
	StringInfoData list;
	const char *last = NULL;

	initStringInfo(&list);
	for (size_t i = 0; i < lengthof(keys); i++)
	{
		if (!(keys[i].ops & OP(op)))
			continue;
		if (last != NULL)
			appendStringInfo(&list, "%s\"%s\"", list.len > 0 ? ", " : "", last);
		last = keys[i].name;
	}
	appendStringInfo(&list, " and \"%s\"", last);
	return list.data;
}

/* An item whose keys are not those of its op: 22023, with those that are. */
void
ds_item_refuse_keys(const DsItem *item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_item_prefix(item->number), problem),
			 errhint("An item with op \"%s\" has the keys %s.", ds_op_name(item->op), list_keys(item->op))));
}

/* An item without a known op can have meant any key. */
pg_noreturn static void
refuse_key(const JsonbValue *object, const JsonbValue *key, int item)
{
	JsonbValue	name;
	int			op = getKeyJsonValueFromContainer(object->val.binary.data, "op", 2, &name) == NULL ? -1 : find_op(&name);
	const char *meant = find_meant(key, op < 0 ? PG_UINT32_MAX : OP(op));
	const char *question = meant == NULL ? "" : psprintf("Did you mean \"%s\"? ", meant);

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sunknown key %s", ds_item_prefix(item), ds_json_quote(key)),
			 op < 0
			 ? errhint("%s" EXAMPLE, question)
			 : errhint("%sAn item with op \"%s\" has the keys %s.", question, ds_op_name(op), list_keys(op))));
}

/* Take an item apart; unknown keys are 22023. */
static void
read_keys(const JsonbValue *object, int item, Given *given)
{
	JsonbIterator *iterator = JsonbIteratorInit(object->val.binary.data);
	JsonbValue	key;
	int			used = 0;

	memset(&given->keys, 0, sizeof(DsGiven));
	(void) JsonbIteratorNext(&iterator, &key, true);	/* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		JsonbValue **value = slot_for_key(given, &key);

		if (value == NULL)
			refuse_key(object, &key, item);
		*value = &given->values[used++];
		(void) JsonbIteratorNext(&iterator, *value, true);
	}
}

static bool
is_of_other_kind(const struct Key *key, bool for_log)
{
	bool		of_document = (key->ops & OF_DOCUMENTS) != 0;

	return for_log ? of_document && !(key->ops & OF_LOGS) : !of_document;
}

/* Refuse the keys that only items of the other kind have. */
static void
refuse_other_keys(Given *given, bool for_log, const DsItem *item)
{
	for (size_t i = 0; i < lengthof(keys); i++)
		if (is_of_other_kind(&keys[i], for_log) && *slot(given, &keys[i]) != NULL)
			ds_item_refuse_keys(item, psprintf("op \"%s\" takes no \"%s\"%s", ds_op_name(item->op), keys[i].name,
											   item->op == DS_ASSERT_ITEM
											   ? (for_log ? " beside \"log\"" : " without \"log\"") : ""));
}

static DsOp
read_op(const JsonbValue *op, int item)
{
	int			found;

	if (op == NULL)
		refuse_item(item, "\"op\" is missing");
	if (op->type != jbvString)
		refuse_item(item, "\"op\" must be a JSON string");

	found = find_op(op);
	if (found >= 0)
		return found;
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sunknown op %s", ds_item_prefix(item), ds_json_quote(op)),
			 errhint("The ops are \"upsert\", \"put\", \"patch\", \"delete\" and \"assert\", and on streams "
					 "\"append\", \"create_stream\", \"set_properties\", \"close_stream\" and \"assert\".")));
}

/* The description of a table, one for each table however it is called. */
static DsCollection *
open_once(Reader *reader, Oid relid, int item)
{
	ListCell   *cell;
	DsCollection *collection;

	foreach(cell, reader->opened)
	{
		collection = lfirst(cell);
		if (collection->relid == relid)
			return collection;
	}

	collection = palloc(sizeof(DsCollection));
	ds_collection_open(relid, RowExclusiveLock, item, collection);
	ds_collection_prepare(collection);
	reader->opened = lappend(reader->opened, collection);
	return collection;
}

static DsCollection *
read_collection(Reader *reader, const JsonbValue *given, int item)
{
	char		name[sizeof(reader->latest->name)];
	bool		found;

	if (given == NULL)
		refuse_item(item, "\"collection\" is missing");
	if (given->type != jbvString || given->val.string.len == 0)
		refuse_item(item, "\"collection\" must be a JSON string that names a table");
	if ((size_t) given->val.string.len >= sizeof(name))
		refuse_item(item, psprintf("collection name %s... is too long", ds_json_quote(given)));

	memcpy(name, given->val.string.val, given->val.string.len);
	name[given->val.string.len] = '\0';

	if (reader->latest == NULL || strcmp(reader->latest->name, name) != 0)
	{
		reader->latest = hash_search(reader->by_name, name, HASH_ENTER, &found);
		if (!found)
			reader->latest->collection =
				open_once(reader, ds_collection_find(name, RowExclusiveLock, item), item);
	}
	return reader->latest->collection;
}

/* Whether an item of that op may leave out its id and its expected version. */
static bool
may_leave_out(DsOp op)
{
	return op == DS_UPSERT_ITEM || op == DS_PUT_ITEM;
}

static Datum
read_id(const DsItem *item, const JsonbValue *given)
{
	const DsIdType *type = item->collection->id_type;

	if (given == NULL)
	{
		if (!may_leave_out(item->op))
			refuse_item(item->number, "\"id\" is missing");
		return ds_id_generate(type, item->number);
	}
	if (given->type == jbvNull)
		refuse_item(item->number, "id must not be null");
	return ds_id_from_json(type, given, item->number);
}

static int64
read_expected(const DsItem *item, const JsonbValue *given)
{
	int64		expected = ds_expectation_from_json(given, item->number);

	if (given == NULL && !may_leave_out(item->op))
		refuse_item(item->number, psprintf("\"expected\" is missing, which op \"%s\" needs",
										   ds_op_name(item->op)));
	if (item->op == DS_DELETE_ITEM)
		ds_expectation_refuse_absence(expected, item->number);
	return ds_expectation_in_force(expected);
}

/* Refuse data that is missing or no object. */
static void
require_data(const DsItem *item, JsonbValue *given)
{
	if (given == NULL)
		refuse_item(item->number, "\"data\" is missing");
	if (given->type == jbvBinary && JsonContainerIsObject(given->val.binary.data))
		return;
	/* Never an object: this raises, with the hint that fits. */
	ds_json_require_object(JsonbPGetDatum(JsonbValueToJsonb(given)), "data", item->number);
}

static void
read_data(DsItem *item, JsonbValue *given)
{
	if (!ds_op_stores(item->op))
	{
		if (given != NULL)
			ds_item_refuse_keys(item, psprintf("op \"%s\" takes no \"data\"", ds_op_name(item->op)));
		return;
	}
	require_data(item, given);
	item->data = given->val.binary.data;
	item->data_length = given->val.binary.len;
}

pg_noreturn static void
refuse_put_key(const DsItem *item, const char *key)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sop \"put\" takes no \"%s\"", ds_item_prefix(item->number), key),
			 errhint("An item to put is like {\"op\": \"put\", \"data\": ...}, with a document as docstore.get() returns it.")));
}

/* An item to put gives in its document's "@metadata" what others give beside it. */
static void
read_metadata(const DsItem *item, DsGiven *given, DsMetadata *metadata)
{
	if (given->collection != NULL)
		refuse_put_key(item, "collection");
	if (given->id != NULL)
		refuse_put_key(item, "id");
	if (given->expected != NULL)
		refuse_put_key(item, "expected");
	require_data(item, given->data);

	ds_metadata_read(given->data->val.binary.data, item->number, metadata);
	given->collection = metadata->collection;
	given->id = metadata->id;
	given->expected = metadata->version;
}

static void
read_document_item(Reader *reader, Given *given, DsItem *item)
{
	refuse_other_keys(given, false, item);
	if (item->op == DS_PUT_ITEM)
		read_metadata(item, &given->keys, &given->metadata);
	item->collection = read_collection(reader, given->keys.collection, item->number);
	item->id = read_id(item, given->keys.id);
	ds_collection_require_short_id(item->collection, item->id, item->number);
	read_data(item, given->keys.data);
	item->expected = read_expected(item, given->keys.expected);
}

/* The log that an item names, opened once. */
static const DsLog *
read_log(Reader *reader, const JsonbValue *given, int item)
{
	ListCell   *cell;
	DsLog	   *log;
	Oid			relid;

	if (given == NULL)
		refuse_item(item, "\"log\" is missing");
	if (given->type != jbvString || given->val.string.len == 0)
		refuse_item(item, "\"log\" must be a JSON string that names a log");

	relid = ds_log_find(pnstrdup(given->val.string.val, given->val.string.len), RowExclusiveLock, item);
	foreach(cell, reader->logs)
	{
		log = lfirst(cell);
		if (log->events.relid == relid)
			return log;
	}
	log = palloc(sizeof(DsLog));
	ds_log_open(relid, RowExclusiveLock, item, log);
	ds_collection_prepare(&log->streams);
	reader->logs = lappend(reader->logs, log);
	return log;
}

/* Whether an item is about a log. */
static bool
is_for_log(const DsItem *item, const DsGiven *given)
{
	switch (item->op)
	{
		case DS_APPEND_ITEM:
		case DS_SET_PROPERTIES_ITEM:
		case DS_CREATE_STREAM_ITEM:
		case DS_CLOSE_STREAM_ITEM:
			return true;
		default:
			return item->op == DS_ASSERT_ITEM && given->log != NULL;
	}
}

static void
read_item(Reader *reader, JsonbValue *object, DsItem *item)
{
	Given		given;

	if (object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		refuse_item(item->number, "not a JSON object");

	read_keys(object, item->number, &given);
	item->op = read_op(given.keys.op, item->number);
	if (!is_for_log(item, &given.keys))
	{
		read_document_item(reader, &given, item);
		return;
	}
	refuse_other_keys(&given, true, item);
	item->log = read_log(reader, given.keys.log, item->number);
	ds_stream_item_read(&given.keys, item);
}

/* Refuse what is no array; a string in its place has a hint of its own. */
static void
require_array(Jsonb *changes)
{
	bool		is_string = ds_json_is_encoded_twice(changes);

	if (JB_ROOT_IS_ARRAY(changes) && !JB_ROOT_IS_SCALAR(changes))
		return;
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("changes must be a JSON array of items%s",
					is_string ? ", not a JSON string" : ""),
			 is_string
			 ? errhint("The client seems to have encoded the JSON twice: bind the array itself, or its text as type text cast to jsonb.")
			 : errhint("Pass [{\"op\": \"upsert\", ...}, ...], with one item for each document.")));
}

/*
 * Read all items into a new batch, and lock their tables in ROW EXCLUSIVE
 * mode.  changes must stay where it is for as long as the batch.
 */
void
ds_items_read(Jsonb *changes, DsBatch *batch)
{
	HASHCTL		control = {.keysize = sizeof(((NamedCollection *) NULL)->name),
		.entrysize = sizeof(NamedCollection),
	.hcxt = CurrentMemoryContext};
	Reader		reader = {.latest = NULL, .logs = NIL};
	JsonbIterator *iterator;
	JsonbValue	value;

	require_array(changes);
	ds_items_init(batch, JB_ROOT_COUNT(changes));
	reader.by_name = hash_create("docstore names", 16, &control,
								 HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

	iterator = JsonbIteratorInit(&changes->root);
	(void) JsonbIteratorNext(&iterator, &value, true);	/* WJB_BEGIN_ARRAY */
	for (int i = 0; i < batch->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) JsonbIteratorNext(&iterator, &value, true);
		read_item(&reader, &value, &batch->items[i]);
	}
	hash_destroy(reader.by_name);
}

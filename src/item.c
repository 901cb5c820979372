/*
 * item.c - the items of a batch, as JSON
 *
 * An item is an object with the keys op, collection, id, data and expected; of
 * a put, data says all but the op (metadata.c).  Everything about it is checked
 * here, before anything is locked but the tables: a bad argument never hides
 * behind a conflict.
 *
 * Documents are not copied and not parsed again: the item points to the bytes
 * that stand for the object inside the array, which are a jsonb of their own
 * (jsonb_util.c copies a container in the same way).
 */
#include "postgres.h"

#include "collection.h"
#include "document.h"
#include "errors.h"
#include "item.h"
#include "json.h"
#include "metadata.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

/* The values that an item gives; NULL: no such key. */
typedef struct Given
{
	JsonbValue *op;
	JsonbValue *collection;
	JsonbValue *id;
	JsonbValue *data;
	JsonbValue *expected;
	JsonbValue	values[5];
	DsMetadata	metadata;		/* of a put: what others point into */
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
} Reader;

pg_noreturn static void
refuse_item(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_item_prefix(item), problem),
			 errhint("An item is like {\"op\": \"upsert\", \"collection\": \"shops\", \"id\": \"c1\", \"data\": {...}, \"expected\": 1}.")));
}

static JsonbValue **
slot_for_key(Given *given, const JsonbValue *key)
{
	static const struct
	{
		const char *name;
		size_t		offset;
	}			keys[] = {
		{"op", offsetof(Given, op)},
		{"collection", offsetof(Given, collection)},
		{"id", offsetof(Given, id)},
		{"data", offsetof(Given, data)},
		{"expected", offsetof(Given, expected)},
	};

	for (size_t i = 0; i < lengthof(keys); i++)
		if (ds_json_string_is(key, keys[i].name))
			return (JsonbValue **) ((char *) given + keys[i].offset);
	return NULL;
}

/* Take an item apart; unknown keys are 22023. */
static void
read_keys(const JsonbValue *object, int item, Given *given)
{
	JsonbIterator *iterator = JsonbIteratorInit(object->val.binary.data);
	JsonbValue	key;
	int			used = 0;

	memset(given, 0, offsetof(Given, values));
	(void) JsonbIteratorNext(&iterator, &key, true);	/* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		JsonbValue **slot = slot_for_key(given, &key);

		if (slot == NULL)
			refuse_item(item, psprintf("unknown key %s", ds_json_quote(&key)));
		*slot = &given->values[used++];
		(void) JsonbIteratorNext(&iterator, *slot, true);
	}
}

static DsOp
read_op(const JsonbValue *op, int item)
{
	static const DsOp ops[] = {
		DS_UPSERT_ITEM, DS_PUT_ITEM, DS_PATCH_ITEM, DS_DELETE_ITEM, DS_ASSERT_ITEM
	};

	if (op == NULL)
		refuse_item(item, "\"op\" is missing");
	if (op->type != jbvString)
		refuse_item(item, "\"op\" must be a JSON string");

	for (size_t i = 0; i < lengthof(ops); i++)
		if (ds_json_string_is(op, ds_op_name(ops[i])))
			return ops[i];

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sunknown op %s", ds_item_prefix(item), ds_json_quote(op)),
			 errhint("The ops are \"upsert\", \"put\", \"patch\", \"delete\" and \"assert\".")));
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
	ds_collection_find_places(collection);
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
	ds_document_require(JsonbPGetDatum(JsonbValueToJsonb(given)), "data", item->number);
}

static void
read_data(DsItem *item, JsonbValue *given)
{
	if (!ds_op_stores(item->op))
	{
		if (given != NULL)
			refuse_item(item->number, psprintf("op \"%s\" takes no \"data\"", ds_op_name(item->op)));
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
read_metadata(const DsItem *item, Given *given)
{
	if (given->collection != NULL)
		refuse_put_key(item, "collection");
	if (given->id != NULL)
		refuse_put_key(item, "id");
	if (given->expected != NULL)
		refuse_put_key(item, "expected");
	require_data(item, given->data);

	ds_metadata_read(given->data->val.binary.data, item->number, &given->metadata);
	given->collection = given->metadata.collection;
	given->id = given->metadata.id;
	given->expected = given->metadata.version;
}

static void
read_item(Reader *reader, JsonbValue *object, DsItem *item)
{
	Given		given;

	if (object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		refuse_item(item->number, "not a JSON object");

	read_keys(object, item->number, &given);
	item->op = read_op(given.op, item->number);
	if (item->op == DS_PUT_ITEM)
		read_metadata(item, &given);
	item->collection = read_collection(reader, given.collection, item->number);
	item->id = read_id(item, given.id);
	read_data(item, given.data);
	item->expected = read_expected(item, given.expected);
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
	Reader		reader = {.latest = NULL};
	JsonbIterator *iterator;
	JsonbValue	value;

	require_array(changes);
	ds_batch_init(batch, JB_ROOT_COUNT(changes));
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

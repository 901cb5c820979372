/*
 * item_keys.c - the keys of an item, as JSON
 *
 * Which there are, which ops have them, and what was probably meant by one
 * that is not among them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/item_keys.h"
#include "json/json.h"
#include "lib/stringinfo.h"

/* Sets of ops. */
#define OP(op) (1U << (op))
#define OF_ROWS (OP(DS_UPSERT_ITEM) | OP(DS_MERGE_ITEM) | OP(DS_PATCH_ITEM) | OP(DS_DELETE_ITEM))
#define CONDITIONAL (OP(DS_UPSERT_ITEM) | OP(DS_PATCH_ITEM) | OP(DS_DELETE_ITEM))
#define OF_DOCUMENTS (OF_ROWS | OP(DS_PUT_ITEM))
#define OF_STREAMS (OP(DS_APPEND_ITEM) | OP(DS_SET_PROPERTIES_ITEM) | OP(DS_CREATE_STREAM_ITEM) | OP(DS_CLOSE_STREAM_ITEM))
#define APPENDS (OP(DS_APPEND_ITEM) | OP(DS_APPEND_TO_LOG_ITEM))
#define OF_LOGS (OF_STREAMS | APPENDS)
#define ASSERT_ITEM OP(DS_ASSERT_ITEM)

/* A key with the name of its member of DsGiven. */
#define KEY(name) #name, sizeof(#name) - 1, offsetof(DsGiven, name)

/* The keys of an item, and which ops have them. */
static const struct Key
{
	const char *name;
	int			length;			/* of the name */
	size_t		offset;			/* in DsGiven */
	uint32		ops;
}			keys[DS_ITEM_KEYS] = {
	{KEY(op), OF_DOCUMENTS | OF_LOGS | ASSERT_ITEM},
	{KEY(collection), OF_ROWS | ASSERT_ITEM},
	{KEY(id), OF_ROWS | ASSERT_ITEM},
	{KEY(data), OP(DS_UPSERT_ITEM) | OP(DS_MERGE_ITEM) | OP(DS_PATCH_ITEM) | OP(DS_PUT_ITEM)},
	{KEY(log), OF_LOGS | ASSERT_ITEM},
	{KEY(stream), OF_STREAMS | ASSERT_ITEM},
	{KEY(events), APPENDS},
	{KEY(expected), OF_ROWS | OP(DS_APPEND_ITEM) | OP(DS_CLOSE_STREAM_ITEM) | ASSERT_ITEM},
	{KEY(if_contains), CONDITIONAL | ASSERT_ITEM},
	{KEY(base), OP(DS_MERGE_ITEM)},
	{KEY(rules), OP(DS_MERGE_ITEM)},
	{KEY(expected_revision), OP(DS_APPEND_ITEM) | OP(DS_SET_PROPERTIES_ITEM) | ASSERT_ITEM},
	{KEY(scopes), APPENDS},
	{KEY(scope), ASSERT_ITEM},
	{KEY(properties), OP(DS_CREATE_STREAM_ITEM) | OP(DS_SET_PROPERTIES_ITEM)},
};

/* What others call these keys. */
static const struct
{
	const char *word;
	const char *key;
}			other_words[] = {
	{"patch", "data"},
	{"document", "data"},
	{"mine", "data"},
	{"doc", "data"},
	{"body", "data"},
	{"value", "data"},
	{"version", "expected"},
	{"expected_version", "expected"},
	{"version", "expected_revision"},
	{"revision", "expected_revision"},
	{"condition", "if_contains"},
	{"contains", "if_contains"},
	{"table", "collection"},
	{"key", "id"},
	{"event", "events"},
	{"source", "stream"},
};

#define EXAMPLE "An item is like {\"op\": \"upsert\", \"collection\": \"shops\", \"id\": \"c1\", \"data\": {...}, \"expected\": 1}."

/* Whatever else is wrong with an item: 22023. */
void
ds_item_refuse(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s%s", ds_error_item_prefix(item), problem),
			 errhint(EXAMPLE)));
}

/* The op of that name, or -1. */
int
ds_item_find_op(const JsonbValue *name)
{
	for (DsOp op = 0; op < DS_OPS; op++)
		if (name->type == jbvString && ds_json_string_is(name, ds_op_name(op)))
			return op;
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
			 errmsg("%s%s", ds_error_item_prefix(item->number), problem),
			 errhint("An item with op \"%s\" has the keys %s.", ds_op_name(item->op), list_keys(item->op))));
}

/* An item without a known op can have meant any key. */
pg_noreturn static void
refuse_key(const JsonbValue *object, const JsonbValue *key, int item)
{
	JsonbValue	name;
	int			op = ds_json_member(object->val.binary.data, "op", &name) == NULL ? -1 : ds_item_find_op(&name);
	const char *meant = find_meant(key, op < 0 ? PG_UINT32_MAX : OP(op));
	const char *question = meant == NULL ? "" : psprintf("Did you mean \"%s\"? ", meant);

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sunknown key %s", ds_error_item_prefix(item), ds_json_quote(key)),
			 op < 0
			 ? errhint("%s" EXAMPLE, question)
			 : errhint("%sAn item with op \"%s\" has the keys %s.", question, ds_op_name(op), list_keys(op))));
}

static JsonbValue **
slot(DsGiven *given, const struct Key *key)
{
	return (JsonbValue **) ((char *) given + key->offset);
}

static JsonbValue **
find_slot(void *given, const JsonbValue *key)
{
	for (size_t i = 0; i < lengthof(keys); i++)
		if (key->val.string.len == keys[i].length &&
			memcmp(key->val.string.val, keys[i].name, keys[i].length) == 0)
			return slot(given, &keys[i]);
	return NULL;
}

/* Take an item apart; unknown keys are 22023. */
void
ds_item_read_keys(const JsonbValue *object, int item, DsGiven *given)
{
	JsonbValue	unknown;

	if (ds_json_object(object) == NULL)
		ds_item_refuse(item, "not a JSON object");
	memset(given, 0, offsetof(DsGiven, values));
	if (!ds_json_read_members(ds_json_object(object), find_slot, given, given->values, &unknown))
		refuse_key(object, &unknown, item);
}

/* Whether an item is for a log; otherwise it is for a document. */
bool
ds_item_is_for_log(DsOp op, const DsGiven *given)
{
	switch (op)
	{
		case DS_APPEND_ITEM:
		case DS_SET_PROPERTIES_ITEM:
		case DS_CREATE_STREAM_ITEM:
		case DS_CLOSE_STREAM_ITEM:
		case DS_APPEND_TO_LOG_ITEM:
			return true;
		default:
			return op == DS_ASSERT_ITEM && given->log != NULL;
	}
}

static bool
is_of_other_kind(const struct Key *key, bool for_log)
{
	bool		of_document = (key->ops & OF_DOCUMENTS) != 0;

	return for_log ? of_document && !(key->ops & OF_LOGS) : !of_document;
}

/* Refuse the keys that only items of the other kind have, for documents or for logs. */
void
ds_item_refuse_other_keys(const DsItem *item, DsGiven *given)
{
	bool		for_log = ds_item_is_for_log(item->op, given);

	for (size_t i = 0; i < lengthof(keys); i++)
		if (is_of_other_kind(&keys[i], for_log) && *slot(given, &keys[i]) != NULL)
			ds_item_refuse_keys(item, psprintf("op \"%s\" takes no \"%s\"%s", ds_op_name(item->op), keys[i].name,
											   item->op == DS_ASSERT_ITEM
											   ? (for_log ? " beside \"log\"" : " without \"log\"") : ""));
}

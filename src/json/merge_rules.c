/*
 * merge_rules.c - how the values of a document are merged
 *
 * Rules are an object whose keys are paths, JSON Pointers by RFC 6901:
 *
 *	{"/lines": {"key": "sku"}, "/tags": "set", "/stock": "sum", "/address": "atomic"}
 *
 * A path leads through objects, and through the elements of a keyed array, all
 * of which are named by an asterisk: "/lines/.../qty" with that in the middle.
 * All rules are checked before anything is merged, so a rule that could never
 * count is an error whatever the documents are.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "json/json.h"
#include "json/merge_rules.h"
#include "miscadmin.h"

#define RULES_HINT \
	"A rule is \"atomic\", \"set\", \"sum\" or {\"key\": ...}, as in {\"/lines\": {\"key\": \"sku\"}, \"/tags\": \"set\", \"/stock\": \"sum\", \"/address\": \"atomic\"}."

#define PATH_HINT \
	"A path is \"\" for the whole document, or begins with \"/\"; in a key \"~\" is written ~0 and \"/\" is written ~1 (RFC 6901)."

/* Append a key to a path, as RFC 6901 writes it. */
void
ds_merge_path_append(StringInfo path, const JsonbValue *key)
{
	appendStringInfoChar(path, '/');
	for (int i = 0; i < key->val.string.len; i++)
	{
		char		c = key->val.string.val[i];

		if (c == '~')
			appendStringInfoString(path, "~0");
		else if (c == '/')
			appendStringInfoString(path, "~1");
		else
			appendStringInfoChar(path, c);
	}
}

/* The single key of {"key": ...}; false when the rule is no such object. */
static bool
read_key(const JsonbValue *rule, JsonbValue *key)
{
	JsonbContainer *object = ds_json_object(rule);

	return object != NULL && JsonContainerSize(object) == 1 &&
		ds_json_member(object, "key", key) != NULL && key->type == jbvString;
}

/* The rule that a value stands for, DS_MERGE_FIELDS for none. */
static DsMergeRule
read_rule(const JsonbValue *rule, JsonbValue *key)
{
	static const char *const words[] = {
		[DS_MERGE_ATOMIC] = "atomic",
		[DS_MERGE_SET] = "set",
		[DS_MERGE_SUM] = "sum",
	};

	if (rule->type == jbvString)
	{
		for (size_t i = DS_MERGE_ATOMIC; i < lengthof(words); i++)
			if (ds_json_string_is(rule, words[i]))
				return (DsMergeRule) i;
	}
	else if (read_key(rule, key))
		return DS_MERGE_KEYED;
	return DS_MERGE_FIELDS;
}

/* The rule for a path; the key of a keyed array is put into *key. */
DsMergeRule
ds_merge_rules_find(JsonbContainer *rules, const char *path, int length, JsonbValue *key)
{
	JsonbValue	rule;

	if (rules == NULL || getKeyJsonValueFromContainer(rules, path, length, &rule) == NULL)
		return DS_MERGE_FIELDS;
	return read_rule(&rule, key);
}

/* Whether any rule is a sum. */
bool
ds_merge_rules_have_sum(JsonbContainer *rules)
{
	DsJsonWalk	walk;
	JsonbValue	key;

	if (rules == NULL)
		return false;
	ds_json_walk_begin(&walk, rules);
	while (ds_json_walk_next(&walk))
		if (read_rule(&walk.value, &key) == DS_MERGE_SUM)
			return true;
	return false;
}

static bool
is_pointer(const JsonbValue *path)
{
	const char *text = path->val.string.val;
	int			length = path->val.string.len;

	if (length > 0 && text[0] != '/')
		return false;
	for (int i = 0; i < length; i++)
		if (text[i] == '~' && (i + 1 == length || (text[i + 1] != '0' && text[i + 1] != '1')))
			return false;
	return true;
}

/* Whether what follows a path of a keyed array is the element, whichever. */
static bool
names_any_element(const char *rest, int length)
{
	return length >= 2 && rest[1] == DS_MERGE_ANY_ELEMENT[0] && (length == 2 || rest[2] == '/');
}

pg_noreturn static void
refuse(int item, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%srules: %s", ds_error_item_prefix(item), problem),
			 errhint("%s", hint)));
}

/* A path within a value that another rule takes as a whole, or within a keyed array past its elements, leads nowhere. */
static void
check_is_reached(JsonbContainer *rules, const JsonbValue *path, int item)
{
	const char *text = path->val.string.val;

	for (int length = 0; length < path->val.string.len; length++)
	{
		JsonbValue	key;
		DsMergeRule outer;

		CHECK_FOR_INTERRUPTS();
		if (text[length] != '/')
			continue;
		outer = ds_merge_rules_find(rules, text, length, &key);
		if (outer == DS_MERGE_FIELDS ||
			(outer == DS_MERGE_KEYED && names_any_element(text + length, path->val.string.len - length)))
			continue;
		if (outer == DS_MERGE_KEYED)
			refuse(item, psprintf("%s is within a keyed array", ds_json_quote(path)),
				   "The elements of a keyed array are all named \"*\", as in \"/lines/*/tags\".");
		refuse(item, psprintf("%s is within a value that another rule takes as a whole", ds_json_quote(path)),
			   "Leave out one of the two rules.");
	}
}

/*
 * Check rules; 22023 for whatever is wrong with them.  Returns NULL when there
 * are none.
 */
JsonbContainer *
ds_merge_rules_read(Jsonb *rules, int item)
{
	DsJsonWalk	walk;
	JsonbValue	key;

	rules = DatumGetJsonbP(ds_json_require_object(JsonbPGetDatum(rules), "rules", item));
	if (JB_ROOT_COUNT(rules) == 0)
		return NULL;
	ds_json_walk_begin(&walk, &rules->root);
	while (ds_json_walk_next(&walk))
	{
		if (!is_pointer(&walk.key))
			refuse(item, psprintf("%s is not a JSON Pointer", ds_json_quote(&walk.key)), PATH_HINT);
		if (read_rule(&walk.value, &key) == DS_MERGE_FIELDS)
			refuse(item, psprintf("invalid rule for %s", ds_json_quote(&walk.key)), RULES_HINT);
	}
	ds_json_walk_begin(&walk, &rules->root);
	while (ds_json_walk_next(&walk))
		check_is_reached(&rules->root, &walk.key, item);
	return &rules->root;
}

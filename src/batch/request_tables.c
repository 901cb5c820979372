/*
 * request_tables.c - whether a retry means the tables that the first call has written
 *
 * The same changes under another search_path, as a connection pool hands out,
 * can be about other tables.  So each name is looked up again, and has to stand
 * for the table that the stored answer names.  A name that stands for nothing
 * by now cannot be about another table: the table was dropped or renamed, and
 * the answer is still the one that the client waits for.
 *
 * Nothing is locked: the answer is about what was, and writes nothing.
 */
#include "postgres.h"

#include "base/errors.h"
#include "batch/request_tables.h"
#include "catalog/namespace.h"
#include "table/collection.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Begin with the changes of a retry, which are those that were stored. */
void
ds_request_tables_begin(DsRequestTables *retry, const DsRequest *request, Jsonb *changes)
{
	JsonbValue	value;

	memset(retry, 0, sizeof(DsRequestTables));
	retry->request = request;
	retry->items = JsonbIteratorInit(&changes->root);
	(void) JsonbIteratorNext(&retry->items, &value, true);	/* WJB_BEGIN_ARRAY */
}

static JsonbValue *
find(const JsonbValue *object, const char *key)
{
	if (object == NULL || object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		return NULL;
	return getKeyJsonValueFromContainer(object->val.binary.data, key, strlen(key), NULL);
}

/* The name that an item gives its table; NULL when somebody has changed what is stored. */
static char *
name_in(const JsonbValue *item)
{
	JsonbValue *name = find(item, "collection");

	if (name == NULL)
		name = find(item, "log");
	if (name == NULL)
		name = find(find(find(item, "data"), "@metadata"), "collection");
	return name == NULL || name->type != jbvString ? NULL
		: pnstrdup(name->val.string.val, name->val.string.len);
}

/* What a name stands for under the caller's search_path, qualified; NULL: nothing. */
static char *
look_up(const char *name, int item)
{
	Oid			relid = ds_name_find(name, NoLock, item);
	char	   *relation = get_rel_name(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));

	return relation == NULL || schema == NULL ? NULL : quote_qualified_identifier(schema, relation);
}

/*
 * Look at the next item, whose first answer was about that table.  Raises 22023
 * when its name stands for another one now.
 */
void
ds_request_tables_require(DsRequestTables *retry, const text *target)
{
	JsonbValue	item;
	char	   *name;

	if (JsonbIteratorNext(&retry->items, &item, true) != WJB_ELEM || (name = name_in(&item)) == NULL)
		return;
	retry->item++;
	if (retry->name == NULL || strcmp(retry->name, name) != 0)
	{
		retry->name = name;
		retry->meant = look_up(name, retry->item);
	}
	if (retry->meant != NULL && strcmp(retry->meant, text_to_cstring(target)) != 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("request %s was made with other changes", ds_request_id(retry->request)),
				 errdetail("Item %d names \"%s\", which was table \"%s\" then and is \"%s\" now.",
						   retry->item, name, text_to_cstring(target), retry->meant),
				 errhint("Send it with the same search_path, or put the schema into the name of each table.")));
}

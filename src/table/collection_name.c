/*
 * collection_name.c - the names of tables: as callers write and as they read them
 *
 * Names are read like those of SQL, and mean what the caller's search_path says
 * at that moment.  What is shown is qualified, so that it means the same on any
 * path.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/namespace.h"
#include "table/collection.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

typedef struct NameInput
{
	const char *name;
	int			item;
} NameInput;

/* While a name is read: what is no name of a table is a bad argument. */
static void
name_input_error(void *arg)
{
	NameInput  *input = arg;
	int			code = geterrcode();

	if (code != ERRCODE_INVALID_NAME && code != ERRCODE_SYNTAX_ERROR && !ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	if (input->item == DS_ONLY_ITEM)
		errdetail("The name given is \"%s\".", input->name);
	else
		errdetail("Item %d gives the name \"%s\".", input->item, input->name);
	errhint("Write the name as in SQL: shops, sales.shops or \"My Shops\".");
}

/*
 * Read the name of a table as regclass does: dotted, folded to lower case
 * unless quoted.  Raises 22023 when the text is no such name.
 */
RangeVar *
ds_collection_read_name(const char *name, int item)
{
	NameInput	input = {name, item};
	ErrorContextCallback context = {error_context_stack, name_input_error, &input};
	RangeVar   *result;

	error_context_stack = &context;
	result = makeRangeVarFromNameList(stringToQualifiedNameList(name, NULL));
	if (result->catalogname != NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("a table cannot be in another database")));
	error_context_stack = context.previous;
	return result;
}

/* Raise 42P01: nothing has that name. */
void
ds_collection_refuse_unknown(const char *name, int item)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("%scollection \"%s\" does not exist", ds_item_prefix(item), name),
			 errhint("Make it with docstore.create_collection(), or check its spelling and the search_path.")));
}

/*
 * Find the table that the name in an item means under the caller's
 * search_path, and lock it.  Raises 42P01 when there is none, 22023 when the
 * text is no name at all.
 */
Oid
ds_collection_find(const char *name, LOCKMODE lock, int item)
{
	Oid			relid = RangeVarGetRelid(ds_collection_read_name(name, item), lock, true);

	if (!OidIsValid(relid))
		ds_collection_refuse_unknown(name, item);
	return relid;
}

/*
 * The name that results and conflicts show: qualified, and quoted if need be.
 * A relation that is not there, which may have been dropped, has its number.
 */
char *
ds_collection_name(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = name == NULL ? NULL : get_namespace_name(get_rel_namespace(relid));

	return schema == NULL ? psprintf("%u", relid) : quote_qualified_identifier(schema, name);
}

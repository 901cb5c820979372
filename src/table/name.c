/*
 * name.c - the names of tables: as callers write and as they read them
 *
 * Names are read like those of SQL, and mean what the caller's search_path says
 * at that moment.  What is shown is qualified, so that it means the same on any
 * path.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/namespace.h"
#include "table/name.h"
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
ds_name_read(const char *name, int item)
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

/*
 * Find the relation that a name means under the caller's search_path, and lock
 * it; InvalidOid when there is none.  Raises 22023 when the text is no name at
 * all.
 */
Oid
ds_name_find(const char *name, LOCKMODE lock, int item)
{
	return RangeVarGetRelid(ds_name_read(name, item), lock, true);
}

/* Raise 42P01: nothing of that kind has that name. */
void
ds_name_refuse_unknown(const char *kind, const char *name, int item, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("%s%s \"%s\" does not exist", ds_error_item_prefix(item), kind, name),
			 errhint("%s", hint)));
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

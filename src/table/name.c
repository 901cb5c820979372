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
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
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

/* The bytes of the longest part of a name, as SQL reads it: without quotes and spaces around. */
static int
longest_part(const char *name)
{
	bool		quoted = false;
	int			length = 0;
	int			longest = 0;

	for (const char *c = name; *c != '\0'; c++)
	{
		bool		is_doubled = quoted && c[0] == '"' && c[1] == '"';

		if (*c == '"' && !is_doubled)
			quoted = !quoted;
		else if (*c == '.' && !quoted)
			length = 0;
		else if (quoted || !scanner_isspace(*c))
			length++;
		c += is_doubled;
		longest = Max(longest, length);
	}
	return longest;
}

/*
 * The server cuts a name that is too long.  The table would not be found by
 * the name that its maker knows, or two names would mean one table.
 */
static void
require_short(const char *name, int most)
{
	if (longest_part(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s...\" is too long", pnstrdup(name, pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1))),
				 errhint("Choose a name of at most %d bytes.", most)));
}

/*
 * The name of a table to make, with at most that many bytes; 22023 when it is
 * none, 42622 when it is too long for the server.
 */
RangeVar *
ds_name_read_new(const char *name, int most)
{
	RangeVar   *result;

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("name must not be empty"),
				 errhint("Pass the name of the new table, such as 'shops' or 'sales.shops'.")));
	result = ds_name_read(name, DS_ONLY_ITEM);
	require_short(name, most);
	return result;
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
ds_name_of(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = name == NULL ? NULL : get_namespace_name(get_rel_namespace(relid));

	return schema == NULL ? psprintf("%u", relid) : quote_qualified_identifier(schema, name);
}

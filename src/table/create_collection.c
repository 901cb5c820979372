/*
 * create_collection.c - make tables for documents
 *
 * The table is an ordinary one, owned by the caller and no member of the
 * extension, so that pg_dump takes it along.
 *
 * Its defaults: data compressed with lz4 where the server has it, since pglz
 * is most of the cost of writing a large document; a fillfactor that leaves
 * room for the next version on the same page, so that updates stay HOT.
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "table/collection.h"
#include "table/create_collection.h"
#include "table/floor.h"
#include "table/id.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define FILLFACTOR 70

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
ds_collection_read_new_name(const char *name, int most)
{
	RangeVar   *result;

	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("name must not be empty"),
				 errhint("Pass the name of the table to make, as in 'shops' or 'sales.shops'.")));
	result = ds_name_read(name, DS_ONLY_ITEM);
	require_short(name, most);
	return result;
}

/*
 * Make a table for documents, and its floor.  Raises what CREATE TABLE raises:
 * 42P07 when the name is taken, 42501 without CREATE on the schema.
 */
Oid
ds_collection_create(Oid schema, const char *name, const DsIdType *id_type)
{
	Oid			relid;

	ds_plan_execute_utility(psprintf(
		"CREATE TABLE %s ("
		"id %s PRIMARY KEY, "
		"version pg_catalog.int8 NOT NULL DEFAULT 1, "
		"data pg_catalog.jsonb" DS_COMPRESSION " NOT NULL, "
		"created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(), "
		"updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()"
		") WITH (fillfactor = %d)",
		quote_qualified_identifier(get_namespace_name(schema), name),
		format_type_be_qualified(id_type->oid),
		FILLFACTOR));

	relid = get_relname_relid(name, schema);
	ds_floor_create(relid);
	return relid;
}

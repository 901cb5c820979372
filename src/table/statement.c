/*
 * statement.c - what the SQL of all kinds of rows has in common
 *
 * Every row is read, locked and written by one of these texts and by nothing
 * else, so that privileges, row security, triggers, constraints, partitions and
 * generated columns are the server's business.  direct.c does the same where a
 * table needs nothing of that.
 *
 * A hostile search_path must change nothing: names are quoted and qualified,
 * operators are pg_catalog's, parameter types are exact.
 *
 * Lock modes, the strongest that an item will need so that none is upgraded
 * later: SHARE for an assert (KEY SHARE would not stop an update), NO KEY
 * UPDATE for an upsert, so that foreign key checks against the row go on, UPDATE
 * for a delete.  Where another unique index exists an update may change a key,
 * so an upsert takes UPDATE there.
 *
 * The lock order of the statements on many rows is the order of the array: each
 * is looked up, and locked, in a subquery of its own for the rows of one
 * function scan (DS_LISTED), from which an INSERT takes its rows as well;
 * arrays side by side are one scan, ROWS FROM.
 */
#include "postgres.h"

#include "table/name.h"
#include "table/statement.h"

/* How a statement that looks locks the rows t. */
const char *
ds_statement_lock_clause(const DsCollection *collection, DsStatement statement)
{
	switch (statement)
	{
		case DS_LOCK_MANY_FOR_ASSERT:
			return "FOR SHARE OF t";
		case DS_LOCK_FOR_UPSERT:
		case DS_LOCK_MANY_FOR_UPSERT:
			return collection->has_other_unique ? "FOR UPDATE OF t" : "FOR NO KEY UPDATE OF t";
		case DS_LOCK_FOR_DELETE:
		case DS_LOCK_MANY_FOR_DELETE:
			return "FOR UPDATE OF t";
		default:
			return "";
	}
}

/*
 * The table as the target of everything but INSERT: ONLY, as a child by
 * inheritance has ids of its own; partitions are not children in that sense.
 */
char *
ds_statement_target(const DsCollection *collection)
{
	return ds_statement_source(collection, "t");
}

/* The same under another name. */
char *
ds_statement_source(const DsCollection *collection, const char *alias)
{
	return psprintf("%s%s AS %s", collection->partitioned ? "" : "ONLY ",
					ds_name_of(collection->relid), alias);
}

/*
 * What ON CONFLICT of an INSERT is about: the id alone, which is given, or any
 * unique index, where other_unique.c finds out which.  The server cannot be asked
 * about those that are checked later.
 */
const char *
ds_statement_arbiter(const DsCollection *collection, DsStatement statement, const char *id)
{
	if (statement == DS_INSERT_STRICTLY || statement == DS_INSERT_MANY_STRICTLY ||
		!collection->has_other_unique || collection->has_deferrable)
		return id;
	return "";
}

/*
 * Whether a row is the one that was locked: found by its place, it must still
 * have its id, which no index may be asked for then.
 */
char *
ds_statement_same_row(const DsCollection *collection, const char *id)
{
	return psprintf(collection->by_place
					? "t.ctid OPERATOR(pg_catalog.=) u.place AND (%s OPERATOR(pg_catalog.=) u.id) IS TRUE"
					: "%s OPERATOR(pg_catalog.=) u.id", id);
}

/* Set the types of a statement's parameters. */
void
ds_statement_set_types(DsStatementText *text, int parameters, const Oid *types)
{
	text->parameters = parameters;
	memcpy(text->types, types, sizeof(Oid) * parameters);
}

/*
 * statement.c - the SQL that reads, locks and writes documents
 *
 * Every document is read, locked and written by one of these texts and by
 * nothing else, so that privileges, row security, triggers, constraints,
 * partitions and generated columns are the server's business.
 *
 * A hostile search_path must change nothing: names are quoted and qualified,
 * operators are pg_catalog's, parameter types are exact.
 *
 * Lock modes, the strongest that an item will need so that none is upgraded
 * later: SHARE for an assert (KEY SHARE would not stop an update), NO KEY
 * UPDATE for an upsert, so that foreign key checks against the document go
 * on, UPDATE for a delete.  Where another unique index exists an update may
 * change a key, so an upsert takes UPDATE there.
 *
 * The lock order of the statements on many documents is the order of the
 * array: each is looked up, and locked, in a subquery of its own for the rows of
 * one function scan (DS_LISTED), from which an INSERT takes its rows as well;
 * arrays side by side are one scan, ROWS FROM.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "stream/head.h"
#include "table/statement.h"
#include "utils/builtins.h"

#define SAME_ID(other) "t.id OPERATOR(pg_catalog.=) " other

/* A document at the highest version cannot grow: no row, and document.c says why. */
#define CAN_GROW "t.version OPERATOR(pg_catalog.<) 9223372036854775807"
#define NEXT_VERSION "t.version OPERATOR(pg_catalog.+) 1"

/* A BEFORE trigger may have changed what it should not. */
#define RETURNING_WRITTEN(id) " RETURNING t.version, " SAME_ID(id)

#define DOCUMENT_COLUMNS(c) \
	(c)->created_at ? "t.created_at" : "NULL::pg_catalog.timestamptz", \
	(c)->updated_at ? "t.updated_at" : "NULL::pg_catalog.timestamptz"

static const char *
lock_clause(const DsCollection *collection, DsStatement statement)
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
static char *
target(const DsCollection *collection)
{
	return psprintf("%s%s AS t", collection->partitioned ? "" : "ONLY ",
					ds_collection_name(collection->relid));
}

/*
 * What ON CONFLICT of an INSERT is about: the id alone, or any unique index,
 * where insert.c finds out which.  The server cannot be asked about those that
 * are checked later.
 */
const char *
ds_statement_arbiter(const DsCollection *collection, DsStatement statement)
{
	if (statement == DS_INSERT_STRICTLY || statement == DS_INSERT_MANY_STRICTLY ||
		!collection->has_other_unique || collection->has_deferrable)
		return collection->kind == DS_STREAMS ? "(stream)" : "(id)";
	return "";
}

/*
 * before and after stand around the list of values: id, version, data, times.
 * OVERRIDING: the caller's id counts, also where the column is an identity.
 */
static char *
insert_into(const DsCollection *collection, DsStatement statement,
			const char *before, const char *values, const char *after)
{
	return psprintf("INSERT INTO %s AS t (id, version, data%s%s) OVERRIDING SYSTEM VALUE %s%s%s%s%s "
					"ON CONFLICT %s DO NOTHING",
					ds_collection_name(collection->relid),
					collection->created_at ? ", created_at" : "",
					collection->updated_at ? ", updated_at" : "",
					before, values,
					collection->created_at ? ", pg_catalog.now()" : "",
					collection->updated_at ? ", pg_catalog.now()" : "",
					after, ds_statement_arbiter(collection, statement));
}

/*
 * What an update makes of a document.  A patch is merged into the row version
 * that the statement has locked: the server evaluates this again after a wait.
 */
static const char *
new_data(DsStatement statement)
{
	switch (statement)
	{
		case DS_PATCH:
		case DS_PATCH_ANY:
			return "docstore.merge_patch(t.data, $2)";
		case DS_UPDATE_MANY:
			return "u.data";
		case DS_PATCH_MANY:
			return "docstore.merge_patch(t.data, u.data)";
		default:
			return "$2";
	}
}

static char *
update_set(const DsCollection *collection, DsStatement statement)
{
	return psprintf("UPDATE %s SET data = %s, version = " NEXT_VERSION "%s",
					target(collection), new_data(statement),
					collection->updated_at ? ", updated_at = pg_catalog.now()" : "");
}

static void
set_types(DsStatementText *text, int parameters, Oid first, Oid second, Oid third)
{
	text->parameters = parameters;
	text->types[0] = first;
	text->types[1] = second;
	text->types[2] = third;
}

static void
build_for_one(const DsCollection *c, DsStatement statement, DsStatementText *text)
{
	Oid			id = c->id_type->oid;

	switch (statement)
	{
		case DS_UPDATE:
		case DS_PATCH:
			text->sql = psprintf("%s WHERE " SAME_ID("$1") " AND t.version OPERATOR(pg_catalog.=) $3 "
								 "AND " CAN_GROW RETURNING_WRITTEN("$1"),
								 update_set(c, statement));
			set_types(text, 3, id, JSONBOID, INT8OID);
			break;
		case DS_UPDATE_ANY:
		case DS_PATCH_ANY:
			text->sql = psprintf("%s WHERE " SAME_ID("$1") " AND " CAN_GROW RETURNING_WRITTEN("$1"),
								 update_set(c, statement));
			set_types(text, 2, id, JSONBOID, InvalidOid);
			break;
		case DS_INSERT:
		case DS_INSERT_STRICTLY:
			text->sql = psprintf("%s" RETURNING_WRITTEN("$1"),
								 insert_into(c, statement, "VALUES (", "$1, $3, $2", ")"));
			set_types(text, 3, id, JSONBOID, INT8OID);
			break;
		case DS_DELETE:
			text->sql = psprintf("DELETE FROM %s WHERE " SAME_ID("$1")
								 " AND t.version OPERATOR(pg_catalog.=) $2" RETURNING_WRITTEN("$1"),
								 target(c));
			set_types(text, 2, id, INT8OID, InvalidOid);
			break;
		case DS_DELETE_ANY:
			text->sql = psprintf("DELETE FROM %s WHERE " SAME_ID("$1") RETURNING_WRITTEN("$1"),
								 target(c));
			set_types(text, 1, id, InvalidOid, InvalidOid);
			break;
		case DS_LOAD:
			text->sql = psprintf("SELECT t.id, t.version, t.data, %s, %s FROM %s WHERE " SAME_ID("$1")
								 " AND ($2 IS NULL OR t.version OPERATOR(pg_catalog.<>) $2)",
								 DOCUMENT_COLUMNS(c), target(c));
			set_types(text, 2, id, INT8OID, InvalidOid);
			break;
		default:
			text->sql = psprintf("SELECT t.version FROM %s WHERE " SAME_ID("$1") " %s",
								 target(c), lock_clause(c, statement));
			set_types(text, 1, id, InvalidOid, InvalidOid);
			break;
	}
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

/*
 * How the statements that write many find the rows that are locked, still at
 * the version that was compared: a trigger may run in between.  What else the
 * statement has of each row is array $3, if any.
 */
static char *
locked_rows(const DsCollection *c, bool has_data)
{
	return psprintf("ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)%s%s) "
					"WITH ORDINALITY AS u(id, version%s%s, item) "
					"WHERE %s AND t.version OPERATOR(pg_catalog.=) u.version",
					has_data ? ", pg_catalog.unnest($3)" : "",
					!c->by_place ? "" : has_data ? ", pg_catalog.unnest($4)" : ", pg_catalog.unnest($3)",
					has_data ? ", data" : "", c->by_place ? ", place" : "",
					ds_statement_same_row(c, "t.id"));
}

/* The array of places comes last, where there is one. */
static void
add_places(const DsCollection *c, DsStatementText *text)
{
	if (c->by_place)
		text->types[text->parameters++] = TIDARRAYOID;
}

#define RETURNING_MANY " RETURNING u.item, t.version, t.id"

static void
build_for_many(const DsCollection *c, DsStatement statement, DsStatementText *text)
{
	Oid			ids = c->id_type->array_oid;

	switch (statement)
	{
		case DS_UPDATE_MANY:
		case DS_PATCH_MANY:
			text->sql = psprintf("%s FROM %s" RETURNING_MANY, update_set(c, statement), locked_rows(c, true));
			set_types(text, 3, ids, INT8ARRAYOID, JSONBARRAYOID);
			add_places(c, text);
			break;
		case DS_INSERT_MANY:
		case DS_INSERT_MANY_STRICTLY:
			text->sql = psprintf("%s RETURNING t.id, t.version",
								 insert_into(c, statement, "SELECT ", "u.id, $2, u.data",
											 " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($3)) AS u(id, data)"));
			set_types(text, 3, ids, INT8OID, JSONBARRAYOID);
			break;
		case DS_DELETE_MANY:
			text->sql = psprintf("DELETE FROM %s USING %s" RETURNING_MANY, target(c), locked_rows(c, false));
			set_types(text, 2, ids, INT8ARRAYOID, InvalidOid);
			add_places(c, text);
			break;
		case DS_LOAD_MANY:
			text->sql = psprintf("SELECT t.* FROM " DS_LISTED,
								 psprintf("t.id, t.version, t.data, %s, %s", DOCUMENT_COLUMNS(c)),
								 target(c), "t.id", "");
			set_types(text, 1, ids, InvalidOid, InvalidOid);
			break;
		default:
			text->sql = psprintf("SELECT u.item, t.* FROM " DS_LISTED,
								 c->by_place ? "t.version, t.ctid" : "t.version, NULL::pg_catalog.tid",
								 target(c), "t.id", lock_clause(c, statement));
			set_types(text, 1, ids, InvalidOid, InvalidOid);
			break;
	}
}

/* Write the text of a statement on a collection, in the current memory context. */
void
ds_statement_build(const DsCollection *collection, DsStatement statement, DsStatementText *text)
{
	if (collection->kind == DS_STREAMS)
		ds_head_build_statement(collection, statement, lock_clause(collection, statement), text);
	else if (statement < DS_FIND_MANY)
		build_for_one(collection, statement, text);
	else
		build_for_many(collection, statement, text);
}

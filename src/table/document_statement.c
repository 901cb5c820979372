/*
 * document_statement.c - the SQL that reads, locks and writes documents
 *
 * The rules of statement.c apply.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "table/document_statement.h"
#include "table/name.h"

#define SAME_ID(other) "t.id OPERATOR(pg_catalog.=) " other

/* A document at the highest version cannot grow: no row, and row_error.c says why. */
#define CAN_GROW "t.version OPERATOR(pg_catalog.<) 9223372036854775807"
#define NEXT_VERSION "t.version OPERATOR(pg_catalog.+) 1"

/* A BEFORE trigger may have changed what it should not. */
#define RETURNING_WRITTEN(id) " RETURNING t.version, " SAME_ID(id)

#define DOCUMENT_COLUMNS(c) \
	(c)->columns[DS_DOCUMENT_CREATED_AT] ? "t.created_at" : "NULL::pg_catalog.timestamptz", \
	(c)->columns[DS_DOCUMENT_UPDATED_AT] ? "t.updated_at" : "NULL::pg_catalog.timestamptz"

/*
 * before and after stand around the list of values: id, version, data, times.
 * OVERRIDING: the caller's id counts, also where the column is an identity.
 */
static char *
insert_into(const DsCollection *collection, DsStatement statement,
			const char *before, const char *values, const char *after)
{
	bool		has_created_at = collection->columns[DS_DOCUMENT_CREATED_AT] != InvalidAttrNumber;
	bool		has_updated_at = collection->columns[DS_DOCUMENT_UPDATED_AT] != InvalidAttrNumber;

	return psprintf("INSERT INTO %s AS t (id, version, data%s%s) OVERRIDING SYSTEM VALUE %s%s%s%s%s "
					"ON CONFLICT %s DO NOTHING",
					ds_name_of(collection->relid),
					has_created_at ? ", created_at" : "",
					has_updated_at ? ", updated_at" : "",
					before, values,
					has_created_at ? ", pg_catalog.now()" : "",
					has_updated_at ? ", pg_catalog.now()" : "",
					after, ds_statement_arbiter(collection, statement, "(id)"));
}

/*
 * What an update makes of a document.  A patch is merged into the row version
 * that the statement has locked: the server evaluates this again after a wait.
 */
static const char *
new_data(const DsCollection *collection, DsStatement statement)
{
	switch (statement)
	{
		case DS_PATCH:
		case DS_PATCH_ANY:
			return "docstore.merge_patch(t.data, $2)";
		case DS_UPDATE_MANY:
			return collection->by_row ? "$3" : "u.data";
		case DS_PATCH_MANY:
			return collection->by_row ? "docstore.merge_patch(t.data, $3)" : "docstore.merge_patch(t.data, u.data)";
		default:
			return "$2";
	}
}

static char *
update_set(const DsCollection *collection, DsStatement statement)
{
	return psprintf("UPDATE %s SET data = %s, version = " NEXT_VERSION "%s",
					ds_statement_target(collection), new_data(collection, statement),
					collection->columns[DS_DOCUMENT_UPDATED_AT] ? ", updated_at = pg_catalog.now()" : "");
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
			ds_statement_set_types(text, 3, (const Oid[]) {id, JSONBOID, INT8OID});
			break;
		case DS_UPDATE_ANY:
		case DS_PATCH_ANY:
			text->sql = psprintf("%s WHERE " SAME_ID("$1") " AND " CAN_GROW RETURNING_WRITTEN("$1"),
								 update_set(c, statement));
			ds_statement_set_types(text, 2, (const Oid[]) {id, JSONBOID});
			break;
		case DS_INSERT:
		case DS_INSERT_STRICTLY:
			text->sql = psprintf("%s" RETURNING_WRITTEN("$1"),
								 insert_into(c, statement, "VALUES (", "$1, $3, $2", ")"));
			ds_statement_set_types(text, 3, (const Oid[]) {id, JSONBOID, INT8OID});
			break;
		case DS_DELETE:
			text->sql = psprintf("DELETE FROM %s WHERE " SAME_ID("$1")
								 " AND t.version OPERATOR(pg_catalog.=) $2" RETURNING_WRITTEN("$1"),
								 ds_statement_target(c));
			ds_statement_set_types(text, 2, (const Oid[]) {id, INT8OID});
			break;
		case DS_DELETE_ANY:
			text->sql = psprintf("DELETE FROM %s WHERE " SAME_ID("$1") RETURNING_WRITTEN("$1"),
								 ds_statement_target(c));
			ds_statement_set_types(text, 1, (const Oid[]) {id});
			break;
		case DS_LOAD:
			text->sql = psprintf("SELECT t.id, t.version, t.data, %s, %s FROM %s WHERE " SAME_ID("$1")
								 " AND ($2 IS NULL OR t.version OPERATOR(pg_catalog.<>) $2)",
								 DOCUMENT_COLUMNS(c), ds_statement_target(c));
			ds_statement_set_types(text, 2, (const Oid[]) {id, INT8OID});
			break;
		case DS_HOLD:
			text->sql = psprintf("UPDATE %s SET version = t.version WHERE " SAME_ID("$1") " AND t.version OPERATOR(pg_catalog.<) 0",
								 ds_statement_target(c));
			ds_statement_set_types(text, 1, (const Oid[]) {id});
			break;
		case DS_CONTAINS:
			text->sql = psprintf("SELECT (t.data OPERATOR(pg_catalog.@>) $2) IS TRUE FROM %s WHERE " SAME_ID("$1"),
								 ds_statement_target(c));
			ds_statement_set_types(text, 2, (const Oid[]) {id, JSONBOID});
			break;
		default:
			text->sql = psprintf("SELECT t.version FROM %s WHERE " SAME_ID("$1") " %s",
								 ds_statement_target(c), ds_statement_lock_clause(c, statement));
			ds_statement_set_types(text, 1, (const Oid[]) {id});
			break;
	}
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

#define LOCKED_ROW SAME_ID("$1") " AND t.version OPERATOR(pg_catalog.=) $2"
#define RETURNING_ROW " RETURNING 1::pg_catalog.int8, t.version, t.id"

#define RETURNING_MANY " RETURNING u.item, t.version, t.id"

/*
 * The statements on many documents as they are where each has one of its own:
 * the parameters are no arrays, and the answers are the same.  The version is
 * compared once more, as the row could not be found by its place.
 */
static void
build_by_row(const DsCollection *c, DsStatement statement, DsStatementText *text)
{
	Oid			id = c->id_type->oid;

	switch (statement)
	{
		case DS_UPDATE_MANY:
		case DS_PATCH_MANY:
			text->sql = psprintf("%s WHERE " LOCKED_ROW RETURNING_ROW, update_set(c, statement));
			ds_statement_set_types(text, 3, (const Oid[]) {id, INT8OID, JSONBOID});
			break;
		case DS_DELETE_MANY:
			text->sql = psprintf("DELETE FROM %s WHERE " LOCKED_ROW RETURNING_ROW, ds_statement_target(c));
			ds_statement_set_types(text, 2, (const Oid[]) {id, INT8OID});
			break;
		case DS_INSERT_MANY:
		case DS_INSERT_MANY_STRICTLY:
			text->sql = psprintf("%s RETURNING t.id, t.version",
								 insert_into(c, statement, "VALUES (", "$1, $2, $3", ")"));
			ds_statement_set_types(text, 3, (const Oid[]) {id, INT8OID, JSONBOID});
			break;
		default:
			text->sql = psprintf("SELECT 1::pg_catalog.int8, t.version, NULL::pg_catalog.tid FROM %s WHERE " SAME_ID("$1") " %s",
								 ds_statement_target(c), ds_statement_lock_clause(c, statement));
			ds_statement_set_types(text, 1, (const Oid[]) {id});
			break;
	}
}

static void
build_for_many(const DsCollection *c, DsStatement statement, DsStatementText *text)
{
	Oid			ids = c->id_type->array_oid;

	switch (statement)
	{
		case DS_UPDATE_MANY:
		case DS_PATCH_MANY:
			text->sql = psprintf("%s FROM %s" RETURNING_MANY, update_set(c, statement), locked_rows(c, true));
			ds_statement_set_types(text, 3, (const Oid[]) {ids, INT8ARRAYOID, JSONBARRAYOID});
			add_places(c, text);
			break;
		case DS_INSERT_MANY:
		case DS_INSERT_MANY_STRICTLY:
			text->sql = psprintf("%s RETURNING t.id, t.version",
								 insert_into(c, statement, "SELECT ", "u.id, $2, u.data",
											 " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($3)) AS u(id, data)"));
			ds_statement_set_types(text, 3, (const Oid[]) {ids, INT8OID, JSONBARRAYOID});
			break;
		case DS_DELETE_MANY:
			text->sql = psprintf("DELETE FROM %s USING %s" RETURNING_MANY, ds_statement_target(c), locked_rows(c, false));
			ds_statement_set_types(text, 2, (const Oid[]) {ids, INT8ARRAYOID});
			add_places(c, text);
			break;
		case DS_LOAD_MANY:
			text->sql = psprintf("SELECT t.* FROM " DS_LISTED,
								 psprintf("t.id, t.version, t.data, %s, %s", DOCUMENT_COLUMNS(c)),
								 ds_statement_target(c), "t.id", "");
			ds_statement_set_types(text, 1, (const Oid[]) {ids});
			break;
		default:
			text->sql = psprintf("SELECT u.item, t.* FROM " DS_LISTED,
								 c->by_place ? "t.version, t.ctid" : "t.version, NULL::pg_catalog.tid",
								 ds_statement_target(c), "t.id", ds_statement_lock_clause(c, statement));
			ds_statement_set_types(text, 1, (const Oid[]) {ids});
			break;
	}
}

/* Write the text of a statement on documents, in the current memory context. */
void
ds_document_statement_build(const DsCollection *collection, DsStatement statement, DsStatementText *text)
{
	if (statement < DS_FIND_MANY)
		build_for_one(collection, statement, text);
	else if (collection->by_row)
		build_by_row(collection, statement, text);
	else
		build_for_many(collection, statement, text);
}

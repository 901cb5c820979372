/*
 * head_statement.c - the SQL that reads, locks and writes the heads of streams
 *
 * The statements on many documents (statement.h), as they are for heads.
 * Those that look return (item, version, ctid, revision, whether it is closed,
 * generation, transaction_id).  The update takes after the places and versions
 * the growths, whether each is closed, the generation and the transaction ids;
 * the insert takes after the streams the last four of these.  Properties come
 * from docstore.item_data(), which is NULL for a head that keeps its own.
 *
 * The rules of statement.c apply.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "head.h"

#define AT(parameter) "(" parameter ")[u.item::pg_catalog.int4]"

static void
set_types(DsStatementText *text, int parameters, const Oid *types)
{
	text->parameters = parameters;
	memcpy(text->types, types, sizeof(Oid) * parameters);
}

/* Write the text of a statement on heads, in the current memory context. */
void
ds_head_build_statement(const DsCollection *streams, DsStatement statement,
						const char *lock_clause, DsStatementText *text)
{
	const char *name = ds_collection_name(streams->relid);
	const char *only = streams->partitioned ? "" : "ONLY ";

	switch (statement)
	{
		case DS_UPDATE_MANY:
			text->sql = psprintf("UPDATE %s%s AS t SET version = t.version OPERATOR(pg_catalog.+) " AT("$3") ", "
								 "revision = t.revision OPERATOR(pg_catalog.+) 1, "
								 "properties = COALESCE(docstore.item_data(u.item), t.properties), "
								 "closed_at = CASE WHEN " AT("$4") " THEN pg_catalog.clock_timestamp() ELSE t.closed_at END, "
								 "generation = $5, transaction_id = " AT("$6") " "
								 "FROM pg_catalog.unnest($1) WITH ORDINALITY AS u(place, item) "
								 "WHERE %s OPERATOR(pg_catalog.=) u.place AND t.version OPERATOR(pg_catalog.=) " AT("$2") " "
								 "RETURNING u.item, t.version, t.stream",
								 only, name, streams->by_place ? "t.ctid" : "t.stream");
			set_types(text, 6, (const Oid[]) {
				streams->by_place ? TIDARRAYOID : TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
				BOOLARRAYOID, INT8OID, XID8ARRAYOID
			});
			break;
		case DS_INSERT_MANY:
		case DS_INSERT_MANY_STRICTLY:
			text->sql = psprintf("INSERT INTO %s AS t (stream, version, revision, properties, created_at, closed_at, generation, transaction_id) "
								 "SELECT u.id, " AT("$2") ", 1, COALESCE(docstore.item_data(u.item), '{}'), pg_catalog.now(), "
								 "CASE WHEN " AT("$3") " THEN pg_catalog.clock_timestamp() END, $4, " AT("$5") " "
								 "FROM pg_catalog.unnest($1) WITH ORDINALITY AS u(id, item) "
								 "ON CONFLICT %s DO NOTHING RETURNING t.stream, t.version",
								 name, ds_statement_arbiter(streams, statement));
			set_types(text, 5, (const Oid[]) {
				TEXTARRAYOID, INT8ARRAYOID, BOOLARRAYOID, INT8OID, XID8ARRAYOID
			});
			break;
		default:
			text->sql = psprintf("SELECT u.item, t.* FROM " DS_LISTED,
								 psprintf("t.version, %s, t.revision, t.closed_at IS NOT NULL, t.generation, t.transaction_id",
										  streams->by_place ? "t.ctid" : "NULL::pg_catalog.tid"),
								 psprintf("%s%s AS t", only, name), "t.stream", lock_clause);
			set_types(text, 1, (const Oid[]) {TEXTARRAYOID});
			break;
	}
}

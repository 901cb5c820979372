/*
 * head_statement.c - the SQL that reads, locks and writes the heads of streams
 *
 * The statements on many documents (statement.h), as they are for heads.
 * Those that look return (item, version, ctid, revision, whether it is closed,
 * generation, transaction_id).  The insert takes after the streams the growths,
 * whether each is closed, the transaction ids, the properties, NULL for a head
 * that keeps its own, and the generation; the update the versions, too, before
 * the generation.
 *
 * The rules of statement.c apply.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "log/log.h"
#include "stream/head_statement.h"
#include "table/kind.h"
#include "table/name.h"

/* What is written of each head. */
#define ROWS "pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)"
#define COLUMNS "id, growth, closes, transaction_id, properties"

/* Write the text of a statement on heads, in the current memory context. */
static void
build(const DsCollection *streams, DsStatement statement, DsStatementText *text)
{
	switch (statement)
	{
		case DS_UPDATE_MANY:
			text->sql = psprintf("UPDATE %s SET version = t.version OPERATOR(pg_catalog.+) u.growth, "
								 "revision = t.revision OPERATOR(pg_catalog.+) 1, "
								 "properties = COALESCE(u.properties, t.properties), "
								 "closed_at = CASE WHEN u.closes THEN pg_catalog.clock_timestamp() ELSE t.closed_at END, "
								 "generation = $7, transaction_id = u.transaction_id "
								 "FROM ROWS FROM (" ROWS ", pg_catalog.unnest($6)%s) "
								 "WITH ORDINALITY AS u(" COLUMNS ", version%s, item) "
								 "WHERE %s AND t.version OPERATOR(pg_catalog.=) u.version "
								 "RETURNING u.item, t.version, t.stream",
								 ds_statement_target(streams), streams->by_place ? ", pg_catalog.unnest($8)" : "",
								 streams->by_place ? ", place" : "", ds_statement_same_row(streams, "t.stream"));
			ds_statement_set_types(text, streams->by_place ? 8 : 7, (const Oid[]) {
				TEXTARRAYOID, INT8ARRAYOID, BOOLARRAYOID, XID8ARRAYOID, JSONBARRAYOID, INT8ARRAYOID, INT8OID,
				TIDARRAYOID
			});
			break;
		case DS_INSERT_MANY:
		case DS_INSERT_MANY_STRICTLY:
			text->sql = psprintf("INSERT INTO %s AS t (stream, version, revision, properties, created_at, closed_at, generation, transaction_id) "
								 "SELECT u.id, u.growth, 1, COALESCE(u.properties, '{}'), pg_catalog.now(), "
								 "CASE WHEN u.closes THEN pg_catalog.clock_timestamp() END, $6, u.transaction_id "
								 "FROM ROWS FROM (" ROWS ") AS u(" COLUMNS ") "
								 "ON CONFLICT %s DO NOTHING RETURNING t.stream, t.version",
								 ds_name_of(streams->relid), ds_statement_arbiter(streams, statement, "(stream)"));
			ds_statement_set_types(text, 6, (const Oid[]) {
				TEXTARRAYOID, INT8ARRAYOID, BOOLARRAYOID, XID8ARRAYOID, JSONBARRAYOID, INT8OID
			});
			break;
		default:
			text->sql = psprintf("SELECT u.item, t.* FROM " DS_LISTED,
								 psprintf("t.version, %s, t.revision, t.closed_at IS NOT NULL, t.generation, t.transaction_id",
										  streams->by_place ? "t.ctid" : "NULL::pg_catalog.tid"),
								 ds_statement_target(streams), "t.stream", ds_statement_lock_clause(streams, statement));
			ds_statement_set_types(text, 1, (const Oid[]) {TEXTARRAYOID});
			break;
	}
}

static const DsKindRoutine kind = {
	.recognise = ds_log_recognise_streams,
	.build = build,
	.left_empty = 1 << DS_HEAD_CLOSED_AT,
	.found_by_name = true,
	.row = "stream",
	.table = "table",
};

/* Say what tables of streams are. */
void
ds_head_statement_init(void)
{
	ds_kind_register(DS_STREAMS, &kind);
}

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

#include "table/collection.h"
#include "table/create_collection.h"
#include "table/floor.h"
#include "table/id.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define FILLFACTOR 70

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

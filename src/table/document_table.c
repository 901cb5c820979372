/*
 * document_table.c - the tables that are collections
 *
 * A table is one when it has the columns id (of an id type), version bigint NOT
 * NULL and data jsonb, and a primary key on id alone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "table/catalogue.h"
#include "table/document_statement.h"
#include "table/document_table.h"
#include "table/floor.h"
#include "table/kind.h"
#include "table/tracking.h"

/*
 * Describe a collection, or list what it lacks.  Two ids must never be equal to
 * the server while their bytes differ.
 */
static void
recognise(DsCollection *collection, StringInfo missing)
{
	Oid			relid = collection->relid;
	DsColumn	id;
	DsColumn	version;

	collection->id_type = ds_catalogue_column(relid, "id", &id) ? ds_id_type(id.type) : NULL;
	if (collection->id_type == NULL || id.is_generated)
		ds_kind_lacks(missing, "a column \"id\" of type text, uuid, bigint or integer");
	else if (!ds_catalogue_is_deterministic(id.collation))
		ds_kind_lacks(missing, "a deterministic collation of column \"id\"");

	collection->version = ds_kind_column(relid, "version", INT8OID);
	if (!ds_catalogue_column(relid, "version", &version) || !version.is_not_null ||
		collection->version == InvalidAttrNumber)
		ds_kind_lacks(missing, "a column \"version\" of type bigint NOT NULL");
	else if (version.is_always_identity)
		ds_kind_lacks(missing, "a column \"version\" that takes values: it is GENERATED ALWAYS AS IDENTITY");
	collection->data = ds_kind_column(relid, "data", JSONBOID);
	if (collection->data == InvalidAttrNumber)
		ds_kind_lacks(missing, "a column \"data\" of type jsonb");

	collection->id = id.number;
	ds_kind_find_key(collection, "id", missing);
	collection->columns[DS_DOCUMENT_ID] = collection->id;
	collection->columns[DS_DOCUMENT_VERSION] = collection->version;
	collection->columns[DS_DOCUMENT_DATA] = collection->data;
	collection->columns[DS_DOCUMENT_CREATED_AT] = ds_kind_column(relid, "created_at", TIMESTAMPTZOID);
	collection->columns[DS_DOCUMENT_UPDATED_AT] = ds_kind_column(relid, "updated_at", TIMESTAMPTZOID);
}

static void
describe(Relation rel, DsCollection *collection)
{
	collection->document.history = ds_tracking_history(rel);
	ds_floor_describe(collection);
}

static const DsKindRoutine kind = {
	.recognise = recognise,
	.describe = describe,
	.build = ds_document_statement_build,
	.row = "document",
	.table = "collection",
};

void
ds_document_table_init(void)
{
	ds_kind_register(DS_DOCUMENTS, &kind);
}

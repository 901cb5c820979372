/*
 * item_reader.c - the items of a batch, as JSON
 *
 * An item is an object, for a document (document_item.c), or for a stream or
 * scope (stream_item.c).  Everything about it is checked here, before anything
 * is locked but the tables: a bad argument never hides behind a conflict.
 *
 * Documents are not copied and not parsed again: the item points to the bytes
 * that stand for the object inside the array, which are a jsonb of their own
 * (jsonb_util.c copies a container in the same way).
 */
#include "postgres.h"

#include "base/errors.h"
#include "batch/document_item.h"
#include "batch/item_reader.h"
#include "batch/stream_item.h"
#include "json/json.h"

static DsOp
read_op(const JsonbValue *op, int item)
{
	int			found;

	if (op == NULL)
		ds_item_refuse(item, "\"op\" is missing");
	if (op->type != jbvString)
		ds_item_refuse(item, "\"op\" must be a JSON string");

	found = ds_item_find_op(op);
	if (found >= 0)
		return found;
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sunknown op %s", ds_error_item_prefix(item), ds_json_quote(op)),
			 errhint("The ops are \"upsert\", \"put\", \"merge\", \"patch\", \"delete\" and \"assert\", and on streams "
					 "\"append\", \"create_stream\", \"set_properties\", \"close_stream\" and \"assert\", and on logs \"append_to_log\".")));
}

static void
read_item(DsItemTables *tables, const JsonbValue *object, DsItem *item)
{
	DsGiven		given;

	ds_item_read_keys(object, item->number, &given);
	item->op = read_op(given.op, item->number);
	ds_item_refuse_other_keys(item, &given);
	if (!ds_item_is_for_log(item->op, &given))
	{
		ds_document_item_read(tables, &given, item);
		return;
	}
	item->log = ds_item_tables_log(tables, given.log, item->number);
	ds_stream_item_read(&given, item);
}

/* Refuse what is no array; a string in its place has a hint of its own. */
static void
require_array(Jsonb *changes)
{
	bool		is_string = ds_json_is_encoded_twice(changes);

	if (JB_ROOT_IS_ARRAY(changes) && !JB_ROOT_IS_SCALAR(changes))
		return;
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("changes must be a JSON array of items%s",
					is_string ? ", not a JSON string" : ""),
			 is_string
			 ? errhint("The client seems to have encoded the JSON twice. Bind the array itself, or bind its text as text and cast it to jsonb.")
			 : errhint("Pass [{\"op\": \"upsert\", ...}, ...], with one item for each document.")));
}

/*
 * Read all items into a new batch, and lock their tables in ROW EXCLUSIVE
 * mode.  changes must stay where it is for as long as the batch.
 */
void
ds_items_read(Jsonb *changes, DsBatch *batch)
{
	DsItemTables tables;
	DsJsonWalk	walk;

	require_array(changes);
	ds_items_init(batch, JB_ROOT_COUNT(changes));
	ds_item_tables_begin(&tables);

	ds_json_walk_begin(&walk, &changes->root);
	for (int i = 0; ds_json_walk_next(&walk); i++)
		read_item(&tables, &walk.value, &batch->items[i]);
	ds_item_tables_end(&tables);
}

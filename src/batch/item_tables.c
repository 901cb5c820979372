/*
 * item_tables.c - the tables that items name
 */
#include "postgres.h"

#include "batch/item_keys.h"
#include "batch/item_tables.h"
#include "json/json.h"

/* A collection's name as the items write it; names are looked up once. */
typedef struct NamedCollection
{
	char		name[NAMEDATALEN * 4 + 8];	/* hash key: schema and name, quoted */
	DsCollection *collection;
} NamedCollection;

/* Begin with none. */
void
ds_item_tables_begin(DsItemTables *tables)
{
	HASHCTL		control = {.keysize = sizeof(((NamedCollection *) NULL)->name),
		.entrysize = sizeof(NamedCollection),
	.hcxt = CurrentMemoryContext};

	memset(tables, 0, sizeof(DsItemTables));
	tables->by_name = hash_create("docstore names", 16, &control,
								  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* Forget the names; the tables stay open. */
void
ds_item_tables_end(DsItemTables *tables)
{
	hash_destroy(tables->by_name);
}

/* The description of a table, one for each table however it is called. */
static DsCollection *
open_once(DsItemTables *tables, Oid relid, int item)
{
	ListCell   *cell;
	DsCollection *collection;

	foreach(cell, tables->opened)
	{
		collection = lfirst(cell);
		if (collection->relid == relid)
			return collection;
	}

	collection = palloc(sizeof(DsCollection));
	ds_collection_open(relid, RowExclusiveLock, item, collection);
	ds_collection_prepare(collection);
	tables->opened = lappend(tables->opened, collection);
	return collection;
}

/* The collection that an item names, locked in ROW EXCLUSIVE mode. */
const DsCollection *
ds_item_tables_collection(DsItemTables *tables, const JsonbValue *given, int item)
{
	char		name[sizeof(tables->latest->name)];
	bool		found;

	if (given == NULL)
		ds_item_refuse(item, "\"collection\" is missing");
	if (given->type != jbvString || given->val.string.len == 0)
		ds_item_refuse(item, "\"collection\" must be a JSON string that names a table");
	if ((size_t) given->val.string.len >= sizeof(name))
		ds_item_refuse(item, psprintf("collection name %s... is too long", ds_json_quote(given)));

	memcpy(name, given->val.string.val, given->val.string.len);
	name[given->val.string.len] = '\0';

	if (tables->latest == NULL || strcmp(tables->latest->name, name) != 0)
	{
		tables->latest = hash_search(tables->by_name, name, HASH_ENTER, &found);
		if (!found)
			tables->latest->collection =
				open_once(tables, ds_collection_find(name, RowExclusiveLock, item), item);
	}
	return tables->latest->collection;
}

/* The log that an item names; both its tables are locked. */
const DsLog *
ds_item_tables_log(DsItemTables *tables, const JsonbValue *given, int item)
{
	ListCell   *cell;
	DsLog	   *log;
	Oid			relid;

	if (given == NULL)
		ds_item_refuse(item, "\"log\" is missing");
	if (given->type != jbvString || given->val.string.len == 0)
		ds_item_refuse(item, "\"log\" must be a JSON string that names a log");

	relid = ds_log_find(pnstrdup(given->val.string.val, given->val.string.len), RowExclusiveLock, item);
	foreach(cell, tables->logs)
	{
		log = lfirst(cell);
		if (log->events.relid == relid)
			return log;
	}
	log = palloc(sizeof(DsLog));
	ds_log_open(relid, RowExclusiveLock, item, log);
	ds_collection_prepare(&log->streams);
	tables->logs = lappend(tables->logs, log);
	return log;
}

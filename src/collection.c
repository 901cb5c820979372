/*
 * collection.c - recognise the tables that docstore works on
 *
 * There is no registry: the table is the collection.  A table is one when it
 * has the columns id (of an id type), version bigint NOT NULL and data jsonb,
 * and a primary key on id alone.  What was seen is kept for each relation in
 * this backend, until the relation cache says that something about the table
 * has changed.
 *
 * The callback only marks; entries are looked at again under a lock on the
 * table, so a description is true for as long as that lock is held.  Column
 * positions are not kept, as statements go by names (statement.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "catalogue.h"
#include "collection.h"
#include "commands/trigger.h"
#include "compat.h"
#include "distributed.h"
#include "engine.h"
#include "errors.h"
#include "feed.h"
#include "floor.h"
#include "log.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* More than this many remembered tables: forget them all and begin again. */
#define MAX_REMEMBERED 4096

typedef struct Remembered
{
	DsCollection collection;	/* relid, the hash key, is its first field */
	bool		valid;
} Remembered;

static HTAB *remembered = NULL;

/* How often the callback was called. */
static uint64 changes = 0;

/* Relation cache invalidation: mark one table, or all when relid is 0. */
static void
collection_changed(pg_attribute_unused() Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	Remembered *entry;

	changes++;
	if (remembered == NULL)
		return;

	if (OidIsValid(relid))
	{
		entry = hash_search(remembered, &relid, HASH_FIND, NULL);
		if (entry != NULL)
			entry->valid = false;
		return;
	}

	hash_seq_init(&scan, remembered);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->valid = false;
}

void
ds_collection_init(void)
{
	CacheRegisterRelcacheCallback(collection_changed, (Datum) 0);
}

/* The number of a column of that name and type that is to be given a value, or 0. */
AttrNumber
ds_collection_column(Oid relid, const char *name, Oid type)
{
	DsColumn	column;

	return ds_catalogue_column(relid, name, &column) && column.type == type && !column.is_generated
		? column.number : InvalidAttrNumber;
}

/* Note one thing that a table lacks. */
void
ds_collection_lacks(StringInfo missing, const char *what)
{
	appendStringInfo(missing, "%s%s", missing->len > 0 ? ", " : "", what);
}

/*
 * Look at the table's indexes: whether its primary key is a usable one on id
 * alone, and whether any other constraint makes rows wait for each other.
 */
static void
inspect_indexes(DsCollection *collection)
{
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(collection->relid))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT((HeapTuple) lfirst(cell));

		if (!index->indisprimary)
			collection->has_other_unique |= index->indisunique || index->indisexclusion;
		else if (index->indnkeyatts == 1 && index->indkey.values[0] == collection->id &&
				 index->indimmediate && index->indisvalid)
			collection->key = index->indexrelid;
	}
}

/*
 * Describe a collection in *collection, or list what it lacks in missing.  Two
 * ids must never be equal to the server while their bytes differ.
 */
static void
inspect_documents(DsCollection *collection, StringInfo missing)
{
	Oid			relid = collection->relid;
	DsColumn	id;
	DsColumn	version;

	collection->id_type = ds_catalogue_column(relid, "id", &id) ? ds_id_type(id.type) : NULL;
	if (collection->id_type == NULL || id.is_generated)
		ds_collection_lacks(missing, "a column \"id\" of type text, uuid, bigint or integer");
	else if (!ds_catalogue_is_deterministic(id.collation))
		ds_collection_lacks(missing, "a deterministic collation of column \"id\"");

	collection->version = ds_collection_column(relid, "version", INT8OID);
	if (!ds_catalogue_column(relid, "version", &version) || !version.is_not_null ||
		collection->version == InvalidAttrNumber)
		ds_collection_lacks(missing, "a column \"version\" of type bigint NOT NULL");
	else if (version.is_always_identity)
		ds_collection_lacks(missing, "a column \"version\" that takes values: it is GENERATED ALWAYS AS IDENTITY");
	collection->data = ds_collection_column(relid, "data", JSONBOID);
	if (collection->data == InvalidAttrNumber)
		ds_collection_lacks(missing, "a column \"data\" of type jsonb");

	collection->id = id.number;
	inspect_indexes(collection);
	if (!OidIsValid(collection->key))
		ds_collection_lacks(missing, "a primary key on \"id\" alone that is not deferrable");
	collection->created_at = ds_collection_column(relid, "created_at", TIMESTAMPTZOID);
	collection->updated_at = ds_collection_column(relid, "updated_at", TIMESTAMPTZOID);
}

/* Describe a log's table of streams, or list what it lacks. */
static void
inspect_streams(DsCollection *collection, StringInfo missing)
{
	ds_log_inspect_streams(collection, missing);
	inspect_indexes(collection);
	if (!OidIsValid(collection->key))
		ds_collection_lacks(missing, "a primary key on \"stream\" alone that is not deferrable");
}

pg_noreturn static void
refuse_table(Oid relid, int item, const char *detail)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("%s\"%s\" is not a collection", ds_item_prefix(item), ds_collection_name(relid)),
			 errdetail("%s", detail),
			 errhint("docstore.create_collection() makes a table that is one.")));
}

/* Whether a trigger can undo or change a write; those for replicas are docstore's (feed.c). */
static bool
has_before_triggers(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_BEFORE(trigger->tgtype) && TRIGGER_FOR_ROW(trigger->tgtype) &&
			trigger->tgenabled != TRIGGER_FIRES_ON_REPLICA)
			return true;
	}
	return false;
}

/*
 * The rule: describe a table in *collection; what keeps it from being one of
 * that kind, or NULL.  It needs no lock on the table, see catalogue.c.
 */
static const char *
look_at(Oid relid, DsKind kind, DsCollection *collection)
{
	char		relkind = get_rel_relkind(relid);
	StringInfoData missing;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		return "It is not an ordinary or partitioned table.";
	if (ds_catalogue_has_rules(relid))
		return "It has rules, which do not go with ON CONFLICT and RETURNING.";

	initStringInfo(&missing);
	memset(collection, 0, sizeof(DsCollection));
	collection->relid = relid;
	collection->kind = kind;
	collection->partitioned = relkind == RELKIND_PARTITIONED_TABLE;
	switch (kind)
	{
		case DS_DOCUMENTS:
			inspect_documents(collection, &missing);
			break;
		case DS_STREAMS:
			inspect_streams(collection, &missing);
			break;
		case DS_EVENTS:
			ds_log_inspect_events(collection, &missing);
			break;
	}
	return missing.len > 0 ? psprintf("It lacks %s.", missing.data) : NULL;
}

/* Add what else there is to know of a table that is locked. */
static void
describe(DsCollection *collection)
{
	Relation	rel = relation_open(collection->relid, NoLock);

	collection->has_before_triggers = has_before_triggers(rel);
	collection->distributed = ds_distributed_is(collection->relid);
	if (collection->kind == DS_DOCUMENTS)
	{
		collection->floor = ds_floor_find(collection->relid);
		collection->hides_floor = ds_distributed_hides_floor(collection->relid);
	}
	if (collection->kind == DS_EVENTS)
		collection->current_generation = ds_feed_find_generation(rel, collection->feed);
	ds_engine_describe(rel, collection);
	relation_close(rel, NoLock);
}

pg_noreturn static void
refuse_unknown(const char *name, int item)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("%scollection \"%s\" does not exist", ds_item_prefix(item), name),
			 errhint("Make it with docstore.create_collection(), or check its spelling and the search_path.")));
}

/* The entry for relid, made when there is none; its valid flag says more. */
static Remembered *
recall(Oid relid)
{
	Remembered *entry;
	bool		found;

	if (remembered != NULL && hash_get_num_entries(remembered) > MAX_REMEMBERED)
	{
		hash_destroy(remembered);
		remembered = NULL;
	}
	if (remembered == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Remembered)};

		remembered = hash_create("docstore collections", 64, &control, HASH_ELEM | HASH_BLOBS);
	}

	entry = hash_search(remembered, &relid, HASH_ENTER, &found);
	if (!found)
		entry->valid = false;
	return entry;
}

/*
 * Keep a description.  The entry is looked up only now, as to describe a table
 * may have dropped the whole hash table.  It serves this call only when
 * something has changed while the table was described: who reads holds a lock
 * that lets others make a trigger or an index.
 */
static Remembered *
remember(const DsCollection *collection, uint64 changes_before)
{
	Remembered *entry = recall(collection->relid);

	entry->collection = *collection;
	entry->valid = changes == changes_before;
	return entry;
}

/*
 * The entry of a table that is locked, described anew if need be; NULL, with
 * the obstacle, when it is not of that kind.  What is not is looked at again
 * each time.
 */
static Remembered *
current(Oid relid, DsKind kind, const char **obstacle)
{
	Remembered *entry = recall(relid);
	DsCollection collection;
	uint64		changes_before = changes;

	if (entry->valid && entry->collection.kind == kind)
		return entry;

	*obstacle = look_at(relid, kind, &collection);
	if (*obstacle != NULL)
		return NULL;
	describe(&collection);
	return remember(&collection, changes_before);
}

/* The same, of a collection; raises 42P01 or 42809 when it is none. */
static Remembered *
current_collection(Oid relid, int item)
{
	const char *obstacle = NULL;
	Remembered *entry;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		refuse_unknown(psprintf("%u", relid), item);
	entry = current(relid, DS_DOCUMENTS, &obstacle);
	if (entry == NULL)
		refuse_table(relid, item, obstacle);
	return entry;
}

/*
 * Lock a table for the rest of the transaction and describe it; item is the
 * one that names it, for messages.
 *
 * Raises 42P01 when there is no such table, 42809 with a list of what it
 * lacks when it is no collection.
 *
 * CAUTION: lock first, look second.  Taking the lock handles the pending
 * invalidations, and holding it keeps what the entry says true.
 */
void
ds_collection_open(Oid relid, LOCKMODE lock, int item, DsCollection *collection)
{
	LockRelationOid(relid, lock);
	*collection = current_collection(relid, item)->collection;
}

/*
 * Lock a table and describe it as one of any kind; false, with what stands in
 * the way, when it is not of that kind.  The table must be there.
 */
bool
ds_collection_open_as(Oid relid, DsKind kind, LOCKMODE lock, DsCollection *collection,
					  const char **obstacle)
{
	Remembered *entry;

	LockRelationOid(relid, lock);
	*obstacle = "It has just been dropped.";
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return false;
	entry = current(relid, kind, obstacle);
	if (entry != NULL)
		*collection = entry->collection;
	return entry != NULL;
}

/* Describe a table that is locked, if it is a collection; false when it is none. */
bool
ds_collection_recognise(Oid relid, DsCollection *collection)
{
	const char *obstacle;
	Remembered *entry = current(relid, DS_DOCUMENTS, &obstacle);

	if (entry != NULL)
		*collection = entry->collection;
	return entry != NULL;
}

/*
 * Whether a table is of a kind.  Here the table need not be locked: the answer
 * is what the catalogue says now, and false for a table that has been dropped.
 */
bool
ds_collection_is(Oid relid, DsKind kind)
{
	DsCollection collection;

	return look_at(relid, kind, &collection) == NULL;
}

/*
 * The floor of a table that is locked, as the catalogue knows it now: the
 * first delete may have made it since the table was described.  0A000 on a
 * node that does not see it.
 */
Oid
ds_collection_floor(Oid relid)
{
	const DsCollection *collection;

	AcceptInvalidationMessages();
	collection = &current_collection(relid, DS_ONLY_ITEM)->collection;
	if (collection->hides_floor)
		ds_distributed_refuse_hidden_floor(relid);
	return collection->floor;
}

/*
 * Decide for this call whether a batch can find rows that it has locked by
 * their ctid, which saves a second look into the index.  Partitions have each
 * their own, and to read ctid takes SELECT on the whole table.
 */
void
ds_collection_find_places(DsCollection *collection)
{
	collection->by_place = !collection->partitioned &&
		pg_class_aclcheck(collection->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

typedef struct NameInput
{
	const char *name;
	int			item;
} NameInput;

/* While a name is read: what is no name of a table is a bad argument. */
static void
name_input_error(void *arg)
{
	NameInput  *input = arg;
	int			code = geterrcode();

	if (code != ERRCODE_INVALID_NAME && code != ERRCODE_SYNTAX_ERROR && !ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ARGUMENT);
	if (input->item == DS_ONLY_ITEM)
		errdetail("The name given is \"%s\".", input->name);
	else
		errdetail("Item %d gives the name \"%s\".", input->item, input->name);
	errhint("Write the name as in SQL: shops, sales.shops or \"My Shops\".");
}

/*
 * Read the name of a table as regclass does: dotted, folded to lower case
 * unless quoted.  Raises 22023 when the text is no such name.
 */
RangeVar *
ds_collection_read_name(const char *name, int item)
{
	NameInput	input = {name, item};
	ErrorContextCallback context = {error_context_stack, name_input_error, &input};
	RangeVar   *result;

	error_context_stack = &context;
	result = makeRangeVarFromNameList(stringToQualifiedNameList(name, NULL));
	if (result->catalogname != NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("a table cannot be in another database")));
	error_context_stack = context.previous;
	return result;
}

/*
 * Find the table that the name in an item means under the caller's
 * search_path, and lock it.  Raises 42P01 when there is none, 22023 when the
 * text is no name at all.
 */
Oid
ds_collection_find(const char *name, LOCKMODE lock, int item)
{
	Oid			relid = RangeVarGetRelid(ds_collection_read_name(name, item), lock, true);

	if (!OidIsValid(relid))
		refuse_unknown(name, item);
	return relid;
}

/* The name that results and conflicts show: qualified, and quoted if need be. */
char *
ds_collection_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/*
 * collection.c - the tables that docstore works on, described and remembered
 *
 * There is no registry: the table is the collection.  What was seen of a table
 * (kind.c) is kept in this backend, until the relation cache says that
 * something about the table has changed.
 *
 * The callback only marks; entries are looked at again under a lock on the
 * table, which keeps others from changing what a description says but for
 * indexes.  It does not keep this very session from it: a trigger of one table
 * can alter the next one that the call is about.  So a copy of a description is
 * looked at again before each use, ds_collection_look_again().
 */
#include "postgres.h"

#include "access/relation.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/index.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "table/catalogue.h"
#include "table/collection.h"
#include "table/distributed.h"
#include "table/engine_setting.h"
#include "table/kind.h"
#include "table/plain.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

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

/* How many descriptions were made. */
static uint64 editions = 0;

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

/* Whether a trigger can undo or change a write; those for replicas are docstore's (replicate_event.c). */
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

/* Add what else there is to know of a table that is locked. */
static void
describe(DsCollection *collection)
{
	const DsKindRoutine *kind = ds_kind_of(collection);
	Relation	rel = relation_open(collection->relid, NoLock);

	collection->edition = ++editions;
	collection->name = rel->rd_rel->relname;
	collection->schema = rel->rd_rel->relnamespace;
	collection->owner = rel->rd_rel->relowner;
	collection->storage = rel->rd_locator.relNumber;
	collection->has_before_triggers = has_before_triggers(rel);
	collection->distributed = ds_distributed_is(collection->relid);
	collection->is_copy = collection->distributed && ds_distributed_is_copy(collection->relid);
	collection->is_shard = OidIsValid(ds_distributed_table_of_shard(collection->relid));
	if (kind->describe != NULL)
		kind->describe(rel, collection);
	ds_plain_describe(rel, collection);
	relation_close(rel, NoLock);
}

static bool
is_outdated(const DsCollection *collection)
{
	const DsKindRoutine *kind = ds_kind_of(collection);

	return kind->is_outdated != NULL && kind->is_outdated(collection);
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
	{
		entry->valid = false;
		entry->collection.schema = InvalidOid;
	}
	return entry;
}

/* The name that a table had when it was described. */
static char *
former_name(const DsCollection *collection)
{
	return quote_qualified_identifier(get_namespace_name(collection->schema), NameStr(collection->name));
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
 * The description of a table that is locked, made anew if need be; NULL, with
 * the obstacle, when it is not of that kind.  What is not is looked at again
 * each time.
 *
 * CAUTION: it is what the cache has, and lasts until the cache is used again.
 */
const DsCollection *
ds_collection_look(Oid relid, DsKind kind, const char **obstacle)
{
	Remembered *entry = recall(relid);
	DsCollection collection;
	uint64		changes_before = changes;

	if (entry->valid && entry->collection.kind == kind && !is_outdated(&entry->collection))
		return &entry->collection;

	*obstacle = ds_kind_recognise(relid, kind, &collection);
	if (*obstacle != NULL)
		return NULL;
	describe(&collection);
	return &remember(&collection, changes_before)->collection;
}

/*
 * Describe a table that is locked as one of any kind; false, with what stands
 * in the way, when it is not of that kind.
 */
bool
ds_collection_describe(Oid relid, DsKind kind, DsCollection *collection, const char **obstacle)
{
	const DsCollection *found = ds_collection_look(relid, kind, obstacle);

	if (found != NULL)
		*collection = *found;
	return found != NULL;
}

/*
 * Lock a relation for the rest of the transaction.  Returns NULL, or what to
 * call it when it is not there: the name that it had before it was waited for,
 * or when it was used last, and the bare number only where nobody knows a name.
 */
const char *
ds_collection_lock(Oid relid, LOCKMODE lock)
{
	const DsCollection *former;
	const char *name = NULL;

	if (!ConditionalLockRelationOid(relid, lock))
	{
		name = ds_name_of(relid);
		LockRelationOid(relid, lock);
	}
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return NULL;
	if (name != NULL)
		return name;
	former = &recall(relid)->collection;
	return OidIsValid(former->schema) ? former_name(former) : ds_name_of(relid);
}

pg_noreturn static void
refuse_table(Oid relid, int item, const char *detail)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("%s\"%s\" is not a collection", ds_error_item_prefix(item), ds_name_of(relid)),
			 errdetail("%s", detail),
			 errhint("Use docstore.create_collection() to make one.")));
}

/* Raise 42P01: there is no such collection; item is the one that names it, for messages. */
void
ds_collection_refuse_unknown(const char *name, int item)
{
	ds_name_refuse_unknown("collection", name, item,
						   "Make it with docstore.create_collection(), or check its spelling and the search_path.");
}

/*
 * Find the table that the name in an item means under the caller's
 * search_path, and lock it.  Raises 42P01 when there is none, 22023 when the
 * text is no name at all.
 */
Oid
ds_collection_find(const char *name, LOCKMODE lock, int item)
{
	Oid			relid = ds_name_find(name, lock, item);

	if (!OidIsValid(relid))
		ds_collection_refuse_unknown(name, item);
	return relid;
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
	const char *gone = ds_collection_lock(relid, lock);
	const char *obstacle;

	if (gone != NULL)
		ds_collection_refuse_unknown(gone, item);
	if (!ds_collection_describe(relid, DS_DOCUMENTS, collection, &obstacle))
		refuse_table(relid, item, obstacle);
	if (collection->is_shard)
		ds_distributed_refuse_shard(relid);
}

/*
 * Whether a table is still what it was: made of the same columns and rows,
 * and of a log, found by the same name.
 */
static bool
is_same(const DsCollection *now, const DsCollection *then)
{
	if (ds_kind_of(then)->found_by_name &&
		(strcmp(NameStr(now->name), NameStr(then->name)) != 0 ||
		 now->schema != then->schema || now->owner != then->owner))
		return false;
	return now->storage == then->storage && now->id_type == then->id_type &&
		now->partitioned == then->partitioned &&
		memcmp(now->columns, then->columns, sizeof(now->columns)) == 0;
}

pg_noreturn static void
refuse_altered(const DsCollection *collection)
{
	bool		is_there = SearchSysCacheExists1(RELOID, ObjectIdGetDatum(collection->relid));

	ereport(ERROR,
			(errcode(DS_ERRCODE_ALTERED),
			 errmsg("table \"%s\" was %s while this call was using it",
					former_name(collection),
					is_there ? "altered" : "dropped"),
			 errhint("A trigger or function that this call fired did it. Make it leave the tables of the call as they are.")));
}

/*
 * Look at a table again before its description is used once more; callers
 * have opened it in this call, and hold its lock.
 *
 * Raises 55006 when it is not what it was.  What is merely to be heeded in the
 * next statement, triggers and constraints and indexes, is taken into the
 * description: others may make and drop indexes while a call runs.  It costs
 * one look into a hash table when nothing has changed.
 */
void
ds_collection_look_again(const DsCollection *described)
{
	const Remembered *entry = recall(described->relid);
	const DsKindRoutine *kind = ds_kind_of(described);
	const char *obstacle;
	DsCollection now;

	if (entry->valid && entry->collection.edition == described->edition)
		return;
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(described->relid)) ||
		!ds_collection_describe(described->relid, described->kind, &now, &obstacle) ||
		!is_same(&now, described))
		refuse_altered(described);
	now.root = described->root;
	now.by_place = described->by_place;
	now.by_row = described->by_row;
	if (kind->carry_over != NULL)
		kind->carry_over(&now, described);
	*unconstify(DsCollection *, described) = now;
}

/* Describe a table anew when it is opened next. */
void
ds_collection_forget(Oid relid)
{
	recall(relid)->valid = false;
}

/* Describe a table that is locked, if it is a collection; false when it is none. */
bool
ds_collection_recognise(Oid relid, DsCollection *collection)
{
	const char *obstacle;

	return ds_collection_describe(relid, DS_DOCUMENTS, collection, &obstacle);
}

/*
 * The table whose key keeps the ids of a collection apart: the topmost that its
 * own key is a part of.  Partitions whose keys are their own can have an id
 * each, so the table's parents do not tell.  Nor do they where a DETACH ..
 * CONCURRENTLY has begun, while who has an older snapshot still finds the
 * partition through them: its key is a part of theirs until that has ended.
 */
static Oid
find_root(const DsCollection *collection)
{
	Oid			key = ds_catalogue_root(collection->key);

	return key == collection->key ? collection->relid : IndexGetRelation(key, false);
}

/*
 * Find out for a batch what is not remembered of a table.
 *
 * Whether rows that it has locked can be found by their ctid, which saves a
 * second look into the index: partitions and shards have each their own, and to
 * read ctid takes SELECT on the whole table.  And the root: ALTER INDEX .. ATTACH
 * PARTITION changes it without a word to the table's description.
 */
void
ds_collection_prepare(DsCollection *collection)
{
	collection->root = find_root(collection);
	collection->by_row = ds_engine_setting_is_by_row(collection);
	collection->by_place = !collection->by_row && !collection->partitioned &&
		pg_class_aclcheck(collection->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* Refuse an id that is too long for the primary key, or for that of the history: 54000, see id.c. */
void
ds_collection_require_short_id(const DsCollection *collection, Datum id, int item)
{
	ds_id_require_short(collection->id_type, id, collection->relid, collection->id,
						OidIsValid(collection->document.history), item);
}

/*
 * distributed.c - tables that another extension keeps elsewhere
 *
 * Citus leaves the table that it distributes, or takes into its metadata, as an
 * empty shell: the rows are in other tables, often on other nodes.  Only the
 * planner knows.  Statements on one document are planned for where that
 * document is; so the documents of such a table are read, locked and written by
 * these alone, also by batches (engine_setting.c), which lock them in one order
 * over all nodes, as everywhere.  What they have written is committed by the two
 * phases of Citus.
 *
 * What cannot be had that way is refused here: the order of a log's events is
 * that of one table, as is that of a history, and a sequence is the floor only on
 * the node where it was made.  What stays on one node, where one could think
 * that it does not, is said.
 *
 * Such a table is in pg_catalog.pg_dist_partition, which is there only where
 * Citus is.  plain.c takes no table for a plain one that is in it, or that
 * has any trigger of another extension.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "base/errors.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "table/catalogue.h"
#include "table/distributed.h"
#include "table/name.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* On other nodes a sequence of Citus begins above its share: the number of the node, from 1, in the upper bits. */
#define FIRST_OF_OTHER_NODE (INT64CONST(1) << 48)

/* The columns that are read of a catalogue of Citus: its rows are looked for by one of them, or it has but one row. */
typedef struct Catalogue
{
	const char *name;
	const char *key;			/* NULL: one row */
	Oid			key_type;
	RegProcedure key_equals;
	const char *value;
	Oid			value_type;
} Catalogue;

static const Catalogue tables = {"pg_dist_partition", "logicalrelid", REGCLASSOID, F_OIDEQ, "logicalrelid", REGCLASSOID};
static const Catalogue models = {"pg_dist_partition", "logicalrelid", REGCLASSOID, F_OIDEQ, "repmodel", CHAROID};
static const Catalogue shards = {"pg_dist_shard", "shardid", INT8OID, F_INT8EQ, "logicalrelid", REGCLASSOID};
static const Catalogue schemas = {"pg_dist_schema", "schemaid", OIDOID, F_OIDEQ, "colocationid", INT4OID};
static const Catalogue this_node = {"pg_dist_local_group", .value = "groupid", .value_type = INT4OID};

static AttrNumber
column_of(Oid relid, const char *name, Oid type)
{
	AttrNumber	column = get_attnum(relid, name);

	return column != InvalidAttrNumber && get_atttype(relid, column) == type ? column : InvalidAttrNumber;
}

/* Read a row's value; false when there is no such row, nor such a catalogue. */
static bool
look_up(const Catalogue *catalogue, Datum key, Datum *value)
{
	Oid			relid = get_relname_relid(catalogue->name, PG_CATALOG_NAMESPACE);
	AttrNumber	key_column;
	AttrNumber	value_column;
	Relation	relation;
	SysScanDesc scan;
	ScanKeyData condition;
	HeapTuple	row;
	bool		is_null = true;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return false;
	key_column = catalogue->key == NULL ? InvalidAttrNumber : column_of(relid, catalogue->key, catalogue->key_type);
	value_column = column_of(relid, catalogue->value, catalogue->value_type);
	if ((catalogue->key != NULL && key_column == InvalidAttrNumber) || value_column == InvalidAttrNumber)
		return false;
	relation = try_relation_open(relid, AccessShareLock);
	if (relation == NULL)
		return false;
	if (catalogue->key != NULL)
		ScanKeyInit(&condition, key_column, BTEqualStrategyNumber, catalogue->key_equals, key);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, catalogue->key == NULL ? 0 : 1, &condition);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		*value = heap_getattr(row, value_column, RelationGetDescr(relation), &is_null);
	systable_endscan(scan);
	relation_close(relation, AccessShareLock);
	return !is_null;
}

/* Whether a table is distributed; it needs no lock on the table. */
bool
ds_distributed_is(Oid relid)
{
	Datum		value;

	return look_up(&tables, ObjectIdGetDatum(relid), &value);
}

static bool
is_coordinator(void)
{
	Datum		node;

	return !look_up(&this_node, (Datum) 0, &node) || DatumGetInt32(node) == 0;
}

/* Whether a table is a reference table, and this not the one node that can write all copies of it in one order. */
bool
ds_distributed_is_copy(Oid relid)
{
	Datum		model;

	return look_up(&models, ObjectIdGetDatum(relid), &model) && DatumGetChar(model) == 't' && !is_coordinator();
}

/* The number that a name ends with, after an underscore; 0 when it does not. */
static int64
number_at_end(const char *name)
{
	const char *underscore = strrchr(name, '_');
	size_t		digits = underscore == NULL ? 0 : strspn(underscore + 1, "0123456789");

	if (digits == 0 || digits > 18 || underscore[1 + digits] != '\0')
		return 0;
	return strtoi64(underscore + 1, NULL, 10);
}

/* The table that a relation has a shard of, as the number in its name says; invalid when it is no shard. */
Oid
ds_distributed_table_of_shard(Oid relid)
{
	char	   *name = get_rel_name(relid);
	int64		number = name == NULL ? 0 : number_at_end(name);
	Datum		table;

	if (number == 0 || !look_up(&shards, Int64GetDatum(number), &table) ||
		DatumGetObjectId(table) == relid || get_rel_namespace(DatumGetObjectId(table)) != get_rel_namespace(relid))
		return InvalidOid;
	return DatumGetObjectId(table);
}

/* The table as its users know it: of a shard, the one that it is of. */
Oid
ds_distributed_known_as(Oid relid)
{
	Oid			table = ds_distributed_table_of_shard(relid);

	return OidIsValid(table) ? table : relid;
}

/* Whether the version column owns a sequence that is the floor on another node only. */
static bool
has_sequence_of_other_node(Oid relid)
{
	Oid			owner = ds_catalogue_root(relid);
	ListCell   *cell;

	foreach(cell, ds_catalogue_sequences(owner, get_attnum(owner, "version"), DEPENDENCY_AUTO))
		if (ds_catalogue_lowest_value(lfirst_oid(cell)) > FIRST_OF_OTHER_NODE)
			return true;
	return false;
}

/*
 * Whether the floor of a table is on the coordinator, and that is another node, or
 * has the table where this is only a shard of it.
 */
bool
ds_distributed_hides_floor(Oid relid)
{
	if (OidIsValid(ds_distributed_table_of_shard(relid)))
		return true;
	return (ds_distributed_is(relid) && !is_coordinator()) || has_sequence_of_other_node(relid);
}

pg_noreturn static void
refuse(const char *kind, Oid relid, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s \"%s\" is distributed", kind, ds_name_of(relid)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

/*
 * Raise 0A000 when one of the tables of a log is distributed; item is the one
 * that names it, for messages.  Its rows are not where they were, and Citus
 * gives no table with an identity back.
 */
void
ds_distributed_refuse_log(const DsCollection *events, const DsCollection *streams, int item)
{
	if (events->distributed || streams->distributed)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%slog \"%s\" is distributed", ds_error_item_prefix(item), ds_name_of(events->relid)),
				 errdetail("The events of a log have one order only in a table that is on one node."),
				 errhint("Make another log with docstore.create_log(), and copy the rows of its tables.")));
}

/* Raise 0A000 for a history that is distributed: its rows are not where they are looked for and put. */
void
ds_distributed_refuse_history(const DsCollection *history)
{
	if (history->distributed)
		refuse("history", history->relid,
			   "The changes of a collection have one order only in a table that is on one node.",
			   "Call docstore.untrack(), rename the table, and begin another history with docstore.track().");
}

/* Say that a table was made on one node, where its schema is distributed: Citus takes only those that CREATE TABLE makes. */
void
ds_distributed_note_local(const char *kind, Oid relid, const char *hint)
{
	Datum		colocation;

	if (look_up(&schemas, ObjectIdGetDatum(get_rel_namespace(relid)), &colocation))
		ereport(NOTICE,
				(errmsg("%s \"%s\" is on this node only, although its schema is distributed", kind, ds_name_of(relid)),
				 errhint("%s", hint)));
}

/* Say that a request is not remembered by the other nodes, where clients may send a retry. */
void
ds_distributed_note_request(const char *id)
{
	if (!is_coordinator())
		ereport(NOTICE,
				(errmsg("request %s is remembered by this node only", id),
				 errhint("Send a retry to the same node, or all requests to the coordinator.")));
}

/* Raise 0A000 for a shard, whose rows are a part of a table's, under a name that is for the engine only. */
void
ds_distributed_refuse_shard(Oid relid)
{
	Oid			table = ds_distributed_table_of_shard(relid);

	if (OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("\"%s\" is a shard of table \"%s\"", ds_name_of(relid), ds_name_of(table)),
				 errhint("Name the table: its documents are looked for where they are.")));
}

/*
 * Raise 0A000 on a node that is not to write a collection.  Citus commits the
 * copies of a reference table one after the other; another node that writes in
 * between finds a document in one copy and not in the next, and they differ.
 */
void
ds_distributed_refuse_copy(const DsCollection *collection)
{
	if (collection->is_copy)
		refuse("collection", collection->relid,
			   "Every node has a copy of it, and only the coordinator writes all of them in one order.",
			   "Write its documents on the coordinator.");
}

/* Raise 0A000 for a table that is to be guarded, unless Citus makes triggers on its shards, too. */
void
ds_distributed_refuse_guard(Oid relid)
{
	const char *makes_triggers = GetConfigOption("citus.enable_unsafe_triggers", true, false);

	if (ds_distributed_is(relid) && (makes_triggers == NULL || strcmp(makes_triggers, "on") != 0))
		refuse("table", relid,
			   "Its rows are in other tables, which do not get the triggers of the guard.",
			   "Set citus.enable_unsafe_triggers to on, so that they do, or write it with docstore's functions, which compare versions themselves.");
}

/*
 * Raise 0A000 for a guarded collection that is to be truncated: which versions
 * that uses up is not seen from here, and no trigger of a shard is told.
 */
void
ds_distributed_refuse_truncate(Oid relid)
{
	if (ds_distributed_is(relid))
		refuse("collection", relid,
			   "It is guarded, and TRUNCATE does not tell which versions it uses up on other nodes.",
			   "Use DELETE, or drop the table.");
}

/* Raise 0A000 for a collection that is to be tracked. */
void
ds_distributed_refuse_track(Oid relid)
{
	if (ds_distributed_is(relid))
		refuse("collection", relid,
			   "Its documents are in other tables, whose writes cannot be recorded in one history.",
			   "Undistribute the table with undistribute_table() of Citus.");
}

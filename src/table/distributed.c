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
 * that of one table, and a sequence is the floor only on the node where it was made.
 *
 * Such a table is in pg_catalog.pg_dist_partition, which is there only where
 * Citus is.  plain.c takes no table for a plain one that is in it, or that
 * has any trigger of another extension.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "table/catalogue.h"
#include "table/distributed.h"
#include "table/name.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* On other nodes a sequence of Citus begins above its share: the number of the node, from 1, in the upper bits. */
#define FIRST_OF_OTHER_NODE (INT64CONST(1) << 48)

/* The catalogue of distributed tables, locked, with the column that names them; NULL when there is none. */
static Relation
open_catalogue(AttrNumber *column)
{
	Oid			relid = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return NULL;
	*column = get_attnum(relid, "logicalrelid");
	if (*column == InvalidAttrNumber || get_atttype(relid, *column) != REGCLASSOID)
		return NULL;
	return try_relation_open(relid, AccessShareLock);
}

/* Whether a table is distributed; it needs no lock on the table. */
bool
ds_distributed_is(Oid relid)
{
	AttrNumber	column;
	Relation	catalogue = open_catalogue(&column);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	if (catalogue == NULL)
		return false;
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalogue, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	relation_close(catalogue, AccessShareLock);
	return found;
}

/* Whether the version column owns a sequence that is the floor on another node only. */
bool
ds_distributed_hides_floor(Oid relid)
{
	Oid			owner = ds_catalogue_root(relid);
	ListCell   *cell;

	foreach(cell, ds_catalogue_sequences(owner, get_attnum(owner, "version"), DEPENDENCY_AUTO))
		if (ds_catalogue_lowest_value(lfirst_oid(cell)) > FIRST_OF_OTHER_NODE)
			return true;
	return false;
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

/* Raise 0A000 when one of the tables of a log is distributed. */
void
ds_distributed_refuse_log(const DsCollection *events, const DsCollection *streams)
{
	if (events->distributed || streams->distributed)
		refuse("log", events->relid,
			   "The events of a log have one order only in a table that is on one node.",
			   "Undistribute its tables with undistribute_table() of Citus.");
}

/*
 * Raise 0A000 on a node that does not see the floor of a collection: versions
 * that were used up are not known here, nor could others learn of more.
 */
void
ds_distributed_refuse_hidden_floor(Oid relid)
{
	refuse("collection", relid,
		   "The floor of its versions is on the node where the collection was made; the sequence here has other numbers.",
		   "Create and delete documents on that node, which is the coordinator.");
}

/* Raise 0A000 for a table that is distributed without a floor: it cannot get one any more. */
void
ds_distributed_refuse_floor(Oid relid)
{
	if (ds_distributed_is(relid))
		refuse("collection", relid,
			   "The floor of its versions is a sequence that the table owns. It must exist before the table is distributed.",
			   "Undistribute the table, delete a document or call docstore.guard(), and distribute it again.");
}

/* Raise 0A000 for a table that is to be guarded. */
void
ds_distributed_refuse_guard(Oid relid)
{
	if (ds_distributed_is(relid))
		refuse("table", relid,
			   "Its rows are in other tables, which do not have the triggers of the guard.",
			   "Undistribute the table, or write it with docstore's functions, which compare versions themselves.");
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

/*
 * kind.c - what kinds of tables there are
 *
 * There is no registry of tables: what a table is made of says what it is.  A
 * kind is known by one room, which says how to recognise and describe a table
 * of that kind and how its statements are written; it registers that when the
 * module is loaded.  So the descriptions of tables can be kept (collection.c)
 * by who knows nothing of logs.
 *
 * Nothing here needs a lock on the table, see catalogue.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "table/catalogue.h"
#include "table/kind.h"
#include "utils/lsyscache.h"

static const DsKindRoutine *kinds[DS_KINDS];

/* Called once for each kind, when the module is loaded. */
void
ds_kind_register(DsKind kind, const DsKindRoutine *routine)
{
	kinds[kind] = routine;
}

const DsKindRoutine *
ds_kind_of(const DsCollection *table)
{
	return kinds[table->kind];
}

/*
 * The rule: describe a table in *table; what keeps it from being one of that
 * kind, or NULL.
 */
const char *
ds_kind_recognise(Oid relid, DsKind kind, DsCollection *table)
{
	char		relkind = get_rel_relkind(relid);
	StringInfoData missing;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		return "It is not an ordinary or partitioned table.";
	if (ds_catalogue_has_rules(relid))
		return "It has rules, which do not work with ON CONFLICT and RETURNING.";

	initStringInfo(&missing);
	memset(table, 0, sizeof(DsCollection));
	table->relid = relid;
	table->kind = kind;
	table->partitioned = relkind == RELKIND_PARTITIONED_TABLE;
	kinds[kind]->recognise(table, &missing);
	return missing.len > 0 ? psprintf("It lacks %s.", missing.data) : NULL;
}

/* Whether a table is of a kind, as the catalogue says now; false for one that has been dropped. */
bool
ds_kind_is(Oid relid, DsKind kind)
{
	DsCollection table;

	return ds_kind_recognise(relid, kind, &table) == NULL;
}

/* The number of a column of that name and type that is to be given a value, or 0. */
AttrNumber
ds_kind_column(Oid relid, const char *name, Oid type)
{
	DsColumn	column;

	return ds_catalogue_column(relid, name, &column) && column.type == type && !column.is_generated
		? column.number : InvalidAttrNumber;
}

/* Note one thing that a table lacks. */
void
ds_kind_lacks(StringInfo missing, const char *what)
{
	appendStringInfo(missing, "%s%s", missing->len > 0 ? ", " : "", what);
}

/*
 * Look at a table's indexes: whether its primary key is a usable one on the
 * column id alone, and whether any other constraint makes rows wait for each
 * other.
 */
void
ds_kind_find_key(DsCollection *table, const char *id, StringInfo missing)
{
	ListCell   *cell;

	foreach(cell, ds_catalogue_indexes(table->relid))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT((HeapTuple) lfirst(cell));

		if (!index->indisprimary)
		{
			if (index->indisunique || index->indisexclusion)
			{
				table->has_other_unique = true;
				table->has_deferrable |= !index->indimmediate;
			}
		}
		else if (index->indnkeyatts == 1 && index->indkey.values[0] == table->id &&
				 index->indimmediate && index->indisvalid)
			table->key = index->indexrelid;
	}
	if (!OidIsValid(table->key))
		ds_kind_lacks(missing, psprintf("a primary key on \"%s\" alone that is not deferrable", id));
}

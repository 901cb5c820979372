/*
 * catalogue.h - what the catalogue says of a table, also without a lock on it
 */
#ifndef DS_CATALOGUE_H
#define DS_CATALOGUE_H

#include "postgres.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "nodes/pg_list.h"

typedef struct DsColumn
{
	AttrNumber	number;
	Oid			type;
	Oid			collation;
	bool		is_not_null;	/* of all rows, old ones too */
	bool		is_generated;
	bool		has_default;
	bool		is_always_identity; /* takes no values but with OVERRIDING SYSTEM VALUE, and in an UPDATE none */
} DsColumn;

extern bool ds_catalogue_relation(Oid relid, FormData_pg_class *relation);
extern bool ds_catalogue_is_by_range(Oid relid, AttrNumber column);
extern Oid	ds_catalogue_owner(Oid relid);
extern bool ds_catalogue_column(Oid relid, const char *name, DsColumn *column);
extern bool ds_catalogue_is_deterministic(Oid collation);
extern bool ds_catalogue_has_rules(Oid relid);
extern List *ds_catalogue_indexes(Oid relid);
extern bool ds_catalogue_index_is_on(HeapTuple index, const AttrNumber *columns, int count);
extern bool ds_catalogue_index_is_gin_on(HeapTuple index, AttrNumber column);
extern bool ds_catalogue_index_is_whole(HeapTuple index);
extern bool ds_catalogue_index_is_where_not_null(HeapTuple index, AttrNumber column);
extern bool ds_catalogue_is_referred_to(Oid index);
extern char *ds_catalogue_users_of_key(Oid index);
extern Oid	ds_catalogue_root(Oid relid);
extern List *ds_catalogue_sequences(Oid relid, AttrNumber column, DependencyType dependency);
extern int64 ds_catalogue_lowest_value(Oid sequence);
extern Oid	ds_catalogue_identity(Oid relid, AttrNumber column);

#endif							/* DS_CATALOGUE_H */

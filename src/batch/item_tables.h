/*
 * item_tables.h - the tables that items name
 */
#ifndef DS_ITEM_TABLES_H
#define DS_ITEM_TABLES_H

#include "postgres.h"

#include "log/log.h"
#include "nodes/pg_list.h"
#include "table/collection.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"

/* The tables so far: each is looked up and opened once. */
typedef struct DsItemTables
{
	HTAB	   *by_name;
	struct NamedCollection *latest;
	List	   *opened;			/* of DsCollection, one for each table */
	List	   *logs;			/* of DsLog, likewise */
} DsItemTables;

extern void ds_item_tables_begin(DsItemTables *tables);
extern void ds_item_tables_end(DsItemTables *tables);
extern const DsCollection *ds_item_tables_collection(DsItemTables *tables, const JsonbValue *given, int item);
extern const DsLog *ds_item_tables_log(DsItemTables *tables, const JsonbValue *given, int item);

#endif							/* DS_ITEM_TABLES_H */

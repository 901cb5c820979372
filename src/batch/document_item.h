/*
 * document_item.h - the items of a batch that are about documents
 */
#ifndef DS_DOCUMENT_ITEM_H
#define DS_DOCUMENT_ITEM_H

#include "postgres.h"

#include "batch/item_keys.h"
#include "batch/item_tables.h"

extern DsMerge *ds_document_item_merge(const DsItem *item, Jsonb *base, Jsonb *rules);
extern void ds_document_item_read(DsItemTables *tables, DsGiven *given, DsItem *item);

#endif							/* DS_DOCUMENT_ITEM_H */

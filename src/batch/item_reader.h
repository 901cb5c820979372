/*
 * item_reader.h - the items of a batch, as JSON
 */
#ifndef DS_ITEM_READER_H
#define DS_ITEM_READER_H

#include "postgres.h"

#include "base/compat.h"
#include "batch/item.h"
#include "utils/jsonb.h"

/* The values that an item gives; NULL: no such key. */
typedef struct DsGiven
{
	JsonbValue *op;
	JsonbValue *expected;

	/* of an item for a document */
	JsonbValue *collection;
	JsonbValue *id;
	JsonbValue *data;

	/* of an item for a log */
	JsonbValue *log;
	JsonbValue *stream;
	JsonbValue *events;
	JsonbValue *expected_revision;
	JsonbValue *scopes;
	JsonbValue *scope;
	JsonbValue *properties;
} DsGiven;

extern void ds_items_read(Jsonb *changes, DsBatch *batch);
pg_noreturn extern void ds_item_refuse_keys(const DsItem *item, const char *problem);

#endif							/* DS_ITEM_READER_H */

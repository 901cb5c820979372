/*
 * item_keys.h - the keys of an item, as JSON
 */
#ifndef DS_ITEM_KEYS_H
#define DS_ITEM_KEYS_H

#include "postgres.h"

#include "base/compat.h"
#include "batch/item.h"
#include "utils/jsonb.h"

#define DS_ITEM_KEYS 15

/* The values that an item gives; NULL: no such key. */
typedef struct DsGiven
{
	JsonbValue *op;
	JsonbValue *expected;

	/* of an item for a document */
	JsonbValue *collection;
	JsonbValue *id;
	JsonbValue *data;
	JsonbValue *if_contains;
	JsonbValue *base;
	JsonbValue *rules;

	/* of an item for a log */
	JsonbValue *log;
	JsonbValue *stream;
	JsonbValue *events;
	JsonbValue *expected_revision;
	JsonbValue *scopes;
	JsonbValue *scope;
	JsonbValue *properties;

	JsonbValue	values[DS_ITEM_KEYS];	/* what these point to */
} DsGiven;

extern int	ds_item_find_op(const JsonbValue *name);
extern void ds_item_read_keys(const JsonbValue *object, int item, DsGiven *given);
extern bool ds_item_is_for_log(DsOp op, const DsGiven *given);
extern void ds_item_refuse_other_keys(const DsItem *item, DsGiven *given);
pg_noreturn extern void ds_item_refuse_keys(const DsItem *item, const char *problem);
pg_noreturn extern void ds_item_refuse(int item, const char *problem);

#endif							/* DS_ITEM_KEYS_H */

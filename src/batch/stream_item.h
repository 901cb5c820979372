/*
 * stream_item.h - the items of a batch that are about streams and scopes
 */
#ifndef DS_STREAM_ITEM_H
#define DS_STREAM_ITEM_H

#include "postgres.h"

#include "base/compat.h"
#include "batch/item_keys.h"

extern void ds_stream_item_read(DsGiven *given, DsItem *item);
pg_noreturn extern void ds_stream_item_refuse_no_stream(int item, const char *problem);
extern void ds_stream_item_set_events(DsItem *item, const JsonbValue *given);
extern void ds_stream_item_set_properties(DsItem *item, const JsonbValue *given);
extern void ds_stream_item_set_revision(DsItem *item, int64 expected);

#endif							/* DS_STREAM_ITEM_H */

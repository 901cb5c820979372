/*
 * former.c - functions that earlier versions had
 *
 * The scripts that lead from them to this version make these functions once
 * more, and drop them again; the server wants to find them in the library.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(ds_item_data);
PG_FUNCTION_INFO_V1(ds_events_to_store);

pg_noreturn static void
refuse(const char *function)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s no longer does anything", function),
			 errhint("Update the extension: ALTER EXTENSION docstore UPDATE.")));
}

/* Up to 0.4.0: what an item stores, for the statements of a batch. */
Datum
ds_item_data(pg_attribute_unused() PG_FUNCTION_ARGS)
{
	refuse("docstore.item_data()");
}

/* Up to 0.4.0: the events that are being stored. */
Datum
ds_events_to_store(pg_attribute_unused() PG_FUNCTION_ARGS)
{
	refuse("docstore.events_to_store()");
}

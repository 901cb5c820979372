/*
 * docstore.c - the module: magic block and start
 */
#include "postgres.h"

#include "collection.h"
#include "compat.h"
#include "conflict.h"
#include "deferred.h"
#include "engine.h"
#include "expectation.h"
#include "fmgr.h"
#include "utils/guc.h"

DS_MODULE_MAGIC;

void		_PG_init(void);

/* Each room defines its own settings and callbacks. */
void
_PG_init(void)
{
	ds_collection_init();
	ds_expectation_init();
	ds_conflict_init();
	ds_engine_init();
	ds_deferred_init();
	MarkGUCPrefixReserved("docstore");
}

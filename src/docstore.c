/*
 * docstore.c - the module: magic block and start
 */
#include "postgres.h"

#include "base/compat.h"
#include "conflict/conflict.h"
#include "conflict/deferred.h"
#include "conflict/expectation.h"
#include "fmgr.h"
#include "history/history.h"
#include "log/event_table.h"
#include "stream/head_statement.h"
#include "table/collection.h"
#include "table/document_table.h"
#include "table/engine_setting.h"
#include "utils/guc.h"

DS_MODULE_MAGIC;

void		_PG_init(void);

/* Each room defines its own settings, callbacks and kinds of tables. */
void
_PG_init(void)
{
	ds_collection_init();
	ds_document_table_init();
	ds_head_statement_init();
	ds_event_table_init();
	ds_history_init();
	ds_expectation_init();
	ds_conflict_init();
	ds_engine_setting_init();
	ds_deferred_init();
	MarkGUCPrefixReserved("docstore");
}

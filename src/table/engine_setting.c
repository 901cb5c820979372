/*
 * engine_setting.c - docstore.engine
 *
 * For developers: which of the ways to write documents is taken, where more
 * than one would do.  The results are the same; the tests run under all.
 *
 *	auto	without the executor, for tables that need nothing of it: engine.c
 *	sql		statements, each on many documents: document_statement.c
 *	rows	statements on one document each, as it always is where a table is
 *			distributed (distributed.c): each is planned for where its document is
 */
#include "postgres.h"

#include "table/engine_setting.h"
#include "utils/guc.h"

static const struct config_enum_entry engines[] = {
	{"auto", DS_ENGINE_AUTO, false},
	{"sql", DS_ENGINE_SQL, false},
	{"rows", DS_ENGINE_ROWS, false},
	{NULL, 0, false}
};

static int	engine = DS_ENGINE_AUTO;

/* Define docstore.engine. */
void
ds_engine_setting_init(void)
{
	DefineCustomEnumVariable("docstore.engine",
							 "How documents are written.",
							 "\"sql\" always uses SQL statements; \"rows\" likewise, one for each document; "
							 "\"auto\" bypasses the executor for tables that need nothing of it.",
							 &engine,
							 DS_ENGINE_AUTO,
							 engines,
							 PGC_USERSET,
							 GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
}

DsEngineSetting
ds_engine_setting(void)
{
	return engine;
}

/* Whether a table's documents are read, locked and written one by one. */
bool
ds_engine_setting_is_by_row(const DsCollection *collection)
{
	return collection->kind == DS_DOCUMENTS && (collection->distributed || engine == DS_ENGINE_ROWS);
}

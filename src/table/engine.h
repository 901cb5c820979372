/*
 * engine.h - which tables are read and written without the executor
 */
#ifndef DS_ENGINE_H
#define DS_ENGINE_H

#include "postgres.h"

#include "nodes/nodes.h"
#include "table/description.h"

extern bool ds_engine_reads(const DsCollection *collection);
extern bool ds_engine_updates(const DsCollection *collection);
extern bool ds_engine_inserts(const DsCollection *collection);
extern bool ds_engine_allows(const DsCollection *collection, CmdType command);

#endif							/* DS_ENGINE_H */

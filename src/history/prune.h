/*
 * prune.h - what history gives up
 */
#ifndef DS_PRUNE_H
#define DS_PRUNE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "table/description.h"

extern int64 ds_history_prune(const DsCollection *history, TimestampTz before, int keep, Datum max_rows, bool no_max_rows);
extern int64 ds_history_erase(const DsCollection *history, Datum id, Datum versions, bool all_versions);

#endif							/* DS_PRUNE_H */

/*
 * begin_history.h - what is there when history begins
 */
#ifndef DS_BEGIN_HISTORY_H
#define DS_BEGIN_HISTORY_H

#include "postgres.h"

#include "table/description.h"

extern void ds_history_begin(const DsCollection *collection, Oid history, bool is_new, bool goes_on, int64 max_rows);

#endif							/* DS_BEGIN_HISTORY_H */

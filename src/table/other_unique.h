/*
 * other_unique.h - creates where another unique index exists
 */
#ifndef DS_OTHER_UNIQUE_H
#define DS_OTHER_UNIQUE_H

#include "postgres.h"

#include "base/compat.h"
#include "base/subtransaction.h"

pg_nodiscard extern ErrorData *ds_other_unique_try(DsSubtransactionBody body, void *context);

#endif							/* DS_OTHER_UNIQUE_H */

/*
 * insert.h - creates where another unique index exists
 */
#ifndef DS_INSERT_H
#define DS_INSERT_H

#include "postgres.h"

#include "base/compat.h"
#include "base/subtransaction.h"

pg_nodiscard extern ErrorData *ds_insert_try(DsSubtransactionBody body, void *context);

#endif							/* DS_INSERT_H */

/*
 * head.h - the heads of streams that a batch is about
 */
#ifndef DS_HEAD_H
#define DS_HEAD_H

#include "postgres.h"

#include "batch/batch.h"
#include "table/statement.h"

extern void ds_heads_gather(DsBatch *batch);
extern void ds_heads_refuse_nested(const DsBatch *batch);
extern void ds_head_compare(DsItem *item);
extern void ds_heads_prepare(DsBatch *batch);
extern void ds_heads_finish(DsBatch *batch);
extern void ds_head_build_statement(const DsCollection *streams, DsStatement statement,
									const char *lock_clause, DsStatementText *text);

#endif							/* DS_HEAD_H */

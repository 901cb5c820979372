/*
 * step.h - one statement over the items of a batch
 */
#ifndef DS_STEP_H
#define DS_STEP_H

#include "postgres.h"

#include "batch/batch.h"
#include "table/plan.h"

/* The statement for an item in one step, or DS_NO_STATEMENT. */
typedef DsStatement (*DsChooseStatement) (const DsItem *item);

extern void ds_step_run(DsBatch *batch, DsChooseStatement choose, DsExecution execution);

#endif							/* DS_STEP_H */

/*
 * step.h - one statement over the targets of a batch
 */
#ifndef DS_STEP_H
#define DS_STEP_H

#include "postgres.h"

#include "batch/item.h"
#include "table/plan.h"

/* The statement for a target in one step, or DS_NO_STATEMENT. */
typedef DsStatement (*DsChooseStatement) (const DsTarget *target);

extern void ds_step_run(DsBatch *batch, DsChooseStatement choose, DsExecution execution);

#endif							/* DS_STEP_H */

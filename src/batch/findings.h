/*
 * findings.h - what a try at a batch has found of its targets
 */
#ifndef DS_FINDINGS_H
#define DS_FINDINGS_H

#include "postgres.h"

#include "batch/step.h"
#include "utils/snapshot.h"

extern void ds_findings_forget(DsBatch *batch);
extern void ds_findings_look_at_conditions(DsBatch *batch);
extern int	ds_findings_look_at(DsBatch *batch, DsChooseStatement choose, Snapshot snapshot,
								CommandId before);
extern int	ds_findings_look_again(DsBatch *batch, DsChooseStatement choose);

#endif							/* DS_FINDINGS_H */

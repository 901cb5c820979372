/*
 * after_triggers.c - AFTER triggers of what several statements have written
 *
 * Who calls AfterTriggerBeginQuery() and executes statements that are not to
 * fire their triggers (SPI_execute_snapshot) has them fired here, all at once.
 */
#include "postgres.h"

#include "base/after_triggers.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/snapmgr.h"

/* Fire the AFTER triggers that are queued since AfterTriggerBeginQuery(). */
void
ds_after_triggers_fire(void)
{
	EState	   *estate = CreateExecutorState();

	PushActiveSnapshot(GetTransactionSnapshot());
	AfterTriggerEndQuery(estate);
	PopActiveSnapshot();
	ExecResetTupleTable(estate->es_tupleTable, false);
	ExecCloseResultRelations(estate);
	FreeExecutorState(estate);
}

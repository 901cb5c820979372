/*
 * plan.h - statements with kept plans
 */
#ifndef DS_PLAN_H
#define DS_PLAN_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "table/statement.h"
#include "utils/portal.h"

typedef enum DsExecution
{
	DS_WRITE,					/* look and write at once, triggers and all */
	DS_WRITE_BATCH,				/* likewise, AFTER triggers when the batch ends */
	DS_READ						/* what the active snapshot shows */
} DsExecution;

/* Writes the text of a statement, in the current memory context. */
typedef void (*DsPlanBuild) (const void *context, DsStatementText *text);

/*
 * What the plans on one table are told apart by: who writes the text, and what
 * decides which of its texts it is.
 */
typedef struct DsPlanKey
{
	DsPlanBuild build;
	int32		form;			/* which statement, which shape of a scope */
	int32		path;			/* how it finds its rows: by place or not, by which column, in which direction */
	bool		varies;			/* texts may share a key, which makes them take turns; else one has it */
} DsPlanKey;

extern uint64 ds_plan_execute(const DsCollection *collection, DsStatement statement,
							  DsExecution execution, Datum *values, const char *nulls);
extern uint64 ds_plan_run(const DsCollection *table, DsPlanKey key, const void *context,
						  DsExecution execution, Datum *values, const char *nulls);
extern uint64 ds_plan_run_on(Oid relid, DsPlanKey key, const void *context,
							 DsExecution execution, Datum *values, const char *nulls);
extern uint64 ds_plan_return(const DsCollection *table, DsPlanKey key, const void *context,
							 Datum *values, const char *nulls, ReturnSetInfo *set);
extern Portal ds_plan_open(const DsCollection *table, DsPlanKey key, const void *context,
						   Datum *values, const char *nulls);
extern void ds_plan_execute_utility(const char *sql);
extern Datum ds_plan_value(uint64 row, int column, Oid type, bool *is_null);
extern Datum ds_plan_datum(uint64 row, int column, Oid type);
extern int64 ds_plan_int64(uint64 row, int column);
extern bool ds_plan_bool(uint64 row, int column);

#endif							/* DS_PLAN_H */

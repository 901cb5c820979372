/*
 * obstacle.c - what keeps rows from being put into a history
 *
 * They are put into it without the executor, so it must need nothing of that:
 * what its owner adds to it is an obstacle where the executor would have to
 * look at it.  Indexes and columns that may be NULL are not.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "base/internal.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "history/obstacle.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "table/kind.h"
#include "table/name.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Whether a trigger wants to be told of a new row; docstore's own is for replicas. */
static bool
has_insert_triggers(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED &&
			!ds_internal_is(trigger->tgfoid, DS_REPLICATE_CHANGE) && !ds_internal_is(trigger->tgfoid, DS_NOTIFY_CHANGES))
			return true;
	}
	return false;
}

static bool
is_own_column(const DsCollection *history, AttrNumber column)
{
	for (int i = 0; i < DS_MAX_COLUMNS; i++)
		if (history->columns[i] == column)
			return true;
	return false;
}

/* Whether the columns that are not docstore's can be left NULL, and its own take any value. */
static bool
are_simple_columns(TupleDesc desc, const DsCollection *history)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped)
			continue;
		if (is_own_column(history, i + 1)
			? column->atttypmod >= 0
			: column->attnotnull || column->atthasdef || column->attidentity != '\0' ||
			get_typtype(column->atttypid) == TYPTYPE_DOMAIN)
			return false;
	}
	return true;
}

/* What keeps rows from being put into a history without the executor, or NULL. */
const char *
ds_history_obstacle(Relation rel, const DsCollection *history)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	if (!history->partitioned && rel->rd_tableam != GetHeapamTableAmRoutine())
		return "It is not a heap table.";
	if (rel->rd_rel->relispartition && history->kind != DS_HISTORY_PART)
		return "It is a partition.";
	if (has_insert_triggers(rel))
		return "It has a trigger that fires for INSERT.";
	if (constraints != NULL && (constraints->num_check > 0 || has_generated_columns(constraints)))
		return "It has a CHECK constraint or a generated column.";
	if (history->has_deferrable)
		return "It has a unique constraint that is deferrable.";
	if (!are_simple_columns(RelationGetDescr(rel), history))
		return "It has a column of its own that is NOT NULL or has a default, or one of docstore's that has a length or a precision.";
	return NULL;
}

/* What keeps a table that is described from being written, or NULL, also where that cannot be looked at without waiting. */
const char *
ds_history_obstacle_now(DsCollection *history)
{
	const char *obstacle = NULL;
	Relation	rel;

	if (!ConditionalLockRelationOid(history->relid, AccessShareLock))
		return NULL;
	rel = try_relation_open(history->relid, NoLock);
	if (rel != NULL)
	{
		obstacle = ds_history_obstacle(rel, history);
		history->owner = rel->rd_rel->relowner;
		relation_close(rel, NoLock);
	}
	UnlockRelationOid(history->relid, AccessShareLock);
	return obstacle;
}

/* What keeps the partitions of a history from being written, or NULL. */
const char *
ds_history_part_obstacle(Oid history)
{
	ListCell   *cell;

	if (get_rel_relkind(history) != RELKIND_PARTITIONED_TABLE)
		return NULL;
	foreach(cell, find_inheritance_children(history, NoLock))
	{
		DsCollection part;
		const char *obstacle = ds_kind_recognise(lfirst_oid(cell), DS_HISTORY_PART, &part);

		if (obstacle == NULL)
			obstacle = ds_history_obstacle_now(&part);
		if (obstacle != NULL)
			return psprintf("Of its partition \"%s\": %s", ds_name_of(lfirst_oid(cell)), obstacle);
	}
	return NULL;
}

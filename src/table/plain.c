/*
 * plain.c - which tables need nothing of the executor
 *
 * Heap tables that are no partition and have no trigger, foreign key, check
 * constraint, generated column, row security or second unique index (of rows
 * that are only inserted: that are not concerned with INSERT), that no other
 * extension has taken over, and whose columns take what docstore gives them as
 * it is.  INSERT also needs that columns which are not docstore's may be NULL
 * and have no default, and that those which docstore leaves NULL may be.
 *
 * What a table is like is remembered with its description; what depends on the
 * caller is looked at in each call, engine.c.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "base/compat.h"
#include "base/internal.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "table/kind.h"
#include "table/plain.h"
#include "table/tracking.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Whether a trigger is docstore's own, or calls a function of the server itself. */
static bool
is_known(const Trigger *trigger)
{
	return trigger->tgfoid < FirstUnpinnedObjectId ||
		get_func_namespace(trigger->tgfoid) == ds_internal_schema();
}

/*
 * Whether a trigger fires when docstore writes: of rows that are never updated
 * here those on INSERT.  Those that fire for replicas only do not: see
 * engine.c.  What those of tracking do is done without the executor as well
 * (document_direct.c).
 */
static bool
fires(const Trigger *trigger, const DsCollection *collection)
{
	return (!ds_kind_of(collection)->only_inserted || TRIGGER_FOR_INSERT(trigger->tgtype)) &&
		trigger->tgenabled != TRIGGER_FIRES_ON_REPLICA &&
		trigger->tgenabled != TRIGGER_DISABLED &&
		!ds_tracking_is_as_made(trigger);
}

/*
 * Whether a table has triggers that matter.  One that is not known always
 * does, whatever its event and be it disabled: it may show that another
 * extension has taken the table over, and keeps its rows elsewhere.
 */
static bool
has_triggers(Relation rel, const DsCollection *collection)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (!is_known(trigger) || fires(trigger, collection))
			return true;
	}
	return false;
}

/* Which one a column is among those that are docstore's; -1 when it is none of them. */
static int
own_column(const DsCollection *collection, AttrNumber column)
{
	for (int i = 0; i < DS_MAX_COLUMNS; i++)
		if (collection->columns[i] == column)
			return i;
	return -1;
}

/*
 * Whether the rows that are there need nothing in a column when they are
 * updated: no check of a NOT NULL that they may not obey, and no length or
 * precision of what docstore writes.
 */
static bool
are_plain_columns(TupleDesc desc, const DsCollection *collection)
{
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			(may_have_old_nulls(desc, i) ||
			 (own_column(collection, i + 1) >= 0 && TupleDescAttr(desc, i)->atttypmod >= 0)))
			return false;
	return true;
}

static bool
is_plain(Relation rel, const DsCollection *collection)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION &&
		!rel->rd_rel->relispartition &&
		!rel->rd_rel->relrowsecurity &&
		rel->rd_tableam == GetHeapamTableAmRoutine() &&
		!RELATION_IS_OTHER_TEMP(rel) &&
		!has_triggers(rel, collection) &&
		!collection->has_other_unique &&
		!collection->distributed &&
		are_plain_columns(RelationGetDescr(rel), collection) &&
		(constraints == NULL ||
		 (constraints->num_check == 0 && !has_generated_columns(constraints)));
}

/* Whether a new row needs nothing in a column, whoever's it is. */
static bool
may_stay_empty(Form_pg_attribute column)
{
	return column->attisdropped ||
		(!column->atthasdef && !column->attnotnull && column->attidentity == '\0' &&
		 get_typtype(column->atttypid) != TYPTYPE_DOMAIN);
}

/* Whether docstore itself leaves a column empty, one of its own. */
static bool
is_left_empty(const DsCollection *collection, int own)
{
	return (ds_kind_of(collection)->left_empty & (1 << own)) != 0;
}

/* Note in the description of a table what needs nothing of the executor. */
void
ds_plain_describe(Relation rel, DsCollection *collection)
{
	TupleDesc	desc = RelationGetDescr(rel);

	collection->is_plain = is_plain(rel, collection);
	collection->is_plain_insert = collection->is_plain;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		int			own = own_column(collection, i + 1);

		if (own >= 0
			? is_left_empty(collection, own) && column->attnotnull
			: !may_stay_empty(column))
			collection->is_plain_insert = false;
	}
}

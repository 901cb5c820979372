/*
 * engine.c - which tables are written without the executor
 *
 * The statements of statement.c are what docstore does.  direct.c does the
 * same in less time, where nothing can tell the difference: at READ COMMITTED,
 * on heap tables that are no partition and have no trigger, foreign key, check
 * constraint, generated column, row security or second unique index (of
 * events: that are not concerned with INSERT), that no other extension has
 * taken over, whose columns take what docstore gives them as it is, by callers
 * who have the privileges on the whole table, and where no other extension
 * checks privileges.  INSERT also needs that columns which are not docstore's
 * may be NULL and have no default, and that those which docstore leaves NULL may
 * be.  All else goes through SPI; so does everything when docstore.engine is
 * "sql", which is how the tests compare the two.
 *
 * What a table is like is remembered with its description; what depends on the
 * caller is looked at in each call.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/internal.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "table/engine.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

typedef enum Engine
{
	ENGINE_AUTO,
	ENGINE_SQL
} Engine;

static const struct config_enum_entry engines[] = {
	{"auto", ENGINE_AUTO, false},
	{"sql", ENGINE_SQL, false},
	{NULL, 0, false}
};

static int	engine = ENGINE_AUTO;

/* Define docstore.engine. */
void
ds_engine_init(void)
{
	DefineCustomEnumVariable("docstore.engine",
							 "How documents are written.",
							 "\"sql\" always uses SQL statements; \"auto\" leaves the executor out where a table needs nothing of it.",
							 &engine,
							 ENGINE_AUTO,
							 engines,
							 PGC_USERSET,
							 GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
}

/*
 * What a table needs of the executor
 */

/* Whether a trigger is docstore's own, or calls a function of the server itself. */
static bool
is_known(const Trigger *trigger)
{
	return trigger->tgfoid < FirstUnpinnedObjectId ||
		get_func_namespace(trigger->tgfoid) == ds_internal_schema();
}

/*
 * Whether a trigger fires when docstore writes: those of events on INSERT, as
 * they are never updated here.  Those that fire for replicas only do not: see
 * is_usable().
 */
static bool
fires(const Trigger *trigger, const DsCollection *collection)
{
	return (collection->kind != DS_EVENTS || TRIGGER_FOR_INSERT(trigger->tgtype)) &&
		trigger->tgenabled != TRIGGER_FIRES_ON_REPLICA &&
		trigger->tgenabled != TRIGGER_DISABLED;
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

static bool
is_own_column(const DsCollection *collection, AttrNumber column)
{
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
		if (collection->columns[i] == column)
			return true;
	return column == collection->id || column == collection->version ||
		column == collection->data || column == collection->created_at ||
		column == collection->updated_at || column == collection->revision ||
		column == collection->closed_at || column == collection->generation ||
		column == collection->transaction_id;
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
			 (is_own_column(collection, i + 1) && TupleDescAttr(desc, i)->atttypmod >= 0)))
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

/* Whether docstore itself leaves a column empty: of an event, what the caller may leave out. */
static bool
is_left_empty(const DsCollection *collection, AttrNumber column)
{
	return column == collection->closed_at ||
		column == collection->columns[DS_EVENT_ID] ||
		column == collection->columns[DS_SOURCE_TYPE] ||
		column == collection->columns[DS_STREAM_TYPE] ||
		column == collection->columns[DS_STREAM_ID] ||
		column == collection->columns[DS_METADATA];
}

/* Note in the description of a table what can be done here. */
void
ds_engine_describe(Relation rel, DsCollection *collection)
{
	TupleDesc	desc = RelationGetDescr(rel);

	collection->is_plain = is_plain(rel, collection);
	collection->is_plain_insert = collection->is_plain;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (is_own_column(collection, i + 1)
			? is_left_empty(collection, i + 1) && column->attnotnull
			: !may_stay_empty(column))
			collection->is_plain_insert = false;
	}
}

/* On the whole table; SQL that names it would need its schema as well. */
static bool
has_privileges(const DsCollection *collection, AclMode privileges)
{
	return object_aclcheck(NamespaceRelationId, get_rel_namespace(collection->relid), GetUserId(),
						   ACL_USAGE) == ACLCHECK_OK &&
		pg_class_aclmask(collection->relid, GetUserId(), privileges, ACLMASK_ALL) == privileges;
}

static bool
is_usable(void)
{
	return engine == ENGINE_AUTO && !IsolationUsesXactSnapshot() &&
		SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA &&
		ExecutorCheckPerms_hook == NULL;
}

/* Whether rows can be locked and updated here, in this call. */
bool
ds_engine_updates(const DsCollection *collection)
{
	ds_collection_look_again(collection);
	return collection->is_plain && is_usable() &&
		has_privileges(collection, ACL_SELECT | ACL_UPDATE);
}

/* Whether rows can be inserted here, in this call. */
bool
ds_engine_inserts(const DsCollection *collection)
{
	ds_collection_look_again(collection);
	return collection->is_plain_insert && is_usable() &&
		has_privileges(collection, ACL_SELECT | ACL_INSERT);
}

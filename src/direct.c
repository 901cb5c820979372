/*
 * direct.c - ordinary tables without the executor
 *
 * The statements of statement.c are what docstore does.  This file does the
 * same for upserts, in less time, where nothing can tell the difference: it
 * looks into the primary key, and locks and writes rows by the same functions
 * of the table and of its indexes that the executor calls, in the same order
 * and under the same locks.
 *
 * It is used at READ COMMITTED, on heap tables that are no partition and have
 * no trigger, foreign key, check constraint, generated column, row security or
 * second unique index, by callers who have the privileges on the whole table,
 * and where no other extension checks privileges.  INSERT also needs that
 * columns which are not docstore's may be NULL and have no default.  All else
 * goes through SPI; so does everything when docstore.engine is "sql", which
 * is how the tests compare the two.
 *
 * A single upsert is done here only where it succeeds or is certain to fail:
 * anything that needs a wait, a second look or a second try is left to
 * document.c, with nothing written.  A batch takes the same steps in the same
 * order (attempt.c), and only the way in which a step is done differs.
 *
 * Callers have locked the table and checked with ds_direct_updates() or
 * ds_direct_inserts().  Rows are seen by a snapshot that is taken here, as
 * SPI takes one for each statement.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "direct.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "floor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

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

/* A table that is being worked on. */
typedef struct Direct
{
	const DsCollection *collection;
	Relation	table;
	Relation	key;			/* the index on id */
	IndexScanDesc scan;
	ScanKeyData by_id;
	TupleTableSlot *found;		/* a row of the table, in its buffer */
	TupleTableSlot *formed;		/* a new row */
	ResultRelInfo *target;		/* with all indexes, once entries are due */
	EState	   *estate;
	bool		looks_first;	/* before it inserts: ids were taken, or may well be */
} Direct;

/* Define docstore.engine. */
void
ds_direct_init(void)
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

/*
 * Whether a trigger fires when docstore writes: those of events on INSERT, as
 * they are never updated here.  Those that fire for replicas only do not: see
 * is_usable().
 */
static bool
has_triggers(Relation rel, const DsCollection *collection)
{
	if (rel->trigdesc == NULL)
		return false;
	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if ((collection->kind != DS_EVENTS || TRIGGER_FOR_INSERT(trigger->tgtype)) &&
			trigger->tgenabled != TRIGGER_FIRES_ON_REPLICA &&
			trigger->tgenabled != TRIGGER_DISABLED)
			return true;
	}
	return false;
}

static bool
is_plain(Relation rel, const DsCollection *collection)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION &&
		!rel->rd_rel->relispartition &&
		!rel->rd_rel->relrowsecurity &&
		rel->rd_tableam == GetHeapamTableAmRoutine() &&
		!has_triggers(rel, collection) &&
		!collection->has_other_unique &&
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

/* Note in the description of a table what can be done here. */
void
ds_direct_describe(Relation rel, DsCollection *collection)
{
	TupleDesc	desc = RelationGetDescr(rel);

	collection->is_plain = is_plain(rel, collection);
	collection->is_plain_insert = collection->is_plain;
	for (int i = 0; i < desc->natts; i++)
		if (!is_own_column(collection, i + 1) && !may_stay_empty(TupleDescAttr(desc, i)))
			collection->is_plain_insert = false;
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
ds_direct_updates(const DsCollection *collection)
{
	return collection->kind == DS_DOCUMENTS && collection->is_plain && is_usable() &&
		has_privileges(collection, ACL_SELECT | ACL_UPDATE);
}

/* Whether rows can be inserted here, in this call. */
bool
ds_direct_inserts(const DsCollection *collection)
{
	return collection->kind == DS_DOCUMENTS && collection->is_plain_insert && is_usable() &&
		has_privileges(collection, ACL_SELECT | ACL_INSERT);
}

/*
 * Tables
 */

static void
begin(Direct *direct, const DsCollection *collection)
{
	memset(direct, 0, sizeof(Direct));
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());

	direct->collection = collection;
	direct->table = table_open(collection->relid, NoLock);
	direct->key = index_open(collection->key, RowExclusiveLock);
	direct->found = table_slot_create(direct->table, NULL);
	direct->formed = MakeSingleTupleTableSlot(RelationGetDescr(direct->table), &TTSOpsHeapTuple);
	direct->scan = index_beginscan(direct->table, direct->key, GetActiveSnapshot(), NULL, 1, 0);
	ScanKeyEntryInitialize(&direct->by_id, 0, 1, BTEqualStrategyNumber, InvalidOid,
						   direct->key->rd_indcollation[0],
						   collection->id_type->equal, (Datum) 0);
}

static void
end(Direct *direct)
{
	index_endscan(direct->scan);
	ExecDropSingleTupleTableSlot(direct->found);
	ExecDropSingleTupleTableSlot(direct->formed);
	if (direct->target != NULL)
	{
		ExecCloseIndices(direct->target);
		FreeExecutorState(direct->estate);
	}
	index_close(direct->key, NoLock);
	table_close(direct->table, NoLock);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* Open all indexes, for the entries of new rows. */
static void
open_indexes(Direct *direct)
{
	if (direct->target != NULL)
		return;
	direct->estate = CreateExecutorState();
	direct->target = makeNode(ResultRelInfo);
	InitResultRelInfo(direct->target, direct->table, 0, NULL, 0);
	ExecOpenIndices(direct->target, true);
}

/*
 * Rows
 */

/* Find the row of an id in the snapshot. */
static bool
find(Direct *direct, Datum id)
{
	direct->by_id.sk_argument = id;
	index_rescan(direct->scan, &direct->by_id, 1, NULL, 0);
	return index_getnext_slot(direct->scan, ForwardScanDirection, direct->found);
}

static Datum
column_value(Direct *direct, AttrNumber column)
{
	bool		is_null;
	Datum		value = slot_getattr(direct->found, column, &is_null);

	Assert(!is_null);
	return value;
}

static int64
found_version(Direct *direct)
{
	return DatumGetInt64(column_value(direct, direct->collection->version));
}

static bool
is_still(Direct *direct, Datum id)
{
	return ds_id_compare(direct->collection->id_type,
						 column_value(direct, direct->collection->id), id) == 0;
}

/*
 * Lock the row that was found, in its latest version, as SELECT .. FOR NO KEY
 * UPDATE does; false when it is gone by now, or has another id.
 */
static bool
lock(Direct *direct, Datum id)
{
	ItemPointerData place = direct->found->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(direct->table, &place, GetActiveSnapshot(), direct->found,
							  GetCurrentCommandId(true), LockTupleNoKeyExclusive, LockWaitBlock,
							  TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS |
							  TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
							  &failure);
	switch (result)
	{
		case TM_Ok:
			return !failure.traversed || is_still(direct, id);
		case TM_SelfModified:
		case TM_Deleted:
			return false;
		default:
			elog(ERROR, "unexpected table_tuple_lock status: %d", (int) result);
	}
}

/*
 * Make the index entries of the row that was formed.  is_taken: report that
 * its id is taken, where it would be an error otherwise.
 */
static void
insert_entries(Direct *direct, bool is_update, bool *is_taken, bool summarizing)
{
	open_indexes(direct);
	list_free(ExecInsertIndexTuples(direct->target, direct->formed, direct->estate,
									is_update, is_taken != NULL, is_taken, NIL, summarizing));
	ResetPerTupleExprContext(direct->estate);
}

static void
set_column(Datum *values, bool *nulls, AttrNumber column, Datum value)
{
	if (column == InvalidAttrNumber)
		return;
	values[column - 1] = value;
	nulls[column - 1] = false;
}

static void
form(Direct *direct, Datum *values, bool *nulls)
{
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(direct->table), values, nulls),
					   direct->formed, true);
}

/*
 * Update the row that was found; false, with nothing written, when somebody
 * has changed it since.
 */
static bool
update(Direct *direct, Datum data, int64 version)
{
	const DsCollection *collection = direct->collection;
	ItemPointerData place = direct->found->tts_tid;
	TM_FailureData failure;
	LockTupleMode mode;
	TU_UpdateIndexes indexes;

	slot_getallattrs(direct->found);
	set_column(direct->found->tts_values, direct->found->tts_isnull, collection->data, data);
	set_column(direct->found->tts_values, direct->found->tts_isnull, collection->version,
			   Int64GetDatum(version));
	set_column(direct->found->tts_values, direct->found->tts_isnull, collection->updated_at,
			   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	form(direct, direct->found->tts_values, direct->found->tts_isnull);

	if (table_tuple_update(direct->table, &place, direct->formed, GetCurrentCommandId(true),
						   GetActiveSnapshot(), InvalidSnapshot, true,
						   &failure, &mode, &indexes) != TM_Ok)
		return false;

	if (indexes != TU_None)
		insert_entries(direct, true, NULL, only_summarizing(indexes));
	return true;
}

static void
form_new(Direct *direct, Datum id, Datum data, int64 version)
{
	const DsCollection *collection = direct->collection;
	Datum	   *values = direct->formed->tts_values;
	bool	   *nulls = direct->formed->tts_isnull;
	Datum		now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());

	ExecClearTuple(direct->formed);
	memset(nulls, true, RelationGetDescr(direct->table)->natts);
	set_column(values, nulls, collection->id, id);
	set_column(values, nulls, collection->version, Int64GetDatum(version));
	set_column(values, nulls, collection->data, data);
	set_column(values, nulls, collection->created_at, now);
	set_column(values, nulls, collection->updated_at, now);
	form(direct, values, nulls);
}

/*
 * Insert a row speculatively, as INSERT .. ON CONFLICT DO NOTHING does; false
 * when the id turns out to be taken, and the row is gone again.
 */
static bool
insert_speculatively(Direct *direct)
{
	uint32		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
	bool		is_taken = false;

	table_tuple_insert_speculative(direct->table, direct->formed, GetCurrentCommandId(true),
								   0, NULL, token);
	insert_entries(direct, false, &is_taken, false);
	table_tuple_complete_speculative(direct->table, direct->formed, token, !is_taken);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	return !is_taken;
}

/*
 * Whether the id of the row that was formed is free.  Who is just creating or
 * deleting it is waited for.
 */
static bool
is_free(Direct *direct)
{
	ItemPointerData taken;

	return ExecCheckIndexConstraints(direct->target, direct->formed, direct->estate, &taken,
									 &direct->formed->tts_tid, NIL);
}

/*
 * Insert a row; false when the id is taken.  A row that turns out to be in
 * the way of another leaves a dead one behind, so the id is looked up first
 * where that is likely.
 */
static bool
insert(Direct *direct, Datum id, Datum data, int64 version)
{
	bool		is_found = direct->looks_first && find(direct, id);

	open_indexes(direct);
	form_new(direct, id, data, version);
	if (is_found && !is_free(direct))
		return false;
	while (!insert_speculatively(direct))
	{
		CHECK_FOR_INTERRUPTS();
		direct->looks_first = true;
		if (!is_free(direct))
			return false;
	}
	return true;
}

/*
 * One document
 */

/* Write a document that is there, or say why it must not be where that is final. */
static bool
try_update(Direct *direct, Datum id, Datum data, int64 expected, DsOutcome *outcome)
{
	outcome->present = find(direct, id);
	if (outcome->present)
		outcome->actual = found_version(direct);
	outcome->reason = ds_expectation_compare(expected, outcome->present, outcome->actual);

	if (outcome->reason != DS_HOLDS)
		return !outcome->present || ds_expectation_is_passed(expected, outcome->actual);
	if (!outcome->present || outcome->actual == PG_INT64_MAX ||
		!update(direct, data, outcome->actual + 1))
		return false;
	outcome->written = true;
	outcome->version = outcome->actual + 1;
	return true;
}

static bool
try_insert(Direct *direct, Datum id, Datum data, DsOutcome *outcome)
{
	int64		version = ds_floor_next_version(direct->collection);

	if (!insert(direct, id, data, version))
		return false;
	memset(outcome, 0, sizeof(DsOutcome));
	outcome->written = true;
	outcome->version = version;
	return true;
}

/*
 * Create or overwrite a document, as ds_document_upsert(); false when that is
 * left to it, with nothing written.  A new document may still have to be
 * lifted above the floor.
 */
bool
ds_direct_upsert(const DsCollection *collection, Datum id, Datum data, int64 expected,
				 DsOutcome *outcome)
{
	bool		may_update = expected != DS_NO_VERSION && ds_direct_updates(collection);
	bool		may_insert = (expected == DS_NO_VERSION || expected == DS_ANY_VERSION) &&
		ds_direct_inserts(collection);
	bool		is_done = false;
	Direct		direct;

	memset(outcome, 0, sizeof(DsOutcome));
	if (expected == DS_NO_VERSION ? !may_insert : !may_update)
		return false;

	begin(&direct, collection);
	direct.looks_first = expected == DS_NO_VERSION;
	if (may_update)
	{
		CheckCmdReplicaIdentity(direct.table, CMD_UPDATE);
		is_done = try_update(&direct, id, data, expected, outcome);
	}
	if (!is_done && may_insert && !outcome->present)
		is_done = try_insert(&direct, id, data, outcome);
	end(&direct);

	if (!is_done)
		memset(outcome, 0, sizeof(DsOutcome));
	return is_done;
}

/*
 * Many documents of one collection, in lock order
 */

/* Lock the documents that are there: DS_LOCK_MANY_FOR_UPSERT. */
void
ds_direct_lock(DsItem **items, int count)
{
	Direct		direct;

	begin(&direct, items[0]->collection);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!find(&direct, items[i]->id) || !lock(&direct, items[i]->id))
			continue;
		items[i]->present = true;
		items[i]->actual = found_version(&direct);
		items[i]->place = direct.found->tts_tid;
	}
	end(&direct);
}

/* Memory for what is stored, of one row after the other. */
static MemoryContext
begin_rows(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "docstore row", ALLOCSET_DEFAULT_SIZES);
}

static Datum
stored_in(MemoryContext row, const DsItem *item, bool is_new)
{
	MemoryContext caller;
	Jsonb	   *stored;

	MemoryContextReset(row);
	caller = MemoryContextSwitchTo(row);
	stored = ds_batch_stored(item, is_new);
	MemoryContextSwitchTo(caller);
	return JsonbPGetDatum(stored);
}

/* Update documents that are locked, each at its place: DS_UPDATE_MANY. */
void
ds_direct_update(DsItem **items, int count)
{
	MemoryContext row = begin_rows();
	Direct		direct;

	begin(&direct, items[0]->collection);
	CheckCmdReplicaIdentity(direct.table, CMD_UPDATE);
	for (int i = 0; i < count; i++)
	{
		Datum		data = stored_in(row, items[i], false);

		CHECK_FOR_INTERRUPTS();
		if (table_tuple_fetch_row_version(direct.table, &items[i]->place, SnapshotAny, direct.found) &&
			update(&direct, data, items[i]->actual + 1))
		{
			items[i]->written = true;
			items[i]->version = items[i]->actual + 1;
		}
	}
	end(&direct);
	MemoryContextDelete(row);
}

/*
 * Insert documents whose ids are not taken: DS_INSERT_MANY.  Most often none
 * is, so ids are looked up only after the first that was.
 */
void
ds_direct_insert(DsItem **items, int count, int64 version)
{
	MemoryContext row = begin_rows();
	Direct		direct;

	begin(&direct, items[0]->collection);
	for (int i = 0; i < count; i++)
	{
		Datum		data = stored_in(row, items[i], true);

		CHECK_FOR_INTERRUPTS();
		if (insert(&direct, items[i]->id, data, version))
		{
			items[i]->written = true;
			items[i]->version = version;
		}
	}
	end(&direct);
	MemoryContextDelete(row);
}

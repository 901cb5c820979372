/*
 * version_data.c - the data that a document had at a version, for who writes it
 *
 * A merge that is not told what it began with takes what history has at the
 * expected version.  Its caller holds the document's row, and has read the
 * document itself, with the privileges that this takes.  None on the history is
 * asked for, as none is for recording; all that the caller learns is what
 * becomes of the merge.
 *
 * Row security is for single rows, though: who may see a document now need not
 * have been allowed to see what it was.  So where it applies to the caller, what
 * history shows to the caller is all there is.  So it is where the history is
 * another's than the collection.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "history/change.h"
#include "history/version_data.h"
#include "miscadmin.h"
#include "table/collection.h"
#include "table/plan.h"
#include "utils/acl.h"
#include "utils/rls.h"

static void
build(const void *context, DsStatementText *text)
{
	const DsCollection *history = context;

	text->sql = psprintf("SELECT COALESCE(t.data, '{}') FROM %s WHERE t.id OPERATOR(pg_catalog.=) $1 "
						 "AND t.version OPERATOR(pg_catalog.=) $2 AND t.op OPERATOR(pg_catalog.=) ANY ('{" DS_OP_CREATED "," DS_OP_UPDATED "}')",
						 ds_statement_target(history));
	ds_statement_set_types(text, 2, (const Oid[]) {history->id_type->oid, INT8OID});
}

/* What history shows to the caller. */
static Jsonb *
find_as_caller(const DsCollection *history, Datum id, int64 version)
{
	Datum		values[] = {id, Int64GetDatum(version)};
	Jsonb	   *data = NULL;

	if (pg_class_aclcheck(history->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
	{
		MemoryContext caller = CurrentMemoryContext;

		if (ds_plan_run(history, (DsPlanKey) {.build = build}, history, DS_WRITE, values, NULL) > 0)
		{
			Datum		found = ds_plan_datum(0, 1, JSONBOID);

			MemoryContextSwitchTo(caller);
			data = DatumGetJsonbPCopy(found);
		}
		SPI_freetuptable(SPI_tuptable);
		MemoryContextSwitchTo(caller);
	}
	return data;
}

static Jsonb *
find(const DsCollection *history, Datum id, int64 version)
{
	DsChanges	changes;
	Jsonb	   *data;

	ds_changes_begin(&changes, history);
	data = ds_changes_find_data(&changes, id, version);
	ds_changes_end(&changes);
	return data;
}

static bool
was_deleted(const DsCollection *history, Datum id, int64 version)
{
	DsChanges	changes;
	bool		result;

	ds_changes_begin(&changes, history);
	result = ds_changes_has_new_life(&changes, id, version);
	ds_changes_end(&changes);
	return result;
}

/*
 * The data of a document of a tracked collection at a version, in the current
 * memory context; NULL when history does not have it: it was never recorded, it
 * is erased or pruned, or at that version the document was not there, or it was
 * another one, which was deleted since: an edit of that is none of what has its id
 * now.  Callers hold the document's row, and are connected to SPI.
 * Raises 42704 and 42809 as recording does.
 */
Jsonb *
ds_version_data(const DsCollection *collection, Datum id, int64 version)
{
	DsCollection history;
	Jsonb	   *data;

	ds_history_open_to_record(collection->relid, collection->document.history, collection->id_type, &history);
	data = check_enable_rls(collection->relid, InvalidOid, true) == RLS_ENABLED || history.owner != collection->owner
		? find_as_caller(&history, id, version) : find(&history, id, version);
	return data == NULL || was_deleted(&history, id, version) ? NULL : data;
}

/*
 * step_direct.c - the steps of a batch without the executor
 *
 * The steps of a batch over documents or heads of one table, as the statements
 * of the same names do them, in the same order (attempt.c).
 */
#include "postgres.h"

#include "access/tableam.h"
#include "batch/step_direct.h"
#include "document/document_direct.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "stream/head_direct.h"
#include "utils/memutils.h"

/* Lock the rows that are there: DS_LOCK_MANY_FOR_UPSERT. */
void
ds_step_direct_lock(DsTarget **targets, int count)
{
	DsDirect	direct;

	ds_direct_begin(&direct, targets[0]->collection);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!ds_direct_find(&direct, targets[i]->id) || !ds_direct_lock_row(&direct, targets[i]->id))
			continue;
		targets[i]->present = true;
		targets[i]->actual = ds_direct_version(&direct);
		targets[i]->place = direct.found->tts_tid;
		if (targets[i]->head != NULL)
			ds_head_direct_read(&direct, targets[i]->head);
	}
	ds_direct_end(&direct);
}

/* Memory for what is stored, of one row after the other. */
static MemoryContext
begin_rows(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "docstore row", ALLOCSET_DEFAULT_SIZES);
}

/* What is stored in a target; nothing, for a head that keeps its properties. */
static Datum
stored_in(MemoryContext row, const DsTarget *target, bool is_new)
{
	MemoryContext caller;
	Jsonb	   *stored;

	MemoryContextReset(row);
	if (target->data == NULL)
		return (Datum) 0;
	caller = MemoryContextSwitchTo(row);
	stored = ds_target_stored(target, is_new);
	MemoryContextSwitchTo(caller);
	return JsonbPGetDatum(stored);
}

/* Update one that is locked, at its place; false when it is not there any more. */
static bool
update_target(DsDirect *direct, DsDocumentDirect *document, DsTarget *target, Datum data)
{
	if (!ds_direct_fetch(direct, &target->place, target->id))
		return false;
	target->version = target->actual + (document != NULL ? 1 : target->head->growth);
	return document != NULL
		? ds_document_direct_update(document, data, target->version)
		: ds_head_direct_update(direct, target->head, data, target->version);
}

static void
update_targets(DsDirect *direct, DsDocumentDirect *document, DsTarget **targets, int count)
{
	MemoryContext row = begin_rows();

	CheckCmdReplicaIdentity(direct->table, CMD_UPDATE);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		targets[i]->written = update_target(direct, document, targets[i], stored_in(row, targets[i], false));
	}
	MemoryContextDelete(row);
}

/* Update rows that are locked: DS_UPDATE_MANY. */
void
ds_step_direct_update(DsTarget **targets, int count)
{
	if (targets[0]->head == NULL)
	{
		DsDocumentDirect document;

		ds_document_direct_begin(&document, targets[0]->collection);
		update_targets(&document.direct, &document, targets, count);
		ds_document_direct_end(&document);
	}
	else
	{
		DsDirect	direct;

		ds_direct_begin(&direct, targets[0]->collection);
		update_targets(&direct, NULL, targets, count);
		ds_direct_end(&direct);
	}
}

/* Insert a row; false when its id is taken. */
static bool
insert_target(DsDirect *direct, DsDocumentDirect *document, DsTarget *target, Datum data)
{
	if (document != NULL)
		return ds_document_direct_insert(document, target->id, data, &target->version);
	target->version = target->head->growth;
	return ds_head_direct_insert(direct, target->head, target->id, data);
}

static void
insert_targets(DsDirect *direct, DsDocumentDirect *document, DsTarget **targets, int count)
{
	MemoryContext row = begin_rows();

	ds_direct_expect_rows(direct, count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		targets[i]->written = insert_target(direct, document, targets[i], stored_in(row, targets[i], true));
	}
	MemoryContextDelete(row);
}

/*
 * Insert rows whose ids are not taken: DS_INSERT_MANY, each document right
 * above the floor.  Most often none is taken, so ids are looked up only after
 * the first that was.
 */
void
ds_step_direct_insert(DsTarget **targets, int count)
{
	if (targets[0]->head == NULL)
	{
		DsDocumentDirect document;

		ds_document_direct_begin(&document, targets[0]->collection);
		insert_targets(&document.direct, &document, targets, count);
		ds_document_direct_end(&document);
	}
	else
	{
		DsDirect	direct;

		ds_direct_begin(&direct, targets[0]->collection);
		insert_targets(&direct, NULL, targets, count);
		ds_direct_end(&direct);
	}
}

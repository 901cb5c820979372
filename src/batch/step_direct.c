/*
 * step_direct.c - the steps of a batch without the executor
 *
 * The steps of a batch over documents or heads of one table, as the statements
 * of the same names do them, in the same order (attempt.c).  Where the update can
 * be the lock, rows are neither locked for themselves nor looked up twice, a
 * twentieth of such a batch.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "batch/step_direct.h"
#include "document/document_direct.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "stream/head_direct.h"
#include "utils/memutils.h"

/* Lock the rows that are there; the first ones were found, and have places. */
static void
lock_rows(DsDirect *direct, DsTarget **targets, int count, int found)
{
	for (int i = 0; i < count; i++)
	{
		DsTarget   *target = targets[i];

		CHECK_FOR_INTERRUPTS();
		if (i < found
			? !ds_direct_lock_place(direct, target->place, target->id)
			: !ds_direct_find(direct, target->id) || !ds_direct_lock_row(direct, target->id))
			continue;
		target->present = true;
		target->actual = ds_direct_version(direct);
		target->place = direct->found->tts_tid;
		if (target->head != NULL)
			ds_head_direct_read(direct, target->head);
	}
}

/* Lock the rows that are there: DS_LOCK_MANY_FOR_UPSERT. */
void
ds_step_direct_lock(DsTarget **targets, int count)
{
	DsDirect	direct;

	ds_direct_begin(&direct, targets[0]->collection);
	lock_rows(&direct, targets, count, 0);
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

/*
 * Updates that do not lock first
 */

/* Find the rows in one snapshot, up to the first that is not as expected; returns how many are. */
static int
find_as_expected(DsDirect *direct, DsTarget **targets, int count)
{
	for (int i = 0; i < count; i++)
	{
		DsTarget   *target = targets[i];

		CHECK_FOR_INTERRUPTS();
		if (!ds_direct_find(direct, target->id))
			return i;
		target->actual = ds_direct_version(direct);
		target->place = direct->found->tts_tid;
		if (target->actual != target->expected || target->actual == PG_INT64_MAX)
			return i;
	}
	return count;
}

/* Update the rows that were found; returns how many, up to the first that is not the latest version any more. */
static int
update_found(DsDocumentDirect *document, DsTarget **targets, int count)
{
	MemoryContext row = begin_rows();
	int			written;

	CheckCmdReplicaIdentity(document->direct.table, CMD_UPDATE);
	for (written = 0; written < count; written++)
	{
		DsTarget   *target = targets[written];

		CHECK_FOR_INTERRUPTS();
		if (!update_target(&document->direct, document, target, stored_in(row, target, false)))
			break;
		target->present = target->written = true;
	}
	MemoryContextDelete(row);
	return written;
}

/*
 * Update documents that are not locked yet, each of which is expected at an
 * exact version, or else lock those that are there.
 *
 * All are looked at first, in one snapshot.  If each is as expected, they are
 * updated in the order of the locks, which an update is as well as any: the
 * server refuses a row that is not the latest version any more.  That one and
 * all after it are locked then, to be compared and written as ever.  If any is
 * not as expected, nothing is written.
 */
void
ds_step_direct_update_or_lock(DsTarget **targets, int count)
{
	DsDocumentDirect document;
	int			found;
	int			written;

	ds_document_direct_begin(&document, targets[0]->collection);
	found = find_as_expected(&document.direct, targets, count);
	written = found == count ? update_found(&document, targets, count) : 0;
	lock_rows(&document.direct, targets + written, count - written, found - written);
	ds_document_direct_end(&document);
}

/*
 * Inserts
 */

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

/*
 * document_direct.c - one document without the executor
 *
 * A single upsert is done here only where it succeeds or is certain to fail:
 * anything that needs a wait, a second look or a second try is left to
 * document.c, with nothing written.
 *
 * A create that finds its id taken only when it has inserted leaves a dead row
 * behind, in the table and in its indexes.  One that looks its id up first
 * leaves none, and takes a tenth longer.  Most clients create what is new, but
 * some create what may well be there, and are told by the conflict.  So after
 * an id was taken the next LOOKS creates of this session look first, and each
 * that is taken begins to count anew: who creates in vain again and again
 * leaves one dead row, and who does so now and then at most one for each LOOKS
 * documents.
 */
#include "postgres.h"

#include "access/xact.h"
#include "document/document_direct.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "table/engine.h"
#include "utils/timestamp.h"

#define LOOKS 100

/* How many more creates of this session look first. */
static int	looks_left = 0;

/* Begin to write documents; those of a tracked collection are recorded, as its trigger would. */
void
ds_document_direct_begin(DsDocumentDirect *document, const DsCollection *collection)
{
	DsTracked	tracked;

	ds_direct_begin(&document->direct, collection);
	document->is_tracked = OidIsValid(collection->document.history);
	if (!document->is_tracked)
		return;
	ds_tracked_describe(document->direct.table, collection->document.history, &tracked);
	ds_recorder_begin(&document->recorder, &tracked);
}

void
ds_document_direct_end(DsDocumentDirect *document)
{
	if (document->is_tracked)
		ds_recorder_end(&document->recorder);
	ds_direct_end(&document->direct);
}

/* Update the document that was found; false when somebody has changed it since. */
bool
ds_document_direct_update(DsDocumentDirect *document, Datum data, int64 version)
{
	DsDirect   *direct = &document->direct;
	const DsCollection *collection = direct->collection;
	Datum	   *values = direct->found->tts_values;
	bool	   *nulls = direct->found->tts_isnull;

	slot_getallattrs(direct->found);
	ds_direct_set(values, nulls, collection->data, data);
	ds_direct_set(values, nulls, collection->version, Int64GetDatum(version));
	ds_direct_set(values, nulls, collection->columns[DS_DOCUMENT_UPDATED_AT],
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	ds_direct_form_changed(direct);
	if (!ds_direct_update(direct))
		return false;
	if (document->is_tracked)
		ds_recorder_record(&document->recorder, ExecFetchSlotHeapTuple(direct->found, false, NULL),
						   ExecFetchSlotHeapTuple(direct->formed, false, NULL));
	return true;
}

/* Form a new document. */
static void
form_new(DsDirect *direct, Datum id, Datum data, int64 version)
{
	const DsCollection *collection = direct->collection;
	Datum	   *values = direct->formed->tts_values;
	bool	   *nulls = direct->formed->tts_isnull;
	Datum		now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());

	ds_direct_begin_new(direct);
	ds_direct_set(values, nulls, collection->id, id);
	ds_direct_set(values, nulls, collection->version, Int64GetDatum(version));
	ds_direct_set(values, nulls, collection->data, data);
	ds_direct_set(values, nulls, collection->columns[DS_DOCUMENT_CREATED_AT], now);
	ds_direct_set(values, nulls, collection->columns[DS_DOCUMENT_UPDATED_AT], now);
	ds_direct_form_new(direct);
}

/*
 * Insert a document above the floor, with the version that it gets; false when
 * its id is taken.  Each further try takes somebody who has raised the floor
 * since the last one.
 */
bool
ds_document_direct_insert(DsDocumentDirect *document, Datum id, Datum data, int64 *version)
{
	DsDirect   *direct = &document->direct;
	DsInsertion result;

	do
	{
		CHECK_FOR_INTERRUPTS();
		*version = ds_direct_next_version(direct);
		form_new(direct, id, data, *version);
		result = ds_direct_insert(direct, id, *version);
	} while (result == DS_TOO_LOW);
	if (result != DS_INSERTED)
		return false;
	if (document->is_tracked)
		ds_recorder_record(&document->recorder, NULL, ExecFetchSlotHeapTuple(direct->formed, false, NULL));
	return true;
}

/* Write a document that is there, or say why it must not be where that is final. */
static bool
try_update(DsDocumentDirect *document, Datum id, Datum data, int64 expected, DsOutcome *outcome)
{
	DsDirect   *direct = &document->direct;

	outcome->present = ds_direct_find(direct, id);
	if (outcome->present)
		outcome->actual = ds_direct_version(direct);
	outcome->reason = ds_expectation_compare(expected, outcome->present, outcome->actual);

	if (outcome->reason != DS_NO_REASON)
		return !outcome->present || ds_expectation_is_passed(expected, outcome->actual);
	if (!outcome->present || outcome->actual == PG_INT64_MAX ||
		!ds_document_direct_update(document, data, outcome->actual + 1))
		return false;
	outcome->written = true;
	outcome->version = outcome->actual + 1;
	return true;
}

static bool
try_insert(DsDocumentDirect *document, Datum id, Datum data, DsOutcome *outcome)
{
	int64		version;

	if (!ds_document_direct_insert(document, id, data, &version))
		return false;
	memset(outcome, 0, sizeof(DsOutcome));
	outcome->written = true;
	outcome->version = version;
	return true;
}

/* The same of one that is expected to be absent, so that nobody has looked yet. */
static bool
try_create(DsDocumentDirect *document, Datum id, Datum data, DsOutcome *outcome)
{
	bool		is_created;

	document->direct.looks_first = looks_left > 0;
	is_created = try_insert(document, id, data, outcome);
	looks_left = is_created ? Max(looks_left - 1, 0) : LOOKS;
	return is_created;
}

/*
 * Create or overwrite a document, as ds_document_upsert(); false when that is
 * left to it, with nothing written.
 */
bool
ds_document_direct_upsert(const DsCollection *collection, Datum id, Datum data, int64 expected,
						  DsOutcome *outcome)
{
	bool		may_update = expected != DS_NO_VERSION && ds_engine_updates(collection);
	bool		may_insert = ((expected == DS_NO_VERSION || expected == DS_ANY_VERSION) &&
							  ds_engine_inserts(collection));
	bool		is_done = false;
	DsDocumentDirect document;

	memset(outcome, 0, sizeof(DsOutcome));
	if (expected == DS_NO_VERSION ? !may_insert : !may_update)
		return false;

	ds_document_direct_begin(&document, collection);
	if (may_update)
	{
		CheckCmdReplicaIdentity(document.direct.table, CMD_UPDATE);
		is_done = try_update(&document, id, data, expected, outcome);
	}
	if (!is_done && may_insert && !outcome->present)
		is_done = (expected == DS_NO_VERSION ? try_create : try_insert) (&document, id, data, outcome);
	ds_document_direct_end(&document);

	if (!is_done)
		memset(outcome, 0, sizeof(DsOutcome));
	return is_done;
}

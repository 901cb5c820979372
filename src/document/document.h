/*
 * document.h - one document: find, wait, compare, write
 *
 * The room document/ knows how a call on a single document ends: written, or
 * why not.  It enforces
 *
 *	document.c			the version that is compared is that of the row that is
 *						locked; who loses the race for an id has a conflict
 *						(exists), no 23505; a new document is above all versions
 *						that were deleted, which floor.c knows
 *	condition.c			a condition is looked at under the lock, too: what the document
 *						contains, whatever its version
 *	document_direct.c	the same without the executor, where it succeeds at once
 *	outcome.c			what was found and done; raised, or remembered, as a conflict
 *	metadata.c			"@metadata", with which the version travels in a document
 *
 * It may call conflict/ (to compare, and to raise), table/ (statements, a
 * patch's merge among them, floors, rows without the executor), json/ and base/.  Batches have steps of their own: batch/.
 */
#ifndef DS_DOCUMENT_H
#define DS_DOCUMENT_H

#include "postgres.h"

#include "document/outcome.h"
#include "table/collection.h"

/* What becomes of a document: it is this data, or it is patched with it. */
typedef struct DsDocumentChange
{
	Datum		data;
	bool		is_patch;
} DsDocumentChange;

/*
 * Decides what becomes of a document that is locked, at outcome->actual; false
 * when it is not to be written, for a reason that the outcome has then.
 */
typedef bool (*DsDocumentDecide) (const DsCollection *collection, Datum id, void *context,
								  DsDocumentChange *change, DsOutcome *outcome);

extern void ds_document_upsert(const DsCollection *collection, Datum id, Datum data,
							   int64 expected, DsOutcome *outcome);
extern void ds_document_patch(const DsCollection *collection, Datum id, Datum patch,
							  int64 expected, DsOutcome *outcome);
extern void ds_document_decide(const DsCollection *collection, Datum id, int64 expected,
							   DsDocumentDecide decide, void *context, DsOutcome *outcome);
extern void ds_document_delete(const DsCollection *collection, Datum id,
							   int64 expected, DsOutcome *outcome);
extern bool ds_document_is_taken_back(const DsCollection *collection);

#endif							/* DS_DOCUMENT_H */

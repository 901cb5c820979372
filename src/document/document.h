/*
 * document.h - one document: find, wait, compare, write
 */
#ifndef DS_DOCUMENT_H
#define DS_DOCUMENT_H

#include "postgres.h"

#include "base/compat.h"
#include "conflict/expectation.h"
#include "table/collection.h"

/* What a call found and did. */
typedef struct DsOutcome
{
	DsReason	reason;			/* DS_HOLDS: nothing stood in the way */
	bool		present;		/* found, and visible to the caller */
	int64		actual;			/* the version found, when present */
	bool		written;		/* or deleted */
	int64		version;		/* the new version, or the one deleted, when written */
} DsOutcome;

extern void ds_document_upsert(const DsCollection *collection, Datum id, Datum data,
							   int64 expected, DsOutcome *outcome);
extern void ds_document_patch(const DsCollection *collection, Datum id, Datum patch,
							  int64 expected, DsOutcome *outcome);
extern void ds_document_delete(const DsCollection *collection, Datum id,
							   int64 expected, DsOutcome *outcome);

extern bool ds_document_is_taken_back(const DsCollection *collection);
extern bool ds_document_has_policies(const DsCollection *collection);
extern Datum ds_document_require(Datum data, const char *name, int item);
pg_noreturn extern void ds_document_refuse_growth(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_document_refuse_trigger(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_document_refuse_interference(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_document_refuse_unwritable(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_document_refuse_unwritten(const DsCollection *collection, Datum id);
pg_noreturn extern void ds_document_refuse_old_snapshot(void);

#endif							/* DS_DOCUMENT_H */

/*
 * outcome.h - what a call has found of a document, and done
 */
#ifndef DS_OUTCOME_H
#define DS_OUTCOME_H

#include "postgres.h"

#include "base/compat.h"
#include "conflict/expectation.h"
#include "table/collection.h"

typedef struct DsOutcome
{
	DsReason	reason;			/* DS_NO_REASON: nothing stood in the way */
	bool		present;		/* found, and visible to the caller */
	int64		actual;			/* the version found, when present */
	bool		written;		/* or deleted */
	int64		version;		/* the new version, or the one deleted, when written */
} DsOutcome;

pg_nodiscard extern bool ds_outcome_settle(const DsOutcome *outcome, const char *op,
										   const DsCollection *collection, Datum id, int64 expected);

#endif							/* DS_OUTCOME_H */

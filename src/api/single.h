/*
 * single.h - what the verbs on one document have in common
 */
#ifndef DS_SINGLE_H
#define DS_SINGLE_H

#include "postgres.h"

#include "base/compat.h"
#include "document/document.h"
#include "fmgr.h"
#include "table/collection.h"

typedef struct DsSingle
{
	DsCollection collection;
	Datum		id;
	int64		expected;		/* what is left of it under docstore.checks */
} DsSingle;

extern void ds_single_begin(FunctionCallInfo fcinfo, int expected_argument, DsSingle *call);
pg_nodiscard extern bool ds_single_end(const DsSingle *call, const char *op, const DsOutcome *outcome);

#endif							/* DS_SINGLE_H */

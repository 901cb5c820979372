/*
 * direct_document.h - one document without the executor
 */
#ifndef DS_DIRECT_DOCUMENT_H
#define DS_DIRECT_DOCUMENT_H

#include "postgres.h"

#include "document/document.h"
#include "table/direct.h"

extern bool ds_direct_update_document(DsDirect *direct, Datum data, int64 version);
extern bool ds_direct_insert_document(DsDirect *direct, Datum id, Datum data, int64 *version);
extern bool ds_direct_upsert(const DsCollection *collection, Datum id, Datum data,
							 int64 expected, DsOutcome *outcome);

#endif							/* DS_DIRECT_DOCUMENT_H */

/*
 * document_direct.h - one document without the executor
 */
#ifndef DS_DOCUMENT_DIRECT_H
#define DS_DOCUMENT_DIRECT_H

#include "postgres.h"

#include "document/outcome.h"
#include "table/direct.h"

extern bool ds_document_direct_update(DsDirect *direct, Datum data, int64 version);
extern bool ds_document_direct_insert(DsDirect *direct, Datum id, Datum data, int64 *version);
extern bool ds_document_direct_upsert(const DsCollection *collection, Datum id, Datum data,
									  int64 expected, DsOutcome *outcome);

#endif							/* DS_DOCUMENT_DIRECT_H */

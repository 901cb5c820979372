/*
 * document.h - one document: find, wait, compare, write
 */
#ifndef DS_DOCUMENT_H
#define DS_DOCUMENT_H

#include "postgres.h"

#include "document/outcome.h"
#include "table/collection.h"

extern void ds_document_upsert(const DsCollection *collection, Datum id, Datum data,
							   int64 expected, DsOutcome *outcome);
extern void ds_document_patch(const DsCollection *collection, Datum id, Datum patch,
							  int64 expected, DsOutcome *outcome);
extern void ds_document_delete(const DsCollection *collection, Datum id,
							   int64 expected, DsOutcome *outcome);
extern bool ds_document_is_taken_back(const DsCollection *collection);

#endif							/* DS_DOCUMENT_H */

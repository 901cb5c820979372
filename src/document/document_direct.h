/*
 * document_direct.h - one document without the executor
 */
#ifndef DS_DOCUMENT_DIRECT_H
#define DS_DOCUMENT_DIRECT_H

#include "postgres.h"

#include "document/outcome.h"
#include "history/record.h"
#include "table/direct.h"

/* A collection that is being written. */
typedef struct DsDocumentDirect
{
	DsDirect	direct;
	bool		is_tracked;
	DsRecorder	recorder;		/* of one that is tracked */
} DsDocumentDirect;

extern void ds_document_direct_begin(DsDocumentDirect *document, const DsCollection *collection);
extern void ds_document_direct_end(DsDocumentDirect *document);
extern bool ds_document_direct_update(DsDocumentDirect *document, Datum data, int64 version);
extern bool ds_document_direct_insert(DsDocumentDirect *document, Datum id, Datum data, int64 *version);
extern bool ds_document_direct_upsert(const DsCollection *collection, Datum id, Datum data,
									  int64 expected, DsOutcome *outcome);

#endif							/* DS_DOCUMENT_DIRECT_H */

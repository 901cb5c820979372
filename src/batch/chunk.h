/*
 * chunk.h - neighbours in lock order that one statement takes
 */
#ifndef DS_CHUNK_H
#define DS_CHUNK_H

#include "postgres.h"

#include "batch/item.h"
#include "table/statement.h"

/* One statement takes at most this many documents, and no more once they have this many bytes. */
#define DS_CHUNK_ROWS 1000
#define DS_CHUNK_BYTES (16 * 1024 * 1024)

typedef struct DsChunk
{
	DsBatch    *batch;
	DsStatement statement;
	const DsCollection *collection;
	int			count;
	Size		bytes;			/* of what they store */
	DsTarget   *targets[DS_CHUNK_ROWS];
	MemoryContext context;		/* of its arrays: reset when it has run */
} DsChunk;

extern bool ds_chunk_fits(const DsChunk *chunk, const DsTarget *target, DsStatement statement);
extern Datum ds_chunk_ids(const DsChunk *chunk);
extern void ds_chunk_set_locked(const DsChunk *chunk, Datum *values);
extern void ds_chunk_set_new(const DsChunk *chunk, int64 version, Datum *values);

#endif							/* DS_CHUNK_H */

/*
 * batch.h - many items, one transaction step
 */
#ifndef DS_BATCH_H
#define DS_BATCH_H

#include "postgres.h"

#include "collection.h"
#include "compat.h"
#include "expectation.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"

typedef enum DsOp
{
	DS_UPSERT_ITEM,
	DS_PUT_ITEM,				/* an upsert whose document says all about it */
	DS_PATCH_ITEM,
	DS_DELETE_ITEM,
	DS_ASSERT_ITEM
} DsOp;

/* One change of a batch. */
typedef struct DsItem
{
	/* what the caller wants */
	int			number;			/* from 1, in the order given */
	DsOp		op;
	const DsCollection *collection;
	Datum		id;
	const void *data;			/* as given, of an upsert, put or patch: the bytes of a jsonb, without header */
	int			data_length;
	int64		expected;		/* what is left of it under docstore.checks */

	/* what was found and done */
	bool		present;
	DsReason	reason;
	int64		actual;			/* the version found, when present */
	ItemPointerData place;		/* of the row that is locked */
	bool		written;		/* or deleted */
	int64		version;		/* the new version, or the one deleted, when written */
} DsItem;

typedef struct DsBatch
{
	int			count;
	DsItem	   *items;			/* in the order given */
	DsItem	  **order;			/* in the order of the locks */
} DsBatch;

extern void ds_batch_init(DsBatch *batch, int count);
extern void ds_batch_set_data(DsItem *item, Jsonb *data);
pg_nodiscard extern Jsonb *ds_batch_stored(const DsItem *item, bool is_new);
extern bool ds_batch_run(DsBatch *batch, bool raise);
extern const char *ds_op_name(DsOp op);
extern bool ds_op_stores(DsOp op);

#endif							/* DS_BATCH_H */

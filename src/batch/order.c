/*
 * order.c - the one global order of locks
 *
 * All sessions lock the documents and streams of a batch in the same order, whatever
 * order their callers gave: documents before streams, then by table (OID), then
 * by id (bytes).  That is why no two batches can wait for each other in a circle.
 *
 * A document can be named through a partitioned table and through each partition
 * that it is in.  It is the same row, so the table that counts is the root.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "batch/order.h"
#include "miscadmin.h"

static int
compare_items(const void *left, const void *right)
{
	const DsItem *a = *(DsItem *const *) left;
	const DsItem *b = *(DsItem *const *) right;

	CHECK_FOR_INTERRUPTS();
	if (a->collection->kind != b->collection->kind)
		return a->collection->kind < b->collection->kind ? -1 : 1;
	if (a->collection->root != b->collection->root)
		return a->collection->root < b->collection->root ? -1 : 1;
	return ds_id_compare(a->collection->id_type, a->id, b->id);
}

pg_noreturn static void
refuse_duplicate(const DsItem *a, const DsItem *b)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("items %d and %d name the same document \"%s\" of collection \"%s\"",
					Min(a->number, b->number), Max(a->number, b->number),
					ds_id_to_cstring(a->collection->id_type, a->id),
					ds_collection_name(a->collection->root)),
			 errhint("Merge them into one item: a document has one new version in a batch.")));
}

/*
 * Put the items of a batch into the order of the locks.  Raises 22023, with
 * both items, when two of them are for one document: each is locked once.
 */
void
ds_order_items(DsBatch *batch)
{
	qsort(batch->order, batch->targets, sizeof(DsItem *), compare_items);
	for (int i = 1; i < batch->targets; i++)
		if (compare_items(&batch->order[i - 1], &batch->order[i]) == 0)
			refuse_duplicate(batch->order[i - 1], batch->order[i]);
}

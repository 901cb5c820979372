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
compare_targets(const void *left, const void *right)
{
	const DsTarget *a = *(DsTarget *const *) left;
	const DsTarget *b = *(DsTarget *const *) right;

	CHECK_FOR_INTERRUPTS();
	if (a->collection == b->collection && a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (a->collection->kind != b->collection->kind)
		return a->collection->kind < b->collection->kind ? -1 : 1;
	if (a->collection->root != b->collection->root)
		return a->collection->root < b->collection->root ? -1 : 1;
	return ds_id_compare(a->collection->id_type, a->id, b->id);
}

pg_noreturn static void
refuse_duplicate(const DsTarget *a, const DsTarget *b)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("items %d and %d name the same document \"%s\" of collection \"%s\"",
					Min(a->item, b->item), Max(a->item, b->item),
					ds_id_to_cstring(a->collection->id_type, a->id),
					ds_name_of(a->collection->root)),
			 errhint("Merge them into one item. A batch can name a document only once.")));
}

/*
 * Put the targets of a batch into the order of the locks.  Raises 22023, with
 * both items, when two of them are the same document: each is locked once.
 */
void
ds_order_targets(DsBatch *batch)
{
	for (int i = 0; i < batch->target_count; i++)
		batch->targets[i]->prefix = ds_id_prefix(batch->targets[i]->collection->id_type, batch->targets[i]->id);
	qsort(batch->targets, batch->target_count, sizeof(DsTarget *), compare_targets);
	for (int i = 1; i < batch->target_count; i++)
		if (compare_targets(&batch->targets[i - 1], &batch->targets[i]) == 0)
			refuse_duplicate(batch->targets[i - 1], batch->targets[i]);
}

/*
 * item.c - what a caller asks for
 */
#include "postgres.h"

#include "base/compat.h"
#include "batch/item.h"
#include "miscadmin.h"
#include "storage/shmem.h"

/* Make room for count items, all zero but their numbers. */
void
ds_items_init(DsBatch *batch, int count)
{
	memset(batch, 0, sizeof(DsBatch));
	batch->count = count;
	batch->items = palloc_extended(mul_size(count, sizeof(DsItem)),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		batch->items[i].number = i + 1;
	}
}

/* The data of an item; it must stay where it is for as long as the batch. */
void
ds_item_set_data(DsItem *item, Jsonb *data)
{
	item->data = VARDATA(data);
	item->data_length = VARSIZE(data) - VARHDRSZ;
}

/* The word for an op, in items, results and conflicts. */
const char *
ds_op_name(DsOp op)
{
	static const char *const names[DS_OPS] = {
		[DS_UPSERT_ITEM] = "upsert",
		[DS_PUT_ITEM] = "put",
		[DS_MERGE_ITEM] = "merge",
		[DS_PATCH_ITEM] = "patch",
		[DS_DELETE_ITEM] = "delete",
		[DS_ASSERT_ITEM] = "assert",
		[DS_APPEND_ITEM] = "append",
		[DS_SET_PROPERTIES_ITEM] = "set_properties",
		[DS_CREATE_STREAM_ITEM] = "create_stream",
		[DS_CLOSE_STREAM_ITEM] = "close_stream",
		[DS_APPEND_TO_LOG_ITEM] = "append_to_log",
	};

	return names[op];
}

/* Whether an op stores a document, in a row that is there or in a new one. */
bool
ds_op_stores(DsOp op)
{
	return op == DS_UPSERT_ITEM || op == DS_PUT_ITEM || op == DS_MERGE_ITEM || op == DS_PATCH_ITEM;
}

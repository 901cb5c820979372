/*
 * target.c - a row that a batch locks, compares and writes
 */
#include "postgres.h"

#include "batch/target.h"
#include "document/metadata.h"
#include "json/json.h"
#include "json/merge_patch.h"

/*
 * What is stored in a target, copied from the caller's bytes: the document, or
 * the patch to merge into the one that is there.
 */
Jsonb *
ds_target_stored(const DsTarget *target, bool is_new)
{
	Jsonb	   *data = ds_json_copy(target->data, target->data_length);

	if (target->has_metadata)
		return ds_metadata_strip(data);
	if (target->change == DS_CHANGE_PATCH && is_new)
		return ds_merge_patch(NULL, data);
	return data;
}

/*
 * head_direct.c - the heads of streams without the executor
 */
#include "postgres.h"

#include "access/xact.h"
#include "json/json.h"
#include "stream/head_direct.h"
#include "utils/timestamp.h"

/* What is in the head that was found. */
void
ds_head_direct_read(DsDirect *direct, DsHead *head)
{
	const DsCollection *streams = direct->collection;

	head->revision = DatumGetInt64(ds_direct_value(direct, streams->columns[DS_HEAD_REVISION]));
	head->closed = !ds_direct_is_null(direct, streams->columns[DS_HEAD_CLOSED_AT]);
	head->generation = DatumGetInt64(ds_direct_value(direct, streams->columns[DS_HEAD_GENERATION]));
	head->transaction_id = DatumGetUInt64(ds_direct_value(direct, streams->columns[DS_HEAD_TRANSACTION_ID]));
}

static void
set_place(const DsHead *head, const DsCollection *streams, Datum *values, bool *nulls)
{
	ds_direct_set(values, nulls, streams->columns[DS_HEAD_GENERATION],
				  Int64GetDatum(head->log->events.feed.current_generation));
	ds_direct_set(values, nulls, streams->columns[DS_HEAD_TRANSACTION_ID], UInt64GetDatum(head->new_transaction_id));
	if (head->closes)
		ds_direct_set(values, nulls, streams->columns[DS_HEAD_CLOSED_AT], TimestampTzGetDatum(GetCurrentTimestamp()));
}

/* Update the head that was found to a version, with new properties where it sets some. */
bool
ds_head_direct_update(DsDirect *direct, const DsHead *head, Datum properties, int64 version)
{
	const DsCollection *streams = direct->collection;
	Datum	   *values = direct->found->tts_values;
	bool	   *nulls = direct->found->tts_isnull;

	slot_getallattrs(direct->found);
	ds_direct_set(values, nulls, streams->version, Int64GetDatum(version));
	ds_direct_set(values, nulls, streams->columns[DS_HEAD_REVISION], Int64GetDatum(head->revision + 1));
	if (head->sets_properties)
		ds_direct_set(values, nulls, streams->data, properties);
	set_place(head, streams, values, nulls);
	ds_direct_form_changed(direct);
	return ds_direct_update(direct);
}

/* Insert the head of a new stream; false when its name is taken. */
bool
ds_head_direct_insert(DsDirect *direct, const DsHead *head, Datum stream, Datum properties)
{
	const DsCollection *streams = direct->collection;
	Datum	   *values = direct->formed->tts_values;
	bool	   *nulls = direct->formed->tts_isnull;

	ds_direct_begin_new(direct);
	ds_direct_set(values, nulls, streams->id, stream);
	ds_direct_set(values, nulls, streams->version, Int64GetDatum(head->growth));
	ds_direct_set(values, nulls, streams->columns[DS_HEAD_REVISION], Int64GetDatum(1));
	ds_direct_set(values, nulls, streams->data, head->sets_properties ? properties : ds_json_empty_object());
	ds_direct_set(values, nulls, streams->columns[DS_HEAD_CREATED_AT],
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	set_place(head, streams, values, nulls);
	ds_direct_form_new(direct);
	return ds_direct_insert(direct, stream, 0) == DS_INSERTED;
}

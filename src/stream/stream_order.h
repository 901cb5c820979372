/*
 * stream_order.h - the events of a stream in the order of readers
 */
#ifndef DS_STREAM_ORDER_H
#define DS_STREAM_ORDER_H

#include "postgres.h"

#include "access/transam.h"
#include "feed/cursor.h"
#include "table/description.h"

extern FullTransactionId ds_stream_follow(const DsCollection *events, Datum stream, int64 version);
extern int64 ds_stream_find_version(const DsCollection *events, Datum stream_name, const DsCursor *place);

#endif							/* DS_STREAM_ORDER_H */

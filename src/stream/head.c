/*
 * head.c - the head of a stream
 *
 * Each stream has one row, its head, in which its version is the number of its
 * events.  Whoever appends to the stream, or checks something about it, locks
 * that row first, so it is to the stream what a document's row is to the
 * document.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "base/errors.h"
#include "stream/head.h"
#include "stream/stream_order.h"
#include "utils/builtins.h"

/*
 * The transaction id that new events of a stream get: see feed.c.  The version
 * is that of the head that was found.
 */
uint64
ds_head_next_transaction_id(const DsHead *head, Datum stream, bool present, int64 version)
{
	uint64		own = U64FromFullTransactionId(GetTopFullTransactionId());

	if (!present)
		return own;
	if (head->generation == head->log->events.feed.current_generation)
		return Max(own, head->transaction_id);
	/* The head was restored, or logical replication has brought it. */
	ds_collection_look_again(&head->log->events);
	return U64FromFullTransactionId(ds_stream_follow(&head->log->events, stream, version));
}

/* Raise 22003: the stream cannot take more. */
void
ds_head_refuse_growth(const DsHead *head, Datum stream)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_VERSION_OVERFLOW),
			 errmsg("stream \"%s\" of log \"%s\" is at the highest possible version or revision",
					TextDatumGetCString(stream), ds_name_of(head->log->events.relid)),
			 errhint("Close it, and append to another stream.")));
}

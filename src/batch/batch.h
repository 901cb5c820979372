/*
 * batch.h - many items: all of them, or nothing
 *
 * The room batch/ knows what callers ask for, items, and the rows that they
 * are about, targets: in which order these are locked, how items are compared
 * with them, and what is written when all hold.  It reads items from JSON, and
 * remembers what requests were answered.  It asks one scope, stream, document
 * or table after the other: it may call all rooms below.
 *
 *	item_*.c, stream_item.c		what is asked for
 *	gather.c, order.c			which rows that is about, in which order
 *	batch.c, attempt.c			tries until it is written, or violated
 *	step.c, direct_*.c			statements over many rows
 *	findings.c, compare.c		what was found, and whether items hold
 *	heads.c, log_items.c		streams and scopes
 *	request.c, result.c, retry.c	calls that are sent again
 */
#ifndef DS_BATCH_H
#define DS_BATCH_H

#include "postgres.h"

#include "batch/item.h"

extern bool ds_batch_run(DsBatch *batch, bool raise);

#endif							/* DS_BATCH_H */

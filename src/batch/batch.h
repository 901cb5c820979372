/*
 * batch.h - many items: all of them, or nothing
 *
 * The room batch/ knows what callers ask for, items, and the rows that they
 * are about, targets: in which order these are locked, how items are compared
 * with them, and what is written when all hold.  It reads items from JSON, and
 * remembers what requests were answered.  It asks one scope, stream, document
 * or table after the other: it may call all rooms below.
 *
 * It enforces
 *
 *	order.c					rows are locked in one order by everybody; the locks of
 *							scopes are scope_lock.c's
 *	attempt.c				all locks are held before anything is compared, scopes
 *							among it; nothing is written before all hold, or what is
 *							written is undone; what has come in between makes the
 *							batch begin again
 *	batch.c					what was written of a try that fails is taken back
 *	request.c				a request_id is executed once; api/ gives the rows that
 *							were stored again, if request_tables.c says that they
 *							are about the same tables
 *
 * and has besides
 *
 *	item.c					what is asked for; item_reader.c, item_keys.c,
 *							item_tables.c, document_item.c, stream_item.c: as JSON
 *	target.c				rows; gather.c: which, rule.c: what is done with each
 *	one_document.c, one_append.c	of one item, as most calls are: fewer steps
 *	step.c, chunk.c, step_direct.c	one statement over many rows
 *	findings.c, compare.c	what was found, and whether items hold;
 *							violation.c: which do not
 *	merge.c					items that are merged with what is there
 *	heads.c, log_items.c	what streams and scopes need besides
 *	result.c				the rows that a request was answered, stored
 */
#ifndef DS_BATCH_H
#define DS_BATCH_H

#include "postgres.h"

#include "batch/item.h"

extern bool ds_batch_run(DsBatch *batch, bool raise);

#endif							/* DS_BATCH_H */

/*
 * item.h - what a caller asks for
 */
#ifndef DS_ITEM_H
#define DS_ITEM_H

#include "postgres.h"

#include "batch/target.h"
#include "conflict/expectation.h"
#include "log/log.h"
#include "nodes/pg_list.h"
#include "scope/scope.h"
#include "stream/event.h"
#include "table/collection.h"
#include "utils/jsonb.h"

typedef enum DsOp
{
	DS_UPSERT_ITEM,
	DS_PUT_ITEM,				/* an upsert whose document says all about it */
	DS_MERGE_ITEM,				/* an upsert that is merged with what is there */
	DS_PATCH_ITEM,
	DS_DELETE_ITEM,
	DS_ASSERT_ITEM,				/* of a document, a stream or a scope */

	/* on streams */
	DS_APPEND_ITEM,
	DS_SET_PROPERTIES_ITEM,
	DS_CREATE_STREAM_ITEM,
	DS_CLOSE_STREAM_ITEM,
	DS_APPEND_TO_LOG_ITEM,		/* to none */
	DS_OPS
} DsOp;

/* One item of a call, and how it stands. */
typedef struct DsItem
{
	/* what the caller wants */
	int			number;			/* from 1, in the order given */
	DsOp		op;
	const DsCollection *collection; /* NULL: an item of a log */
	Datum		id;				/* or the stream; 0: it asserts a scope, or appends to none */
	const void *data;			/* as given, or the properties: the bytes of a jsonb, without header */
	int			data_length;
	int64		expected;		/* what is left of it under docstore.checks */
	const void *condition;		/* what a document is to contain, likewise; NULL: nothing is asked for */
	int			condition_length;
	DsMerge    *merge;			/* of an item to merge, unless docstore.checks is off */

	/* the same, of an item of a log */
	const DsLog *log;
	DsAppend	append;			/* of an append */
	int64		expected_revision;	/* DS_ANY_VERSION: not asked for */
	DsScope    *scopes;
	int			scope_count;

	/* the row that it is about; NULL: it asserts a scope, or appends to no stream */
	DsTarget   *target;

	/* how it stands, see compare.c */
	DsReason	reason;
	int64		failed;			/* the expectation that reason is about: a version, revision or position */
	bool		failed_seen;	/* it is no number: a mark, or nothing is expected */
	bool		present;
	int64		actual;			/* what was found in its place, when present */
	bool		written;		/* or deleted */
	int64		version;		/* the new version, or the one deleted, when written */
} DsItem;

/* The items of a call, and the targets that they are about. */
typedef struct DsBatch
{
	int			count;
	DsItem	   *items;			/* in the order given */
	int			target_count;
	DsTarget  **targets;		/* in the order of the locks */
	List	   *heads;			/* of the DsTarget that are heads, by log and stream */
	int			tries;			/* so far, that were taken back */
	bool		raises;			/* a violation, so that whatever was written is undone with the rest of the caller's */
	bool		in_subtransaction;	/* so that a try can be */
	bool		is_too_low;		/* it has created a document at a version that is used up: see floor.c */
	CommandId	began;			/* the try: what this transaction has written before was there before the call */
	const struct DsBatch *outer;	/* the call whose trigger or function makes this one */
} DsBatch;

extern void ds_items_init(DsBatch *batch, int count);
extern void ds_item_set_data(DsItem *item, Jsonb *data);
extern const char *ds_op_name(DsOp op);
extern bool ds_op_stores(DsOp op);

#endif							/* DS_ITEM_H */

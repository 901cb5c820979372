/*
 * batch.h - many items, one transaction step
 */
#ifndef DS_BATCH_H
#define DS_BATCH_H

#include "postgres.h"

#include "base/compat.h"
#include "conflict/expectation.h"
#include "log/log.h"
#include "nodes/pg_list.h"
#include "scope/scope.h"
#include "storage/itemptr.h"
#include "stream/event.h"
#include "table/collection.h"
#include "utils/jsonb.h"

typedef enum DsOp
{
	DS_UPSERT_ITEM,
	DS_PUT_ITEM,				/* an upsert whose document says all about it */
	DS_PATCH_ITEM,
	DS_DELETE_ITEM,
	DS_ASSERT_ITEM,				/* of a document, a stream or a scope */

	/* on streams, see head.c */
	DS_APPEND_ITEM,
	DS_SET_PROPERTIES_ITEM,
	DS_CREATE_STREAM_ITEM,
	DS_CLOSE_STREAM_ITEM,

	/* not the caller's: what becomes of a head */
	DS_WRITE_HEAD,
	DS_HOLD_HEAD
} DsOp;

/*
 * One change of a batch.
 *
 * Documents are locked and written as their items say.  Streams can have many
 * items, all of which are about the stream as it was before the call: they
 * share a head, and it is the head's own item that is locked and written.
 */
typedef struct DsItem
{
	/* what the caller wants */
	int			number;			/* from 1, in the order given */
	DsOp		op;
	const DsCollection *collection; /* of a head: the table of streams; NULL for an item of a log */
	Datum		id;				/* or the stream */
	const void *data;			/* as given, of an upsert, put or patch: the bytes of a jsonb, without header */
	int			data_length;
	int64		expected;		/* what is left of it under docstore.checks */

	/* the same, of an item of a log */
	const DsLog *log;
	struct DsHead *head;		/* NULL: it asserts a scope */
	DsAppend	append;			/* of an append */
	int64		expected_revision;	/* DS_ANY_VERSION: not asked for */
	DsScope    *scopes;
	struct DsHead **sources;	/* of each scope, NULL when it has none */
	int			scope_count;

	/* what was found and done */
	bool		present;
	DsReason	reason;
	int64		failed;			/* the expectation that reason is about, of a stream's version or revision */
	int64		actual;			/* the version found, when present */
	ItemPointerData place;		/* of the row that is locked */
	int			missed;			/* tries in succession that could not lock it, although it is there */
	bool		moved;			/* it was not there any more when it was to be written */
	int64		compared;		/* the version of one that has moved, as it was then; nothing of others */
	bool		written;		/* or deleted */
	int64		version;		/* the new version, or the one deleted, when written */
} DsItem;

/* The head of a stream, as it is found and as it will be. */
typedef struct DsHead
{
	DsItem	   *item;			/* which is locked and written: its version is the stream's */
	const DsLog *log;

	/* what was found, when it is present */
	int64		revision;
	bool		closed;
	int64		generation;
	uint64		transaction_id;

	bool		holds_absence;	/* the lock on it: scope_lock.c */

	/* what the items want of it */
	bool		may_create;
	bool		appends;
	bool		sets_properties;
	bool		closes;
	int			once[DS_HOLD_HEAD]; /* of each op that a stream can have once only: the item */

	/* how it is written */
	bool		is_due;			/* or there is nothing to write */
	int64		growth;			/* in events */
	uint64		new_transaction_id;
	bool		is_placed;		/* the events have got their positions */
} DsHead;

typedef struct DsBatch
{
	int			count;
	DsItem	   *items;			/* in the order given */
	int			targets;
	DsItem	  **order;			/* of documents and heads: in the order of the locks */
	List	   *heads;			/* of DsHead, by log and stream */
	int			tries;			/* so far, that were taken back */
	bool		in_subtransaction;	/* so that a try can be */
	bool		is_too_low;		/* it has created a document at a version that is used up: see floor.c */
	CommandId	began;			/* the try: what this transaction has written before was there before the call */
	const struct DsBatch *outer;	/* the call whose trigger or function makes this one */
} DsBatch;

extern void ds_batch_init(DsBatch *batch, int count);
extern void ds_batch_set_data(DsItem *item, Jsonb *data);
pg_nodiscard extern Jsonb *ds_batch_stored(const DsItem *item, bool is_new);
extern bool ds_batch_run(DsBatch *batch, bool raise);
extern const char *ds_op_name(DsOp op);
extern bool ds_op_stores(DsOp op);

#endif							/* DS_BATCH_H */

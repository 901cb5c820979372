/*
 * target.h - a row that a batch locks, compares and writes
 */
#ifndef DS_TARGET_H
#define DS_TARGET_H

#include "postgres.h"

#include "conflict/expectation.h"
#include "stream/head.h"
#include "storage/itemptr.h"
#include "table/collection.h"
#include "utils/jsonb.h"

/* What becomes of the row, which is locked accordingly. */
typedef enum DsChange
{
	DS_CHANGE_NONE,				/* it is held as it is */
	DS_CHANGE_STORE,
	DS_CHANGE_PATCH,
	DS_CHANGE_DELETE,
	DS_CHANGES
} DsChange;

/* What an item to merge gives besides its document, and what became of it. */
typedef struct DsMerge
{
	Jsonb	   *base;			/* NULL: what history has at the expected version */
	JsonbContainer *rules;		/* NULL: none */
	const void *mine;			/* the document as given: the bytes of a jsonb, without header */
	int			mine_length;

	/* where it is not at the expected version */
	DsReason	reason;			/* DS_NO_REASON: it is merged, once it is locked */
	const char *details;		/* of the violation */
	Jsonb	   *merged;			/* what is stored in place of mine, or NULL */
} DsMerge;

/*
 * A document, or the head of a stream.  A document has one item, a stream can
 * have many, and sources of scopes: all are about it as it was before the call.
 */
typedef struct DsTarget
{
	const DsCollection *collection; /* of a head: the table of streams */
	Datum		id;				/* or the stream */
	uint64		prefix;			/* of the id, while targets are sorted */
	int			item;			/* the number of the first that is about it */
	DsHead	   *head;			/* what else a head has; NULL: a document */

	/* what becomes of it */
	DsChange	change;
	int64		expected;		/* of a document; heads are compared with each of their items */
	const void *condition;		/* what a document is to contain, or NULL */
	int			condition_length;
	DsMerge    *merge;			/* with what is there; NULL: it is stored as it is */
	const void *data;			/* the bytes of a jsonb, without header; NULL: a head that keeps its properties */
	int			data_length;
	bool		has_metadata;	/* the data, which is stored without it */

	/* what was found and done */
	bool		present;
	bool		is_missing;		/* to an item, which expects it to be there */
	bool		is_taken;		/* it was to be made, and somebody else has */
	bool		fails_condition;	/* that is locked */
	int64		actual;			/* the version found, when present */
	ItemPointerData place;		/* of the row that is locked */
	int			missed;			/* tries in succession that could not lock it, although it is there */
	bool		moved;			/* it was not there any more when it was to be written */
	int64		compared;		/* the version of one that has moved, as it was then; nothing of others */
	bool		written;		/* or deleted */
	int64		version;		/* the new version, or the one deleted, when written */
} DsTarget;

pg_nodiscard extern Jsonb *ds_target_stored(const DsTarget *target, bool is_new);

#endif							/* DS_TARGET_H */

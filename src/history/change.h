/*
 * change.h - the rows of a history
 */
#ifndef DS_CHANGE_H
#define DS_CHANGE_H

#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "access/transam.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "history/history.h"
#include "nodes/execnodes.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

/* A table that has rows of a history: the history itself, or a partition. */
typedef struct DsChangesPart
{
	Oid			relid;
	const DsCollection *described;
	Relation	table;			/* NULL: it has not been needed yet */
	Relation	key;			/* the index on id and version */
	Relation	feed;			/* that on the order of readers */
	IndexScanDesc scan;
	ScanKeyData keys[2];		/* the id, and the lowest version that is looked for */
	TupleTableSlot *found;		/* a row, in its buffer */

	/* Where there are more indexes, once entries are due. */
	TupleTableSlot *formed;		/* a new row */
	ResultRelInfo *target;		/* with all indexes */
	EState	   *estate;
} DsChangesPart;

/* A history that is being written. */
typedef struct DsChanges
{
	DsCollection history;
	MemoryContext context;		/* where it was opened; rows are written in shorter-lived ones */
	Relation	table;
	DsChangesPart *parts;		/* of a partitioned one from the latest on, see ranges.c */
	int			count;
	int			rest;			/* the part that can have rows of any time, or -1 */
	DsChangesPart single;		/* the only part of one that is not partitioned */
} DsChanges;

/* In place of the lowest version: any will do. */
#define DS_FROM_THE_START PG_INT64_MIN

/* A row that was found. */
typedef struct DsRecorded
{
	int64		version;
	char		op;				/* its first letter */
	TimestampTz recorded_at;
	int64		generation;
	FullTransactionId transaction_id;
} DsRecorded;

/* A row to write. */
typedef struct DsChangeRow
{
	Datum		id;
	int64		version;
	const char *op;
	Datum		data;
	bool		no_data;
	TimestampTz recorded_at;
	bool		is_by_caller;	/* else nobody knows who has written it, and why */
	FullTransactionId transaction_id;
} DsChangeRow;

extern void ds_changes_begin(DsChanges *changes, const DsCollection *history);
extern void ds_changes_end(DsChanges *changes);
extern DsChangesPart *ds_changes_part(DsChanges *changes, int number);
extern FullTransactionId ds_changes_transaction_id(DsChanges *changes, TimestampTz time);
extern TimestampTz ds_changes_not_before(const DsChanges *changes, TimestampTz now);
extern bool ds_changes_find_latest(DsChanges *changes, Datum id, int64 at_least, DsRecorded *latest);
extern bool ds_changes_has_own(DsChanges *changes, const DsChangeRow *change);
extern Jsonb *ds_changes_find_data(DsChanges *changes, Datum id, int64 version);
extern bool ds_changes_has_new_life(DsChanges *changes, Datum id, int64 version);
extern char ds_changes_lock(DsChanges *changes, Datum id, int64 version);
extern void ds_changes_add(DsChanges *changes, const DsChangeRow *change);

#endif							/* DS_CHANGE_H */

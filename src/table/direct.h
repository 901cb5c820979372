/*
 * direct.h - rows of ordinary tables without the executor
 */
#ifndef DS_DIRECT_H
#define DS_DIRECT_H

#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "table/description.h"
#include "table/floor.h"
#include "utils/rel.h"

struct BulkInsertStateData;

#define DS_UNUSED 2

/* A table that is being worked on. */
typedef struct DsDirect
{
	const DsCollection *collection;
	Relation	table;
	BlockNumber blocks;			/* of the table, which does not shrink while it is open; 0: not looked at yet */
	CommandId	command;		/* of all that is written, whatever a function of an index does meanwhile */
	Relation	key;			/* the index on id, where rows are looked up */
	IndexScanDesc scan;
	ScanKeyData by_id;
	TupleTableSlot *found;		/* a row of the table, in its buffer */
	TupleTableSlot *formed;		/* a new row */
	ResultRelInfo *target;		/* with all indexes, once entries are due */
	EState	   *estate;
	const Oid  *unused;			/* indexes that none of the new rows is in, DS_UNUSED of them or invalid; NULL: none */
	DsFloor		floor;			/* of documents, once one is inserted */
	bool		has_floor;		/* that is open */
	int64		next_version;	/* above it, when it was opened */
	struct BulkInsertStateData *page;	/* that new rows go into, kept where there are many of them; else NULL */
	bool		shares_token;	/* rows that are inserted one after the other; set by who inserts many */
	uint32		token;			/* of the speculative insertions; 0: the lock is not held */
	bool		looks_first;	/* before it inserts: ids were taken, or may well be */
} DsDirect;

/* What became of an insert; nothing is there but after the first. */
typedef enum DsInsertion
{
	DS_INSERTED,
	DS_TAKEN,					/* the id is */
	DS_TOO_LOW					/* the version is used up */
} DsInsertion;

extern void ds_direct_begin(DsDirect *direct, const DsCollection *collection);
extern void ds_direct_end(DsDirect *direct);
extern bool ds_direct_find(DsDirect *direct, Datum id);
extern bool ds_direct_fetch(DsDirect *direct, ItemPointer place, Datum id);
extern Datum ds_direct_value(DsDirect *direct, AttrNumber column);
extern bool ds_direct_is_null(DsDirect *direct, AttrNumber column);
extern int64 ds_direct_version(DsDirect *direct);
extern bool ds_direct_lock_place(DsDirect *direct, ItemPointerData place, Datum id);
extern bool ds_direct_lock_row(DsDirect *direct, Datum id);
extern void ds_direct_set(Datum *values, bool *nulls, AttrNumber column, Datum value);
extern void ds_direct_form_changed(DsDirect *direct);
extern void ds_direct_begin_new(DsDirect *direct);
extern void ds_direct_form_new(DsDirect *direct);
extern bool ds_direct_update(DsDirect *direct);
extern int64 ds_direct_next_version(DsDirect *direct);
extern DsInsertion ds_direct_insert(DsDirect *direct, Datum id, int64 version);
extern void ds_direct_expect_rows(DsDirect *direct, int count);
extern void ds_direct_open_indexes(DsDirect *direct);
extern void ds_direct_insert_entries_of(DsDirect *direct, TupleTableSlot *row);

#endif							/* DS_DIRECT_H */

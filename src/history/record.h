/*
 * record.h - recording what is written
 */
#ifndef DS_RECORD_H
#define DS_RECORD_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "history/change.h"

/* What the rows of a tracked table are made of. */
typedef struct DsTracked
{
	Oid			relid;			/* it may be a partition */
	Oid			history;
	bool		is_left_over;	/* nothing is recorded: see table/tracking.c */
	TupleDesc	columns;
	const DsIdType *id_type;
	AttrNumber	id;
	AttrNumber	version;
	AttrNumber	data;
	AttrNumber	created_at;		/* 0: no such column, as the next */
	AttrNumber	updated_at;
} DsTracked;

/* A tracked table that is being written. */
typedef struct DsRecorder
{
	DsTracked	tracked;
	DsChanges	changes;
	MemoryContext row;			/* of one write after the other */
} DsRecorder;

extern void ds_tracked_describe(Relation table, Oid history, DsTracked *tracked);
extern void ds_recorder_begin(DsRecorder *recorder, const DsTracked *tracked);
extern void ds_recorder_end(DsRecorder *recorder);
extern void ds_recorder_record(DsRecorder *recorder, HeapTuple old, HeapTuple new);
extern bool ds_recorder_has(DsRecorder *recorder, HeapTuple row);
extern bool ds_recorder_record_present(DsRecorder *recorder, HeapTuple row);
extern void ds_recorder_record_absent(DsRecorder *recorder, Datum id);

#endif							/* DS_RECORD_H */

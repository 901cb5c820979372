/*
 * floor.h - versions that a collection has used up
 */
#ifndef DS_FLOOR_H
#define DS_FLOOR_H

#include "postgres.h"

#include "storage/buf.h"
#include "table/description.h"
#include "utils/relcache.h"

/* The floor of a table, open for one who creates documents. */
typedef struct DsFloor
{
	Oid			relid;			/* of the table */
	bool		is_far;			/* on the coordinator: see far_floor.c */
	Relation	sequence;		/* NULL: there was none yet */
	Buffer		buffer;			/* where its page was when it was read last; 0: not read yet */
	bool		has_partitions; /* or is one: others can be attached, with floors of their own */
	int64		attached;		/* the highest that partitions brought along */
	bool		hides_documents;	/* from the caller, or can do so */
} DsFloor;

extern Oid	ds_floor_find(Oid relid);
extern void ds_floor_create(Oid relid);
extern void ds_floor_require(Oid relid);
extern void ds_floor_raise(Oid relid, int64 version);
extern void ds_floor_keep(Oid relid);
extern void ds_floor_describe(DsCollection *collection);

extern void ds_floor_open(DsFloor *floor, Oid relid);
extern void ds_floor_close(DsFloor *floor);
extern int64 ds_floor_next_version(DsFloor *floor, int tries);
extern bool ds_floor_reaches(DsFloor *floor, int64 version);
extern bool ds_floor_reaches_any(DsFloor *floor, int64 version);

#endif							/* DS_FLOOR_H */

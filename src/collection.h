/*
 * collection.h - what docstore knows of a table that holds documents
 */
#ifndef DS_COLLECTION_H
#define DS_COLLECTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "id.h"
#include "nodes/primnodes.h"
#include "storage/lockdefs.h"

/*
 * A description, never a decision: nothing that is remembered depends on the
 * role, the search_path or a setting.  Copied to the caller by value, so that no
 * invalidation can pull it away.
 */
typedef struct DsCollection
{
	Oid			relid;			/* hash key: must be first */
	const DsIdType *id_type;
	bool		partitioned;
	AttrNumber	id;
	AttrNumber	version;
	AttrNumber	data;
	AttrNumber	created_at;		/* 0: no such column */
	AttrNumber	updated_at;
	Oid			key;			/* the index of the primary key */
	bool		has_other_unique;	/* a unique or exclusion constraint besides id */
	bool		has_before_triggers;	/* for each row: they can undo or change a write */
	bool		is_plain;		/* needs nothing of the executor: see direct.c */
	bool		is_plain_insert;	/* nor to insert */
	Oid			floor;			/* see floor.c; ds_collection_floor() knows it as it is now */

	/* Not remembered, as it depends on the role: see ds_collection_find_places(). */
	bool		by_place;		/* rows that are locked are found again by ctid */
} DsCollection;

extern void ds_collection_init(void);
extern void ds_collection_open(Oid relid, LOCKMODE lock, int item, DsCollection *collection);
extern RangeVar *ds_collection_read_name(const char *name, int item);
extern Oid	ds_collection_find(const char *name, LOCKMODE lock, int item);
extern bool ds_collection_recognise(Oid relid, DsCollection *collection);
extern Oid	ds_collection_floor(Oid relid);
extern void ds_collection_find_places(DsCollection *collection);
extern char *ds_collection_name(Oid relid);

#endif							/* DS_COLLECTION_H */

/*
 * past.h - what a document was
 */
#ifndef DS_PAST_H
#define DS_PAST_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/execnodes.h"
#include "storage/lockdefs.h"
#include "table/description.h"

/* A document of a collection that has a history. */
typedef struct DsPast
{
	DsCollection collection;
	DsCollection history;
	Datum		id;
} DsPast;

/* What can be said of a version to go back to. */
typedef enum DsPastState
{
	DS_PAST_RECORDED,
	DS_PAST_PRESENT,			/* as the document itself, which history does not have */
	DS_PAST_UNKNOWN,			/* it never was, was not recorded, was pruned, or is hidden from the caller */
	DS_PAST_ERASED,
	DS_PAST_DELETION
} DsPastState;

extern void ds_past_open(const DsCollection *collection, LOCKMODE lock, DsCollection *history);
extern void ds_past_return_list(const DsPast *past, int64 up_to, Datum max_count, char no_max_count, int64 skip,
								ReturnSetInfo *set);
extern void ds_past_return_version(const DsPast *past, int64 version, ReturnSetInfo *set);
extern void ds_past_return_at(const DsPast *past, TimestampTz at, ReturnSetInfo *set);
extern DsPastState ds_past_find_data(const DsPast *past, int64 version, Datum *data);
extern DsPastState ds_past_keep(const DsPast *past, int64 version, DsPastState state);

#endif							/* DS_PAST_H */

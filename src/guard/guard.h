/*
 * guard.h - what the files about guarded tables share
 */
#ifndef DS_GUARD_H
#define DS_GUARD_H

#include "postgres.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "base/compat.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/relcache.h"

#define DS_GUARD "docstore_guard"

/* A guarded table, as the trigger of a row sees it. */
typedef struct DsGuarded
{
	Relation	table;			/* that has the row: it may be a partition */
	Oid			trigger;
	TupleDesc	columns;
	AttrNumber	column;			/* of versions */
	int			size;			/* of that, in bytes */
	int			offset;			/* of that in a row without NULLs before it; -1: it depends on the row */
	int64		highest;		/* version that it can hold */
} DsGuarded;

/* guard.c */
extern bool ds_guard_is_version_type(Oid type);
extern void ds_guard_require_version_column(Oid relid, const char *name, bool is_guarded);
extern Oid	ds_guard_table_of(Oid trigger);
pg_noreturn extern void ds_guard_refuse_call(const char *function);
pg_noreturn extern void ds_guard_refuse_trigger(const TriggerData *trigger);

/* guard_row.c */
extern int64 ds_guard_version(const DsGuarded *guarded, HeapTuple row);

/* guard_conflict.c */
pg_noreturn extern void ds_guard_refuse_update(const DsGuarded *guarded, HeapTuple old, int64 sent);
pg_noreturn extern void ds_guard_refuse_unseen(const DsGuarded *guarded, HeapTuple old);

/* What a trigger function is called with, unless somebody calls it by hand: 39P01. */
static inline TriggerData *
ds_guard_require_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ds_guard_refuse_call(function);
	return (TriggerData *) fcinfo->context;
}

/* Refuse a trigger that somebody has made by hand where it does not fit: 39P01. */
static inline void
ds_guard_require_fit(const TriggerData *trigger, bool fits)
{
	if (!fits)
		ds_guard_refuse_trigger(trigger);
}

#endif							/* DS_GUARD_H */

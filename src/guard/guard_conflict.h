/*
 * guard_conflict.h - the conflict of a guarded table, and what it may tell
 */
#ifndef DS_GUARD_CONFLICT_H
#define DS_GUARD_CONFLICT_H

#include "postgres.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "base/compat.h"
#include "utils/relcache.h"

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
	bool		is_strict;		/* whether an UPDATE has to name the version */
} DsGuarded;

extern Oid	ds_guarded_table(const DsGuarded *guarded);
pg_noreturn extern void ds_guard_refuse_update(const DsGuarded *guarded, HeapTuple old, int64 version, int64 sent);
pg_noreturn extern void ds_guard_refuse_unseen(const DsGuarded *guarded, HeapTuple old, int64 version);

#endif							/* DS_GUARD_CONFLICT_H */

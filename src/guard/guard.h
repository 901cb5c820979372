/*
 * guard.h - tables that somebody else writes, held to the rule of versions
 *
 * The room guard/ knows docstore's triggers: how they are made, what they
 * refuse, and whether they are still as they were made.  It knows neither items
 * nor batches, and calls table/ (names, columns, floors), conflict/ (the one
 * error) and log/ (which has a trigger for replication, and takes no guard).
 *
 *	guard_triggers.c	which table can be guarded, by whom, with which triggers
 *	guard_row.c			an UPDATE keeps the version or raises it by one, and
 *						has seen the row that it changes; the version grows;
 *						where the guard is strict, an UPDATE names the version
 *	guard_conflict.c	the conflict of a row tells its key and version only to
 *						those who could read them
 *	guard_floor.c		a version that is deleted does not come back
 *	trigger_state.c		what the catalogue says of docstore's triggers
 */
#ifndef DS_GUARD_H
#define DS_GUARD_H

#include "postgres.h"

#include "base/compat.h"
#include "commands/trigger.h"
#include "fmgr.h"

#define DS_GUARD "docstore_guard"

extern bool ds_guard_is_version_type(Oid type);
extern void ds_guard_require_version_column(Oid relid, const char *name, bool is_guarded);
pg_noreturn extern void ds_guard_refuse_call(const char *function);
pg_noreturn extern void ds_guard_refuse_trigger(const TriggerData *trigger);

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

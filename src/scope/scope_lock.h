/*
 * scope_lock.h - what appends and scopes lock besides rows
 */
#ifndef DS_SCOPE_LOCK_H
#define DS_SCOPE_LOCK_H

#include "postgres.h"

#include "scope/scope.h"
#include "stream/event.h"

/* What a call is going to lock, all zero to begin with; a lock can be there many times until it is taken. */
typedef struct DsScopeLocks
{
	int			count;
	int			room;
	struct DsScopeLock *list;
} DsScopeLocks;

extern void ds_scope_locks_require_privilege(const DsLog *log);
extern void ds_scope_locks_add_append(DsScopeLocks *locks, const DsAppend *append);
extern void ds_scope_locks_add_scopes(DsScopeLocks *locks, const DsLog *log,
									  const DsScope *scopes, int count);
extern void ds_scope_locks_add_absence(DsScopeLocks *locks, const DsLog *log, Datum stream, bool makes);
extern void ds_scope_locks_take(DsScopeLocks *locks);
extern void ds_scope_lock_release_absence(const DsLog *log, Datum stream, bool makes);

#endif							/* DS_SCOPE_LOCK_H */

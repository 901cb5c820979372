/*
 * guard_triggers.h - making and dropping guards
 */
#ifndef DS_GUARD_TRIGGERS_H
#define DS_GUARD_TRIGGERS_H

#include "postgres.h"

extern void ds_guard_make(Oid relid, const char *column, bool is_strict);
extern void ds_guard_drop(Oid relid);

#endif							/* DS_GUARD_TRIGGERS_H */

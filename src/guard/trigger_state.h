/*
 * trigger_state.h - whether docstore's triggers are as docstore has made them
 */
#ifndef DS_TRIGGER_STATE_H
#define DS_TRIGGER_STATE_H

#include "postgres.h"

/* In place of a state: there is no such trigger. */
#define DS_NO_TRIGGER	'\0'

extern char ds_trigger_state(Oid relid, const char *name, const char *function);
extern char *ds_trigger_guard_fault(Oid relid);
extern char *ds_trigger_log_fault(Oid relid);

#endif							/* DS_TRIGGER_STATE_H */

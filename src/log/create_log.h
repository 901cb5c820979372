/*
 * create_log.h - make the tables of an event log, and their triggers
 */
#ifndef DS_CREATE_LOG_H
#define DS_CREATE_LOG_H

#include "postgres.h"

#include "nodes/primnodes.h"

/* The trigger of the table of events that calls docstore_internal.notify_log(). */
#define DS_LOG_NOTIFY	"docstore_notify"

extern RangeVar *ds_log_read_new_name(const char *name);
extern Oid	ds_log_create(const RangeVar *name, bool notify);
extern bool ds_log_is_incomplete(Oid log);
extern void ds_log_complete(Oid log);
extern void ds_log_make_replicate_trigger(Oid log, bool exists);
extern void ds_log_make_notify_trigger(Oid log, bool exists);

#endif							/* DS_CREATE_LOG_H */

/*
 * notify_changes.h - telling who listens that a collection has changed
 */
#ifndef DS_NOTIFY_CHANGES_H
#define DS_NOTIFY_CHANGES_H

#include "postgres.h"

extern void ds_notify_changes_of(Oid relid);
extern void ds_notify_make_trigger(Oid history);

#endif							/* DS_NOTIFY_CHANGES_H */

/*
 * trigger_state.h - docstore's triggers, as the catalogue has them
 */
#ifndef DS_TRIGGER_STATE_H
#define DS_TRIGGER_STATE_H

#include "postgres.h"

/* In place of a state: there is no such trigger. */
#define DS_NO_TRIGGER	'\0'

/* What the catalogue says of a trigger. */
typedef struct DsTrigger
{
	Oid			oid;
	Oid			table;
	Oid			parent;			/* the trigger that it was made from for a partition, or invalid */
	Oid			function;
	char		state;			/* when it fires: pg_trigger.tgenabled */
	const char *column;			/* of versions, for a guard; else empty */
	bool		is_strict;		/* a guard that an UPDATE without the version does not pass */
	bool		is_altered;		/* a guard's that does not fire for what docstore.guard() made it for */
} DsTrigger;

extern bool ds_trigger_find(Oid relid, const char *name, const char *function, DsTrigger *trigger);
extern Oid	ds_trigger_table(Oid trigger);
extern char ds_trigger_state(Oid relid, const char *name, const char *function);
extern char *ds_trigger_guard_fault(Oid relid);
extern char *ds_trigger_log_fault(Oid relid);

#endif							/* DS_TRIGGER_STATE_H */

/*
 * tracking.c - which table has the history of a collection
 *
 * A tracked collection has a constraint trigger that is made FROM its history:
 * the server keeps the OID of that in pg_trigger.tgconstrrelid.  So history
 * stays with its collection when either is renamed or moved, dumped and
 * restored, and the trigger goes when history is dropped.  There is no
 * registry.
 *
 * Who writes without the executor records by itself what the trigger would
 * have (document_direct.c), if the trigger is as docstore.track() makes it.  One
 * that is for less, or has a condition, is left to the executor.
 *
 * When a partition is detached, the server drops the triggers that it has from
 * its parent, but not those FROM another table: it takes them for foreign keys.
 * Such a trigger is left over.  It records nothing, as its table is no part of
 * the collection any more, and has ids of its own.
 */
#include "postgres.h"

#include "base/internal.h"
#include "commands/trigger.h"
#include "table/tracking.h"
#include "utils/rel.h"

static bool
is_for_rows(const Trigger *trigger)
{
	return trigger->tgtype == DS_TRACKS_ROWS && trigger->tgnattr == 0 && trigger->tgqual == NULL &&
		OidIsValid(trigger->tgconstrrelid) && ds_internal_is(trigger->tgfoid, "track_row");
}

static bool
is_for_truncate(const Trigger *trigger)
{
	return trigger->tgtype == DS_TRACKS_TRUNCATE && ds_internal_is(trigger->tgfoid, "track_truncate");
}

/* Whether a trigger is one of docstore.track()'s, for all that it is made for. */
bool
ds_tracking_is_as_made(const Trigger *trigger)
{
	return is_for_rows(trigger) || is_for_truncate(trigger);
}

/* Whether a trigger is one that a table has kept from being a partition. */
bool
ds_tracking_is_left_over(Relation rel, const Trigger *trigger)
{
	return trigger->tgisclone && !rel->rd_rel->relispartition;
}

static bool
is_enabled(const Trigger *trigger)
{
	return trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN || trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
}

/* The table that the writes of a table are recorded in, invalid when they are not. */
Oid
ds_tracking_history(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (is_for_rows(trigger) && is_enabled(trigger) && !ds_tracking_is_left_over(rel, trigger))
			return trigger->tgconstrrelid;
	}
	return InvalidOid;
}

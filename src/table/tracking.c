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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/internal.h"
#include "catalog/partition.h"
#include "commands/trigger.h"
#include "table/tracking.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
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

/* The table that a trigger was made for, of which it has come to partitions; invalid when it is gone. */
static Oid
find_origin(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	Oid			result = InvalidOid;

	while (OidIsValid(trigger))
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
		scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
		tuple = systable_getnext(scan);
		trigger = HeapTupleIsValid(tuple) ? ((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid : InvalidOid;
		result = HeapTupleIsValid(tuple) ? ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid : InvalidOid;
		systable_endscan(scan);
	}
	table_close(triggers, AccessShareLock);
	return result;
}

/*
 * Whether a trigger that a table has as a partition is one of what it is no part
 * of any more: the table was detached, or one that it is a partition of.
 */
bool
ds_tracking_is_left_over(Oid relid, Oid trigger)
{
	return !get_rel_relispartition(relid) ||
		!list_member_oid(get_partition_ancestors(relid), find_origin(trigger));
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

		if (is_for_rows(trigger) && is_enabled(trigger) &&
			!(trigger->tgisclone && ds_tracking_is_left_over(RelationGetRelid(rel), trigger->tgoid)))
			return trigger->tgconstrrelid;
	}
	return InvalidOid;
}

/* Whether the writes of a table that is locked are recorded: none of its versions is taken back. */
bool
ds_tracking_is(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		result = OidIsValid(ds_tracking_history(rel));

	table_close(rel, NoLock);
	return result;
}

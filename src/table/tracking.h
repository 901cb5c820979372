/*
 * tracking.h - which table has the history of a collection
 */
#ifndef DS_TRACKING_H
#define DS_TRACKING_H

#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

/* What the triggers are made for, as pg_trigger.tgtype has it. */
#define DS_TRACKS_ROWS (TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)
#define DS_TRACKS_TRUNCATE (TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE)

extern bool ds_tracking_is_as_made(const Trigger *trigger);
extern bool ds_tracking_is_left_over(Oid relid, Oid trigger);
extern Oid	ds_tracking_history(Relation rel);
extern bool ds_tracking_is(Oid relid);

#endif							/* DS_TRACKING_H */

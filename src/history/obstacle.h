/*
 * obstacle.h - what keeps rows from being put into a history
 */
#ifndef DS_OBSTACLE_H
#define DS_OBSTACLE_H

#include "postgres.h"

#include "table/description.h"
#include "utils/relcache.h"

/* The function of the trigger of a history that gives what logical replication brings its place. */
#define DS_REPLICATE_CHANGE	"replicate_change"

/* That of the trigger of a history that says that changes are to be notified of. */
#define DS_NOTIFY_CHANGES	"notify_changes"

extern const char *ds_history_obstacle(Relation rel, const DsCollection *history);
extern const char *ds_history_obstacle_now(DsCollection *history);
extern const char *ds_history_part_obstacle(Oid history);

#endif							/* DS_OBSTACLE_H */

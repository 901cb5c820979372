/*
 * history.h - what became of the documents of a collection
 *
 * The room history/ knows which table has the history of a collection, and
 * records in it what is written, whoever does it.  It enforces
 *
 *	history.c		which tables are a history, and which one is a collection's
 *	obstacle.c		what keeps a history from being written
 *	track.c			who can have a collection tracked, and that history begins with
 *					what is there
 *	months.c		that a history has a partition for each month, where it is wanted so
 *	record.c		each write leaves a row, in the order of the writes: versions grow,
 *					times grow, and the feed has a document's writes in that order;
 *					what is not in history yet is recorded before it is overwritten
 *	change.c		how that row is written, without the executor
 *	author.c		who has written it, and why
 *	version_data.c	the data that a document had at a version, for who writes it
 *	track_row.c		the triggers, for all who write by statements
 *	past.c			what a document was, for who may read that
 *	prune.c			what history gives up: readers go on, and the newest row of a
 *					document that is there stays
 *	read_changes.c	changes are read in the order of the feed, or the last of each
 *					document
 *	notify_changes.c	who listens is told once for each commit
 *	replicate_change.c	what logical replication brings gets its place here
 *
 * It may call feed/, table/, json/ and base/.
 */
#ifndef DS_HISTORY_H
#define DS_HISTORY_H

#include "postgres.h"

#include "base/compat.h"
#include "history/obstacle.h"
#include "storage/lockdefs.h"
#include "table/description.h"

/* What the name of a history ends with when docstore.track() makes it. */
#define DS_HISTORY_SUFFIX "_history"

/* The functions of the triggers of a tracked collection. */
#define DS_TRACK_ROW		"track_row"
#define DS_TRACK_TRUNCATE	"track_truncate"

/* One of these triggers, as the catalogue has it. */
typedef struct DsTrackTrigger
{
	Oid			oid;
	Oid			history;		/* of that for rows */
	Oid			parent;			/* the trigger that it was made from for a partition, or invalid */
	NameData	name;
	char		state;			/* when it fires: pg_trigger.tgenabled */
	bool		is_altered;		/* it is for less than docstore.track() makes it for */
} DsTrackTrigger;

/* The columns of a history, in the order in which it is made. */
typedef enum DsChangeColumn
{
	DS_CHANGE_POSITION,
	DS_CHANGE_VERSION,
	DS_CHANGE_RECORDED_AT,
	DS_CHANGE_GENERATION,
	DS_CHANGE_TRANSACTION_ID,
	DS_CHANGE_ID,
	DS_CHANGE_OP,
	DS_CHANGE_ACTOR,
	DS_CHANGE_DATA,
	DS_CHANGE_CONTEXT,
	DS_CHANGE_COLUMNS
} DsChangeColumn;

StaticAssertDecl(DS_CHANGE_COLUMNS <= DS_MAX_COLUMNS, "a description has no room for the columns of a history");

/* The values of its column op. */
#define DS_OP_CREATED "created"
#define DS_OP_UPDATED "updated"
#define DS_OP_DELETED "deleted"
#define DS_OP_ERASED "erased"

extern const char *const ds_change_columns[DS_CHANGE_COLUMNS];

extern void ds_history_init(void);
extern bool ds_history_trigger(Oid relid, const char *function, DsTrackTrigger *found);
extern bool ds_history_left_over(Oid relid, DsTrackTrigger *found);
extern Oid	ds_history_of(Oid relid);
extern Oid	ds_history_tracked_by(Oid history);
extern Oid	ds_history_by_name(Oid relid);
extern Oid	ds_history_find(Oid relid);
extern void ds_history_open(Oid relid, Oid history, LOCKMODE lock, DsCollection *described);
extern void ds_history_open_to_record(Oid relid, Oid history, const DsIdType *id_type, DsCollection *described);
extern const char *ds_history_misfit(Oid relid, Oid history);
pg_noreturn extern void ds_history_refuse_untracked(Oid relid);

#endif							/* DS_HISTORY_H */

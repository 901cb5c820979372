/*
 * mark.h - what a snapshot shows of a log
 */
#ifndef DS_MARK_H
#define DS_MARK_H

#include "postgres.h"

#include "feed/cursor.h"
#include "table/description.h"
#include "utils/snapshot.h"

/* A snapshot, to be compared with later; see mark.c. */
typedef struct DsMark
{
	Oid			log;
	int64		generation;		/* of it; 0: none that it can be compared in */
	uint32		run;			/* of the server; 0: a standby, which outlives them */
	uint64		xmin;			/* below are transactions that had ended */
	uint64		xmax;			/* from here on all had not */
	bool		is_partial;		/* some subtransactions are not among those that were running */
	int			running_count;
	uint64	   *running;		/* between xmin and xmax, ascending */

	/* The transaction that has taken it: of its own events those before a command are seen. */
	int			own_count;
	uint64	   *own;			/* its ids, and those of subtransactions */
	CommandId	command;
	int64		position;		/* the last one that it had drawn, and stored with all before it */
} DsMark;

/* What tells whether an event is in a mark. */
typedef struct DsWriter
{
	TransactionId xmin;			/* of its row */
	CommandId	command;
	uint64		transaction_id; /* as it is stored */
	int64		position;
} DsWriter;

/* Whether its ids mean something on this server, now, or why not. */
typedef enum DsMarkState
{
	DS_MARK_GOOD,
	DS_MARK_FOREIGN,			/* it is of another log, or of another server */
	DS_MARK_OUTDATED			/* the server was started anew since, or promoted, or it is too old */
} DsMarkState;

/* Events that are being stored, in order; what a trigger sees meanwhile is the first of them, or none. */
typedef struct DsUnderway
{
	Oid			events;
	int			count;
	DsCursor   *places;			/* where they will be */
	struct DsUnderway *outer;	/* those whose trigger stores these */
} DsUnderway;

extern void ds_mark_take(const DsCollection *events, Snapshot snapshot, DsMark *mark);
extern char *ds_mark_to_cstring(const DsMark *mark);
extern bool ds_mark_parse(const char *given, DsMark *mark);
extern DsMarkState ds_mark_check(const DsCollection *events, const DsMark *mark);
extern bool ds_mark_shows(const DsMark *mark, const DsWriter *writer);
extern void ds_mark_note_position(Oid events, int64 position);
extern void ds_mark_begin_storing(DsUnderway *underway);
extern void ds_mark_end_storing(const DsUnderway *underway);

#endif							/* DS_MARK_H */

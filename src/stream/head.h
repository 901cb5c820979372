/*
 * head.h - the head of a stream
 */
#ifndef DS_HEAD_H
#define DS_HEAD_H

#include "postgres.h"

#include "log/log.h"

/* What a head has besides id and version, as it is found and as it will be. */
typedef struct DsHead
{
	const DsLog *log;

	/* what was found, when it is present */
	int64		revision;
	bool		closed;
	int64		generation;
	uint64		transaction_id;

	bool		holds_absence;	/* the lock on it: scope_lock.c */

	/* what the call wants of it */
	bool		may_create;
	bool		must_be_there;	/* an item expects it at a version of its own */
	bool		appends;
	bool		sets_properties;
	bool		closes;

	/* how it is written */
	bool		is_due;			/* or there is nothing to write */
	int64		growth;			/* in events */
	uint64		new_transaction_id;
	bool		is_placed;		/* the events have got their positions */
} DsHead;

extern uint64 ds_head_next_transaction_id(const DsHead *head, Datum stream, bool present, int64 version);
pg_noreturn extern void ds_head_refuse_growth(const DsHead *head, Datum stream);

#endif							/* DS_HEAD_H */

/*
 * event.h - the events of an append: as JSON, and as rows
 *
 * The room stream/ knows streams: their events, and their heads, of which each
 * stream has one.  It enforces
 *
 *	event.c			which keys an event has; no id twice in an append
 *	tags.c			lists of tags, of events and of scopes; none that is too long
 *					for an index, nor for a log without a column for them
 *	event_id.c		an append that is stored already is answered as it was
 *	store_events.c	the only writer of events; they take their positions when
 *					nothing can fail any more but the server
 *	event_rows.c	the same without the executor
 *	head.c			what a head has besides id and version: revision, generation,
 *					transaction id; event positions follow versions
 *	head_direct.c	heads without the executor
 *	head_statement.c	heads in SQL
 *	stream_order.c	the order of readers respects each stream
 *	replicate_event.c	events that logical replication brings get a place of
 *					this server's
 *
 * It may call log/ (which tables), feed/ (the order of readers), table/, json/
 * and base/.  That a closed stream takes no events, and which version an item
 * expects of a stream, is compared in batch/; nobody here knows of items.
 */
#ifndef DS_EVENT_H
#define DS_EVENT_H

#include "postgres.h"

#include "json/json.h"
#include "log/log.h"
#include "utils/uuid.h"

/* What else an event says of itself, in a column each; its source is the stream. */
typedef enum DsAttribute
{
	DS_ATTRIBUTE_SOURCE_TYPE,
	DS_ATTRIBUTE_STREAM_TYPE,
	DS_ATTRIBUTE_STREAM_ID,
	DS_ATTRIBUTES
} DsAttribute;

typedef struct DsEvent
{
	/* what the caller wants stored */
	DsBytes		type;
	DsBytes		attributes[DS_ATTRIBUTES];
	int			tag_count;
	DsBytes    *tags;			/* none twice */
	DsBytes		data;			/* of a jsonb, without header */
	DsBytes		metadata;
	bool		has_id;
	pg_uuid_t	id;

	/* its place */
	int64		version;
	int64		position;
} DsEvent;

/* The events that one item appends to a stream. */
typedef struct DsAppend
{
	int			item;			/* its number */
	const DsLog *log;
	Datum		stream;			/* 0: none */
	int			count;			/* at least one */
	DsEvent    *events;
	bool		repeats;		/* all of them are stored already: event_id.c */
	uint64		transaction_id; /* that they get: feed.c */
} DsAppend;

extern const char *const ds_event_attributes[DS_ATTRIBUTES];

extern void ds_append_read(const JsonbValue *given, DsAppend *append);
extern bool ds_append_has_ids(const DsAppend *append);
extern void ds_event_form(const DsAppend *append, const DsEvent *event, Datum *values, bool *nulls);

#endif							/* DS_EVENT_H */

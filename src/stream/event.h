/*
 * event.h - the events of an append: as JSON, and as rows
 */
#ifndef DS_EVENT_H
#define DS_EVENT_H

#include "postgres.h"

#include "log/log.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

/* The tags of an event that are text; its source is the stream. */
typedef enum DsTag
{
	DS_TAG_SOURCE_TYPE,
	DS_TAG_STREAM_TYPE,
	DS_TAG_STREAM_ID,
	DS_TAGS
} DsTag;

/* A piece of the caller's bytes; start is NULL where there is nothing. */
typedef struct DsBytes
{
	const char *start;
	int			length;
} DsBytes;

typedef struct DsEvent
{
	/* what the caller wants stored */
	DsBytes		type;
	DsBytes		tags[DS_TAGS];
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
	Datum		stream;
	int			count;			/* at least one */
	DsEvent    *events;
	bool		repeats;		/* all of them are stored already: event_id.c */
	uint64		transaction_id; /* that they get: feed.c */
} DsAppend;

extern const char *const ds_event_tags[DS_TAGS];

extern void ds_append_read(const JsonbValue *given, DsAppend *append);
extern bool ds_append_has_ids(const DsAppend *append);
extern void ds_event_form(const DsAppend *append, const DsEvent *event, Datum *values, bool *nulls);

#endif							/* DS_EVENT_H */

/*
 * event.h - the events of an append, as JSON
 */
#ifndef DS_EVENT_H
#define DS_EVENT_H

#include "postgres.h"

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

extern const char *const ds_event_tags[DS_TAGS];

extern DsEvent *ds_events_read(const JsonbValue *given, int item, int *count);
extern bool ds_events_have_ids(const DsEvent *events, int count);

#endif							/* DS_EVENT_H */

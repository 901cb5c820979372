/*
 * scope.h - filters over the events of a log
 *
 * The room scope/ knows scopes.  It enforces
 *
 *	scope.c			which keys a scope has, and which events match it, in SQL
 *	scope_lock.c	a scope that holds goes on to hold until its transaction
 *					ends: every append that could match it waits; who may not
 *					append holds none of these locks
 *	scope_check.c	a scope is looked at when everything is locked, in a snapshot
 *					that was taken after that; but what takes long to look at
 *					before, and only what came since after
 *	tail.c			the highest position in a scope
 *	read_feed.c		the events of scopes, in the order of the feed
 *	tagged.c		how many of a log's events have some tags, roughly
 *	read_events.c	likewise, by position
 *	unseen.c		the same of the events that a mark does not show
 *	matches.c		whether an event is in a scope, without SQL
 *
 * It may call stream/ (events), feed/ (marks), log/, conflict/ (expected versions), table/,
 * json/ and base/.  It knows one append, and the scopes of one log, at a time.
 */
#ifndef DS_SCOPE_H
#define DS_SCOPE_H

#include "postgres.h"

#include "feed/mark.h"
#include "log/log.h"
#include "stream/event.h"
#include "utils/jsonb.h"

/* What a scope says of a column. */
typedef enum DsFilter
{
	DS_ALL,						/* the key is left out */
	DS_NONE,					/* null: events without a value there */
	DS_EQUAL
} DsFilter;

/* More types than these are not compared one by one, but looked up by SQL in a hash table. */
#define DS_FEW_TYPES 8

/* The parameters of a condition: source, the attributes, types, tags. */
#define DS_SCOPE_PARAMETERS (1 + DS_ATTRIBUTES + 2)

typedef struct DsScope
{
	JsonbContainer *given;		/* as the caller wrote it */
	int			length;
	DsFilter	source_filter;
	DsBytes		source;
	DsFilter	filters[DS_ATTRIBUTES];
	DsBytes		attributes[DS_ATTRIBUTES];
	DsFilter	tags_filter;	/* DS_EQUAL: events that have all of these */
	int			tag_count;
	DsBytes    *tags;
	int			type_count;		/* 0: of any type */
	DsBytes    *types;
	bool		has_strict;
	bool		strict;
	bool		has_expected;
	int64		expected;		/* a position, 0: no event at all */
	char	   *seen;			/* in its place a mark, as text */
	DsMark		mark;

	/* what was there before the locks were taken, see scope_check.c */
	DsMark	   *ahead;			/* what was looked at then; NULL: nothing */
	bool		had_tail;
	int64		old_tail;

	/* what was found, when it was checked */
	bool		violated;
	bool		has_tail;
	int64		tail;
	DsMarkState mark_state;
} DsScope;

extern void ds_scope_read(const JsonbValue *given, int item, DsScope *scope);
extern DsScope *ds_scopes_read(const JsonbValue *given, int item, int *count);
extern DsScope *ds_scopes_read_filters(const JsonbValue *given, int *count);
extern char *ds_scope_to_cstring(const DsScope *scope);
extern int	ds_scope_shape(const DsScope *scope);
extern char *ds_scope_condition(const DsLog *log, const DsScope *scope, int first_parameter);
extern char *ds_scopes_condition(const DsLog *log, const DsScope *scopes, int count, int first_parameter);
extern void ds_scope_parameter_types(Oid *types);
extern void ds_scope_parameters(const DsScope *scope, Datum *values, char *nulls);

#endif							/* DS_SCOPE_H */

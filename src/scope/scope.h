/*
 * scope.h - filters over the events of a log
 */
#ifndef DS_SCOPE_H
#define DS_SCOPE_H

#include "postgres.h"

#include "log/log.h"
#include "stream/event.h"
#include "utils/jsonb.h"

/* What a scope says of a tag. */
typedef enum DsFilter
{
	DS_ALL,						/* the key is left out */
	DS_NONE,					/* null: events without that tag */
	DS_EQUAL
} DsFilter;

/* The parameters of a condition: source, the tags, types. */
#define DS_SCOPE_PARAMETERS (1 + DS_TAGS + 1)

typedef struct DsScope
{
	JsonbContainer *given;		/* as the caller wrote it */
	int			length;
	DsFilter	source_filter;
	DsBytes		source;
	DsFilter	filters[DS_TAGS];
	DsBytes		tags[DS_TAGS];
	int			type_count;		/* 0: of any type */
	DsBytes    *types;
	bool		strict;
	bool		has_expected;
	int64		expected;		/* a position, 0: no event at all */

	/* what was found, when it was checked */
	bool		violated;
	bool		has_tail;
	int64		tail;
} DsScope;

extern void ds_scope_read(const JsonbValue *given, int item, DsScope *scope);
extern DsScope *ds_scopes_read(const JsonbValue *given, int item, int *count);
extern char *ds_scope_to_cstring(const DsScope *scope);
extern int	ds_scope_shape(const DsScope *scope);
extern char *ds_scope_condition(const DsScope *scope, int first_parameter);
extern void ds_scope_parameter_types(Oid *types);
extern void ds_scope_parameters(const DsScope *scope, Datum *values, char *nulls);

#endif							/* DS_SCOPE_H */

/*
 * merge3.h - two edits of one JSON value, merged
 */
#ifndef DS_MERGE3_H
#define DS_MERGE3_H

#include "postgres.h"

#include "utils/jsonb.h"

/* What was given of one place; NULL: it is missing there. */
typedef struct DsMergeSides
{
	const JsonbValue *base;
	const JsonbValue *mine;
	const JsonbValue *theirs;
} DsMergeSides;

/* Where the two edits collide. */
typedef struct DsMergeConflict
{
	const char *path;			/* JSON Pointer, RFC 6901 */
	const char *kind;
	DsMergeSides sides;
	int			number;			/* among all, as they were found */
} DsMergeConflict;

typedef struct DsMerged
{
	Jsonb	   *merged;			/* NULL: they collide, or it is gone on both sides */
	int			conflict_count;
	DsMergeConflict *conflicts; /* by path */
} DsMerged;

extern void ds_merge3(Jsonb *base, Jsonb *mine, Jsonb *theirs, JsonbContainer *rules, DsMerged *result);
extern Jsonb *ds_merge3_conflicts(const DsMerged *result);

#endif							/* DS_MERGE3_H */

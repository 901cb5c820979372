/*
 * conflict.h - many violations, one error
 *
 * The room conflict/ knows what callers can expect, and what they are told when
 * it does not hold.  It enforces
 *
 *	expectation.c	one vocabulary of expected versions, one comparison, by
 *					equality; docstore.checks
 *	conflict.c		one error for all violations of a call, of one shape;
 *					it lists docstore.max_violations at most (100), and its total
 *					counts all; which SQLSTATE it has
 *	deferred.c		conflicts that wait until COMMIT; what a rollback to a
 *					savepoint undoes is forgotten
 *
 * It may call table/ (names), json/ and base/.  It locks nothing and reads no
 * row: whoever adds a violation vouches for it.
 */
#ifndef DS_CONFLICT_H
#define DS_CONFLICT_H

#include "postgres.h"

#include "base/compat.h"
#include "conflict/expectation.h"
#include "lib/stringinfo.h"

/* What a violation is about. */
typedef enum DsViolationKind
{
	DS_KIND_DOCUMENT,
	DS_KIND_ROW,				/* of a guarded table */
	DS_KIND_STREAM,
	DS_KIND_SCOPE
} DsViolationKind;

/* One expectation that does not hold; an item can have several. */
typedef struct DsViolation
{
	int			item;			/* in its call, from 1 */
	const char *op;
	DsViolationKind kind;
	Oid			relid;			/* the collection, table or log */
	const char *id;				/* NULL: a row without a key */
	const char *scope;			/* in place of an id: as it was given */
	DsReason	reason;
	int64		expected;
	const char *seen;			/* of a scope, in place of expected: the mark */
	bool		actual_known;	/* there, and visible to the caller */
	int64		actual;
	const char *details;		/* further members, as JSON; NULL: there are none */
} DsViolation;

/* All violations of a call, or of many, as they are gathered. */
typedef struct DsConflict
{
	int			items;			/* in all calls */
	int			items_before;	/* the latest call */
	int			total;			/* violations */
	int			violated;		/* items that have any */
	int			latest;			/* of them */
	int			listed;
	uint32		advice;			/* what its hint has to say: bits of conflict.c */
	Oid			relid;			/* of all violations, or invalid */
	StringInfoData list;
} DsConflict;

extern void ds_conflict_init(void);
extern const char *ds_conflict_code(void);
extern void ds_conflict_begin(DsConflict *conflict);
extern void ds_conflict_add_call(DsConflict *conflict, int items);
extern int	ds_conflict_limit(void);
extern bool ds_conflict_is_full(const DsConflict *conflict);
extern void ds_conflict_add(DsConflict *conflict, const DsViolation *violation);
pg_noreturn extern void ds_conflict_raise(const DsConflict *conflict, const char *preface);

#endif							/* DS_CONFLICT_H */

/*
 * expectation.h - expected versions: the vocabulary and the one comparison
 */
#ifndef DS_EXPECTATION_H
#define DS_EXPECTATION_H

#include "postgres.h"

#include "utils/jsonb.h"

/* Expected versions that are no version; see also the SQL constants. */
#define DS_NO_VERSION		INT64CONST(0)
#define DS_ANY_VERSION		INT64CONST(-1)
#define DS_SOME_VERSION		INT64CONST(-2)

/* How an expectation fails; DS_NO_REASON when it does not. */
typedef enum DsReason
{
	DS_NO_REASON,
	DS_STALE,					/* there, at another version */
	DS_MISSING,					/* expected there, is not */
	DS_EXISTS,					/* expected absent, is there */
	DS_CLOSED,					/* a stream that takes no more events */
	DS_SCOPE_REASON,			/* an event in the scope that was not expected, or not one that was */
	DS_CONDITION,				/* there, and does not contain what it is to contain */
	DS_COLLISION,				/* there, at a later version, whose changes collide with those to be merged */
	DS_BEHIND					/* a consumer, that has come further than the cursor to store */
} DsReason;

extern bool ds_expectation_checks;	/* the setting docstore.checks */

extern void ds_expectation_init(void);
extern int64 ds_expectation_from_sql(int64 expected, int item);
extern int64 ds_expectation_from_json(const JsonbValue *expected, int item);
extern int64 ds_expectation_in_force(int64 expected);
extern int64 ds_expectation_with_condition(int64 expected, int item);
extern void ds_expectation_refuse_absence(int64 expected, int item);
extern DsReason ds_expectation_compare(int64 expected, bool present, int64 actual);
extern bool ds_expectation_is_passed(int64 expected, int64 actual);
extern const char *ds_expectation_to_json(int64 expected);
extern const char *ds_reason_name(DsReason reason);

#endif							/* DS_EXPECTATION_H */

/*
 * errors.h - the SQLSTATEs that docstore raises, and how messages name an item
 *
 * The room base/ is what all others stand on, and may call nobody but the
 * server:
 *
 *	errors.c			the codes below, and the checks that all functions share
 *	compat.h			every test of the server's version
 *	age.c				how old something may be
 *	internal.c			the schema of the functions that only docstore calls
 *	array.c				arrays that a caller gave
 *	subtransaction.c	what can be taken back
 *	after_triggers.c	triggers that wait for several statements
 *
 * A client may match on these codes; they are part of the interface.
 *
 *	PT409	the conflict (docstore.conflict_sqlstate changes it): conflict.c
 *	PT404	a version to go back to that history does not have
 *	PT428	an UPDATE that does not set the version, where the guard is strict; one
 *			that changes data and leaves the version, of a tracked collection
 *	22023	a bad argument: a value that breaks a rule of the call
 *	22P02	an id that is not of the collection's id type
 *	22003	a version or revision that cannot grow any more
 *	23502	a row with NULL where the NOT NULL constraint was not validated
 *	23505	an append of which some events are stored already, and others not; a
 *			version that is not above all that history has of a document
 *	25006	a write in a read-only transaction or on a standby
 *	0A000	what cannot be done with a table that is distributed
 *	27000	a trigger of the table undid or changed a write
 *	40001	the engine's own, where a snapshot is too old to tell
 *	42501	row security lets the caller see a document but not write it; a version
 *			that only the owner of the collection may use up
 *	39P01	a trigger function that is called by somebody else
 *	42622	a name that is too long for a collection or a log
 *	42703	a guarded table without that version column
 *	2BP01	a table to unguard that is guarded as a partition of another; a log to
 *			repair whose primary key views or functions depend on
 *	42704	a table that is not guarded, or tracked
 *	42710	a table that is guarded already, or one of its partitions
 *	42804	a version column of another type
 *	42P07	a collection to track whose history's name another table has
 *	42P01	no such table
 *	42809	a table that is no collection, or no log, or cannot be guarded or tracked,
 *			or have a history
 *	55006	a table that a trigger or function has altered while the call was using it
 *	25000	a write in a worker of a parallel query, or beside one
 *	54000	an id, or a stream's name, that is too long for its index; more items in
 *			one transaction than can be counted: deferred.c
 *
 * Everything else that leaves docstore is the server's own error, unchanged.
 * Of these the README and the view docstore.error_codes list those after which
 * the same transaction is worth another try:
 *
 *	40P01	a deadlock, which the server has ended
 *	55P03	a lock that was not to be had in time
 */
#ifndef DS_ERRORS_H
#define DS_ERRORS_H

#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"

#define DS_ERRCODE_NO_SUCH_VERSION		MAKE_SQLSTATE('P', 'T', '4', '0', '4')
#define DS_ERRCODE_VERSION_REQUIRED		MAKE_SQLSTATE('P', 'T', '4', '2', '8')
#define DS_ERRCODE_ARGUMENT				ERRCODE_INVALID_PARAMETER_VALUE
#define DS_ERRCODE_ID_SYNTAX			ERRCODE_INVALID_TEXT_REPRESENTATION
#define DS_ERRCODE_VERSION_OVERFLOW		ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE
#define DS_ERRCODE_READ_ONLY			ERRCODE_READ_ONLY_SQL_TRANSACTION
#define DS_ERRCODE_PARALLEL				ERRCODE_INVALID_TRANSACTION_STATE
#define DS_ERRCODE_TRIGGER				ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION
#define DS_ERRCODE_SERIALIZATION		ERRCODE_T_R_SERIALIZATION_FAILURE
#define DS_ERRCODE_HIDDEN				ERRCODE_INSUFFICIENT_PRIVILEGE
#define DS_ERRCODE_NOT_A_COLLECTION		ERRCODE_WRONG_OBJECT_TYPE
#define DS_ERRCODE_NOT_A_LOG			ERRCODE_WRONG_OBJECT_TYPE
#define DS_ERRCODE_TOO_MANY				ERRCODE_PROGRAM_LIMIT_EXCEEDED
#define DS_ERRCODE_TOO_LONG				ERRCODE_PROGRAM_LIMIT_EXCEEDED
#define DS_ERRCODE_NAME_TOO_LONG		ERRCODE_NAME_TOO_LONG
#define DS_ERRCODE_ALTERED				ERRCODE_OBJECT_IN_USE

/*
 * The number of an item in the caller's order, from 1; functions that take
 * one document use this in its place, and messages then name no item.
 */
#define DS_ONLY_ITEM 0

extern const char *ds_error_item_prefix(int item);
extern bool ds_error_is_bad_value(void);
extern void ds_argument_require(bool is_null, const char *name);
extern Datum ds_argument_max_count(FunctionCallInfo fcinfo, int argument, char *null);
extern void ds_call_require_no_parallel(const char *function);
extern void ds_call_require_writable(const char *function);
pg_noreturn extern void ds_error_raise_old_snapshot(void);

#endif							/* DS_ERRORS_H */

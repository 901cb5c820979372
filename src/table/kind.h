/*
 * kind.h - what kinds of tables there are
 */
#ifndef DS_KIND_H
#define DS_KIND_H

#include "postgres.h"

#include "access/transam.h"
#include "lib/stringinfo.h"
#include "table/description.h"
#include "table/statement.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* What the room that knows a kind says of it.  What may be NULL there is nothing to do or to say. */
typedef struct DsKindRoutine
{
	/* Describe a table, or list what it lacks in missing; it needs no lock on the table, see catalogue.c. */
	void		(*recognise) (DsCollection *table, StringInfo missing);

	/* Add what else there is to know of a table that is locked; may be NULL. */
	void		(*describe) (Relation rel, DsCollection *table);

	/* Whether something has changed that no invalidation tells of; may be NULL. */
	bool		(*is_outdated) (const DsCollection *table);

	/* Take over what must not change within a call; may be NULL. */
	void		(*carry_over) (DsCollection *now, const DsCollection *then);

	/*
	 * The latest place in the order of readers that is remembered elsewhere, for where a snapshot shows no row; false
	 * when there is none.  May be NULL.
	 */
	bool		(*find_former_end) (Oid relid, Snapshot snapshot, int64 *generation,
									FullTransactionId *transaction_id);

	/* Write the text of a DsStatement, in the current memory context; NULL: takes none of these. */
	void		(*build) (const DsCollection *table, DsStatement statement, DsStatementText *text);

	uint32		left_empty;		/* the columns that docstore itself leaves NULL, as bits */
	const char *position;		/* the column that is last in the order of readers; NULL: there is no such order */
	bool		only_inserted;	/* its rows are never looked up or updated by docstore */
	bool		found_by_name;	/* so that it is another table under another name */

	/* For messages: a row of such a table, and the table itself. */
	const char *row;
	const char *a_row;			/* with its article; NULL, as the next: there is no order of readers */
	const char *end_function;	/* that says where its readers are by now */
	const char *table;
} DsKindRoutine;

extern void ds_kind_register(DsKind kind, const DsKindRoutine *routine);
extern const DsKindRoutine *ds_kind_of(const DsCollection *table);
extern const char *ds_kind_recognise(Oid relid, DsKind kind, DsCollection *table);
extern bool ds_kind_is(Oid relid, DsKind kind);

/* For those who recognise a kind. */
extern AttrNumber ds_kind_column(Oid relid, const char *name, Oid type);
extern void ds_kind_lacks(StringInfo missing, const char *what);
extern void ds_kind_find_key(DsCollection *table, const char *id, StringInfo missing);

#endif							/* DS_KIND_H */

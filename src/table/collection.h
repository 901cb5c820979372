/*
 * collection.h - the tables that docstore works on, described and remembered
 *
 * The room table/ knows one table at a time, whatever its rows are: what it is
 * made of, and how its rows are read and written.  It enforces
 *
 *	name.c, catalogue.c	what callers and the catalogue say of a table
 *	id.c				the types of ids; one that is too long for the index is
 *						refused (54000) before anything is locked
 *	kind.c, document_table.c	what makes a table one of docstore's, which one
 *						with rules is not; collections
 *	collection.c		a description is remembered until the table changes, and
 *						looked at again before each use
 *	statement.c, document_statement.c, plan.c
 *						a row is written by one of these texts, by a plan that
 *						goes by the key, and is about that very table; a patch
 *						is merged into the row version that the statement locks
 *	plain.c				a table with triggers, checks and the like is left to
 *						the statements; engine.c: so are some callers and settings;
 *						engine_setting.c: which are written one by one
 *	direct.c			the same as the statements without the executor, where
 *						nobody can tell
 *	floor.c, identity.c	no version comes back: new documents start above every
 *						version that was deleted; callers cannot touch that
 *	other_unique.c		who loses the race for an id is not told of another
 *						unique index
 *	distributed.c		what cannot be done with a table of Citus; far_floor.c: its
 *						floor is on the coordinator, whoever asks
 *	row_error.c			why a row that its version allows to be written cannot be
 *
 * It may call json/ and base/.  What streams and events are, log/ and stream/
 * tell it by registering: kind.h.
 */
#ifndef DS_COLLECTION_H
#define DS_COLLECTION_H

#include "postgres.h"

#include "base/compat.h"
#include "storage/lockdefs.h"
#include "table/description.h"
#include "table/name.h"

extern void ds_collection_init(void);
extern const char *ds_collection_lock(Oid relid, LOCKMODE lock);
pg_noreturn extern void ds_collection_refuse_unknown(const char *name, int item);
extern void ds_collection_open(Oid relid, LOCKMODE lock, int item, DsCollection *collection);
extern Oid	ds_collection_find(const char *name, LOCKMODE lock, int item);
extern const DsCollection *ds_collection_look(Oid relid, DsKind kind, const char **obstacle);
extern bool ds_collection_describe(Oid relid, DsKind kind, DsCollection *collection,
								   const char **obstacle);
extern void ds_collection_look_again(const DsCollection *described);
extern void ds_collection_forget(Oid relid);
extern bool ds_collection_recognise(Oid relid, DsCollection *collection);
extern void ds_collection_prepare(DsCollection *collection);
extern void ds_collection_require_short_id(const DsCollection *collection, Datum id, int item);

#endif							/* DS_COLLECTION_H */

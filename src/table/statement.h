/*
 * statement.h - the SQL that reads, locks and writes rows
 */
#ifndef DS_STATEMENT_H
#define DS_STATEMENT_H

#include "postgres.h"

#include "table/description.h"

#define DS_STATEMENT_MAX_PARAMETERS 24

/*
 * Statements on one document take its id first, those on many an array of ids.
 * What else they take stands with them, arrays where it says so in the plural.
 * Where the collection is by_place those that write rows which are locked take
 * one array more, last: of the ctids that the locking statement has returned.
 *
 * Statements that look return (version), those on many (item, version, ctid),
 * where item is the place in the array from 1.  Statements that write return
 * (version, whether the id is still the same), those on many (item, version,
 * id), of what they have written.
 */
typedef enum DsStatement
{
	DS_NO_STATEMENT,

	/* one document */
	DS_FIND,
	DS_LOCK_FOR_UPSERT,
	DS_LOCK_FOR_DELETE,
	DS_UPDATE,					/* data, version */
	DS_UPDATE_ANY,				/* data */
	DS_PATCH,					/* patch, version */
	DS_PATCH_ANY,				/* patch */
	DS_INSERT,					/* data, version; no row when the id is taken: see other_unique.c */
	DS_INSERT_STRICTLY,			/* likewise, and an error when another unique value is */
	DS_DELETE,					/* version */
	DS_DELETE_ANY,
	DS_LOAD,					/* version not wanted: returns whole documents */
	DS_CONTAINS,				/* json: returns whether the data contains it */
	DS_HOLD,					/* changes nothing; of a distributed table: its shard stays where it is */

	/* many documents, in the order of the array */
	DS_FIND_MANY,
	DS_LOCK_MANY_FOR_ASSERT,
	DS_LOCK_MANY_FOR_UPSERT,
	DS_LOCK_MANY_FOR_DELETE,
	DS_UPDATE_MANY,				/* versions, documents */
	DS_PATCH_MANY,				/* versions, patches */
	DS_INSERT_MANY,				/* version, documents; returns (id, version) of those not taken */
	DS_INSERT_MANY_STRICTLY,
	DS_DELETE_MANY,				/* versions */
	DS_LOAD_MANY
} DsStatement;

/*
 * The rows of listed ids, in their order: format for columns, table, column of
 * the id, and lock clause.  In a subquery that nothing is pulled out of: a join
 * with a table that seemed to have one row when it was planned would be made the
 * other way round, and read the whole index.
 */
#define DS_LISTED \
	"pg_catalog.unnest($1) WITH ORDINALITY AS u(id, item) " \
	"CROSS JOIN LATERAL (SELECT %s FROM %s WHERE %s OPERATOR(pg_catalog.=) u.id OFFSET 0 %s) AS t " \
	"ORDER BY u.item"

typedef struct DsStatementText
{
	char	   *sql;
	int			parameters;
	Oid			types[DS_STATEMENT_MAX_PARAMETERS];
	const Oid  *all_types;		/* in place of these, where there may be more; else NULL */
	bool		in_order;		/* its rows are to come in the order of an index, never sorted */
	bool		by_bitmap;		/* by an index that has no order, of which it names no other */
	bool		by_cost;		/* planned anew for the values of each execution, as the planner sees fit */
} DsStatementText;

extern const char *ds_statement_lock_clause(const DsCollection *collection, DsStatement statement);
extern char *ds_statement_target(const DsCollection *collection);
extern char *ds_statement_source(const DsCollection *collection, const char *alias);
extern const char *ds_statement_arbiter(const DsCollection *collection, DsStatement statement, const char *id);
extern char *ds_statement_same_row(const DsCollection *collection, const char *id);
extern void ds_statement_set_types(DsStatementText *text, int parameters, const Oid *types);

#endif							/* DS_STATEMENT_H */

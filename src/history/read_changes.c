/*
 * read_changes.c - the changes of a collection, in the order of readers
 *
 * The order of the feed respects each document (record.c): its changes have
 * growing versions there.  So whether a change is the last one of its document
 * in a range is told by the one with the next version: it is when that one is
 * not there, or lies beyond the range.  That is one look into the key for each
 * change, however many the document has.
 *
 * A page of last changes ends at a cursor, and the next one goes on from there.
 * A document that changes in between turns up with its new last change, which
 * comes after that cursor.  So nothing is skipped, and the last change of each
 * document is returned sooner or later.
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "history/history.h"
#include "history/read_changes.h"
#include "table/collection.h"
#include "table/plan.h"
#include "utils/builtins.h"

/* The parameters: the range, and how many. */
enum
{
	FROM,
	TO = FROM + DS_CURSOR_PARAMETERS,
	MAX_COUNT = TO + DS_CURSOR_PARAMETERS,
	PARAMETERS
};

/* Read the argument each; 22023 for what is none of its words. */
DsEach
ds_each_read(text *given)
{
	const char *each = text_to_cstring(given);

	if (strcmp(each, "change") == 0)
		return DS_EACH_CHANGE;
	if (strcmp(each, "document") == 0)
		return DS_EACH_DOCUMENT;
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("each must be \"change\" or \"document\""),
			 errhint("Pass \"change\" for all changes, \"document\" for the last one of each document.")));
}

static void
build(const DsCollection *history, const char *condition, DsStatementText *text)
{
	const char *place = ds_cursor_columns(history);

	text->sql = psprintf("SELECT e.id::pg_catalog.text, e.version, e.op, e.data, e.recorded_at, e.actor, e.context, %s "
						 "FROM %s "
						 "WHERE (%s) OPERATOR(pg_catalog.>=) ($1, $2, $3) AND (%s) OPERATOR(pg_catalog.<) ($4, $5, $6)%s "
						 "ORDER BY %s LIMIT $7",
						 ds_cursor_sql(history), ds_statement_source(history, "e"), place, place, condition, place);
	ds_statement_set_types(text, PARAMETERS, (const Oid[]) {INT8OID, XID8OID, INT8OID, INT8OID, XID8OID, INT8OID, INT8OID});
	text->in_order = true;
}

static void
build_all(const void *context, DsStatementText *text)
{
	build(context, "", text);
}

static void
build_last(const void *context, DsStatementText *text)
{
	const DsCollection *history = context;

	build(history, psprintf(" AND (SELECT (l.generation, l.transaction_id, l.change_position) OPERATOR(pg_catalog.<) ($4, $5, $6) "
							"FROM %s WHERE l.id OPERATOR(pg_catalog.=) e.id "
							"AND l.version OPERATOR(pg_catalog.>) e.version ORDER BY l.version LIMIT 1) IS NOT TRUE",
							ds_statement_source(history, "l")), text);
}

/*
 * Put the changes in a range into the result of a function, with their cursors;
 * returns how many there are.  The active snapshot and the caller see them.
 * Callers are connected to SPI and have locked the history.
 */
uint64
ds_history_read_changes(const DsCollection *history, DsEach each, const DsFeedRange *range, ReturnSetInfo *set)
{
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS];

	memset(nulls, ' ', sizeof(nulls));
	ds_cursor_parameters(&range->from, &values[FROM]);
	ds_cursor_parameters(&range->to, &values[TO]);
	values[MAX_COUNT] = range->max_count;
	nulls[MAX_COUNT] = range->no_max_count;
	return ds_plan_return(history, (DsPlanKey) {.build = each == DS_EACH_CHANGE ? build_all : build_last}, history,
						  values, nulls, set);
}

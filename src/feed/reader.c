/*
 * reader.c - what a reader of a feed asks for
 *
 * Rows are read in the order of the feed (feed.c), up to its horizon.  One
 * snapshot decides both what is visible and where the horizon is; with two, a
 * row that commits in between would be skipped.  No other transaction is waited
 * for, nothing is written, so this works on a standby as well.
 *
 * What is counted and returned is what the caller may see.  Where a reader
 * stands does not depend on that: a cursor is good for whom its row is hidden
 * from, too.
 *
 * Callers have locked the table and are connected to SPI.
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/cursor_check.h"
#include "feed/reader.h"
#include "table/collection.h"
#include "table/kind.h"
#include "table/plan.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* A cursor of another table would skip rows or bring them again. */
pg_noreturn static void
refuse_foreign(const DsCollection *table, const char *argument)
{
	const DsKindRoutine *kind = ds_kind_of(table);

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s is not a cursor of %s \"%s\"", argument, kind->table, ds_name_of(table->relid)),
			 errhint("What comes by logical replication has an order of its own on each server. "
					 "Begin again with NULL, and skip the %ss that were processed already.", kind->row)));
}

/* So would one from a future that never was. */
pg_noreturn static void
refuse_lost(const DsCollection *table, const char *argument)
{
	const DsKindRoutine *kind = ds_kind_of(table);

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s points to %s that %s \"%s\" does not have",
					argument, kind->a_row, kind->table, ds_name_of(table->relid)),
			 errdetail("The %s was lost in a failover, a crash or a recovery, or it was deleted while older ones were kept, or the cursor is of another %s.",
					   kind->row, kind->table),
			 errhint("Other %ss may have taken its place. Begin again with an earlier cursor, and skip the %ss that were processed already, or begin with NULL and an empty copy.",
					 kind->row, kind->row)));
}

/* What was dropped would be missing, and nobody would know. */
pg_noreturn static void
refuse_dropped(const DsCollection *table, const char *argument)
{
	const DsKindRoutine *kind = ds_kind_of(table);

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%s points to %s, after which others may have been dropped from %s \"%s\"",
					argument, kind->a_row, kind->table, ds_name_of(table->relid)),
			 errdetail("Partitions of the %s are gone. That %s was in one, or was recorded less than an hour after what they had, or it is the beginning.",
					   kind->table, kind->row),
			 errhint("Begin with NULL and an empty copy. Before partitions are dropped, all readers should have read on.")));
}

/* Who stored a cursor that is ahead of what was read would skip what is in between. */
pg_noreturn static void
refuse_ahead(const DsCollection *table)
{
	const DsKindRoutine *kind = ds_kind_of(table);

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("until is after the last %s of %s \"%s\" that can be read now",
					kind->row, kind->table, ds_name_of(table->relid)),
			 errdetail("Some before it may be missing: on a standby that lags behind, or in a snapshot that is older than the cursor."),
			 errhint("Call %s on the server that you read from, before you read.", kind->end_function)));
}

/* The cursor in an argument. */
static void
read_cursor(const DsCollection *table, text *given, const char *argument, DsCursor *cursor)
{
	ds_cursor_read(given, argument, cursor);
	switch (ds_cursor_check(table, cursor))
	{
		case DS_CURSOR_GOOD:
			break;
		case DS_CURSOR_FOREIGN:
			refuse_foreign(table, argument);
		case DS_CURSOR_LOST:
			refuse_lost(table, argument);
		case DS_CURSOR_DROPPED:
			refuse_dropped(table, argument);
	}
}

/*
 * The range that arguments called after and until say, as far as readers with
 * the active snapshot get by now: what comes after the one, up to and including
 * what is at the other.  NULL is where the feed begins, and where it ends.
 * Raises 22023.
 */
void
ds_reader_range(const DsCollection *table, text *after, text *until, DsFeedRange *range)
{
	DsHorizon	horizon;
	DsCursor	cursor;

	ds_cursor_begin(&range->from);
	if (after != NULL)
	{
		read_cursor(table, after, "after", &cursor);
		range->from = ds_cursor_next_place(&cursor);
	}
	horizon = ds_feed_find_horizon(table, GetActiveSnapshot());
	range->to = (DsCursor) {horizon.generation, horizon.transaction_id, PG_INT64_MIN};
	if (until != NULL)
	{
		read_cursor(table, until, "until", &cursor);
		if (!ds_cursor_is_reached(table, &cursor, &horizon))
			refuse_ahead(table);
		range->to = ds_cursor_next_place(&cursor);
	}
}

static void
build_end(const void *context, DsStatementText *text)
{
	const DsCollection *table = context;

	text->sql = psprintf("SELECT %s FROM %s "
						 "WHERE (e.generation, e.transaction_id) OPERATOR(pg_catalog.<) ($1, $2) "
						 "ORDER BY e.generation DESC, e.transaction_id DESC, e.%s DESC LIMIT 1",
						 ds_cursor_sql(table), ds_statement_source(table, "e"), ds_kind_of(table)->position);
	ds_statement_set_types(text, 2, (const Oid[]) {INT8OID, XID8OID});
}

/* The cursor of the last row below a horizon, in the caller's memory; NULL when there is none. */
char *
ds_reader_find_end(const DsCollection *table, const DsHorizon *horizon)
{
	Datum		values[2] = {
		Int64GetDatum(horizon->generation), FullTransactionIdGetDatum(horizon->transaction_id)
	};
	bool		is_null;
	Datum		end;
	char	   *result = NULL;

	if (ds_plan_run(table, (DsPlanKey) {.build = build_end}, table, DS_READ, values, NULL) > 0)
	{
		end = ds_plan_value(0, 1, TEXTOID, &is_null);
		result = SPI_palloc(VARSIZE_ANY_EXHDR(DatumGetPointer(end)) + 1);
		text_to_cstring_buffer(DatumGetTextPP(end), result, VARSIZE_ANY_EXHDR(DatumGetPointer(end)) + 1);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/*
 * The cursor of the last row that readers with the active snapshot get by now,
 * in the caller's memory; the origin when there is none.
 */
const char *
ds_reader_end(const DsCollection *table)
{
	DsHorizon	horizon = ds_feed_find_horizon(table, GetActiveSnapshot());
	char	   *end = ds_reader_find_end(table, &horizon);

	if (end != NULL)
		ds_feed_flush();
	return end != NULL ? end : DS_CURSOR_ORIGIN;
}

static void
build_after(const void *context, DsStatementText *text)
{
	const DsCollection *table = context;

	text->sql = psprintf("SELECT pg_catalog.count(*) FROM %s "
						 "WHERE (%s) OPERATOR(pg_catalog.>) ($1, $2, $3)",
						 ds_statement_source(table, "e"), ds_cursor_columns(table));
	ds_statement_set_types(text, DS_CURSOR_PARAMETERS, (const Oid[]) {INT8OID, XID8OID, INT8OID});
}

/* How many visible rows come after a cursor, safe or not. */
int64
ds_reader_count_after(const DsCollection *table, const DsCursor *cursor)
{
	Datum		values[DS_CURSOR_PARAMETERS];
	int64		result;

	ds_cursor_parameters(cursor, values);
	ds_plan_run(table, (DsPlanKey) {.build = build_after}, table, DS_READ, values, NULL);
	result = ds_plan_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return result;
}

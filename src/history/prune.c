/*
 * prune.c - what history gives up: rows that are old, and what rows say
 *
 * Both are statements of the caller, with its privileges and under its row
 * security.
 *
 * A row is pruned when it is older than asked for, and its document has so many
 * newer ones; so the newest row of a document stays.  But of a document that was
 * deleted before that time all rows go.  What is left of a document is the end of
 * its history, also where a call stops halfway, as rows go in the order of the
 * feed, which respects each document.
 *
 * Readers of the feed have the place of a row as their cursor, and are refused
 * when that row is gone while older ones are there (cursor_check.c): they may
 * have missed a deletion.  Whoever reads as often as rows grow old must not be.
 * So nothing goes that readers cannot have got yet, nor the last of the old
 * rows that they can: a reader that came by since the time asked for has its
 * cursor there, or beyond.  This is also the row that tells of which generation
 * the feed is, when nothing else is left.
 *
 * Rows are erased where they are: that they were there, and when, readers go on
 * to see.  A deletion stays one, for what had the document must learn of it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/feed.h"
#include "history/history.h"
#include "history/prune.h"
#include "miscadmin.h"
#include "table/name.h"
#include "table/plan.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

/* The parameters of a pruning. */
enum
{
	BEFORE,
	GENERATION,
	TRANSACTION_ID,
	KEEP,
	MAX_ROWS,
	PARAMETERS
};

#define PLACE "h.generation, h.transaction_id, h.change_position"
#define BACKWARDS "h.generation DESC, h.transaction_id DESC, h.change_position DESC"

/* The rows of the document of h. */
#define OF_SAME "n.id OPERATOR(pg_catalog.=) h.id"

/*
 * Of a partitioned history those rows are one that have the same time, too; and
 * later versions are in the partition of a row, or in later ones.
 */
static const char *
same_time(const DsCollection *history)
{
	return history->partitioned ? " AND t.recorded_at OPERATOR(pg_catalog.=) o.recorded_at" : "";
}

static const char *
not_earlier(const DsCollection *history)
{
	return history->partitioned ? " AND n.recorded_at OPERATOR(pg_catalog.>=) h.recorded_at" : "";
}

static void
build_pruning(const void *context, DsStatementText *text)
{
	const DsCollection *history = context;
	char	   *h = ds_statement_source(history, "h");
	char	   *n = psprintf("%s WHERE " OF_SAME "%s", ds_statement_source(history, "n"), not_earlier(history));

	text->sql = psprintf(
		"DELETE FROM %s USING ("
		"SELECT h.id, h.version, h.recorded_at FROM %s "
		"WHERE h.recorded_at OPERATOR(pg_catalog.<) $1 AND (" PLACE ") OPERATOR(pg_catalog.<) ("
		"SELECT " PLACE " FROM %s WHERE h.recorded_at OPERATOR(pg_catalog.<) $1 "
		"AND (h.generation, h.transaction_id) OPERATOR(pg_catalog.<) ($2, $3) ORDER BY " BACKWARDS " LIMIT 1) "
		"AND (EXISTS (SELECT FROM %s AND n.version OPERATOR(pg_catalog.>) h.version OFFSET $4) "
		"OR (SELECT n.op OPERATOR(pg_catalog.=) '" DS_OP_DELETED "' AND n.recorded_at OPERATOR(pg_catalog.<) $1 "
		"FROM %s ORDER BY n.version DESC LIMIT 1)) "
		"ORDER BY " PLACE " LIMIT $5 OFFSET 0) AS o "
		"WHERE t.id OPERATOR(pg_catalog.=) o.id AND t.version OPERATOR(pg_catalog.=) o.version%s",
		ds_statement_source(history, "t"), h, h, n, n, same_time(history));
	text->in_order = true;
	ds_statement_set_types(text, PARAMETERS, (const Oid[]) {TIMESTAMPTZOID, INT8OID, XID8OID, INT8OID, INT8OID});
}

/*
 * Delete rows that are older than a time, but keep so many of each document that
 * is there, one at least; returns how many went, max_rows at the most.
 */
int64
ds_history_prune(const DsCollection *history, TimestampTz before, int keep, Datum max_rows, bool no_max_rows)
{
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS] = {' ', ' ', ' ', ' ', no_max_rows ? 'n' : ' '};
	DsHorizon	horizon;
	uint64		pruned;

	SPI_connect();
	horizon = ds_feed_find_horizon(history, GetActiveSnapshot());
	values[BEFORE] = TimestampTzGetDatum(before);
	values[GENERATION] = Int64GetDatum(horizon.generation);
	values[TRANSACTION_ID] = FullTransactionIdGetDatum(horizon.transaction_id);
	values[KEEP] = Int64GetDatum(Max(keep, 1) - 1);
	values[MAX_ROWS] = max_rows;
	pruned = ds_plan_run(history, (DsPlanKey) {.build = build_pruning}, history, DS_WRITE, values, nulls);
	SPI_finish();
	return (int64) pruned;
}

/* What a row t says that can be blanked. */
#define SAYS_SOMETHING \
	"(t.op OPERATOR(pg_catalog.<>) ALL ('{" DS_OP_DELETED "," DS_OP_ERASED "}') " \
	"OR t.actor IS NOT NULL OR t.context IS NOT NULL)"

typedef struct Erasing
{
	const DsCollection *history;
	bool		all_versions;
} Erasing;

static void
build_erasure(const void *context, DsStatementText *text)
{
	const Erasing *erasing = context;

	text->sql = psprintf("UPDATE %s SET op = CASE WHEN t.op OPERATOR(pg_catalog.=) '" DS_OP_DELETED "' THEN t.op ELSE '" DS_OP_ERASED "' END, "
						 "data = NULL, actor = NULL, context = NULL WHERE t.id OPERATOR(pg_catalog.=) $1%s "
						 "AND " SAYS_SOMETHING,
						 ds_statement_target(erasing->history),
						 erasing->all_versions ? "" : " AND t.version OPERATOR(pg_catalog.=) ANY ($2)");
	ds_statement_set_types(text, erasing->all_versions ? 1 : 2,
						   (const Oid[]) {erasing->history->id_type->oid, INT8ARRAYOID});
}

static void
build_latest(const void *context, DsStatementText *text)
{
	const DsCollection *history = context;

	text->sql = psprintf("SELECT COALESCE(pg_catalog.max(t.version), '-9223372036854775808') FROM %s "
						 "WHERE t.id OPERATOR(pg_catalog.=) $1 AND " SAYS_SOMETHING, ds_statement_source(history, "t"));
	ds_statement_set_types(text, 1, (const Oid[]) {history->id_type->oid});
}

/* The latest version of a document of which a snapshot shows what can be blanked. */
static int64
find_latest(const DsCollection *history, Datum id, Snapshot snapshot)
{
	int64		latest;

	PushActiveSnapshot(snapshot);
	ds_plan_run(history, (DsPlanKey) {.build = build_latest}, history, DS_READ, &id, NULL);
	latest = ds_plan_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
	PopActiveSnapshot();
	return latest;
}

/* Under an old snapshot: raise 40001 when a version was written that it does not show.  Versions grow. */
static void
refuse_newer(const DsCollection *history, Datum id)
{
	CommandCounterIncrement();
	if (find_latest(history, id, GetLatestSnapshot()) > find_latest(history, id, GetTransactionSnapshot()))
		ds_error_raise_old_snapshot();
}

/*
 * Blank what these versions of a document say, or all of them, of what was
 * written, by whom and why; returns how many rows it has blanked.  Who was waited
 * for may have written a version again (past.c), so all of them are looked at until
 * there is none; a snapshot that the transaction keeps does not show it, which is
 * 40001.
 */
int64
ds_history_erase(const DsCollection *history, Datum id, Datum versions, bool all_versions)
{
	Erasing		erasing = {history, all_versions};
	Datum		values[] = {id, versions};
	uint64		erased = 0;
	uint64		more;

	SPI_connect();
	do
	{
		CHECK_FOR_INTERRUPTS();
		more = ds_plan_run(history, (DsPlanKey) {.build = build_erasure, .form = all_versions}, &erasing, DS_WRITE, values, NULL);
		erased += more;
	} while (all_versions && more > 0);
	if (all_versions && IsolationUsesXactSnapshot())
		refuse_newer(history, id);
	SPI_finish();
	return (int64) erased;
}

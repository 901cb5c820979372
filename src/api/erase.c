/*
 * erase.c - docstore.erase(): blank what events say
 *
 * For what must be forgotten by law.  An event that is erased keeps its row,
 * its type, its tags and its place: streams have no gaps, scopes and readers
 * find what they found before.  Old row versions go with the next VACUUM.
 */
#include "postgres.h"

#include "base/array.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "feed/reading.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "table/plan.h"

PG_FUNCTION_INFO_V1(ds_erase);

typedef struct Erasing
{
	const DsLog *log;
	bool		all;
} Erasing;

static void
build(const void *context, DsStatementText *text)
{
	const Erasing *erasing = context;

	text->sql = psprintf("UPDATE ONLY %s AS e SET data = '{}', metadata = NULL "
						 "WHERE e.stream OPERATOR(pg_catalog.=) $1%s "
						 "AND (e.data OPERATOR(pg_catalog.<>) '{}' OR e.metadata IS NOT NULL)",
						 ds_collection_name(erasing->log->events.relid),
						 erasing->all ? "" : " AND e.version OPERATOR(pg_catalog.=) ANY ($2)");
	text->parameters = erasing->all ? 1 : 2;
	text->types[0] = TEXTOID;
	text->types[1] = INT8ARRAYOID;
}

/* Refuse NULL among the versions: it would be passed over without a word. */
static void
check_versions(ArrayType *given)
{
	DsArray		versions = ds_array_read(given, "versions");

	for (int i = 0; i < versions.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (versions.nulls[i])
			ereport(ERROR,
					(errcode(DS_ERRCODE_ARGUMENT),
					 errmsg("%sversion must not be NULL", ds_item_prefix(i + 1)),
					 errhint("For all events of the stream leave the versions out.")));
	}
}

/*
 * docstore.erase(log regclass, stream text, versions bigint[] DEFAULT NULL) RETURNS bigint
 *
 * Blanks data and metadata of these events of a stream, of all that the
 * statement sees when versions is NULL.  Returns how many events it has
 * blanked: those that were before, and versions that are not there, do not
 * count.  Raises 22023, 42P01, 42809, 25006, and 42501 without UPDATE on the
 * table of events.
 * Locks: ROW EXCLUSIVE on the log's tables, FOR NO KEY UPDATE on the events.
 */
Datum
ds_erase(PG_FUNCTION_ARGS)
{
	DsLog		log;
	Erasing		erasing = {&log, PG_ARGISNULL(2)};
	Datum		values[2];
	uint64		erased;

	ds_require_writable("docstore.erase()");
	ds_require_argument(PG_ARGISNULL(0), "log");
	ds_require_argument(PG_ARGISNULL(1), "stream");
	values[0] = ds_reading_stream(PG_GETARG_TEXT_PP(1));
	values[1] = erasing.all ? (Datum) 0 : PG_GETARG_DATUM(2);
	if (!erasing.all)
		check_versions(PG_GETARG_ARRAYTYPE_P(2));
	ds_log_open(PG_GETARG_OID(0), RowExclusiveLock, DS_ONLY_ITEM, &log);

	SPI_connect();
	erased = ds_plan_run(&log.events, erasing.all ? DS_READING_ERASE_ALL : DS_READING_ERASE_SOME,
						 build, &erasing, DS_WRITE, values, NULL);
	SPI_finish();
	PG_RETURN_INT64((int64) erased);
}

/*
 * months.c - the partitions of a history, one for each month
 *
 * A write that found no partition would fail, so there is one for the rest.
 * docstore.track() makes this month and the next ones, all that are missing from
 * the last one on, so that no month is missing in between: a reader is told by
 * that of what was dropped (cursor_check.c).  Rows that have come meanwhile, and
 * are in the rest, it moves into theirs.
 *
 * The first partition of a new history has no beginning.  Months are those of UTC.
 */
#include "postgres.h"

#include "access/table.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "history/months.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "table/catalogue.h"
#include "table/name.h"
#include "table/plan.h"
#include "table/ranges.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* How many are made beyond this one. */
#define AHEAD 3

#define REST "_rest"

/* A month, counted from the year 0. */
typedef int Month;

/* A history whose partitions are made. */
typedef struct Maker
{
	Oid			history;
	FormData_pg_class relation;
	bool		is_unlogged;	/* the partitions are */
	const char *rest;			/* that partition, as statements name it; NULL: it has not been made */
} Maker;

/* What a time is by the clock of UTC. */
static void
split_time(TimestampTz time, struct pg_tm *parts, fsec_t * fraction)
{
	if (timestamp2tm(time, NULL, parts, fraction, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
}

static Month
month_of(TimestampTz time)
{
	struct pg_tm parts;
	fsec_t		fraction;

	split_time(time, &parts, &fraction);
	return parts.tm_year * 12 + parts.tm_mon - 1;
}

/* When it begins, in SQL. */
static char *
start_of(Month month)
{
	return psprintf("'%04d-%02d-01 00:00:00+00'", month / 12, month % 12 + 1);
}

/* The name of a partition, as statements have it; 42622 when it would be cut. */
static char *
name_partition(const Maker *maker, const char *suffix)
{
	const char *name = NameStr(maker->relation.relname);

	if (strlen(name) + strlen(suffix) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(DS_ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for a history that is partitioned by month", name),
				 errdetail("The name of a partition is its name with such as \"" DS_MONTH_SUFFIX "\" added."),
				 errhint("Rename it to a name of at most %d bytes.", (int) (NAMEDATALEN - 1 - strlen(DS_MONTH_SUFFIX)))));
	return quote_qualified_identifier(get_namespace_name(maker->relation.relnamespace), psprintf("%s%s", name, suffix));
}

/* Make a partition, which is as the history is: nobody else can do anything with it. */
static void
make_partition(const Maker *maker, const char *partition, const char *bounds)
{
	ds_plan_execute_utility(psprintf("CREATE %s %s PARTITION OF %s %s USING heap", maker->is_unlogged ? "UNLOGGED TABLE" : "TABLE", partition,
									 ds_name_of(maker->history), bounds));
	if (maker->relation.relrowsecurity)
		ds_plan_execute_utility(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", partition));
	if (maker->relation.relowner != GetUserId())
		ds_plan_execute_utility(psprintf("ALTER TABLE %s OWNER TO %s", partition,
										 quote_identifier(GetUserNameFromId(maker->relation.relowner, false))));
}

/* Make that of a month; from is when it begins, in SQL. */
static char *
make_month(const Maker *maker, Month month, const char *from)
{
	char	   *partition = name_partition(maker, psprintf("_%04d_%02d", month / 12, month % 12 + 1));

	make_partition(maker, partition, psprintf("FOR VALUES FROM (%s) TO (%s)", from, start_of(month + 1)));
	return partition;
}

/* The columns of a history that have values of their own. */
static char *
list_columns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (!column->attisdropped && column->attgenerated == '\0')
			appendStringInfo(&columns, "%s%s", columns.len == 0 ? "" : ", ", quote_identifier(NameStr(column->attname)));
	}
	return columns.data;
}

static void
execute(const char *sql, int expected)
{
	int			result;

	SPI_connect();
	result = SPI_execute(sql, false, 0);
	if (result != expected)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
	SPI_finish();
}

/* Move the rows of a month out of the rest, which is detached; from is when its partition begins. */
static void
move_rows(const Maker *maker, Month month, const char *from, const char *partition, const char *columns)
{
	execute(psprintf("WITH moved AS (DELETE FROM ONLY %s AS r WHERE r.recorded_at OPERATOR(pg_catalog.>=) %s "
					 "AND r.recorded_at OPERATOR(pg_catalog.<) %s RETURNING r.*) "
					 "INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM moved",
					 maker->rest, from, start_of(month + 1), partition, columns, columns), SPI_OK_INSERT);
}

pg_noreturn static void
refuse_owners(Relation rest, const char *obstacle)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_COLLECTION),
			 errmsg("rows cannot be moved out of \"%s\"", ds_name_of(RelationGetRelid(rest))),
			 errdetail("%s", obstacle),
			 errhint("Drop it, or disable it while docstore.track() makes months.")));
}

/*
 * Moving rows is a statement of the caller, who need not be their owner.  Raises
 * 42809 where it would run what the owner has put there.
 */
static void
refuse_triggers(Oid rest)
{
	Relation	rel = table_open(rest, AccessExclusiveLock);

	if (rel->rd_rules != NULL)
		refuse_owners(rel, "It has a rule.");
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_DELETE(trigger->tgtype) && trigger->tgenabled != TRIGGER_DISABLED)
			refuse_owners(rel, psprintf("It has the trigger \"%s\", which fires for DELETE.", trigger->tgname));
	}
	table_close(rel, NoLock);
}

/* Make months of a history that is there, and has some or had some. */
static void
make_missing(const Maker *maker, Month from, Month to, const char *start, const char *columns)
{
	ds_plan_execute_utility(psprintf("ALTER TABLE %s DETACH PARTITION %s", ds_name_of(maker->history), maker->rest));
	for (Month month = from; month < to; month++)
	{
		move_rows(maker, month, start, make_month(maker, month, start), columns);
		start = start_of(month + 1);
	}
	ds_plan_execute_utility(psprintf("ALTER TABLE %s ATTACH PARTITION %s DEFAULT", ds_name_of(maker->history), maker->rest));
}

/* The first month that is missing: after the last that is there, whose owner may have made it end within a month. */
static Month
first_missing(TimestampTz end, Month now)
{
	return TIMESTAMP_NOT_FINITE(end) ? now : month_of(end);
}

/* When that begins, in SQL. */
static char *
start_of_first(TimestampTz end, Month now)
{
	struct pg_tm parts;
	fsec_t		fraction;

	if (TIMESTAMP_NOT_FINITE(end))
		return start_of(now);
	split_time(end, &parts, &fraction);
	return psprintf("'%04d-%02d-%02d %02d:%02d:%02d.%06d+00'", parts.tm_year, parts.tm_mon, parts.tm_mday,
					parts.tm_hour, parts.tm_min, parts.tm_sec, (int) fraction);
}

/* Whether no month is missing. */
static bool
is_enough(TimestampTz end, Month now, Month to)
{
	return TIMESTAMP_IS_NOEND(end) || first_missing(end, now) >= to;
}

/*
 * Make the months of a history that are missing, up to AHEAD of this one; none
 * where the rest is missing, too, or the history.
 *
 * Locks: ACCESS EXCLUSIVE, if any is missing.  It is looked for under ACCESS SHARE,
 * which is given back: two who both waited for more would be a deadlock.
 */
void
ds_months_make(Oid history, bool is_unlogged, bool is_new)
{
	Maker		maker = {.history = history, .is_unlogged = is_unlogged};
	Month		now = month_of(GetCurrentTimestamp());
	Month		from = now;
	Month		to = now + AHEAD + 1;
	TimestampTz end;
	Relation	rel;
	Oid		   *partitions;
	char	   *columns;
	int			rest;

	if (!ds_catalogue_relation(history, &maker.relation))
		elog(ERROR, "cache lookup failed for relation %u", history);
	if (is_new)
	{
		make_partition(&maker, name_partition(&maker, REST), "DEFAULT");
		make_month(&maker, from++, "MINVALUE");
		for (; from < to; from++)
			make_month(&maker, from, start_of(from));
		return;
	}

	rel = table_open(history, AccessShareLock);
	end = ds_ranges_end(rel);
	table_close(rel, AccessShareLock);
	if (is_enough(end, now, to))
		return;
	rel = try_table_open(history, AccessExclusiveLock);
	if (rel == NULL)
		return;
	/* Its name, schema and owner can have changed before it was locked. */
	maker.relation = *rel->rd_rel;
	end = ds_ranges_end(rel);
	(void) ds_ranges_list(rel, &partitions, &rest);
	columns = list_columns(rel);
	table_close(rel, NoLock);
	if (rest < 0 || is_enough(end, now, to))
		return;
	refuse_triggers(partitions[rest]);
	maker.rest = ds_name_of(partitions[rest]);
	make_missing(&maker, first_missing(end, now), to, start_of_first(end, now), columns);
}

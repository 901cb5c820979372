/*
 * read_events.c - the events of scopes, by position
 *
 * A decision is made by the events of its scopes, few of a great many, and how
 * they are found best only their values tell: a tag that is rare or one that
 * half of the log has, the newest ten or all.  So this statement is planned by
 * cost for each call, unlike all others (plan.c), with whatever indexes the
 * owner of the log has made.
 *
 * How many are wanted is hidden from the planner, as it knows little of what is
 * rare: for one event with a tag that one event has it would go back by position,
 * through all of the log, in the hope of a hundred.  Not knowing, it takes a tenth
 * of all for granted, and goes by position only where that costs less than to
 * bring all there are.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "scope/read_events.h"
#include "table/plan.h"

/* The parameters: the position, how many, then those of each scope. */
enum
{
	AFTER = 1,
	MAX_COUNT,
	SCOPES
};

typedef struct Question
{
	const DsLog *log;
	const DsScope *scopes;
	int			scope_count;
	int			columns;		/* of the events */
	bool		backwards;
	bool		has_max_count;
} Question;

static int
count_parameters(const Question *question)
{
	return SCOPES - 1 + question->scope_count * DS_SCOPE_PARAMETERS;
}

static void
build(const void *context, DsStatementText *text)
{
	const Question *question = context;
	Oid		   *types = palloc(sizeof(Oid) * count_parameters(question));

	text->sql = psprintf("SELECT %s FROM ONLY %s AS e WHERE (%s) AND e.log_position OPERATOR(pg_catalog.%s) $%d "
						 "ORDER BY e.log_position%s%s",
						 ds_log_read_columns(question->log, question->columns), ds_name_of(question->log->events.relid),
						 ds_scopes_condition(question->log, question->scopes, question->scope_count, SCOPES),
						 question->backwards ? "<" : ">", AFTER, question->backwards ? " DESC" : "",
						 question->has_max_count ? psprintf(" LIMIT (SELECT $%d)", MAX_COUNT) : "");
	text->by_cost = true;
	text->parameters = count_parameters(question);
	types[AFTER - 1] = types[MAX_COUNT - 1] = INT8OID;
	for (int i = 0; i < question->scope_count; i++)
		ds_scope_parameter_types(&types[SCOPES - 1 + i * DS_SCOPE_PARAMETERS]);
	text->all_types = types;
}

/* Equal for equal texts. */
static DsPlanKey
plan_key(const Question *question)
{
	uint32		shapes = question->backwards + 2 * question->has_max_count;

	for (int i = 0; i < question->scope_count; i++)
		shapes = hash_combine(shapes, ds_scope_shape(&question->scopes[i]));
	return (DsPlanKey) {.build = build, .form = (int32) shapes, .path = question->columns, .varies = true};
}

/*
 * Put the events of any of these scopes into the result of a function, each
 * once.  The active snapshot and the caller see them.  Callers are connected to
 * SPI and have locked the log.
 */
void
ds_scopes_read_events(const DsLog *log, const DsScope *scopes, int count, const DsPositionRange *range,
					  ReturnSetInfo *set)
{
	Question	question = {log, scopes, count, set->setDesc->natts, range->backwards, range->no_max_count != 'n'};
	Datum	   *values = palloc(sizeof(Datum) * count_parameters(&question));
	char	   *nulls = palloc(count_parameters(&question));

	values[AFTER - 1] = Int64GetDatum(range->after);
	nulls[AFTER - 1] = ' ';
	values[MAX_COUNT - 1] = range->max_count;
	nulls[MAX_COUNT - 1] = range->no_max_count;
	for (int i = 0; i < count; i++)
		ds_scope_parameters(&scopes[i], &values[SCOPES - 1 + i * DS_SCOPE_PARAMETERS],
							&nulls[SCOPES - 1 + i * DS_SCOPE_PARAMETERS]);
	ds_plan_return(&log->events, plan_key(&question), &question, values, nulls, set);
}

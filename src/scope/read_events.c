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
 *
 * To plan it takes as long as to bring a hundred events.  So where all scopes
 * name tags that few events have, as most decisions do, there is nothing to
 * choose: these are brought by the index of tags, by a kept plan.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "scope/read_events.h"
#include "scope/tagged.h"
#include "table/plan.h"

/* The parameters: the position, how many, then those of each scope, then the tags of each that the index is asked for. */
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
	bool		by_tags;		/* all events that have the tags of the scopes */
	Datum	   *tags;			/* those of each that the index is asked for */
} Question;

static int
count_parameters(const Question *question)
{
	return SCOPES - 1 + question->scope_count * (DS_SCOPE_PARAMETERS + (question->by_tags ? 1 : 0));
}

static int
first_of_tags(const Question *question)
{
	return SCOPES + question->scope_count * DS_SCOPE_PARAMETERS;
}

/* Whether a scope says no more than what the index is asked for: that an event has one tag. */
static bool
is_one_tag(const DsScope *scope)
{
	bool		result = scope->tag_count == 1 && scope->source_filter == DS_ALL && scope->type_count == 0;

	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		result = result && scope->filters[attribute] == DS_ALL;
	return result;
}

/* The events with the tags of any of the scopes; the rest is asked for in a way that leads into no index. */
static char *
tagged_sql(const Question *question)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < question->scope_count; i++)
	{
		int			first = SCOPES + i * DS_SCOPE_PARAMETERS;

		appendStringInfo(&sql, "%s(e.tags OPERATOR(pg_catalog.@>) $%d", i == 0 ? "" : " OR ", first_of_tags(question) + i);
		if (!is_one_tag(&question->scopes[i]))
			appendStringInfo(&sql, " AND (%s) IS TRUE", ds_scope_condition(question->log, &question->scopes[i], first));
		appendStringInfoChar(&sql, ')');
	}
	return sql.data;
}

static void
build(const void *context, DsStatementText *text)
{
	const Question *question = context;
	Oid		   *types = palloc(sizeof(Oid) * count_parameters(question));

	text->sql = psprintf("SELECT %s FROM ONLY %s AS e WHERE (%s) AND (e.log_position OPERATOR(pg_catalog.%s) $%d)%s "
						 "ORDER BY e.log_position%s%s",
						 ds_log_read_columns(question->log, question->columns), ds_name_of(question->log->events.relid),
						 question->by_tags ? tagged_sql(question)
						 : ds_scopes_condition(question->log, question->scopes, question->scope_count, SCOPES),
						 question->backwards ? "<" : ">", AFTER, question->by_tags ? " IS TRUE" : "", question->backwards ? " DESC" : "",
						 question->has_max_count ? psprintf(" LIMIT (SELECT $%d)", MAX_COUNT) : "");
	text->by_cost = !question->by_tags;
	text->by_bitmap = question->by_tags;
	text->parameters = count_parameters(question);
	types[AFTER - 1] = types[MAX_COUNT - 1] = INT8OID;
	for (int i = 0; i < question->scope_count; i++)
	{
		ds_scope_parameter_types(&types[SCOPES - 1 + i * DS_SCOPE_PARAMETERS]);
		if (question->by_tags)
			types[first_of_tags(question) - 1 + i] = TEXTARRAYOID;
	}
	text->all_types = types;
}

/* Equal for equal texts. */
static DsPlanKey
plan_key(const Question *question)
{
	uint32		shapes = question->backwards + 2 * question->has_max_count + 4 * question->by_tags;

	for (int i = 0; i < question->scope_count; i++)
		shapes = hash_combine(shapes, 2 * ds_scope_shape(&question->scopes[i]) + is_one_tag(&question->scopes[i]));
	return (DsPlanKey) {.build = build, .form = (int32) shapes, .path = question->columns, .varies = true};
}

/* Whether all events with the tags of the scopes are few beside those that are to be looked through by position. */
static bool
are_rare(Question *question, const DsPositionRange *range)
{
	bool		is_all = range->backwards ? range->after == PG_INT64_MAX : range->after <= 0;

	/* How long the log is does not matter where all of it is to be looked through. */
	double		end = is_all ? 1.0 : (double) ds_log_end_position(question->log);
	double		passed = (double) range->after;
	double		most = (range->backwards ? Min(passed, end) : end - Max(passed, 0)) / DS_COST_OF_TAGGED;
	double		tagged = 0;

	question->tags = palloc(mul_size(question->scope_count, sizeof(Datum)));
	for (int i = 0; i < question->scope_count && tagged < most; i++)
		tagged += ds_tagged_count(question->log, &question->scopes[i], end, &question->tags[i]);
	return tagged < most;
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
	Question	question = {
		.log = log, .scopes = scopes, .scope_count = count, .columns = set->setDesc->natts,
		.backwards = range->backwards, .has_max_count = range->no_max_count != 'n'
	};
	Datum	   *values;
	char	   *nulls;

	question.by_tags = are_rare(&question, range);
	values = palloc(sizeof(Datum) * count_parameters(&question));
	nulls = palloc(count_parameters(&question));
	memset(nulls, ' ', count_parameters(&question));
	values[AFTER - 1] = Int64GetDatum(range->after);
	values[MAX_COUNT - 1] = range->max_count;
	nulls[MAX_COUNT - 1] = range->no_max_count;
	for (int i = 0; i < count; i++)
		ds_scope_parameters(&scopes[i], &values[SCOPES - 1 + i * DS_SCOPE_PARAMETERS],
							&nulls[SCOPES - 1 + i * DS_SCOPE_PARAMETERS]);
	if (question.by_tags)
		memcpy(&values[first_of_tags(&question) - 1], question.tags, sizeof(Datum) * count);
	ds_plan_return(&log->events, plan_key(&question), &question, values, nulls, set);
}

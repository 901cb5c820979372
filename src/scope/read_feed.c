/*
 * read_feed.c - the events of scopes, in the order of the feed
 *
 * Each scope has walks that lead to its events, and to few others:
 *
 *	source			the stream, by its key: its versions are in the order of the
 *					feed, so that a range of places is a range of versions
 *	types, stream_id and the like
 *					where the owner of the log has made an index on that column,
 *					generation, transaction_id and log_position: one for each value
 *	tags			all events that have them, by the index on tags, sorted: that has
 *					no order, so only where they are few beside those that the feed
 *					would have to be read through, by the server's statistics
 *
 * One walk brings its events in order.  Of several each brings as many as are
 * wanted, in case all come from there, and these are sorted; of an event that is
 * in several scopes the first one brings it.
 *
 * Where a scope has no walk the feed is read as a whole, for all of them.  Then
 * what does not match takes its time, too, but once: readers go on from where
 * they have read until (docstore.log_end()).
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "scope/read_feed.h"
#include "scope/tagged.h"
#include "stream/stream_order.h"
#include "table/plan.h"

/* More walks than these are not worth it. */
#define MOST_WALKS 32

/* So few events are read through in any case. */
#define FEW_EVENTS 1000

/* The parameters: the range, how many, then those of each scope, then those of each walk. */
enum
{
	FROM = 1,
	TO = FROM + DS_CURSOR_PARAMETERS,
	MAX_COUNT = TO + DS_CURSOR_PARAMETERS,
	SCOPES
};

/* Those of a walk: its value, and a range of versions. */
enum
{
	VALUE,
	FROM_VERSION,
	TO_VERSION,
	WALK_PARAMETERS
};

typedef struct Walk
{
	int			scope;
	DsEventColumn column;		/* DS_STREAM: by the key; DS_TAGS: those of the scope */
	const DsBytes *value;
	Datum		tags;			/* in its place, an array */
} Walk;

typedef struct Question
{
	const DsLog *log;
	const DsScope *scopes;
	int			scope_count;
	const DsFeedRange *range;
	int			columns;		/* of the events, without the cursor */
	int			walk_count;		/* 0: the feed as a whole */
	Walk		walks[MOST_WALKS];
} Question;

/*
 * Which walks there are
 */

static bool
add_walk(Question *question, int scope, DsEventColumn column, const DsBytes *value)
{
	if (question->walk_count == MOST_WALKS)
		return false;
	question->walks[question->walk_count++] = (Walk) {scope, column, .value = value};
	return true;
}

/* A walk for each type, once, be it given twice. */
static bool
add_types(Question *question, int number)
{
	const DsScope *scope = &question->scopes[number];
	int			first = question->walk_count;

	for (int i = 0; i < scope->type_count; i++)
	{
		const DsBytes *type = &scope->types[i];
		bool		is_there = false;

		for (int w = first; w < question->walk_count && !is_there; w++)
			is_there = question->walks[w].value->length == type->length &&
				memcmp(question->walks[w].value->start, type->start, type->length) == 0;
		if (!is_there && !add_walk(question, number, DS_TYPE, type))
			return false;
	}
	return true;
}

/*
 * Whether it takes less to find all events with the tags of a scope than to read
 * the feed until enough of them came.  Positions are nearly in its order.
 */
static bool
is_rare(const Question *question, const DsScope *scope, Datum *tags)
{
	const DsFeedRange *range = question->range;
	double		end = (double) ds_log_end_position(question->log);
	double		read = (range->to.position > 0 ? (double) range->to.position : end) - (double) Max(range->from.position, 0);
	double		tagged;

	if (scope->tags_filter != DS_EQUAL || read < FEW_EVENTS)
		return false;
	tagged = ds_tagged_count(question->log, scope, end, tags);
	if (range->no_max_count != 'n')
		read = Min(read, (double) DatumGetInt64(range->max_count) * end / tagged);
	return tagged * DS_COST_OF_TAGGED < read;
}

/* Add the walks of a scope, by what leads to few events; false when there are none, or too many. */
static bool
add_scope(Question *question, int number)
{
	static const struct
	{
		DsAttribute attribute;
		DsEventColumn column;
	}			attributes[] = {
		{DS_ATTRIBUTE_STREAM_ID, DS_STREAM_ID},
		{DS_ATTRIBUTE_STREAM_TYPE, DS_STREAM_TYPE},
		{DS_ATTRIBUTE_SOURCE_TYPE, DS_SOURCE_TYPE},
	};
	const DsScope *scope = &question->scopes[number];
	const bool *has_index = question->log->events.event.has_feed_index;
	Datum		tags;

	if (scope->source_filter == DS_EQUAL)
		return add_walk(question, number, DS_STREAM, &scope->source);
	if (is_rare(question, scope, &tags) && add_walk(question, number, DS_TAGS, NULL))
	{
		question->walks[question->walk_count - 1].tags = tags;
		return true;
	}
	for (size_t i = 0; i < lengthof(attributes); i++)
	{
		/* Types come after stream_id. */
		if (i == 1 && scope->type_count > 0 && has_index[DS_TYPE])
			return add_types(question, number);
		if (scope->filters[attributes[i].attribute] == DS_EQUAL && has_index[attributes[i].column])
			return add_walk(question, number, attributes[i].column, &scope->attributes[attributes[i].attribute]);
	}
	return false;
}

static void
choose_walks(Question *question)
{
	question->walk_count = 0;
	for (int i = 0; i < question->scope_count; i++)
		if (!add_scope(question, i))
		{
			question->walk_count = 0;
			return;
		}
}

/*
 * As SQL
 */

static int
first_of_scope(int scope)
{
	return SCOPES + scope * DS_SCOPE_PARAMETERS;
}

static int
first_of_walk(const Question *question, int walk)
{
	return first_of_scope(question->scope_count) + walk * WALK_PARAMETERS;
}

/* The columns of an event e that a walk passes on, all that are docstore's. */
static char *
passed_on(const DsLog *log)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < DS_EVENT_COLUMNS; i++)
		if (log->events.columns[i] != InvalidAttrNumber)
			appendStringInfo(&sql, "%se.%s", sql.len == 0 ? "" : ", ", ds_log_event_columns[i]);
	return sql.data;
}

/* That a row e is in a scope, and in none of those before it, asked for in a way that leads into no index. */
static char *
scope_sql(const Question *question, int scope)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "(%s) IS TRUE", ds_scope_condition(question->log, &question->scopes[scope], first_of_scope(scope)));
	if (scope > 0)
		appendStringInfo(&sql, " AND (%s) IS NOT TRUE", ds_scopes_condition(question->log, question->scopes, scope, SCOPES));
	return sql.data;
}

/* All events with the tags of a scope, sorted.  OFFSET 0 keeps the server from looking for an order. */
static char *
tagged_sql(const Question *question, int number, const char *columns)
{
	const char *place = ds_cursor_columns(&question->log->events);

	return psprintf("SELECT %s FROM (SELECT %s FROM ONLY %s AS e WHERE e.tags OPERATOR(pg_catalog.@>) $%d AND %s "
					"AND ((%s) OPERATOR(pg_catalog.>=) ($1, $2, $3)) IS TRUE AND ((%s) OPERATOR(pg_catalog.<) ($4, $5, $6)) IS TRUE "
					"OFFSET 0) AS e ORDER BY %s LIMIT $%d",
					columns, passed_on(question->log), ds_name_of(question->log->events.relid),
					first_of_walk(question, number) + VALUE, scope_sql(question, question->walks[number].scope), place, place, place, MAX_COUNT);
}

/*
 * A walk, with these columns of its events.  The value is one of a row, so that
 * only the index on all columns of that row can bring its order.
 */
static char *
walk_sql(const Question *question, int number, const char *columns)
{
	const Walk *walk = &question->walks[number];
	int			first = first_of_walk(question, number);
	const char *column = ds_log_event_columns[walk->column];
	StringInfoData sql;

	if (walk->column == DS_TAGS)
		return tagged_sql(question, number, columns);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM ONLY %s AS e WHERE %s ", columns, ds_name_of(question->log->events.relid),
					 scope_sql(question, walk->scope));
	if (walk->column == DS_STREAM)
		appendStringInfo(&sql, "AND e.stream OPERATOR(pg_catalog.=) $%d AND e.version OPERATOR(pg_catalog.>=) $%d "
						 "AND e.version OPERATOR(pg_catalog.<) $%d ORDER BY e.version",
						 first + VALUE, first + FROM_VERSION, first + TO_VERSION);
	else
		appendStringInfo(&sql, "AND (e.%s, e.generation, e.transaction_id, e.log_position) OPERATOR(pg_catalog.>=) ($%d, $1, $2, $3) "
						 "AND (e.%s, e.generation, e.transaction_id, e.log_position) OPERATOR(pg_catalog.<) ($%d, $4, $5, $6) "
						 "ORDER BY e.%s, e.generation, e.transaction_id, e.log_position",
						 column, first + VALUE, column, first + VALUE, column);
	appendStringInfo(&sql, " LIMIT $%d", MAX_COUNT);
	return sql.data;
}

/* All walks, and their events sorted. */
static char *
walks_sql(const Question *question, const char *columns)
{
	const char *inner = passed_on(question->log);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM (", columns);
	for (int i = 0; i < question->walk_count; i++)
		appendStringInfo(&sql, "%s(%s)", i == 0 ? "" : " UNION ALL ", walk_sql(question, i, inner));
	appendStringInfo(&sql, ") AS e ORDER BY e.generation, e.transaction_id, e.log_position LIMIT $%d", MAX_COUNT);
	return sql.data;
}

/* The feed as a whole. */
static char *
feed_sql(const Question *question, const char *columns)
{
	const char *place = ds_cursor_columns(&question->log->events);

	return psprintf("SELECT %s FROM ONLY %s AS e "
					"WHERE (%s) OPERATOR(pg_catalog.>=) ($1, $2, $3) "
					"AND (%s) OPERATOR(pg_catalog.<) ($4, $5, $6) AND (%s) ORDER BY %s LIMIT $%d",
					columns, ds_name_of(question->log->events.relid), place, place,
					ds_scopes_condition(question->log, question->scopes, question->scope_count, SCOPES), place, MAX_COUNT);
}

static bool
has_tagged(const Question *question)
{
	for (int i = 0; i < question->walk_count; i++)
		if (question->walks[i].column == DS_TAGS)
			return true;
	return false;
}

static int
count_parameters(const Question *question)
{
	return first_of_walk(question, question->walk_count) - 1;
}

static void
build(const void *context, DsStatementText *text)
{
	const Question *question = context;
	const Oid	first_types[] = {INT8OID, XID8OID, INT8OID, INT8OID, XID8OID, INT8OID, INT8OID};
	const char *columns = psprintf("%s, %s", ds_log_read_columns(question->log, question->columns),
								   ds_cursor_sql(&question->log->events));
	Oid		   *types;

	text->sql = question->walk_count == 0 ? feed_sql(question, columns)
		: question->walk_count == 1 ? walk_sql(question, 0, columns) : walks_sql(question, columns);
	text->in_order = true;
	text->by_bitmap = has_tagged(question);
	text->parameters = count_parameters(question);
	types = palloc(sizeof(Oid) * text->parameters);
	memcpy(types, first_types, sizeof(first_types));
	for (int i = 0; i < question->scope_count; i++)
		ds_scope_parameter_types(&types[first_of_scope(i) - 1]);
	for (int i = 0; i < question->walk_count; i++)
	{
		Oid		   *own = &types[first_of_walk(question, i) - 1];

		own[VALUE] = question->walks[i].column == DS_TAGS ? TEXTARRAYOID : TEXTOID;
		own[FROM_VERSION] = own[TO_VERSION] = INT8OID;
	}
	text->all_types = types;
}

/* Equal for equal texts. */
static DsPlanKey
plan_key(const Question *question)
{
	uint32		shapes = 0;

	for (int i = 0; i < question->scope_count; i++)
		shapes = hash_combine(shapes, ds_scope_shape(&question->scopes[i]));
	for (int i = 0; i < question->walk_count; i++)
		shapes = hash_combine(shapes, question->walks[i].column);
	return (DsPlanKey) {.build = build, .form = (int32) shapes, .path = question->columns, .varies = true};
}

/* The values of a walk's parameters; a range of places is one of versions in a stream. */
static void
set_walk(const Question *question, const Walk *walk, const DsFeedRange *range, Datum *values, char *nulls)
{
	values[VALUE] = walk->value != NULL ? ds_json_text(walk->value) : walk->tags;
	nulls[VALUE] = ' ';
	nulls[FROM_VERSION] = nulls[TO_VERSION] = walk->column == DS_STREAM ? ' ' : 'n';
	if (walk->column != DS_STREAM)
		return;
	values[FROM_VERSION] = Int64GetDatum(ds_stream_find_version(&question->log->events, values[VALUE], &range->from));
	values[TO_VERSION] = Int64GetDatum(ds_stream_find_version(&question->log->events, values[VALUE], &range->to));
}

/*
 * Put the events of any of these scopes in a range into the result of a
 * function, each once, with their cursors; returns how many there are.  The
 * active snapshot and the caller see them.  Callers are connected to SPI and
 * have locked the log.
 */
uint64
ds_scopes_read_feed(const DsLog *log, const DsScope *scopes, int count, const DsFeedRange *range, ReturnSetInfo *set)
{
	Question	question = {.log = log, .scopes = scopes, .scope_count = count, .range = range, .columns = set->setDesc->natts - 1};
	Datum	   *values;
	char	   *nulls;

	ds_collection_look_again(&log->events);
	choose_walks(&question);
	values = palloc0(sizeof(Datum) * count_parameters(&question));
	nulls = palloc(count_parameters(&question));
	memset(nulls, ' ', count_parameters(&question));
	ds_cursor_parameters(&range->from, &values[FROM - 1]);
	ds_cursor_parameters(&range->to, &values[TO - 1]);
	values[MAX_COUNT - 1] = range->max_count;
	nulls[MAX_COUNT - 1] = range->no_max_count;
	for (int i = 0; i < count; i++)
		ds_scope_parameters(&scopes[i], &values[first_of_scope(i) - 1], &nulls[first_of_scope(i) - 1]);
	for (int i = 0; i < question.walk_count; i++)
	{
		int			own = first_of_walk(&question, i) - 1;

		set_walk(&question, &question.walks[i], range, &values[own], &nulls[own]);
	}
	return ds_plan_return(&log->events, plan_key(&question), &question, values, nulls, set);
}

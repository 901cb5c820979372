/*
 * scope.c - filters over the events of a log: as JSON, and as SQL
 *
 * A scope is an object with the keys source, source_type, stream_type,
 * stream_id, types and tags, each of them optional: keys are ANDed, and so are
 * the tags; the types are ORed.  null asks for events without a value there, a
 * key left out does not filter.  The key seen is the mark that the caller has
 * read with; in its place expected says up to which position the caller has
 * seen the scope, and strict that its last event must be just there.
 *
 * As SQL a scope is a condition on a row e of the events.  Its text depends on
 * which keys there are, its shape, and the values are parameters, so that
 * plans can be kept for each shape.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "conflict/expectation.h"
#include "json/json.h"
#include "lib/stringinfo.h"
#include "scope/scope.h"
#include "stream/tags.h"

#define HINT "A scope is like {\"source\": \"acc-1\", \"types\": [\"MoneyDeposited\"], \"expected\": 41}; " \
	"further keys are \"tags\", \"source_type\", \"stream_type\", \"stream_id\" and \"strict\", and \"seen\" in place of \"expected\"."

#define ENCODED_TWICE "a JSON string instead of a JSON object: the client seems to have encoded it twice"

/* As many scopes are read by one statement: planning it takes longer with each. */
#define MOST_SCOPES 128

pg_noreturn static void
refuse_scope(int item, const char *problem)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sscope: %s", ds_error_item_prefix(item), problem),
			 errhint(HINT)));
}

static DsFilter
read_filter(int item, const char *key, const JsonbValue *value, DsBytes *text)
{
	if (value->type == jbvNull)
		return DS_NONE;
	if (!ds_json_read_text(value, text))
		refuse_scope(item, psprintf("\"%s\" must be a JSON string that is not empty, or null", key));
	return DS_EQUAL;
}

static void
read_types(int item, const JsonbValue *value, DsScope *scope)
{
	JsonbContainer *types = ds_json_array(value);
	DsJsonWalk	walk;

	if (types == NULL)
		refuse_scope(item, "\"types\" must be a JSON array of strings");
	if (JsonContainerSize(types) == 0)
		refuse_scope(item, "\"types\" must not be empty: leave it out for events of any type");

	scope->types = palloc(mul_size(JsonContainerSize(types), sizeof(DsBytes)));
	ds_json_walk_begin(&walk, types);
	while (ds_json_walk_next(&walk))
		if (!ds_json_read_text(&walk.value, &scope->types[scope->type_count++]))
			refuse_scope(item, "\"types\" must hold JSON strings that are not empty");
}

static void
read_tags(int item, const JsonbValue *value, DsScope *scope)
{
	const char *problem;

	scope->tags_filter = DS_NONE;
	if (value->type == jbvNull)
		return;
	problem = ds_tags_read(value, &scope->tags, &scope->tag_count);
	if (problem != NULL)
		refuse_scope(item, psprintf("%s, or null", problem));
	if (scope->tag_count == 0)
		refuse_scope(item, "\"tags\" must not be empty: leave it out for all events, or let it be null for those without tags");
	ds_tags_require_short(scope->tags, scope->tag_count, psprintf("%sscope", ds_error_item_prefix(item)));
	scope->tags_filter = DS_EQUAL;
}

/* Whether a value is a whole number that is not negative, or says that there is none. */
static bool
is_position(const JsonbValue *value)
{
	const char *digits;

	if (value->type == jbvNull)
		return true;
	if (value->type == jbvString)
		return ds_json_string_is(value, "none") || ds_json_is_bigint(value);
	if (value->type != jbvNumeric)
		return false;
	digits = ds_json_digits(value);
	return digits != NULL && digits[strspn(digits, "0123456789")] == '\0';
}

static void
read_expected(int item, const JsonbValue *value, DsScope *scope)
{
	if (!is_position(value))
		refuse_scope(item, "\"expected\" must be a position, or \"none\" for no event at all");
	scope->expected = ds_expectation_from_json(value, item);
	scope->has_expected = true;
}

static void
read_seen(int item, const JsonbValue *value, DsScope *scope)
{
	DsBytes		text;

	if (ds_json_read_text(value, &text))
		scope->seen = pnstrdup(text.start, text.length);
	if (scope->seen == NULL || !ds_mark_parse(scope->seen, &scope->mark))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sscope: \"seen\" must be a mark", ds_error_item_prefix(item)),
				 errhint("Use docstore.mark() to take one. Take it first, then read.")));
}

/* Take the value of one key of a scope. */
static void
read_member(int item, const JsonbValue *key, const JsonbValue *value, DsScope *scope)
{
	if (ds_json_string_is(key, "source"))
		scope->source_filter = read_filter(item, "source", value, &scope->source);
	else if (ds_json_string_is(key, "types"))
		read_types(item, value, scope);
	else if (ds_json_string_is(key, "tags"))
		read_tags(item, value, scope);
	else if (ds_json_string_is(key, "expected"))
		read_expected(item, value, scope);
	else if (ds_json_string_is(key, "seen"))
		read_seen(item, value, scope);
	else if (ds_json_string_is(key, "strict"))
	{
		if (value->type != jbvBool)
			refuse_scope(item, "\"strict\" must be true or false");
		scope->strict = value->val.boolean;
		scope->has_strict = true;
	}
	else
	{
		for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
			if (ds_json_string_is(key, ds_event_attributes[attribute]))
			{
				scope->filters[attribute] = read_filter(item, ds_event_attributes[attribute], value, &scope->attributes[attribute]);
				return;
			}
		refuse_scope(item, psprintf("unknown key %s", ds_json_quote(key)));
	}
}

/*
 * Read a scope; 22023 for whatever is wrong with it.  Whether it must say what
 * is expected is the caller's affair.  What was given must stay where it is.
 */
void
ds_scope_read(const JsonbValue *given, int item, DsScope *scope)
{
	DsJsonWalk	walk;

	memset(scope, 0, sizeof(DsScope));
	if (ds_json_object(given) == NULL)
		refuse_scope(item, given->type == jbvString ? ENCODED_TWICE : "not a JSON object");
	scope->given = given->val.binary.data;
	scope->length = given->val.binary.len;

	ds_json_walk_begin(&walk, scope->given);
	while (ds_json_walk_next(&walk))
		read_member(item, &walk.key, &walk.value, scope);
	if (scope->seen != NULL && (scope->has_expected || scope->has_strict))
		refuse_scope(item, "\"seen\" cannot be combined with \"expected\" or \"strict\"");
}

/* Refuse a scope that does not say up to where it has been seen. */
static void
require_expected(const DsScope *scope, int item)
{
	if (!scope->has_expected && scope->seen == NULL)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sscope: \"seen\" or \"expected\" is missing", ds_error_item_prefix(item)),
				 errhint("Pass as \"seen\" the mark that docstore.mark() returned before the scope was read. "
						 "Or pass as \"expected\" the highest position that was seen, as docstore.tail() returns it, or \"none\".")));
}

/* Read an array of scopes, or the one that is given without. */
static DsScope *
read_scopes(const JsonbValue *given, int item, int *count)
{
	JsonbContainer *array = ds_json_array(given);
	DsJsonWalk	walk;
	DsScope    *scopes;

	if (ds_json_object(given) != NULL)
	{
		*count = 1;
		scopes = palloc(sizeof(DsScope));
		ds_scope_read(given, item, scopes);
		return scopes;
	}
	if (given->type == jbvString)
		refuse_scope(item, ENCODED_TWICE);
	if (array == NULL)
		refuse_scope(item, "\"scopes\" must be a JSON array of scopes");

	*count = 0;
	scopes = palloc(mul_size(Max(JsonContainerSize(array), 1), sizeof(DsScope)));
	ds_json_walk_begin(&walk, array);
	while (ds_json_walk_next(&walk))
		ds_scope_read(&walk.value, item, &scopes[(*count)++]);
	return scopes;
}

/* Read scopes that are checked: each says what it expects. */
DsScope *
ds_scopes_read(const JsonbValue *given, int item, int *count)
{
	DsScope    *scopes = read_scopes(given, item, count);

	for (int i = 0; i < *count; i++)
		require_expected(&scopes[i], item);
	return scopes;
}

/* Read scopes whose events are wanted; what they expect is not looked at. */
DsScope *
ds_scopes_read_filters(const JsonbValue *given, int *count)
{
	DsScope    *scopes = read_scopes(given, DS_ONLY_ITEM, count);

	if (*count == 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("the array of scopes is empty"),
				 errhint("Pass {} for all events.")));
	if (*count > MOST_SCOPES)
		ereport(ERROR,
				(errcode(DS_ERRCODE_TOO_MANY),
				 errmsg("at most %d scopes can be read at once, but %d were given", MOST_SCOPES, *count),
				 errhint("Read them in several calls.")));
	return scopes;
}

/* A scope as it was given, for conflicts. */
char *
ds_scope_to_cstring(const DsScope *scope)
{
	return JsonbToCString(NULL, scope->given, scope->length);
}

/*
 * As SQL
 */

/* A number for the text of a scope's condition: equal for equal texts. */
int
ds_scope_shape(const DsScope *scope)
{
	int			shape = scope->source_filter;

	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		shape = shape * 3 + scope->filters[attribute];
	shape = shape * 3 + scope->tags_filter;
	return shape * 3 + (scope->type_count > 0) + (scope->type_count > DS_FEW_TYPES);
}

static void
append_filter(StringInfo sql, const char *column, DsFilter filter, int parameter)
{
	if (filter == DS_NONE)
		appendStringInfo(sql, " AND e.%s IS NULL", column);
	else if (filter == DS_EQUAL)
		appendStringInfo(sql, " AND e.%s OPERATOR(pg_catalog.=) $%d", column, parameter);
}

/* A log without a column for tags has no event with any. */
static void
append_tags(StringInfo sql, const DsLog *log, DsFilter filter, int parameter)
{
	if (!ds_log_has_tags(log))
		appendStringInfoString(sql, filter == DS_EQUAL ? " AND false" : "");
	else if (filter == DS_NONE)
		appendStringInfoString(sql, " AND e.tags IS NULL");
	else if (filter == DS_EQUAL)
		appendStringInfo(sql, " AND e.tags OPERATOR(pg_catalog.@>) $%d", parameter);
}

/*
 * The condition that a row e of the events is in the scope.  It uses
 * DS_SCOPE_PARAMETERS parameters, of which the first has that number.
 */
char *
ds_scope_condition(const DsLog *log, const DsScope *scope, int first_parameter)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "true");
	append_filter(&sql, "stream", scope->source_filter, first_parameter);
	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		append_filter(&sql, ds_event_attributes[attribute], scope->filters[attribute], first_parameter + 1 + attribute);
	if (scope->type_count > 0)
		appendStringInfo(&sql, scope->type_count <= DS_FEW_TYPES
						 ? " AND e.type OPERATOR(pg_catalog.=) ANY ($%d)"
						 : " AND (e.type OPERATOR(pg_catalog.=) ANY (SELECT u.type FROM pg_catalog.unnest($%d) AS u(type))) IS TRUE",
						 first_parameter + 1 + DS_ATTRIBUTES);
	append_tags(&sql, log, scope->tags_filter, first_parameter + 1 + DS_ATTRIBUTES + 1);
	return sql.data;
}

/* The condition that a row e is in any of some scopes, of whose parameters the first has that number. */
char *
ds_scopes_condition(const DsLog *log, const DsScope *scopes, int count, int first_parameter)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < count; i++)
		appendStringInfo(&sql, "%s(%s)", i == 0 ? "" : " OR ",
						 ds_scope_condition(log, &scopes[i], first_parameter + i * DS_SCOPE_PARAMETERS));
	return sql.data;
}

/* The types of those parameters. */
void
ds_scope_parameter_types(Oid *types)
{
	for (int i = 0; i < 1 + DS_ATTRIBUTES; i++)
		types[i] = TEXTOID;
	for (int i = 1 + DS_ATTRIBUTES; i < DS_SCOPE_PARAMETERS; i++)
		types[i] = TEXTARRAYOID;
}

static void
set_text(DsFilter filter, const DsBytes *text, Datum *value, char *null)
{
	*null = filter == DS_EQUAL ? ' ' : 'n';
	*value = filter == DS_EQUAL ? ds_json_text(text) : (Datum) 0;
}

/* Their values, as SPI wants them. */
void
ds_scope_parameters(const DsScope *scope, Datum *values, char *nulls)
{
	set_text(scope->source_filter, &scope->source, &values[0], &nulls[0]);
	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		set_text(scope->filters[attribute], &scope->attributes[attribute], &values[1 + attribute], &nulls[1 + attribute]);
	values[1 + DS_ATTRIBUTES] = ds_json_text_array(scope->types, scope->type_count);
	nulls[1 + DS_ATTRIBUTES] = ' ';
	values[1 + DS_ATTRIBUTES + 1] = ds_json_text_array(scope->tags, scope->tag_count);
	nulls[1 + DS_ATTRIBUTES + 1] = ' ';
}

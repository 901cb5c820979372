/*
 * matches.c - whether an event is in a scope, without SQL
 *
 * The same answer as that of ds_scope_condition().  The columns of a log have
 * deterministic collations (log.c), so texts are equal when their bytes are.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_type.h"
#include "scope/matches.h"
#include "utils/array.h"

static const DsEventColumn attribute_columns[DS_ATTRIBUTES] = {
	[DS_ATTRIBUTE_SOURCE_TYPE] = DS_SOURCE_TYPE,
	[DS_ATTRIBUTE_STREAM_TYPE] = DS_STREAM_TYPE,
	[DS_ATTRIBUTE_STREAM_ID] = DS_STREAM_ID,
};

static bool
is_same(const DsBytes *bytes, Datum value)
{
	text	   *other = DatumGetTextPP(value);
	int			length = VARSIZE_ANY_EXHDR(other);
	bool		same = length == bytes->length && memcmp(VARDATA_ANY(other), bytes->start, length) == 0;

	if (PointerGetDatum(other) != value)
		pfree(other);
	return same;
}

/* What a scope says of a column that has one text. */
static bool
passes(DsFilter filter, const DsBytes *wanted, TupleTableSlot *event, AttrNumber column)
{
	bool		is_null;
	Datum		value;

	if (filter == DS_ALL)
		return true;
	value = slot_getattr(event, column, &is_null);
	return filter == DS_NONE ? is_null : !is_null && is_same(wanted, value);
}

static bool
has_type(const DsScope *scope, TupleTableSlot *event, AttrNumber column)
{
	bool		is_null;
	Datum		value;

	if (scope->type_count == 0)
		return true;
	value = slot_getattr(event, column, &is_null);
	for (int i = 0; !is_null && i < scope->type_count; i++)
		if (is_same(&scope->types[i], value))
			return true;
	return false;
}

static bool
has_all(const DsBytes *wanted, int wanted_count, const Datum *tags, const bool *nulls, int count)
{
	for (int i = 0; i < wanted_count; i++)
	{
		int			at = 0;

		while (at < count && (nulls[at] || !is_same(&wanted[i], tags[at])))
			at++;
		if (at == count)
			return false;
	}
	return true;
}

/* A log without a column for tags has no event with any. */
static bool
has_tags(const DsScope *scope, TupleTableSlot *event, AttrNumber column)
{
	bool		is_null = true;
	bool		result;
	Datum		value = (Datum) 0;
	ArrayType  *array;
	Datum	   *tags;
	bool	   *nulls;
	int			count;

	if (scope->tags_filter == DS_ALL)
		return true;
	if (column != InvalidAttrNumber)
		value = slot_getattr(event, column, &is_null);
	if (is_null || scope->tags_filter == DS_NONE)
		return is_null && scope->tags_filter == DS_NONE;

	array = DatumGetArrayTypeP(value);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &tags, &nulls, &count);
	result = has_all(scope->tags, scope->tag_count, tags, nulls, count);
	pfree(tags);
	pfree(nulls);
	if (PointerGetDatum(array) != value)
		pfree(array);
	return result;
}

/* Whether an event is in a scope: the row that the slot has. */
bool
ds_scope_matches(const DsLog *log, const DsScope *scope, TupleTableSlot *event)
{
	const AttrNumber *columns = log->events.columns;

	for (int attribute = 0; attribute < DS_ATTRIBUTES; attribute++)
		if (!passes(scope->filters[attribute], &scope->attributes[attribute], event, columns[attribute_columns[attribute]]))
			return false;
	return passes(scope->source_filter, &scope->source, event, columns[DS_STREAM]) &&
		has_type(scope, event, columns[DS_TYPE]) && has_tags(scope, event, columns[DS_TAGS]);
}

/*
 * tags.c - lists of tags, of events and of scopes
 *
 * A tag is a string that an event is about; an event has any number of them,
 * and each of them once.  In the table they are an array in the column tags,
 * NULL without any, so that the index on tags knows nothing of events that have
 * none.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "miscadmin.h"
#include "stream/tags.h"
#include "table/catalogue.h"

/* Each is a key of the index on tags, which takes no more than a third of a page. */
#define MAX_BYTES (BLCKSZ / 4)

/* The longest lists are sorted to see what is in them twice; most have a few. */
static int
compare_tags(const void *left, const void *right)
{
	const DsBytes *a = *(const DsBytes *const *) left;
	const DsBytes *b = *(const DsBytes *const *) right;
	int			order = memcmp(a->start, b->start, Min(a->length, b->length));

	CHECK_FOR_INTERRUPTS();
	if (order == 0)
		order = a->length - b->length;
	if (order == 0)
		order = a < b ? -1 : a > b;
	return order;
}

static bool
is_same(const DsBytes *a, const DsBytes *b)
{
	return a->length == b->length && memcmp(a->start, b->start, a->length) == 0;
}

/* Leave out what comes a second time; the others keep their order.  Returns how many are left. */
static int
keep_first(DsBytes *tags, int count)
{
	DsBytes   **sorted;
	int			kept = 0;

	if (count < 2)
		return count;
	sorted = palloc(mul_size(count, sizeof(DsBytes *)));
	for (int i = 0; i < count; i++)
		sorted[i] = &tags[i];
	qsort(sorted, count, sizeof(DsBytes *), compare_tags);

	/* Those that are the same stand side by side, the first one first. */
	for (int i = 1, first = 0; i < count; i++)
	{
		if (is_same(sorted[first], sorted[i]))
			sorted[i]->length = -1;
		else
			first = i;
	}
	for (int i = 0; i < count; i++)
		if (tags[i].length >= 0)
			tags[kept++] = tags[i];
	pfree(sorted);
	return kept;
}

/*
 * Read a list of tags, each of them once.  Returns what is wrong with it, or
 * NULL.  What was given must stay where it is.
 */
const char *
ds_tags_read(const JsonbValue *given, DsBytes **tags, int *count)
{
	JsonbContainer *array = ds_json_array(given);
	DsJsonWalk	walk;

	*count = 0;
	if (array == NULL)
		return "\"tags\" must be a JSON array of strings";
	*tags = palloc(mul_size(Max(JsonContainerSize(array), 1), sizeof(DsBytes)));
	ds_json_walk_begin(&walk, array);
	while (ds_json_walk_next(&walk))
		if (!ds_json_read_text(&walk.value, &(*tags)[(*count)++]))
			return "\"tags\" must hold JSON strings that are not empty";
	*count = keep_first(*tags, *count);
	return NULL;
}

/* Refuse tags that do not fit into an index: 54000, before anything is locked. */
void
ds_tags_require_short(const DsBytes *tags, int count, const char *whose)
{
	for (int i = 0; i < count; i++)
		if (tags[i].length > MAX_BYTES)
			ereport(ERROR,
					(errcode(DS_ERRCODE_TOO_LONG),
					 errmsg("%s: a tag is too long: %d bytes, and %d are allowed", whose, tags[i].length, MAX_BYTES),
					 errhint("Shorten it, or use a hash of it.")));
}

/* Events of this log cannot have tags: 42809. */
void
ds_tags_refuse_log(const DsLog *log, int item)
{
	DsColumn	other;
	bool		has_other = ds_catalogue_column(log->events.relid, ds_log_event_columns[DS_TAGS], &other);

	ereport(ERROR,
			(errcode(DS_ERRCODE_NOT_A_LOG),
			 errmsg("%slog \"%s\" has no place for tags", ds_error_item_prefix(item), ds_name_of(log->events.relid)),
			 errdetail("It lacks a column \"tags\" of type text[], as logs did that were made before docstore 0.9.0."),
			 errhint(has_other ? "It has another column of that name: its owner renames that, and calls docstore.repair_log()."
					 : "Its owner adds it with docstore.repair_log().")));
}

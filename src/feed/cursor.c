/*
 * cursor.c - how far a reader has come
 *
 * A cursor is the place of a row in the order of the feed: its generation,
 * transaction_id and position, joined by "-".  To callers it is opaque.
 * There is one way to write a cursor, and nothing else is read as one.
 *
 * One more place has a cursor, the origin: that of a table without rows.  Its
 * generation is 0, which no row has, so that all rows come after it.
 */
#include "postgres.h"

#include "base/errors.h"
#include "feed/cursor.h"
#include "table/kind.h"
#include "utils/builtins.h"
#include "utils/xid8.h"

/* The columns of a row e that are its place, in SQL. */
char *
ds_cursor_columns(const DsCollection *table)
{
	return psprintf("e.generation, e.transaction_id, e.%s", ds_kind_of(table)->position);
}

/* The cursor of a row e, in SQL. */
char *
ds_cursor_sql(const DsCollection *table)
{
	return psprintf("pg_catalog.concat_ws('-', %s)", ds_cursor_columns(table));
}

/* Take a number without sign, up to max, and what follows it. */
static bool
take_number(const char **from, char end, uint64 max, uint64 *number)
{
	char	   *rest;

	if (**from < '0' || **from > '9')
		return false;
	errno = 0;
	*number = strtou64(*from, &rest, 10);
	if (errno != 0 || *number > max || *rest != end)
		return false;
	*from = rest + 1;
	return true;
}

static char *
to_cstring(const DsCursor *cursor)
{
	return psprintf(INT64_FORMAT "-" UINT64_FORMAT "-" INT64_FORMAT, cursor->generation,
					U64FromFullTransactionId(cursor->transaction_id), cursor->position);
}

/* Read a cursor; false when the text is none. */
bool
ds_cursor_parse(const char *given, DsCursor *cursor)
{
	const char *rest = given;
	uint64		generation;
	uint64		transaction_id;
	uint64		position;

	if (!take_number(&rest, '-', PG_INT64_MAX, &generation) ||
		!take_number(&rest, '-', PG_UINT64_MAX, &transaction_id) ||
		!take_number(&rest, '\0', PG_INT64_MAX, &position))
		return false;
	cursor->generation = generation;
	cursor->transaction_id = FullTransactionIdFromU64(transaction_id);
	cursor->position = position;
	/* No zeros in front: cursors are equal when their texts are. */
	return strcmp(to_cstring(cursor), given) == 0;
}

/* Read the argument called name; 22023 when it is no cursor. */
void
ds_cursor_read(text *given, const char *name, DsCursor *cursor)
{
	if (!ds_cursor_parse(text_to_cstring(given), cursor))
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("invalid cursor in argument %s", name),
				 errhint("Pass a value of the column cursor of docstore.read_log() or docstore.read_changes(), the result of docstore.log_end() or docstore.changes_end(), or NULL for the beginning.")));
}

/* The order of the feed, as the index has it. */
int
ds_cursor_compare(const DsCursor *left, const DsCursor *right)
{
	if (left->generation != right->generation)
		return left->generation < right->generation ? -1 : 1;
	if (!FullTransactionIdEquals(left->transaction_id, right->transaction_id))
		return FullTransactionIdPrecedes(left->transaction_id, right->transaction_id) ? -1 : 1;
	return left->position == right->position ? 0 : left->position < right->position ? -1 : 1;
}

/* Where a feed begins: before every row. */
void
ds_cursor_begin(DsCursor *cursor)
{
	cursor->generation = PG_INT64_MIN;
	cursor->transaction_id = InvalidFullTransactionId;
	cursor->position = PG_INT64_MIN;
}

bool
ds_cursor_is_origin(const DsCursor *cursor)
{
	return cursor->generation == 0 && cursor->position == 0 &&
		!FullTransactionIdIsValid(cursor->transaction_id);
}

/* The first place after that of a cursor. */
DsCursor
ds_cursor_next_place(const DsCursor *cursor)
{
	DsCursor	next = *cursor;

	if (next.position < PG_INT64_MAX)
		next.position++;
	else
	{
		next.position = PG_INT64_MIN;
		next.transaction_id.value++;
	}
	return next;
}

/* As parameters, DS_CURSOR_PARAMETERS of them. */
void
ds_cursor_parameters(const DsCursor *cursor, Datum *values)
{
	values[0] = Int64GetDatum(cursor->generation);
	values[1] = FullTransactionIdGetDatum(cursor->transaction_id);
	values[2] = Int64GetDatum(cursor->position);
}

/*
 * id.c - the types that an id can have: text, uuid, bigint and integer
 *
 * Callers give ids as text, or in JSON as strings (numbers too, where the
 * ids are numbers); here they become values of the collection's type.
 *
 * ds_id_compare() is half of the one global lock order (order.c): bytes, and
 * never the database's collation, so that all sessions agree.  That needs
 * ids that are equal to the server only when their bytes are, which is why
 * tables whose ids have a nondeterministic collation are no collections.
 *
 * Results are in the caller's memory context.
 */
#include "postgres.h"

#include "access/itup.h"
#include "access/toast_internals.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "json/json.h"
#include "port/pg_bswap.h"
#include "table/id.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

static const DsIdType id_types[] = {
	{TEXTOID, TEXTARRAYOID, "text", -1, false, TYPALIGN_INT, F_TEXTEQ, true},
	{UUIDOID, UUIDARRAYOID, "uuid", UUID_LEN, false, TYPALIGN_CHAR, F_UUID_EQ, true},
	{INT8OID, INT8ARRAYOID, "bigint", sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, F_INT8EQ, false},
	{INT4OID, INT4ARRAYOID, "integer", sizeof(int32), true, TYPALIGN_INT, F_INT4EQ, false},
};

/* Describe an id type, or return NULL when ids cannot be of that type. */
const DsIdType *
ds_id_type(Oid type)
{
	for (size_t i = 0; i < lengthof(id_types); i++)
		if (id_types[i].oid == type)
			return &id_types[i];
	return NULL;
}

typedef struct IdInput
{
	const DsIdType *type;
	int			item;
} IdInput;

/*
 * While the server's own input function reads an id: whatever it finds wrong
 * is an id that is not of the collection's type, also a number that is too
 * large, and the hint says which type that is.
 */
static void
id_input_error(void *arg)
{
	IdInput    *input = arg;

	if (!ds_error_is_bad_value())
		return;
	errcode(DS_ERRCODE_ID_SYNTAX);
	if (input->item != DS_ONLY_ITEM)
		errdetail("Item %d names this id.", input->item);
	errhint("Ids of this collection are of type %s.", input->type->name);
}

static Datum
id_input(const DsIdType *type, const char *string, int item)
{
	IdInput		input = {type, item};
	ErrorContextCallback context = {error_context_stack, id_input_error, &input};
	Datum		id;

	error_context_stack = &context;
	switch (type->oid)
	{
		case UUIDOID:
			id = DirectFunctionCall1(uuid_in, CStringGetDatum(string));
			break;
		case INT8OID:
			id = DirectFunctionCall1(int8in, CStringGetDatum(string));
			break;
		default:
			id = DirectFunctionCall1(int4in, CStringGetDatum(string));
			break;
	}
	error_context_stack = context.previous;
	return id;
}

pg_noreturn static void
refuse_empty(int item)
{
	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sid must not be empty", ds_error_item_prefix(item)),
			 errhint("Give every document an id of at least one character.")));
}

/*
 * Read an id that was given as text.  Raises 22023 when it is empty, 22P02
 * when it is not of the type.  A text id is the given datum itself, without
 * a copy.
 */
Datum
ds_id_from_text(const DsIdType *type, text *given, int item)
{
	if (VARSIZE_ANY_EXHDR(given) == 0)
		refuse_empty(item);
	if (type->oid == TEXTOID)
		return PointerGetDatum(given);
	return id_input(type, text_to_cstring(given), item);
}

/*
 * Read an id from an item: a string, or a number where ids are numbers.
 * Raises as ds_id_from_text() does, and 22023 for any other JSON type.
 */
Datum
ds_id_from_json(const DsIdType *type, const JsonbValue *given, int item)
{
	if (given->type == jbvString)
		return ds_id_from_text(type,
							   cstring_to_text_with_len(given->val.string.val, given->val.string.len),
							   item);

	if (given->type == jbvNumeric && (type->oid == INT8OID || type->oid == INT4OID))
	{
		char	   *digits = ds_json_digits(given);

		if (digits == NULL)
			ereport(ERROR,
					(errcode(DS_ERRCODE_ID_SYNTAX),
					 errmsg("%sid is a number with too many digits", ds_error_item_prefix(item)),
					 errhint("Ids of this collection are of type %s.", type->name)));
		return id_input(type, digits, item);
	}

	ereport(ERROR,
			(errcode(DS_ERRCODE_ARGUMENT),
			 errmsg("%sid must be a JSON string%s", ds_error_item_prefix(item),
					type->can_generate ? "" : " or number"),
			 errhint("Ids of this collection are of type %s%s.", type->name,
					 type->can_generate ? ". Leave \"id\" out to get a new UUID" : "")));
}

/* Make an id for an item that has none; 22023 when the type allows none. */
Datum
ds_id_generate(const DsIdType *type, int item)
{
	Datum		uuid;

	if (!type->can_generate)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%s\"id\" is missing", ds_error_item_prefix(item)),
				 errhint("Only collections with ids of type text or uuid can make new ids. The ids of this one are of type %s.",
						 type->name)));

	uuid = DirectFunctionCall1(gen_random_uuid, (Datum) 0);
	if (type->oid == UUIDOID)
		return uuid;
	return CStringGetTextDatum(ds_id_to_cstring(ds_id_type(UUIDOID), uuid));
}

/* The longest entry of a btree: at least three are on a page, beside 72 bytes of its own. */
#define MAX_ENTRY MAXALIGN_DOWN((BLCKSZ - 72) / 3)

/* The bytes of a text that is long in an index on that column: compressed, where the column allows it. */
static Size
indexed_size(Oid relid, AttrNumber column, Datum value)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(column));
	Datum		compressed = (Datum) 0;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_attribute form = (Form_pg_attribute) GETSTRUCT(tuple);

		if (form->attstorage == TYPSTORAGE_EXTENDED || form->attstorage == TYPSTORAGE_MAIN)
			compressed = toast_compress_datum(value, form->attcompression);
		ReleaseSysCache(tuple);
	}
	return compressed == (Datum) 0 ? VARSIZE_ANY_EXHDR(DatumGetPointer(value)) + VARHDRSZ
		: VARSIZE(DatumGetPointer(compressed));
}

static void
require_fit(const char *what, Datum value, Oid relid, AttrNumber column, Size room, int item)
{
	Size		length = VARSIZE_ANY_EXHDR(DatumGetPointer(value));

	if (length + VARHDRSZ <= room || indexed_size(relid, column, value) <= room)
		return;
	ereport(ERROR,
			(errcode(DS_ERRCODE_TOO_LONG),
			 errmsg("%s%s of %zu bytes is too long", ds_error_item_prefix(item), what, length),
			 errdetail("It must fit into an index, in %zu bytes after compression.", room - VARHDRSZ),
			 errhint("Choose a shorter one, for example a hash of it.")));
}

/*
 * Refuse an id that is too long for the index of the primary key on that
 * column: 54000.  The server would find out only when it writes the entry,
 * with others waiting for the locks of the call.  The key of a history has the
 * version, too, and can have a time: so many other columns.
 */
void
ds_id_require_short(const DsIdType *type, Datum id, Oid relid, AttrNumber column, int others, int item)
{
	if (type->oid == TEXTOID)
		require_fit("an id", id, relid, column,
					MAX_ENTRY - MAXALIGN(sizeof(IndexTupleData)) - others * sizeof(int64), item);
}

/* The name of a stream; 22023 when it is empty. */
Datum
ds_id_of_stream(text *name, int item)
{
	if (VARSIZE_ANY_EXHDR(name) == 0)
		ereport(ERROR,
				(errcode(DS_ERRCODE_ARGUMENT),
				 errmsg("%sstream must not be empty", ds_error_item_prefix(item)),
				 errhint("Pass the name of a stream, such as \"acc-1\".")));
	return PointerGetDatum(name);
}

/* Raise 54000 for a stream's name that is too long, which also has to fit into the index on stream and event_id. */
void
ds_id_require_short_stream(Datum stream, Oid relid, AttrNumber column, int item)
{
	require_fit("a stream's name", stream, relid, column,
				MAX_ENTRY - MAXALIGN(sizeof(IndexTupleData)) - UUID_LEN, item);
}

/* An id as text, the way that results and conflicts show it. */
char *
ds_id_to_cstring(const DsIdType *type, Datum id)
{
	switch (type->oid)
	{
		case TEXTOID:
			return TextDatumGetCString(id);
		case UUIDOID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, id));
		case INT8OID:
			return DatumGetCString(DirectFunctionCall1(int8out, id));
		default:
			return DatumGetCString(DirectFunctionCall1(int4out, id));
	}
}

static int
compare_bytes(const char *left, int left_length, const char *right, int right_length)
{
	int			result = memcmp(left, right, Min(left_length, right_length));

	return result != 0 ? result : left_length - right_length;
}

/* The same of two texts, which may come from a table, and be compressed there. */
static int
compare_texts(const text *left, const text *right)
{
	return compare_bytes(VARDATA_ANY(left), VARSIZE_ANY_EXHDR(left),
						 VARDATA_ANY(right), VARSIZE_ANY_EXHDR(right));
}

/* A text as it can be compared: as DatumGetTextPP(), without a call for one that is no copy. */
static const text *
comparable(Datum value)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(value);

	return (const text *) (VARATT_IS_COMPRESSED(bytes) || VARATT_IS_EXTERNAL(bytes)
						   ? pg_detoast_datum_packed(bytes) : bytes);
}

/* The first bytes, as a number that is in the same order; zeros where there are less, which no text has. */
static uint64
first_bytes(const char *bytes, int length)
{
	uint64		first = 0;

	memcpy(&first, bytes, Min(length, (int) sizeof(first)));
	return pg_ntoh64(first);
}

/*
 * A number by which ids of one type are in the order of ds_id_compare(), as far
 * as it tells them apart: to sort many of them takes a fraction of the time.
 */
uint64
ds_id_prefix(const DsIdType *type, Datum id)
{
	switch (type->oid)
	{
		case TEXTOID:
			return first_bytes(VARDATA_ANY(comparable(id)), VARSIZE_ANY_EXHDR(comparable(id)));
		case UUIDOID:
			return first_bytes(DatumGetPointer(id), UUID_LEN);
		case INT8OID:
			return (uint64) DatumGetInt64(id) ^ ((uint64) 1 << 63);
		default:
			return (uint64) DatumGetInt32(id) ^ ((uint64) 1 << 63);
	}
}

/* Compare two ids of one type: less than, equal to or greater than zero. */
int
ds_id_compare(const DsIdType *type, Datum left, Datum right)
{
	switch (type->oid)
	{
		case TEXTOID:
			return compare_texts(comparable(left), comparable(right));
		case UUIDOID:
			return memcmp(DatumGetPointer(left), DatumGetPointer(right), UUID_LEN);
		case INT8OID:
			return (DatumGetInt64(left) > DatumGetInt64(right)) -
				(DatumGetInt64(left) < DatumGetInt64(right));
		default:
			return (DatumGetInt32(left) > DatumGetInt32(right)) -
				(DatumGetInt32(left) < DatumGetInt32(right));
	}
}

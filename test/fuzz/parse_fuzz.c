/*
 * parse_fuzz.c - docstore.parse() beside the server's own parser, for ever
 *
 * parse_fuzz(seed, inputs, corpus) makes so many texts, by the grammar of JSON
 * and by changing bytes of others, and compares what both make of each: the
 * bytes of the jsonb, or all that there is of the error.  The first difference
 * is an error that shows the text.  Returns how many texts were valid.
 *
 * A caught error leaves nothing behind here, as a parser takes no locks and
 * opens nothing; so there is no subtransaction for each of them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(parse_fuzz);

/* A text is changed so often at most. */
#define MAX_CHANGES 6

/* Texts that grow longer are left as they are. */
#define MAX_LENGTH 100000

static pg_prng_state random_state;

/* A whole number below n. */
static int
below(int n)
{
	return (int) (pg_prng_uint64(&random_state) % (uint64) n);
}

/*
 * Texts by the grammar
 */

static void
put_space(StringInfo json)
{
	if (below(8) == 0)
		for (int i = below(4); i >= 0; i--)
			appendStringInfoChar(json, " \t\n\r"[below(4)]);
}

static void
put_digits(StringInfo json, int count)
{
	/* Often zeros, where numeric leaves digits out. */
	bool		zeros = below(3) == 0;

	for (int i = 0; i < count; i++)
		appendStringInfoChar(json, zeros && below(4) != 0 ? '0' : '0' + below(10));
}

static int
number_length(void)
{
	return below(20) == 0 ? below(500) : below(3) == 0 ? below(30) : below(8);
}

static void
put_number(StringInfo json)
{
	if (below(4) == 0)
		appendStringInfoChar(json, '-');
	if (below(4) == 0)
		appendStringInfoChar(json, '0');
	else
	{
		appendStringInfoChar(json, '1' + below(9));
		put_digits(json, number_length());
	}
	if (below(2) == 0)
	{
		appendStringInfoChar(json, '.');
		put_digits(json, 1 + number_length());
	}
	if (below(6) == 0)
	{
		appendStringInfoChar(json, "eE"[below(2)]);
		appendStringInfoString(json, below(3) == 0 ? "-" : below(2) == 0 ? "+" : "");
		put_digits(json, 1 + below(below(20) == 0 ? 7 : 2));
	}
}

static void
put_escape(StringInfo json)
{
	static const char *const escapes[] = {
		"\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9", "\\u20AC", "\\ud83d\\ude00",
		"\\u0001", "\\u007f", "\\uFFFF", "\\u0800", "\\uDBFF\\uDFFF"
	};
	static const char *const wrong[] = {
		"\\u0000", "\\ud83d", "\\ude00", "\\ud83d\\u0041", "\\ud83d\\n", "\\x", "\\u12", "\\u12g4", "\\ud83d\\ud83d", "\\"
	};

	if (below(60) == 0)
		appendStringInfoString(json, wrong[below(lengthof(wrong))]);
	else
		appendStringInfoString(json, escapes[below(lengthof(escapes))]);
}

static void
put_string(StringInfo json)
{
	static const char *const pieces[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "{", "]", ",", ":", "'", "\x7f"};
	int			length = below(10) == 0 ? below(200) : below(20);

	appendStringInfoChar(json, '"');
	for (int i = 0; i < length; i++)
	{
		int			kind = below(30);

		if (kind == 0)
			put_escape(json);
		else if (kind == 1)
			appendStringInfoString(json, pieces[below(lengthof(pieces))]);
		else
			appendStringInfoChar(json, 'a' + below(26));
	}
	appendStringInfoChar(json, '"');
}

/* Few keys, so that they are repeated, some with other spellings; or any. */
static void
put_key(StringInfo json)
{
	static const char *const keys[] = {"\"a\"", "\"b\"", "\"\\u0061\"", "\"ab\"", "\"ba\"", "\"\"", "\"abcdefgh\"", "\"abcdefgi\"", "\"\xc3\xa9\"", "\"\\u00e9\""};

	if (below(3) == 0)
		put_string(json);
	else
		appendStringInfoString(json, keys[below(lengthof(keys))]);
}

static void
put_value(StringInfo json, int depth)
{
	int			kind = below(depth > 0 ? 12 : 8);
	int			count = below(40) == 0 ? below(300) : below(7);

	put_space(json);
	if (kind < 3)
		put_number(json);
	else if (kind < 6)
		put_string(json);
	else if (kind < 8)
		appendStringInfoString(json, below(3) == 0 ? "null" : below(2) == 0 ? "true" : "false");
	else if (json->len > MAX_LENGTH)
		appendStringInfoString(json, "[]");
	else
	{
		appendStringInfoChar(json, kind < 10 ? '[' : '{');
		for (int i = 0; i < count; i++)
		{
			if (i > 0)
				appendStringInfoChar(json, ',');
			if (kind >= 10)
			{
				put_space(json);
				put_key(json);
				put_space(json);
				appendStringInfoChar(json, ':');
			}
			put_value(json, depth - 1);
		}
		put_space(json);
		appendStringInfoChar(json, kind < 10 ? ']' : '}');
	}
	put_space(json);
}

/*
 * Texts from others
 */

static char
random_byte(void)
{
	static const char telling[] = "{}[]:,\"\\/-+.eEutfn0123456789 \n\t\x01\x1f\x7f\x80\xc3\xff";

	return below(4) == 0 ? (char) (1 + below(255)) : telling[below(sizeof(telling) - 1)];
}

/* Take out a piece, put one in, say one twice, or change a byte. */
static void
change(StringInfo json)
{
	int			at = below(json->len + 1);
	int			length = below(below(4) == 0 ? 100 : 4) + 1;
	char	   *piece;

	length = Min(length, json->len - at);
	switch (below(4))
	{
		case 0:
			memmove(json->data + at, json->data + at + length, json->len - at - length + 1);
			json->len -= length;
			break;
		case 1:
			piece = pnstrdup(json->data + at, length);
			appendBinaryStringInfo(json, piece, length);
			at = below(json->len - length + 1);
			memmove(json->data + at + length, json->data + at, json->len - length - at);
			memcpy(json->data + at, piece, length);
			break;
		case 2:
			appendStringInfoChar(json, ' ');
			memmove(json->data + at + 1, json->data + at, json->len - 1 - at);
			json->data[at] = random_byte();
			break;
		default:
			if (at < json->len)
				json->data[at] = random_byte();
			break;
	}
}

static void
make_text(StringInfo json, Datum *corpus, int corpus_count)
{
	resetStringInfo(json);
	if (corpus_count > 0 && below(4) == 0)
	{
		text	   *file = DatumGetTextPP(corpus[below(corpus_count)]);

		appendBinaryStringInfo(json, VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file));
	}
	else
		put_value(json, below(6));
	if (below(3) == 0)
		for (int i = below(MAX_CHANGES); i >= 0; i--)
			change(json);
}

/*
 * Comparing
 */

/* What a parser has made of a text. */
typedef struct Answer
{
	Jsonb	   *json;			/* or NULL: */
	ErrorData  *error;
} Answer;

static Answer
ask(PGFunction parser, Datum argument)
{
	MemoryContext context = CurrentMemoryContext;
	volatile Answer answer = {NULL, NULL};

	PG_TRY();
	{
		answer.json = DatumGetJsonbP(DirectFunctionCall1(parser, argument));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		answer.error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (answer.error != NULL && answer.error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(answer.error);
	return answer;
}

static bool
is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_same_error(const ErrorData *a, const ErrorData *b)
{
	return a->sqlerrcode == b->sqlerrcode && is_same_text(a->message, b->message) && is_same_text(a->detail, b->detail) &&
		is_same_text(a->hint, b->hint) && is_same_text(a->context, b->context);
}

static bool
is_same(Answer a, Answer b)
{
	if (a.error != NULL || b.error != NULL)
		return a.error != NULL && b.error != NULL && is_same_error(a.error, b.error);
	return VARSIZE(a.json) == VARSIZE(b.json) && memcmp(a.json, b.json, VARSIZE(a.json)) == 0;
}

static const char *
tell(Answer answer)
{
	return answer.error != NULL ? answer.error->message : JsonbToCString(NULL, &answer.json->root, VARSIZE(answer.json));
}

/* Compare the answers to one text; returns whether it was valid. */
static bool
compare(PGFunction parse, const StringInfo json)
{
	Answer		ours = ask(parse, PointerGetDatum(cstring_to_text_with_len(json->data, json->len)));
	Answer		servers = ask(jsonb_in, CStringGetDatum(json->data));

	if (!is_same(ours, servers))
	{
		char	   *hex = palloc(2 * json->len + 1);

		hex[hex_encode(json->data, json->len, hex)] = '\0';
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("docstore.parse() differs from the server's parser"),
				 errdetail("It says: %s\nThe server says: %s", tell(ours), tell(servers)),
				 errhint("The text, as hexadecimal digits: %s", hex)));
	}
	return ours.error == NULL;
}

Datum
parse_fuzz(PG_FUNCTION_ARGS)
{
	int64		inputs = PG_GETARG_INT64(1);
	PGFunction	parse = load_external_function("docstore", "ds_parse", true, NULL);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext each = AllocSetContextCreate(caller, "text", ALLOCSET_DEFAULT_SIZES);
	StringInfoData json;
	Datum	   *corpus;
	int			corpus_count;
	int64		valid = 0;

	pg_prng_seed(&random_state, PG_GETARG_INT64(0));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &corpus, NULL, &corpus_count);
	initStringInfo(&json);
	for (int64 i = 0; i < inputs; i++)
	{
		CHECK_FOR_INTERRUPTS();
		make_text(&json, corpus, corpus_count);
		MemoryContextSwitchTo(each);
		valid += compare(parse, &json);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(each);
	}
	MemoryContextDelete(each);
	PG_RETURN_INT64(valid);
}

/*
 * json_parse.c - JSON text as jsonb, several times faster
 *
 * The server's own parser calls a function for each token, keeps what it finds
 * in a tree of 32 bytes for each value, copies each string twice and makes
 * each number through numeric_in().  Here one pass over the text lists its values
 * (json_tape.c), and one pass over the list writes the jsonb (json_build.c).
 *
 * The result is the server's, byte for byte.  Errors are the server's own:
 * what is not plain sailing is given to its parser, from the beginning.  So
 * are texts in other encodings than UTF-8.
 *
 * It is our own code because libraries for JSON make trees of their own, and
 * half of the work is in making a jsonb.  With yyjson 0.12.0 in place of our
 * first pass the whole would take 0.79 to 1.00 of the time: CPU time in a
 * server, medians of 11 turns, documents of 1 KB to 1 MB, numbers left as text.
 * That is not worth 11,000 lines of a library that not every release has.
 */
#include "postgres.h"

#include "fmgr.h"
#include "json/json_build.h"
#include "json/json_parse.h"
#include "json/json_tape.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

/* NULL when it is left to the server. */
static Jsonb *
parse_quickly(const text *json)
{
	DsTape		tape;
	Jsonb	   *result = NULL;

	if (GetDatabaseEncoding() != PG_UTF8)
		return NULL;
	if (ds_json_tape_read(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json), &tape))
		result = ds_json_build(&tape);
	ds_json_tape_free(&tape);
	return result;
}

/* In the current memory context; the server's own errors. */
Jsonb *
ds_json_parse(const text *json)
{
	Jsonb	   *result = parse_quickly(json);

	if (result != NULL)
		return result;
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(json))));
}

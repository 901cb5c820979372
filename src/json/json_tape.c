/*
 * json_tape.c - JSON text as a flat list of its values
 *
 * One pass over the text, by the grammar of RFC 8259 as the server's own
 * parser has it (src/common/jsonapi.c).  Nothing is copied but strings that
 * have escapes.  There are no errors here: whatever is wrong, too deep, too
 * long or just unusual is left to the server's parser, which says what it has
 * to say of it.
 *
 * Memory: 8 bytes for each value and key, in the current context.
 */
#include "postgres.h"

#include "json/json_tape.h"
#include "json/json_text.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Containers that are deeper are left to the server. */
#define MAX_DEPTH 64

/* So are those with more elements or members, which are near its limits. */
#define MAX_MEMBERS (1 << 22)

/* A number of so many characters fits into the short form of numeric, whatever they are. */
#define MAX_DECIMAL 60

/* Room on the tape to begin with: a token for each so many bytes of text. */
#define BYTES_A_TOKEN 8

/* What a jsonb needs for a value besides its text: an entry, and padding to 4 bytes. */
#define ENTRY_SIZE 4
#define PADDING 3

/* The place in the text is passed on and returned, NULL where the rest is left to the server: so it stays in a register. */
typedef struct Reader
{
	DsTape	   *tape;
	uint32		room;
	const char *end;
	Size		decoded_length; /* of all that is decoded so far */
	int			depth;
} Reader;

static const char *read_value(Reader *reader, const char *at);

static inline const char *
skip_space(const Reader *reader, const char *at)
{
	while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

/* Pass over white space and that character; NULL when another one comes next. */
static inline const char *
take(const Reader *reader, const char *at, char c)
{
	at = skip_space(reader, at);
	return at < reader->end && *at == c ? at + 1 : NULL;
}

static void
make_room(Reader *reader)
{
	DsTape	   *tape = reader->tape;

	reader->room *= 2;
	tape->tokens = repalloc_huge(tape->tokens, (Size) reader->room * sizeof(DsToken));
}

static inline void
add_token(Reader *reader, DsTokenType type, uint32 size, uint32 place)
{
	DsTape	   *tape = reader->tape;

	if (tape->count == reader->room)
		make_room(reader);
	tape->tokens[tape->count].head = ((uint32) type << DS_TOKEN_SIZE_BITS) | size;
	tape->tokens[tape->count].place = place;
	tape->count++;
}

/*
 * Strings
 */

/* The four hexadecimal digits of an escape; -1 when they are none. */
static int
hex4(const char *digits)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		char		c = digits[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

/*
 * Decode what follows \u, and the second escape of a surrogate pair.  NULL
 * for what is none, for a lone surrogate, and for U+0000.
 */
static const char *
decode_unicode(const Reader *reader, const char *at, char **to)
{
	int			code = reader->end - at >= 4 ? hex4(at) : -1;

	if (code <= 0 || is_utf16_surrogate_second(code))
		return NULL;
	at += 4;
	if (is_utf16_surrogate_first(code))
	{
		int			second = reader->end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex4(at + 2) : -1;

		if (second < 0 || !is_utf16_surrogate_second(second))
			return NULL;
		code = surrogate_pair_to_codepoint(code, second);
		at += 6;
	}
	unicode_to_utf8(code, (unsigned char *) *to);
	*to += pg_utf_mblen((unsigned char *) *to);
	return at;
}

/* Decode an escape, whose backslash was passed; NULL for what is none. */
static const char *
decode_escape(const Reader *reader, const char *at, char **to)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	char		c;

	if (at == reader->end)
		return NULL;
	c = *at++;
	if (c == 'u')
		return decode_unicode(reader, at, to);
	letter = c == '\0' ? NULL : strchr(letters, c);
	if (letter == NULL)
		return NULL;
	*(*to)++ = meanings[letter - letters];
	return at;
}

/*
 * Take a string that has an escape, the first one at that place.  What is
 * decoded is never longer than it was, so there is room for all of the text
 * that is left.
 */
static const char *
read_escaped(Reader *reader, const char *begin, const char *at)
{
	DsTape	   *tape = reader->tape;
	char	   *decoded;
	char	   *to;

	if (tape->decoded == NULL)
	{
		Size		room = reader->end - begin + DS_TOKEN_SLACK;

		tape->decoded = MemoryContextAllocHuge(CurrentMemoryContext, room);
		tape->decoded_end = tape->decoded + room;
	}
	to = decoded = tape->decoded + reader->decoded_length;
	for (;;)
	{
		memcpy(to, begin, at - begin);
		to += at - begin;
		if (at == reader->end || (*at != '\\' && *at != '"'))
			return NULL;
		if (*at++ == '"')
			break;
		begin = decode_escape(reader, at, &to);
		if (begin == NULL)
			return NULL;
		at = ds_json_scan(begin, reader->end);
	}
	if (to - decoded > DS_TOKEN_MAX_SIZE)
		return NULL;
	add_token(reader, DS_TOKEN_DECODED, to - decoded, reader->decoded_length);
	reader->decoded_length += to - decoded;
	tape->bound += ENTRY_SIZE + (to - decoded);
	return at;
}

/* Take a string, whose first quote was passed. */
static const char *
read_string(Reader *reader, const char *begin)
{
	const char *at = ds_json_scan(begin, reader->end);

	if (at == reader->end)
		return NULL;
	if (*at != '"')
		return read_escaped(reader, begin, at);
	if (at - begin > DS_TOKEN_MAX_SIZE)
		return NULL;
	add_token(reader, DS_TOKEN_STRING, at - begin, begin - reader->tape->text);
	reader->tape->bound += ENTRY_SIZE + (at - begin);
	return at + 1;
}

/*
 * Numbers and words
 */

/* Pass over digits, if there are any. */
static inline const char *
skip_digits(const Reader *reader, const char *at)
{
	while (at < reader->end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Pass over digits, of which there must be one; NULL when there is none. */
static inline const char *
take_digits(const Reader *reader, const char *at)
{
	const char *end = skip_digits(reader, at);

	return end > at ? end : NULL;
}

/* Pass over the digits of an exponent, and its sign; NULL when it is malformed. */
static const char *
take_exponent(const Reader *reader, const char *at)
{
	if (at < reader->end && (*at == '+' || *at == '-'))
		at++;
	return take_digits(reader, at);
}

/* What may follow a number or a word; the server takes letters and digits for a part of it. */
static inline bool
is_boundary(const Reader *reader, const char *at)
{
	if (at == reader->end)
		return true;
	switch (*at)
	{
		case ',':
		case ']':
		case '}':
		case ' ':
		case '\n':
		case '\t':
		case '\r':
			return true;
		default:
			return false;
	}
}

static const char *
read_number(Reader *reader, const char *at)
{
	const char *begin = at;
	DsTokenType type = DS_TOKEN_INTEGER;

	if (*at == '-')
		at++;
	if (at < reader->end && *at == '0')
		at++;
	else
		at = take_digits(reader, at);
	if (at != NULL && at < reader->end && *at == '.')
	{
		type = DS_TOKEN_DECIMAL;
		at = take_digits(reader, at + 1);
	}
	if (at != NULL && at < reader->end && (*at == 'e' || *at == 'E'))
	{
		type = DS_TOKEN_NUMBER;
		at = take_exponent(reader, at + 1);
	}
	if (at == NULL || !is_boundary(reader, at) || at - begin > DS_TOKEN_MAX_SIZE)
		return NULL;

	if (at - begin > MAX_DECIMAL)
		type = DS_TOKEN_NUMBER;
	add_token(reader, type, at - begin, begin - reader->tape->text);
	reader->tape->has_numbers |= type == DS_TOKEN_NUMBER;
	/* Four digits make two bytes, at either end some of them may be zeros; and there is a header. */
	reader->tape->bound += ENTRY_SIZE + PADDING + 8 + 2 * ((at - begin) / 4 + 2);
	return at;
}

static const char *
read_word(Reader *reader, const char *at, const char *word, int length, DsTokenType type)
{
	if (reader->end - at < length || memcmp(at, word, length) != 0)
		return NULL;
	add_token(reader, type, 0, 0);
	reader->tape->bound += ENTRY_SIZE;
	return is_boundary(reader, at + length) ? at + length : NULL;
}

/*
 * Containers
 */

/* Take a key and its colon. */
static inline const char *
read_key(Reader *reader, const char *at)
{
	at = take(reader, at, '"');
	if (at != NULL)
		at = read_string(reader, at);
	return at == NULL ? NULL : take(reader, at, ':');
}

/* Take the elements or members of a container, of which there is one at least, up to its end; their number is put into *members. */
static const char *
read_members(Reader *reader, const char *at, DsTokenType type, uint32 *members)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (++*members > MAX_MEMBERS)
			return NULL;
		if (type == DS_TOKEN_OBJECT)
			at = read_key(reader, at);
		if (at != NULL)
			at = read_value(reader, at);
		if (at == NULL)
			return NULL;
		at = skip_space(reader, at);
		if (at == reader->end || *at != ',')
			return at;
		at++;
	}
}

/* Take a container, whose bracket was passed. */
static const char *
read_container(Reader *reader, const char *at, DsTokenType type, char closing)
{
	uint32		container = reader->tape->count;
	uint32		members = 0;

	if (++reader->depth > MAX_DEPTH)
		return NULL;
	add_token(reader, type, 0, 0);
	reader->tape->bound += ENTRY_SIZE + PADDING + sizeof(uint32);
	at = skip_space(reader, at);
	if (at < reader->end && *at != closing)
		at = read_members(reader, at, type, &members);
	if (at == NULL || at == reader->end || *at != closing)
		return NULL;
	reader->tape->tokens[container].head |= members;
	reader->tape->tokens[container].place = reader->tape->count;
	reader->depth--;
	return at + 1;
}

static const char *
read_value(Reader *reader, const char *at)
{
	at = skip_space(reader, at);
	if (at == reader->end)
		return NULL;
	switch (*at)
	{
		case '"':
			return read_string(reader, at + 1);
		case '{':
			return read_container(reader, at + 1, DS_TOKEN_OBJECT, '}');
		case '[':
			return read_container(reader, at + 1, DS_TOKEN_ARRAY, ']');
		case 't':
			return read_word(reader, at, "true", 4, DS_TOKEN_TRUE);
		case 'f':
			return read_word(reader, at, "false", 5, DS_TOKEN_FALSE);
		case 'n':
			return read_word(reader, at, "null", 4, DS_TOKEN_NULL);
		default:
			return *at == '-' || (*at >= '0' && *at <= '9') ? read_number(reader, at) : NULL;
	}
}

/*
 * Read a text in UTF-8; false when that is left to the server's parser.  The
 * tape is to be freed either way, and points into the text.
 */
bool
ds_json_tape_read(const char *text, int length, DsTape *tape)
{
	Reader		reader = {.tape = tape, .end = text + length};
	const char *at;

	memset(tape, 0, sizeof(DsTape));
	tape->text = text;
	tape->text_end = text + length;
	reader.room = length / BYTES_A_TOKEN + 16;
	tape->tokens = MemoryContextAllocHuge(CurrentMemoryContext, (Size) reader.room * sizeof(DsToken));

	at = read_value(&reader, text);
	return at != NULL && skip_space(&reader, at) == reader.end;
}

void
ds_json_tape_free(DsTape *tape)
{
	pfree(tape->tokens);
	if (tape->decoded != NULL)
		pfree(tape->decoded);
}

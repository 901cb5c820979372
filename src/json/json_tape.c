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

typedef struct Reader
{
	DsTape	   *tape;
	uint32		room;
	const char *at;
	const char *end;
	Size		decoded_length; /* of all that is decoded so far */
	int			depth;
} Reader;

static bool read_value(Reader *reader);

static inline void
skip_space(Reader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t' || *reader->at == '\r'))
		reader->at++;
}

/* Pass over white space; whether that character comes next, which is passed then, too. */
static inline bool
take(Reader *reader, char c)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
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
 * Decode what follows \u, and the second escape of a surrogate pair.  False
 * for what is none, for a lone surrogate, and for U+0000.
 */
static bool
decode_unicode(Reader *reader, char **to)
{
	int			code = reader->end - reader->at >= 4 ? hex4(reader->at) : -1;

	if (code <= 0 || is_utf16_surrogate_second(code))
		return false;
	reader->at += 4;
	if (is_utf16_surrogate_first(code))
	{
		int			second = (reader->end - reader->at >= 6 && reader->at[0] == '\\' && reader->at[1] == 'u'
							  ? hex4(reader->at + 2) : -1);

		if (second < 0 || !is_utf16_surrogate_second(second))
			return false;
		code = surrogate_pair_to_codepoint(code, second);
		reader->at += 6;
	}
	unicode_to_utf8(code, (unsigned char *) *to);
	*to += pg_utf_mblen((unsigned char *) *to);
	return true;
}

/* Decode an escape, whose backslash was passed; false for what is none. */
static bool
decode_escape(Reader *reader, char **to)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	char		c;

	if (reader->at == reader->end)
		return false;
	c = *reader->at++;
	if (c == 'u')
		return decode_unicode(reader, to);
	letter = c == '\0' ? NULL : strchr(letters, c);
	if (letter == NULL)
		return false;
	*(*to)++ = meanings[letter - letters];
	return true;
}

/*
 * Take a string that has an escape, the first one where the reader is.  What
 * is decoded is never longer than it was, so there is room for all of the
 * text that is left.
 */
static bool
read_escaped(Reader *reader, const char *begin)
{
	DsTape	   *tape = reader->tape;
	char	   *decoded;
	char	   *to;

	if (tape->decoded == NULL)
		tape->decoded = MemoryContextAllocHuge(CurrentMemoryContext, reader->end - begin);
	to = decoded = tape->decoded + reader->decoded_length;
	for (;;)
	{
		memcpy(to, begin, reader->at - begin);
		to += reader->at - begin;
		if (reader->at == reader->end || (*reader->at != '\\' && *reader->at != '"'))
			return false;
		if (*reader->at++ == '"')
			break;
		if (!decode_escape(reader, &to))
			return false;
		begin = reader->at;
		reader->at = ds_json_scan(begin, reader->end);
	}
	if (to - decoded > DS_TOKEN_MAX_SIZE)
		return false;
	add_token(reader, DS_TOKEN_DECODED, to - decoded, reader->decoded_length);
	reader->decoded_length += to - decoded;
	tape->bound += ENTRY_SIZE + (to - decoded);
	return true;
}

/* Take a string, whose first quote was passed. */
static bool
read_string(Reader *reader)
{
	const char *begin = reader->at;
	ptrdiff_t	length;

	reader->at = ds_json_scan(begin, reader->end);
	if (reader->at == reader->end)
		return false;
	if (*reader->at != '"')
		return read_escaped(reader, begin);
	length = reader->at++ - begin;
	if (length > DS_TOKEN_MAX_SIZE)
		return false;
	add_token(reader, DS_TOKEN_STRING, length, begin - reader->tape->text);
	reader->tape->bound += ENTRY_SIZE + length;
	return true;
}

/*
 * Numbers and words
 */

static inline bool
skip_digits(Reader *reader)
{
	const char *begin = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return reader->at > begin;
}

/* Pass over an exponent, if there is one; false when it is malformed. */
static inline bool
skip_exponent(Reader *reader)
{
	if (reader->at == reader->end || (*reader->at != 'e' && *reader->at != 'E'))
		return true;
	reader->at++;
	if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
		reader->at++;
	return skip_digits(reader);
}

/* What may follow a number or a word; the server takes letters and digits for a part of it. */
static inline bool
is_at_boundary(const Reader *reader)
{
	if (reader->at == reader->end)
		return true;
	switch (*reader->at)
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

static bool
read_number(Reader *reader)
{
	const char *begin = reader->at;
	const char *mantissa_end;
	ptrdiff_t	length;
	bool		is_decimal;

	if (*reader->at == '-')
		reader->at++;
	if (reader->at < reader->end && *reader->at == '0')
		reader->at++;
	else if (!skip_digits(reader))
		return false;
	if (reader->at < reader->end && *reader->at == '.')
	{
		reader->at++;
		if (!skip_digits(reader))
			return false;
	}
	mantissa_end = reader->at;
	if (!skip_exponent(reader) || !is_at_boundary(reader))
		return false;

	length = reader->at - begin;
	if (length > DS_TOKEN_MAX_SIZE)
		return false;
	is_decimal = mantissa_end == reader->at && length <= MAX_DECIMAL;
	add_token(reader, is_decimal ? DS_TOKEN_DECIMAL : DS_TOKEN_NUMBER, length, begin - reader->tape->text);
	reader->tape->has_numbers |= !is_decimal;
	/* Four digits make two bytes, at either end some of them may be zeros; and there is a header. */
	reader->tape->bound += ENTRY_SIZE + PADDING + 8 + 2 * (length / 4 + 2);
	return true;
}

static bool
read_word(Reader *reader, const char *word, int length, DsTokenType type)
{
	if (reader->end - reader->at < length || memcmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	add_token(reader, type, 0, 0);
	reader->tape->bound += ENTRY_SIZE;
	return is_at_boundary(reader);
}

/*
 * Containers
 */

/* Take a key and its colon. */
static inline bool
read_key(Reader *reader)
{
	return take(reader, '"') && read_string(reader) && take(reader, ':');
}

/* Take a container, whose bracket was passed. */
static bool
read_container(Reader *reader, DsTokenType type, char closing)
{
	uint32		container = reader->tape->count;
	uint32		members = 0;

	if (++reader->depth > MAX_DEPTH)
		return false;
	add_token(reader, type, 0, 0);
	reader->tape->bound += ENTRY_SIZE + PADDING + sizeof(uint32);
	if (!take(reader, closing))
	{
		do
		{
			CHECK_FOR_INTERRUPTS();
			if (++members > MAX_MEMBERS ||
				(type == DS_TOKEN_OBJECT && !read_key(reader)) || !read_value(reader))
				return false;
		} while (take(reader, ','));
		if (!take(reader, closing))
			return false;
	}
	reader->tape->tokens[container].head |= members;
	reader->tape->tokens[container].place = reader->tape->count;
	reader->depth--;
	return true;
}

static bool
read_value(Reader *reader)
{
	skip_space(reader);
	if (reader->at == reader->end)
		return false;
	switch (*reader->at)
	{
		case '"':
			reader->at++;
			return read_string(reader);
		case '{':
			reader->at++;
			return read_container(reader, DS_TOKEN_OBJECT, '}');
		case '[':
			reader->at++;
			return read_container(reader, DS_TOKEN_ARRAY, ']');
		case 't':
			return read_word(reader, "true", 4, DS_TOKEN_TRUE);
		case 'f':
			return read_word(reader, "false", 5, DS_TOKEN_FALSE);
		case 'n':
			return read_word(reader, "null", 4, DS_TOKEN_NULL);
		default:
			return (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9')) && read_number(reader);
	}
}

/*
 * Read a text in UTF-8; false when that is left to the server's parser.  The
 * tape is to be freed either way, and points into the text.
 */
bool
ds_json_tape_read(const char *text, int length, DsTape *tape)
{
	Reader		reader = {.tape = tape, .at = text, .end = text + length};

	memset(tape, 0, sizeof(DsTape));
	tape->text = text;
	reader.room = length / BYTES_A_TOKEN + 16;
	tape->tokens = MemoryContextAllocHuge(CurrentMemoryContext, (Size) reader.room * sizeof(DsToken));

	if (!read_value(&reader))
		return false;
	skip_space(&reader);
	return reader.at == reader.end;
}

void
ds_json_tape_free(DsTape *tape)
{
	pfree(tape->tokens);
	if (tape->decoded != NULL)
		pfree(tape->decoded);
}

/*
 * json_build.c - a jsonb from the values of a JSON text
 *
 * Writes, byte for byte, what the server makes of the same values: the format
 * is in src/include/utils/jsonb.h, and src/backend/utils/adt/jsonb_util.c is
 * what writes it there.  Members of an object are sorted by the length of
 * their keys, then by bytes; of those with the same key the last one counts.
 * Each 32nd entry of a container holds where its value ends, others its length.
 *
 * Memory: the result in the current context, and 24 bytes for each member of
 * the objects that are open at a time.
 */
#include "postgres.h"

#include "json/json_build.h"
#include "json/json_number.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

/* Up to so many members are sorted by insertion. */
#define FEW_MEMBERS 16

/* Members that there is room for on the stack. */
#define MEMBERS_ON_STACK 64

typedef struct Member
{
	uint64		order;			/* the length of the key, and its first bytes: see order_of() */
	const char *key;
	uint32		value;			/* its token; the order in which members were given */
} Member;

typedef struct Writer
{
	const DsTape *tape;
	char	   *out;
	uint32		length;			/* of what is written */
	bool		is_left_to_server;
} Writer;

static JEntry write_value(Writer *writer, uint32 token);

/* The token after a value. */
static inline uint32
next_token(const DsTape *tape, uint32 token)
{
	return ds_token_type(&tape->tokens[token]) >= DS_TOKEN_ARRAY ? tape->tokens[token].place : token + 1;
}

/* Go on at a place that is aligned to 4 bytes, after zeros.  What is behind the last of them is written later. */
static inline void
pad(Writer *writer)
{
	memset(writer->out + writer->length, 0, sizeof(uint32));
	writer->length = TYPEALIGN(sizeof(uint32), writer->length);
}

/*
 * Most strings are short: they are copied as 32 bytes, whatever follows them,
 * where so many can be read.  There is room for as many, which is written later.
 */
static inline JEntry
write_string(Writer *writer, const DsToken *token)
{
	const DsTape *tape = writer->tape;
	bool		is_decoded = ds_token_type(token) == DS_TOKEN_DECODED;
	const char *text = (is_decoded ? tape->decoded : tape->text) + token->place;
	const char *end = is_decoded ? tape->decoded_end : tape->text_end;
	uint32		length = ds_token_size(token);
	char	   *to = writer->out + writer->length;

	if (length <= DS_TOKEN_SLACK && end - text >= DS_TOKEN_SLACK)
		memcpy(to, text, DS_TOKEN_SLACK);
	else
		memcpy(to, text, length);
	writer->length += length;
	return JENTRY_ISSTRING | length;
}

static JEntry
write_number(Writer *writer, const DsToken *token)
{
	uint32		begin = writer->length;
	const char *text = ds_token_text(writer->tape, token);
	const int	length = ds_token_size(token);
	char	   *to;

	pad(writer);
	to = writer->out + writer->length;
	switch (ds_token_type(token))
	{
		case DS_TOKEN_INTEGER:
			writer->length += ds_json_number_write_integer(text, length, to);
			break;
		case DS_TOKEN_DECIMAL:
			writer->length += ds_json_number_write_decimal(text, length, to);
			break;
		default:
			writer->length += ds_json_number_convert(text, length, to);
			break;
	}
	return JENTRY_ISNUMERIC | (writer->length - begin);
}

/* Where the entries of a container are, and what they add up to. */
typedef struct Entries
{
	uint32		place;
	uint32		count;
	uint32		total;
} Entries;

static Entries
begin_entries(Writer *writer, uint32 header, uint32 count)
{
	Entries		entries = {.count = 0};

	pad(writer);
	*(uint32 *) (writer->out + writer->length) = header;
	entries.place = writer->length + sizeof(uint32);
	writer->length = entries.place + count * sizeof(JEntry);
	return entries;
}

static inline void
add_entry(Writer *writer, Entries *entries, JEntry entry)
{
	entries->total += JBE_OFFLENFLD(entry);
	if (entries->total > JENTRY_OFFLENMASK)
	{
		writer->is_left_to_server = true;
		entries->total = 0;
	}
	if (entries->count % JB_OFFSET_STRIDE == 0)
		entry = (entry & JENTRY_TYPEMASK) | entries->total | JENTRY_HAS_OFF;
	((JEntry *) (writer->out + entries->place))[entries->count++] = entry;
}

static JEntry
end_container(Writer *writer, uint32 begin)
{
	uint32		length = writer->length - begin;

	if (length > JENTRY_OFFLENMASK)
	{
		writer->is_left_to_server = true;
		length = 0;
	}
	return JENTRY_ISCONTAINER | length;
}

static JEntry
write_array(Writer *writer, uint32 token)
{
	uint32		begin = writer->length;
	uint32		count = ds_token_size(&writer->tape->tokens[token]);
	Entries		entries = begin_entries(writer, JB_FARRAY | count, count);

	token++;
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_entry(writer, &entries, write_value(writer, token));
		token = next_token(writer->tape, token);
	}
	return end_container(writer, begin);
}

/*
 * Objects
 */

/*
 * By what members are ordered first: the length of the key, and its first four
 * bytes as a number.  After the shortest key there are so many bytes, too: its
 * quote, a colon, a value, a bracket; or the slack behind what was decoded.
 */
static inline uint64
order_of(const char *key, uint32 length)
{
	uint32		bytes;

	memcpy(&bytes, key, sizeof(bytes));
	bytes = pg_ntoh32(bytes);
	if (length < sizeof(bytes))
		bytes &= ~(PG_UINT32_MAX >> 8 * length);
	return ((uint64) length << 32) | bytes;
}

/* Compare so many bytes, 4 or 8, as memcmp() does. */
static inline int
compare_word(const char *a, const char *b, Size length)
{
	uint64		left = 0;
	uint64		right = 0;

	memcpy(&left, a, length);
	memcpy(&right, b, length);
	return left == right ? 0 : pg_ntoh64(left) < pg_ntoh64(right) ? -1 : 1;
}

/*
 * Of two keys with the same order, and so of the same length: what their other
 * bytes say.  Of most keys they are in the last word or two, whose first bytes
 * may be among those that are known to be equal.
 */
static inline int
compare_rest(const Member *a, const Member *b)
{
	uint32		length = a->order >> 32;

	if (length <= 4)
		return 0;
	if (length <= 8)
		return compare_word(a->key + length - 4, b->key + length - 4, 4);
	if (length <= 12)
		return compare_word(a->key + length - 8, b->key + length - 8, 8);
	return memcmp(a->key + 4, b->key + 4, length - 4);
}

/* By length, then by bytes; the last of those with the same key comes first. */
static inline int
compare_members(const Member *a, const Member *b)
{
	int			rest;

	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	rest = compare_rest(a, b);
	if (rest != 0)
		return rest;
	return a->value > b->value ? -1 : 1;
}

#define ST_SORT sort_many
#define ST_ELEMENT_TYPE Member
#define ST_COMPARE(a, b) compare_members(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void
sort_members(Member *members, uint32 count)
{
	if (count > FEW_MEMBERS)
	{
		sort_many(members, count);
		return;
	}
	for (uint32 i = 1; i < count; i++)
	{
		Member		member = members[i];
		uint32		place = i;

		for (; place > 0 && compare_members(&member, &members[place - 1]) < 0; place--)
			members[place] = members[place - 1];
		members[place] = member;
	}
}

/* Drop all but the first of those with the same key; returns how many are left. */
static uint32
drop_repeated(Member *members, uint32 count)
{
	uint32		kept = Min(count, 1);

	for (uint32 i = 1; i < count; i++)
	{
		const Member *before = &members[kept - 1];

		if (members[i].order != before->order || compare_rest(&members[i], before) != 0)
			members[kept++] = members[i];
	}
	return kept;
}

/*
 * List the members of an object, as jsonb has them; returns how many.  A value
 * that is dropped may have a number that is an error.
 */
static uint32
list_members(Writer *writer, uint32 token, Member *members)
{
	const DsTape *tape = writer->tape;
	uint32		count = ds_token_size(&tape->tokens[token]);
	uint32		kept;

	token++;
	for (uint32 i = 0; i < count; i++)
	{
		const DsToken *key = &tape->tokens[token];
		const char *text = ds_token_text(tape, key);

		members[i] = (Member) {order_of(text, ds_token_size(key)), text, token + 1};
		token = next_token(tape, token + 1);
	}
	sort_members(members, count);
	kept = drop_repeated(members, count);
	writer->is_left_to_server |= kept < count && tape->has_numbers;
	return kept;
}

static JEntry
write_members(Writer *writer, const Member *members, uint32 count)
{
	uint32		begin = writer->length;
	Entries		entries = begin_entries(writer, JB_FOBJECT | count, 2 * count);

	for (uint32 i = 0; i < count; i++)
		add_entry(writer, &entries, write_string(writer, &writer->tape->tokens[members[i].value - 1]));
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_entry(writer, &entries, write_value(writer, members[i].value));
	}
	return end_container(writer, begin);
}

static JEntry
write_object(Writer *writer, uint32 token)
{
	uint32		count = ds_token_size(&writer->tape->tokens[token]);
	Member		few[MEMBERS_ON_STACK];
	Member	   *members = count <= MEMBERS_ON_STACK ? few : palloc(count * sizeof(Member));
	JEntry		entry = write_members(writer, members, list_members(writer, token, members));

	if (members != few)
		pfree(members);
	return entry;
}

/* Write a value; returns its entry, with its length. */
static JEntry
write_value(Writer *writer, uint32 token)
{
	const DsToken *value = &writer->tape->tokens[token];

	switch (ds_token_type(value))
	{
		case DS_TOKEN_NULL:
			return JENTRY_ISNULL;
		case DS_TOKEN_FALSE:
			return JENTRY_ISBOOL_FALSE;
		case DS_TOKEN_TRUE:
			return JENTRY_ISBOOL_TRUE;
		case DS_TOKEN_INTEGER:
		case DS_TOKEN_DECIMAL:
		case DS_TOKEN_NUMBER:
			return write_number(writer, value);
		case DS_TOKEN_STRING:
		case DS_TOKEN_DECODED:
			return write_string(writer, value);
		case DS_TOKEN_ARRAY:
			return write_array(writer, token);
		default:
			return write_object(writer, token);
	}
}

/* A value that is no container is the element of an array, for jsonb. */
static void
write_scalar(Writer *writer)
{
	uint32		begin = writer->length;
	Entries		entries = begin_entries(writer, JB_FARRAY | JB_FSCALAR | 1, 1);

	add_entry(writer, &entries, write_value(writer, 0));
	(void) end_container(writer, begin);
}

/* Make the jsonb; NULL when that is left to the server, as it would be larger than one can be. */
Jsonb *
ds_json_build(const DsTape *tape)
{
	/* The header of the value, and of an array where there is none; and what write_string() writes after the last. */
	uint64		room = tape->bound + VARHDRSZ + sizeof(uint32) + sizeof(JEntry) + DS_TOKEN_SLACK;
	Writer		writer = {.tape = tape, .length = VARHDRSZ};

	if (room > MaxAllocSize)
		return NULL;
	writer.out = palloc(room);
	if (ds_token_type(&tape->tokens[0]) >= DS_TOKEN_ARRAY)
		(void) write_value(&writer, 0);
	else
		write_scalar(&writer);
	if (writer.is_left_to_server)
	{
		pfree(writer.out);
		return NULL;
	}
	SET_VARSIZE(writer.out, writer.length);
	return (Jsonb *) writer.out;
}

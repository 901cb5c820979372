/*
 * json_build.c - a jsonb from the values of a JSON text
 *
 * Writes, byte for byte, what the server makes of the same values: the format
 * is in src/include/utils/jsonb.h, and src/backend/utils/adt/jsonb_util.c is
 * what writes it there.  Members of an object are sorted by the length of
 * their keys, then by bytes; of those with the same key the last one counts.
 * Each 32nd entry of a container holds where its value ends, others its length.
 *
 * Memory: the result in the current context, and 16 bytes for each member of
 * the objects that are open at a time.
 */
#include "postgres.h"

#include "json/json_build.h"
#include "json/json_number.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Up to so many members are sorted by insertion. */
#define FEW_MEMBERS 16

/* Members that there is room for on the stack. */
#define MEMBERS_ON_STACK 64

typedef struct Member
{
	const char *key;
	uint32		length;
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

static inline void
pad(Writer *writer)
{
	while (writer->length % sizeof(uint32) != 0)
		writer->out[writer->length++] = '\0';
}

static inline JEntry
write_bytes(Writer *writer, const char *bytes, uint32 length)
{
	memcpy(writer->out + writer->length, bytes, length);
	writer->length += length;
	return JENTRY_ISSTRING | length;
}

static JEntry
write_number(Writer *writer, const DsToken *token)
{
	uint32		begin = writer->length;
	const char *text = ds_token_text(writer->tape, token);

	pad(writer);
	if (ds_token_type(token) == DS_TOKEN_DECIMAL)
		writer->length += ds_json_number_write(text, ds_token_size(token), writer->out + writer->length);
	else
		writer->length += ds_json_number_convert(text, ds_token_size(token), writer->out + writer->length);
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

/* By length, then by bytes; the last of those with the same key comes first. */
static int
compare_members(const void *left, const void *right)
{
	const Member *a = left;
	const Member *b = right;
	int			result;

	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	result = memcmp(a->key, b->key, a->length);
	if (result != 0)
		return result;
	return a->value > b->value ? -1 : 1;
}

static void
sort_members(Member *members, uint32 count)
{
	if (count > FEW_MEMBERS)
	{
		qsort(members, count, sizeof(Member), compare_members);
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

		if (members[i].length != before->length ||
			memcmp(members[i].key, before->key, before->length) != 0)
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

		members[i] = (Member) {ds_token_text(tape, key), ds_token_size(key), token + 1};
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
		add_entry(writer, &entries, write_bytes(writer, members[i].key, members[i].length));
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
		case DS_TOKEN_DECIMAL:
		case DS_TOKEN_NUMBER:
			return write_number(writer, value);
		case DS_TOKEN_STRING:
		case DS_TOKEN_DECODED:
			return write_bytes(writer, ds_token_text(writer->tape, value), ds_token_size(value));
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
	/* The header of the value, and of an array where there is none. */
	uint64		room = tape->bound + VARHDRSZ + sizeof(uint32) + sizeof(JEntry);
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

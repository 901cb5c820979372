/*
 * json_tape.h - JSON text as a flat list of its values
 */
#ifndef DS_JSON_TAPE_H
#define DS_JSON_TAPE_H

#include "postgres.h"

typedef enum DsTokenType
{
	DS_TOKEN_NULL,
	DS_TOKEN_FALSE,
	DS_TOKEN_TRUE,
	DS_TOKEN_INTEGER,			/* a number that is short, and without point and exponent */
	DS_TOKEN_DECIMAL,			/* one that is short, and without exponent */
	DS_TOKEN_NUMBER,			/* any other */
	DS_TOKEN_STRING,			/* as it is in the text */
	DS_TOKEN_DECODED,			/* a string that had escapes */
	DS_TOKEN_ARRAY,
	DS_TOKEN_OBJECT
} DsTokenType;

/* Sizes must fit beside the type: which they do wherever a jsonb can be made of it. */
#define DS_TOKEN_SIZE_BITS 28
#define DS_TOKEN_MAX_SIZE ((1U << DS_TOKEN_SIZE_BITS) - 1)

/* So many bytes after the last string that was decoded may be read, too. */
#define DS_TOKEN_SLACK 32

/*
 * A value of the text, or the key of a member.  Those of a container come
 * right after it; of an object keys and values by turns.
 */
typedef struct DsToken
{
	uint32		head;			/* type, and size: bytes of text; elements or members */
	uint32		place;			/* where its text begins; of a container, the token after its last */
} DsToken;

typedef struct DsTape
{
	const char *text;
	const char *text_end;
	char	   *decoded;		/* the strings that had escapes; NULL: none */
	char	   *decoded_end;	/* of its memory */
	DsToken    *tokens;
	uint32		count;
	uint64		bound;			/* no jsonb of this needs more bytes */
	bool		has_numbers;	/* that only the server can say of whether they are too large */
} DsTape;

static inline DsTokenType
ds_token_type(const DsToken *token)
{
	return (DsTokenType) (token->head >> DS_TOKEN_SIZE_BITS);
}

static inline uint32
ds_token_size(const DsToken *token)
{
	return token->head & DS_TOKEN_MAX_SIZE;
}

/* Where the text of a string or number begins. */
static inline const char *
ds_token_text(const DsTape *tape, const DsToken *token)
{
	return (ds_token_type(token) == DS_TOKEN_DECODED ? tape->decoded : tape->text) + token->place;
}

extern bool ds_json_tape_read(const char *text, int length, DsTape *tape);
extern void ds_json_tape_free(DsTape *tape);

#endif							/* DS_JSON_TAPE_H */

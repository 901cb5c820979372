/*
 * json_number.c - numbers of JSON as numeric
 *
 * What numeric_in() makes of them, in the form in which it is stored
 * (src/backend/utils/adt/numeric.c; it has not changed since 9.1, or databases
 * could not be upgraded in place): a header, and digits of base 10,000, which
 * are aligned at the decimal point; zeros at both ends are left out.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "json/json_number.h"
#include "utils/fmgrprotos.h"

/* Decimal digits in one of base 10,000. */
#define DIGITS 4

/* The short header: flags, the digits after the point, and the weight of the first digit. */
#define SHORT_HEADER 0x8000
#define SHORT_NEGATIVE 0x2000
#define SHORT_SCALE_SHIFT 7
#define SHORT_WEIGHT_MASK 0x007f	/* two's complement */
#define SHORT_HEADER_SIZE (VARHDRSZ + sizeof(uint16))

/* Take one digit of base 10,000 from decimal digits of which so many are there; zeros follow. */
static inline int16
take_digit(const char *from, int there)
{
	int			digit = 0;

	for (int i = 0; i < DIGITS; i++)
		digit = digit * 10 + (i < there ? from[i] - '0' : 0);
	return digit;
}

/* The same from the last so many decimal digits before the point, zeros in front of them. */
static inline int16
take_first_digit(const char *from, int there)
{
	int			digit = 0;

	for (int i = 0; i < there; i++)
		digit = digit * 10 + from[i] - '0';
	return digit;
}

/* Write the digits of a number, of which so many come before the point; returns how many. */
static int
write_digits(const char *whole, int whole_length, const char *fraction, int scale, int16 *to)
{
	int			count = 0;
	int			first = whole_length % DIGITS;

	if (first > 0)
		to[count++] = take_first_digit(whole, first);
	for (int i = first; i < whole_length; i += DIGITS)
		to[count++] = take_digit(whole + i, DIGITS);
	for (int i = 0; i < scale; i += DIGITS)
		to[count++] = take_digit(fraction + i, scale - i);
	return count;
}

/*
 * Write a number without exponent that is short enough for the short header;
 * returns how many bytes it takes.  The place is aligned to 4 bytes.
 */
int
ds_json_number_write(const char *text, int length, char *to)
{
	const char *end = text + length;
	bool		is_negative = *text == '-';
	const char *whole = text + is_negative;
	const char *point = memchr(whole, '.', end - whole);
	const char *whole_end = point == NULL ? end : point;
	int			scale = point == NULL ? 0 : end - point - 1;
	int			whole_length = *whole == '0' ? 0 : whole_end - whole;
	int			weight = (whole_length + DIGITS - 1) / DIGITS - 1;
	int16	   *digits = (int16 *) (to + SHORT_HEADER_SIZE);
	int			count = write_digits(whole, whole_length, whole_end + 1, scale, digits);
	int			zeros = 0;

	while (count > 0 && digits[count - 1] == 0)
		count--;
	while (zeros < count && digits[zeros] == 0)
		zeros++;
	if (zeros > 0)
		memmove(digits, digits + zeros, (count -= zeros) * sizeof(int16));
	weight -= zeros;
	if (count == 0)
	{
		is_negative = false;
		weight = 0;
	}

	*(uint16 *) (to + VARHDRSZ) = SHORT_HEADER | (is_negative ? SHORT_NEGATIVE : 0) |
		(scale << SHORT_SCALE_SHIFT) | (weight & SHORT_WEIGHT_MASK);
	SET_VARSIZE(to, SHORT_HEADER_SIZE + count * sizeof(int16));
	return SHORT_HEADER_SIZE + count * sizeof(int16);
}

/* Write any number; returns how many bytes it takes.  22003 when it is too large, as the server says. */
int
ds_json_number_convert(const char *text, int length, char *to)
{
	char	   *number = pnstrdup(text, length);
	Datum		value = DirectFunctionCall3(numeric_in, CStringGetDatum(number),
											ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	int			size = VARSIZE_ANY(DatumGetPointer(value));

	memcpy(to, DatumGetPointer(value), size);
	pfree(DatumGetPointer(value));
	pfree(number);
	return size;
}

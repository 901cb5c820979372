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

/* One digit of base 10,000 from as many decimal digits as it has. */
static inline int16
whole_digit(const char *from)
{
	return from[0] * 1000 + from[1] * 100 + from[2] * 10 + from[3] - '0' * 1111;
}

/* The same from the first few decimal digits of a number, zeros in front of them. */
static inline int16
first_digit(const char *from, int there)
{
	int			digit = 0;

	for (int i = 0; i < there; i++)
		digit = digit * 10 + from[i] - '0';
	return digit;
}

/* And from the last few, zeros behind them. */
static inline int16
last_digit(const char *from, int there)
{
	static const int16 weights[DIGITS] = {0, 1000, 100, 10};

	return first_digit(from, there) * weights[there];
}

/* Write the digits of a number, of which so many come before the point; returns how many. */
static inline int
write_digits(const char *whole, int whole_length, const char *fraction, int scale, int16 *to)
{
	int			count = 0;
	int			first = whole_length % DIGITS;
	int			last = scale % DIGITS;

	if (first > 0)
		to[count++] = first_digit(whole, first);
	for (int i = first; i < whole_length; i += DIGITS)
		to[count++] = whole_digit(whole + i);
	for (int i = 0; i < scale - last; i += DIGITS)
		to[count++] = whole_digit(fraction + i);
	if (last > 0)
		to[count++] = last_digit(fraction + scale - last, last);
	return count;
}

/*
 * Write a number without exponent that is short enough for the short header;
 * returns how many bytes it takes.  The place is aligned to 4 bytes.
 */
static inline int
write_short(const char *whole, const char *whole_end, int scale, bool is_negative, char *to)
{
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

/* Write a short number without point. */
int
ds_json_number_write_integer(const char *text, int length, char *to)
{
	bool		is_negative = *text == '-';

	return write_short(text + is_negative, text + length, 0, is_negative, to);
}

/* Write a short number with a point. */
int
ds_json_number_write_decimal(const char *text, int length, char *to)
{
	bool		is_negative = *text == '-';
	const char *whole = text + is_negative;
	const char *point = whole + 1;

	while (*point != '.')
		point++;
	return write_short(whole, point, text + length - point - 1, is_negative, to);
}

/*
 * Whether a number is whole, not negative and below 10,000, which is then
 * *value: one digit of base 10,000, or none for zero.  Most are that, and it
 * takes far less time than to write them down.
 */
bool
ds_json_number_is_small(Numeric number, int64 *value)
{
	const char *bytes = (const char *) number;
	Size		size = VARSIZE(bytes);

	if (size < SHORT_HEADER_SIZE || *(const uint16 *) (bytes + VARHDRSZ) != SHORT_HEADER)
		return false;
	if (size == SHORT_HEADER_SIZE)
		*value = 0;
	else if (size == SHORT_HEADER_SIZE + sizeof(int16))
		*value = *(const int16 *) (bytes + SHORT_HEADER_SIZE);
	else
		return false;
	return true;
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

/*
 * json_text.h - the inside of JSON strings, many bytes at a time
 *
 * Most of a document is in its strings, and most of a string is bytes that
 * mean themselves.  They are passed over in steps of 16, with the vector
 * instructions that every x86-64 and every 64-bit ARM has, or else in steps of
 * 8 with those of any processor.  DS_PORTABLE_SCAN takes the latter by force,
 * so that they can be tested where the others are.
 */
#ifndef DS_JSON_TEXT_H
#define DS_JSON_TEXT_H

#include "postgres.h"

#include "port/pg_bitutils.h"

#if !defined(DS_PORTABLE_SCAN) && (defined(__x86_64__) || defined(_M_AMD64))
#define DS_SCAN_SSE2
#include <emmintrin.h>
#elif !defined(DS_PORTABLE_SCAN) && defined(__aarch64__) && defined(__ARM_NEON)
#define DS_SCAN_NEON
#include <arm_neon.h>
#endif

/* Whether a byte cannot stand for itself in a string: its end, an escape, or a control character. */
static inline bool
ds_json_is_special(char c)
{
	return c == '"' || c == '\\' || (unsigned char) c < 0x20;
}

#if defined(DS_SCAN_SSE2)

#define DS_SCAN_STEP 16

/* How many of the next DS_SCAN_STEP bytes come before the first that is special. */
static inline int
ds_json_scan_step(const char *at)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *) at);
	const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	const __m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
	int			found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, escape), control));

	return found == 0 ? DS_SCAN_STEP : pg_rightmost_one_pos32(found);
}

#elif defined(DS_SCAN_NEON)

#define DS_SCAN_STEP 16

static inline int
ds_json_scan_step(const char *at)
{
	const uint8x16_t bytes = vld1q_u8((const uint8_t *) at);
	const uint8x16_t found = vorrq_u8(vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('"')), vceqq_u8(bytes, vdupq_n_u8('\\'))),
									  vcltq_u8(bytes, vdupq_n_u8(0x20)));

	/* Four bits for each byte. */
	uint64		mask = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(found), 4)), 0);

	return mask == 0 ? DS_SCAN_STEP : pg_rightmost_one_pos64(mask) / 4;
}

#else

#define DS_SCAN_STEP 8

/* Whether any byte of a word is less than n, which is at most 128. */
static inline bool
ds_json_has_less(uint64 word, uint64 n)
{
	const uint64 ones = ~UINT64CONST(0) / 255;

	return ((word - ones * n) & ~word & ones * 128) != 0;
}

static inline int
ds_json_scan_step(const char *at)
{
	const uint64 ones = ~UINT64CONST(0) / 255;
	uint64		word;
	int			passed = 0;

	memcpy(&word, at, sizeof(word));
	if (!ds_json_has_less(word, 0x20) && !ds_json_has_less(word ^ ones * '"', 1) &&
		!ds_json_has_less(word ^ ones * '\\', 1))
		return DS_SCAN_STEP;
	while (passed < DS_SCAN_STEP && !ds_json_is_special(at[passed]))
		passed++;
	return passed;
}

#endif

/* The first special byte of a string, or its end where there is none.  No byte at or after the end is read. */
static inline const char *
ds_json_scan(const char *at, const char *end)
{
	while (end - at >= DS_SCAN_STEP)
	{
		int			passed = ds_json_scan_step(at);

		at += passed;
		if (passed < DS_SCAN_STEP)
			return at;
	}
	while (at < end && !ds_json_is_special(*at))
		at++;
	return at;
}

#endif							/* DS_JSON_TEXT_H */

/*
 * scan_test.c - the steps in which strings are scanned, against a look at each byte
 *
 * Compiled for each way there is (json_text.h), and run outside of a server:
 * all bytes at all places of a text, with and without others after it, and
 * texts that end where their memory does.
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "json/json_text.h"

#undef printf

#define PAGE 4096
#define LONGEST 70

static int	failures = 0;

static const char *
look(const char *at, const char *end)
{
	while (at < end && *at != '"' && *at != '\\' && (unsigned char) *at >= 0x20)
		at++;
	return at;
}

static void
compare(const char *text, int length)
{
	const char *found = ds_json_scan(text, text + length);
	const char *expected = look(text, text + length);

	if (found != expected && failures++ == 0)
		printf("# of %d bytes %d are passed, and not %d\n", length, (int) (found - text), (int) (expected - text));
}

int
main(void)
{
	/* A page that cannot be read follows. */
	char	   *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long		texts = 0;

	if (memory == MAP_FAILED || mprotect(memory + PAGE, PAGE, PROT_NONE) != 0)
		return 2;
	for (int length = 0; length <= LONGEST; length++)
	{
		char	   *text = memory + PAGE - length;

		for (int place = 0; place <= length; place++)
			for (int byte = 0; byte < 256; byte++)
			{
				memset(memory, 'x', PAGE);
				if (place < length)
					text[place] = byte;
				/* One more behind it, that must not be taken for the first. */
				if (place + 3 < length)
					text[place + 3] = "\"\\\x1f\xff"[byte % 4];
				compare(text, length);
				texts++;
			}
	}
	printf("%s - %ld texts, in steps of %d bytes\n", failures == 0 ? "ok" : "not ok", texts, DS_SCAN_STEP);
	return failures == 0 ? 0 : 1;
}

/*
 * flush.c - a disk that always takes the same time
 *
 * Preloaded into a server, it puts a pause in place of each flush, of as many
 * microseconds as FLUSH_US says.  What is compared is then what the servers do,
 * and how often they wait, whatever the disk of this machine is busy with.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int
pause_for_flush(void)
{
	const char *given = getenv("FLUSH_US");
	long		us = given == NULL ? 0 : atol(given);
	struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	/* A signal ends it early, which would be an error. */
	while (nanosleep(&pause, &pause) != 0)
		;
	return 0;
}

int
fsync(int file)
{
	(void) file;
	return pause_for_flush();
}

int
fdatasync(int file)
{
	(void) file;
	return pause_for_flush();
}

/*
 * client.h - what the programs that measure have in common
 *
 * Each is one file, so all of this is static.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <errno.h>
#include <fnmatch.h>
#include <libpq-fe.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define lengthof(array) ((int) (sizeof(array) / sizeof((array)[0])))

static uint64_t random_state = 88172645463325252;

static inline void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

/* The same numbers in every run. */
static inline int
random_below(int limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (int) ((random_state >> 33) % (uint64_t) limit);
}

static inline char *__attribute__((format(printf, 1, 2)))
text(const char *format,...)
{
	va_list		arguments;
	char	   *result;

	va_start(arguments, format);
	if (vasprintf(&result, format, arguments) < 0)
		die("out of memory");
	va_end(arguments);
	return result;
}

/*
 * Move a process to our last processor.  We and the server processes that we
 * measure are all there: they take turns anyway, and waking one another across
 * processors costs an amount that changes with whatever else goes on.
 */
static inline void
pin(pid_t pid)
{
	static int	processor = CPU_SETSIZE;
	cpu_set_t	set;

	if (processor == CPU_SETSIZE && sched_getaffinity(0, sizeof(set), &set) == 0)
		while (--processor > 0 && !CPU_ISSET(processor, &set))
			;
	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) != 0)
		die("process %d cannot be moved to processor %d", (int) pid, processor);
}

static inline PGconn *
connect_to(const char *conninfo)
{
	PGconn	   *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	return conn;
}

static inline PGresult *
query(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		die("%s: %s", sql, PQerrorMessage(conn));
	return result;
}

static inline void __attribute__((format(printf, 2, 3)))
run(PGconn *conn, const char *format,...)
{
	va_list		arguments;
	char	   *sql;

	va_start(arguments, format);
	if (vasprintf(&sql, format, arguments) < 0)
		die("out of memory");
	va_end(arguments);
	PQclear(query(conn, sql));
	free(sql);
}

/* Write down an order drawn by lot. */
static inline void
draw_order(int count, int *order)
{
	for (int i = 0; i < count; i++)
	{
		int			j = random_below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

/* Whether one of the patterns, separated by commas, is the cell's name. */
static inline bool
is_wanted(const char *patterns, const char *name)
{
	char	   *list = strdup(patterns);
	bool		wanted = false;

	for (char *pattern = strtok(list, ","); pattern != NULL; pattern = strtok(NULL, ","))
		wanted |= fnmatch(pattern, name, 0) == 0;
	free(list);
	return wanted;
}

static inline void
write_words(FILE *out, int count)
{
	static const char *const words[] = {
		"coffee", "the", "roast", "with", "morning", "a", "filter", "house", "served", "from", "beans",
		"oat", "and", "milk", "slowly", "of", "dark", "fruit", "garden", "café", "notes", "in", "cup", "\\\"best\\\"",
		"seat", "window", "by", "river", "cold", "fresh", "brewed", "caramel", "honey", "walnut", "every", "day"
	};

	for (int i = 0; i < count; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", words[random_below(lengthof(words))]);
}

/* The CPU clock of the server process of a session. */
static inline clockid_t
clock_of(PGconn *conn)
{
	clockid_t	clock;

	if (clock_getcpuclockid(PQbackendPID(conn), &clock) != 0)
		die("the server process is not on this machine");
	return clock;
}

static inline double
nanoseconds(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		die("the server process has no CPU clock");
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/*
 * Open a session that is measured, with a statement whose parameters have these
 * types, or those that the server finds out.  It has a generic plan, and has
 * made one large allocation: measure.c says why.
 */
static inline PGconn *
open_measured(const char *conninfo, const char *statement, const char *sql, int count, const Oid *types)
{
	PGconn	   *conn = connect_to(conninfo);
	PGresult   *result;

	pin(PQbackendPID(conn));
	run(conn, "SET plan_cache_mode = force_generic_plan");
	run(conn, "SELECT length(repeat('x', 30000000))");
	result = PQprepare(conn, statement, sql, count, types);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	return conn;
}

#endif							/* BENCH_CLIENT_H */

/*
 * measure_parse.c - what reading JSON costs the server, by docstore.parse and by its own parser
 *
 * usage: measure_parse ROUNDS CELLS CONNINFO [CONNINFO]
 *
 * A cell is one kind of text.  A table has as many different ones as make up
 * about a megabyte, not compressed, and one statement reads them all: by
 * docstore.parse, by the cast to jsonb, or only from the table, which is
 * taken off.  All take turns, in an order drawn by lot, in new sessions for
 * each round.  First both have to make the same bytes of each text.
 *
 * Writes lines as measure.c does: the kind of the last contender is parse,
 * what reading the input takes.
 */
#include "client.h"
#include "documents.h"

#define MAX_TEXTS 10000
#define TOTAL_BYTES 1000000
#define TURNS 8					/* in a round */
#define MAX_SERVERS 2

typedef struct Contender
{
	const char *name;
	const char *kind;
	const char *sql;
} Contender;

static const Contender contenders[] = {
	{"docstore.parse", "docstore", "SELECT count(docstore.parse(t)) FROM texts"},
	{"::jsonb", "sql", "SELECT count(t::jsonb) FROM texts"},
	{"table", "parse", "SELECT count(octet_length(t || '')) FROM texts"},
};

static char *
make_batch(int items)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	for (int i = 0; i < items; i++)
	{
		char	   *document = make_document(1024);

		fprintf(out, "%s{\"op\":\"upsert\",\"collection\":\"shops\",\"id\":\"%08x\",\"data\":%s,\"expected\":%d}",
				i > 0 ? "," : "[", i * 2654435761u, document, 1 + random_below(9));
		free(document);
	}
	fputc(']', out);
	fclose(out);
	return result;
}

/* Debian's package iso-codes. */
static char *
read_iso_codes(int unused)
{
	FILE	   *in = fopen("/usr/share/iso-codes/json/iso_3166-2.json", "r");
	char	   *result = NULL;
	size_t		size = 0;

	(void) unused;
	if (in == NULL || getdelim(&result, &size, '\0', in) < 0)
		die("the package iso-codes is not installed");
	fclose(in);
	return result;
}

static const struct
{
	const char *name;
	char	   *(*make) (int size);
	int			size;
}			kinds[] = {
	{"flat-100b", make_flat_document, 100},
	{"flat-1k", make_flat_document, 1024},
	{"flat-10k", make_flat_document, 10240},
	{"rich-1k", make_document, 1024},
	{"rich-10k", make_document, 10240},
	{"numbers", make_numbers, 1000},
	{"batch", make_batch, 1000},
	{"iso-codes", read_iso_codes, 0},
	{"geojson", make_geojson, 1000000},
};

/* Returns how many texts there are. */
static int
fill(PGconn *conn, int kind)
{
	int			count = 0;
	int64_t		total = 0;
	PGresult   *result;

	run(conn, "DROP TABLE IF EXISTS texts");
	run(conn, "CREATE TABLE texts (t text)");
	run(conn, "ALTER TABLE texts ALTER t SET STORAGE EXTERNAL");
	for (; count < MAX_TEXTS && total < TOTAL_BYTES; count++)
	{
		char	   *made = kinds[kind].make(kinds[kind].size);

		total += strlen(made);
		result = PQexecParams(conn, "INSERT INTO texts VALUES ($1)", 1, NULL, (const char *const[]) {made}, NULL, NULL, 0);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			die("%s: %s", kinds[kind].name, PQerrorMessage(conn));
		PQclear(result);
		free(made);
	}
	run(conn, "VACUUM (FREEZE, ANALYZE) texts");
	result = query(conn, "SELECT count(*) FROM texts WHERE jsonb_send(docstore.parse(t)) <> jsonb_send(t::jsonb)");
	if (atoi(PQgetvalue(result, 0, 0)) != 0)
		die("%s: docstore.parse makes another jsonb of it", kinds[kind].name);
	PQclear(result);
	fprintf(stderr, "texts of %s: %d bytes on average\n", kinds[kind].name, (int) (total / count));
	return count;
}

static void
sample(const char *cell, int server, const Contender *contender, PGconn *conn, clockid_t clock, int turn, int count)
{
	double		began = nanoseconds(CLOCK_MONOTONIC);
	double		cpu = nanoseconds(clock);
	PGresult   *result = query(conn, contender->sql);

	cpu = nanoseconds(clock) - cpu;
	if (atoi(PQgetvalue(result, 0, 0)) != count)
		die("%s, %s: %s of %d texts", cell, contender->name, PQgetvalue(result, 0, 0), count);
	PQclear(result);
	if (turn >= 0)
		printf("%s\t%d\t%s\t%s\ttext\t1\t%d\t%.0f\t%d\t%d\t%.0f\t%.0f\n", cell, server, contender->name, contender->kind,
			   PQbackendPID(conn), began, turn, count, cpu, nanoseconds(CLOCK_MONOTONIC) - began);
}

static void
measure_round(const char *cell, char **conninfos, int servers, int round, int count)
{
	PGconn	   *conns[MAX_SERVERS];
	clockid_t	clocks[MAX_SERVERS];
	int			order[MAX_SERVERS * lengthof(contenders)];

	for (int s = 0; s < servers; s++)
	{
		conns[s] = connect_to(conninfos[s]);
		pin(PQbackendPID(conns[s]));
		clocks[s] = clock_of(conns[s]);
	}
	for (int turn = -1; turn < TURNS; turn++)
	{
		draw_order(servers * lengthof(contenders), order);
		for (int i = 0; i < servers * lengthof(contenders); i++)
		{
			int			s = order[i] / lengthof(contenders);

			sample(cell, s, &contenders[order[i] % lengthof(contenders)], conns[s], clocks[s],
				   turn < 0 ? turn : round * TURNS + turn, count);
		}
	}
	for (int s = 0; s < servers; s++)
		PQfinish(conns[s]);
}

int
main(int argc, char **argv)
{
	int			servers = argc - 3;

	if (servers < 1 || servers > MAX_SERVERS)
		die("usage: measure_parse ROUNDS CELLS CONNINFO [CONNINFO]");
	pin(0);
	for (int kind = 0; kind < lengthof(kinds); kind++)
	{
		char	   *cell = text("parse-%s", kinds[kind].name);
		int			count = 0;

		if (!is_wanted(argv[2], cell))
			continue;
		for (int s = 0; s < servers; s++)
		{
			PGconn	   *keeper = connect_to(argv[3 + s]);

			run(keeper, "SET client_min_messages = warning");
			run(keeper, "CREATE EXTENSION IF NOT EXISTS docstore");
			random_state = 88172645463325252;
			count = fill(keeper, kind);
			PQfinish(keeper);
		}
		for (int round = 0; round < atoi(argv[1]); round++)
			measure_round(cell, argv + 3, servers, round, count);
		fprintf(stderr, "%s: done\n", cell);
		fflush(stdout);
		free(cell);
	}
	return 0;
}

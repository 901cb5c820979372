/*
 * measure_merge.c - what a merge costs, beside an upsert of the same document
 *
 * usage: measure_merge ROUNDS CELLS CONNINFO
 *
 * In each turn every contender, a collection of documents of 1 KB, is written
 * the same way, in a session of its own, one after the other in an order drawn
 * by lot: compare them within a turn.  A sample is one transaction.  Each round
 * has new collections and new sessions.  Two edits of a document have been made,
 * each of another member; one was stored where the version is a later one.
 *
 * Measured is the CPU time of the server process.  What is stored is checked
 * after each round, and what merge3 returns.
 *
 * Writes a line for each sample: cell, contender, turn, calls, CPU ns.
 */
#include "client.h"
#include "documents.h"

#define STATEMENT "measured"
#define DOCUMENTS 2000			/* in each collection */
#define SAMPLE 100				/* calls in a sample */
#define TURNS (DOCUMENTS / SAMPLE)	/* in a round: each document is written once */
#define WARM_UP 2				/* turns at the start of a round that are not counted */
#define LONG_DOCUMENT 100000

/* $1 is the id, $2 mine, $3 the version that both edits began with, $4 what they began with; %1$s is the collection. */
#define UPSERT "SELECT docstore.upsert('%1$s', $1, $2::jsonb, $3::bigint) WHERE $4 <> ''"
#define MERGE "SELECT version FROM docstore.merge('%1$s', $1, $2::jsonb, $3::bigint, base => $4::jsonb)"
#define BY_HAND "SELECT docstore.upsert('%1$s', $1, m.merged, l.version) FROM docstore.load('%1$s', $1) l," \
	" docstore.merge3($4::jsonb, $2::jsonb, l.data) m WHERE $3 <> '' AND m.merged IS NOT NULL"

typedef struct Contender
{
	const char *name;
	const char *sql;
	bool		is_later;		/* somebody has stored the other edit */
} Contender;

static const Contender contenders[] = {
	{"upsert", UPSERT, false},
	{"merge_upsert", MERGE, false},
	{"merge", MERGE, true},
	{"by_hand", BY_HAND, true},
};

#define CONTENDERS lengthof(contenders)

/* merge3 alone, of documents with so many bytes, and the rules. */
static const struct
{
	const char *name;
	int			bytes;
	bool		is_flat;
	const char *rules;
}			values[] = {
	{"flat, 1 KB", 1000, true, "{}"},
	{"rich, 1 KB", 1000, false, "{}"},
	{"rich, 1 KB, with a keyed array", 1000, false, "{\"/menu\": {\"key\": \"name\"}}"},
	{"flat, 100 KB", LONG_DOCUMENT, true, "{}"},
	{"rich, 100 KB", LONG_DOCUMENT, false, "{}"},
};

static const char *conninfo;
static PGconn *keeper;
static PGconn *sessions[CONTENDERS];
static clockid_t clocks[CONTENDERS];
static char *base[DOCUMENTS];
static char *mine[DOCUMENTS];

static void
make_documents(void)
{
	for (int i = 0; i < DOCUMENTS; i++)
	{
		base[i] = make_document(1000);
		mine[i] = text("{\"seats\":%d,%s", random_below(100), base[i] + 1);
	}
}

/* A collection in which half of each page is free for new versions. */
static void
make_collection(const Contender *contender)
{
	run(keeper, "DROP TABLE IF EXISTS %s", contender->name);
	run(keeper, "SELECT docstore.create_collection('%s')", contender->name);
	run(keeper, "ALTER TABLE %s SET (fillfactor = 45)", contender->name);
	for (int i = 0; i < DOCUMENTS; i++)
	{
		char	   *document = PQescapeLiteral(keeper, base[i], strlen(base[i]));

		run(keeper, "INSERT INTO %s (id, version, data) VALUES ('%d', %d, %s::jsonb || '%s')", contender->name, i,
			contender->is_later ? 2 : 1, document, contender->is_later ? "{\"closes\": 20}" : "{}");
		PQfreemem(document);
	}
	run(keeper, "VACUUM (FREEZE, ANALYZE) %s", contender->name);
}

static void
open_session(int i)
{
	char	   *sql = text(contenders[i].sql, contenders[i].name);

	PQfinish(sessions[i]);
	sessions[i] = open_measured(conninfo, STATEMENT, sql, 4, (Oid[]) {25, 25, 25, 25});
	clocks[i] = clock_of(sessions[i]);
	free(sql);
}

static void
take_sample(int i, int turn, int number)
{
	double		cpu;

	run(sessions[i], "BEGIN");
	cpu = nanoseconds(clocks[i]);
	for (int n = turn * SAMPLE; n < (turn + 1) * SAMPLE; n++)
	{
		char	   *id = text("%d", n);
		PGresult   *result = PQexecPrepared(sessions[i], STATEMENT, 4, (const char *[]) {id, mine[n], "1", base[n]}, NULL, NULL, 0);

		if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
			atoi(PQgetvalue(result, 0, 0)) != (contenders[i].is_later ? 3 : 2))
			die("%s: %s", contenders[i].name, PQerrorMessage(sessions[i]));
		PQclear(result);
		free(id);
	}
	cpu = nanoseconds(clocks[i]) - cpu;
	run(sessions[i], "COMMIT");
	if (turn >= WARM_UP)
		printf("write\t%s\t%d\t%d\t%.0f\n", contenders[i].name, number, SAMPLE, cpu);
}

/* Whether every document has my edit, and the other one where that was stored. */
static void
check_collection(const Contender *contender)
{
	char	   *sql = text("SELECT count(*) FROM %s WHERE data ? 'seats' AND data ? 'closes' = %s", contender->name,
						   contender->is_later ? "true" : "false");
	PGresult   *result = query(keeper, sql);

	if (atoi(PQgetvalue(result, 0, 0)) != DOCUMENTS)
		die("%s: %s documents are as they must be", contender->name, PQgetvalue(result, 0, 0));
	PQclear(result);
	free(sql);
}

static void
take_round(int number)
{
	int			order[CONTENDERS];

	draw_order(CONTENDERS, order);
	for (int i = 0; i < CONTENDERS; i++)
		make_collection(&contenders[order[i]]);
	run(keeper, "CHECKPOINT");
	for (int i = 0; i < CONTENDERS; i++)
		open_session(i);
	for (int turn = 0; turn < TURNS; turn++)
	{
		draw_order(CONTENDERS, order);
		for (int i = 0; i < CONTENDERS; i++)
			take_sample(order[i], turn, number * TURNS + turn);
	}
	for (int i = 0; i < CONTENDERS; i++)
		check_collection(&contenders[i]);
}

/* What a statement over a table of documents costs. */
static double
statement_cpu(const char *sql, clockid_t clock, int expected)
{
	double		cpu = nanoseconds(clock);
	PGresult   *result = query(keeper, sql);

	cpu = nanoseconds(clock) - cpu;
	if (atoi(PQgetvalue(result, 0, 0)) != expected)
		die("%s: %s, not %d", sql, PQgetvalue(result, 0, 0), expected);
	PQclear(result);
	return cpu;
}

/* merge3 over a table of documents, less what reading that costs. */
static void
take_values(int i, int number)
{
	int			count = values[i].bytes == LONG_DOCUMENT ? 50 : 2000;
	clockid_t	clock = clock_of(keeper);
	double		cpu;
	char	   *sql;

	run(keeper, "DROP TABLE IF EXISTS edits; CREATE TEMP TABLE edits (base jsonb, mine jsonb, theirs jsonb)");
	run(keeper, "ALTER TABLE edits ALTER base SET STORAGE PLAIN, ALTER mine SET STORAGE PLAIN, ALTER theirs SET STORAGE PLAIN");
	if (values[i].bytes == LONG_DOCUMENT)
		run(keeper, "ALTER TABLE edits ALTER base SET STORAGE EXTERNAL, ALTER mine SET STORAGE EXTERNAL, ALTER theirs SET STORAGE EXTERNAL");
	for (int n = 0; n < count; n++)
	{
		char	   *document = values[i].is_flat ? make_flat_document(values[i].bytes) : make_document(values[i].bytes);
		char	   *quoted = PQescapeLiteral(keeper, document, strlen(document));

		run(keeper, "INSERT INTO edits SELECT d, d || '{\"seats\": 1}', d || '{\"closes\": 20}' FROM (VALUES (%s::jsonb)) v (d)", quoted);
		PQfreemem(quoted);
		free(document);
	}
	/* What is read is read whole, as merge3 has to. */
	cpu = statement_cpu("SELECT count(*) FROM edits WHERE base ? 'no' OR mine ? 'seats' AND theirs ? 'closes'", clock, count);
	sql = text("SELECT count(m.merged) FROM edits, docstore.merge3(base, mine, theirs, '%s') m", values[i].rules);
	statement_cpu(sql, clock, count);
	cpu = statement_cpu(sql, clock, count) - cpu;
	printf("%s\tmerge3\t%d\t%d\t%.0f\n", values[i].name, number, count, cpu);
	free(sql);
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: measure_merge ROUNDS CELLS CONNINFO");
	pin(0);
	conninfo = argv[3];
	keeper = connect_to(conninfo);
	pin(PQbackendPID(keeper));
	run(keeper, "SET client_min_messages = warning");
	run(keeper, "CREATE EXTENSION IF NOT EXISTS docstore");
	make_documents();
	for (int round = 0; round < atoi(argv[1]); round++)
	{
		if (is_wanted(argv[2], "write"))
			take_round(round);
		for (int i = 0; i < lengthof(values); i++)
			if (is_wanted(argv[2], "merge3"))
				take_values(i, round);
	}
	return 0;
}

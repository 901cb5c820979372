/*
 * measure_guard.c - what a guard costs a table that others write
 *
 * usage: measure_guard ROUNDS CELLS CONNINFO LIBRARY
 *        measure_guard --sql CELL CONTENDER CALLS
 *
 * In each turn every contender, a table with one kind of trigger, is written
 * the same way, in a session of its own, one after the other in an order drawn
 * by lot: compare them within a turn.  A sample is one transaction.  Each round
 * has new tables, made in an order drawn by lot, and new sessions.  LIBRARY has
 * the smallest trigger, smallest.c.
 *
 * Measured is the CPU time of the server process.  The versions of what is
 * written are checked after each round.
 *
 * Writes a line for each sample: cell, contender, turn, rows, CPU ns, elapsed ns.
 *
 * With --sql nothing is measured: it writes the statements of a cell, one a
 * line, for a server in single-user mode whose instructions are counted.
 */
#include "client.h"

#define STATEMENT "measured"
#define ROWS 20000				/* in each table */
#define SAMPLE 1000				/* rows in a sample */
#define TURNS 19				/* in a round: each row but the first thousand is updated once */
#define WARM_UP 2				/* turns at the start of a round that are not counted */

typedef struct Cell
{
	const char *name;
	const char *sql;			/* %s is the table */
	int			rows;			/* that a call writes: 1, or as many as a sample */
	bool		inserts;
	bool		checks;			/* only rows at the version that it has seen */
} Cell;

/*
 * As ORMs write: those that count themselves say which version they have seen,
 * others send nothing of it.  $1 is a row, the first of many when a call writes
 * many, and $2 something new.
 */
static const Cell cells[] = {
	{"update-sent", "UPDATE %s SET name = $2::text, updated_at = now(), version = 2 WHERE id = $1::bigint AND version = 1", 1, false, true},
	{"update-computed", "UPDATE %s SET name = $2::text, updated_at = now(), version = version + 1 WHERE id = $1::bigint", 1, false, false},
	{"update-left", "UPDATE %s SET name = $2::text, updated_at = now() WHERE id = $1::bigint", 1, false, false},
	{"update1000-computed", "UPDATE %s SET name = $2::text, version = version + 1 WHERE id >= $1::bigint AND id < $1::bigint + 1000", SAMPLE, false, false},
	{"update1000-left", "UPDATE %s SET name = $2::text WHERE id >= $1::bigint AND id < $1::bigint + 1000", SAMPLE, false, false},
	{"insert", "INSERT INTO %s (id, version, name, email, amount) VALUES ($1::bigint, 1, $2::text, 'somebody@example.com', 1)", 1, true, false},
	{"insert1000", "INSERT INTO %s (id, version, name, email, amount) SELECT i, 1, $2::text, 'somebody@example.com', 1 FROM generate_series($1::bigint, $1::bigint + 999) i", SAMPLE, true, false},
};

typedef struct Contender
{
	const char *name;
	const char *trigger;		/* its function; NULL: none */
	bool		counts;			/* versions that are left out */
} Contender;

static const Contender contenders[] = {
	{"none", NULL, false},
	{"smallest", "smallest()", false},
	{"guard", "guard", true},
	{"plpgsql", "checked()", true},
};

#define CONTENDERS lengthof(contenders)

static const char *conninfo;
static PGconn *keeper;
static PGconn *sessions[CONTENDERS];
static clockid_t clocks[CONTENDERS];

/* A table as an application has it, half of each page free for new versions of its rows. */
static void
make_table(const Contender *contender)
{
	run(keeper, "DROP TABLE IF EXISTS %s", contender->name);
	run(keeper, "CREATE TABLE %s (id bigint PRIMARY KEY, version int NOT NULL, name text, email text, amount numeric,"
		" created_at timestamptz DEFAULT now(), updated_at timestamptz) WITH (fillfactor = 45)", contender->name);
	if (contender->trigger != NULL && strcmp(contender->trigger, "guard") == 0)
		run(keeper, "SELECT docstore.guard('%s')", contender->name);
	else if (contender->trigger != NULL)
		run(keeper, "CREATE TRIGGER docstore_guard BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s",
			contender->name, contender->trigger);
	run(keeper, "INSERT INTO %s SELECT i, 1, 'name of ' || i, 'somebody' || i || '@example.com', i, now(), now()"
		" FROM generate_series(1, %d) i", contender->name, ROWS);
	run(keeper, "VACUUM (FREEZE, ANALYZE) %s", contender->name);
}

static void
open_session(int i, const Cell *cell)
{
	char	   *sql = text(cell->sql, contenders[i].name);

	PQfinish(sessions[i]);
	sessions[i] = open_measured(conninfo, STATEMENT, sql, 0, NULL);
	clocks[i] = clock_of(sessions[i]);
	free(sql);
}

static void
call(PGconn *conn, const Cell *cell, const char *id)
{
	const char *values[] = {id, "another name, a little longer"};
	PGresult   *result = PQexecPrepared(conn, STATEMENT, 2, values, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_COMMAND_OK || atoi(PQcmdTuples(result)) != cell->rows)
		die("%s: %s rows, %s", cell->name, PQcmdTuples(result), PQerrorMessage(conn));
	PQclear(result);
}

/* The rows that a turn writes begin here. */
static int64_t
first_row(const Cell *cell, int turn)
{
	return (cell->inserts ? ROWS : 0) + 1 + (int64_t) turn * SAMPLE;
}

static void
take_sample(int i, const Cell *cell, int turn, int number)
{
	static char ids[SAMPLE][24];
	int			calls = SAMPLE / cell->rows;
	double		cpu;
	double		elapsed;

	for (int n = 0; n < calls; n++)
		snprintf(ids[n], sizeof(ids[n]), "%lld", (long long) first_row(cell, turn) + (cell->rows == 1 ? n * 7 % SAMPLE : 0));
	run(sessions[i], "BEGIN");
	elapsed = nanoseconds(CLOCK_MONOTONIC);
	cpu = nanoseconds(clocks[i]);
	for (int n = 0; n < calls; n++)
		call(sessions[i], cell, ids[n]);
	cpu = nanoseconds(clocks[i]) - cpu;
	elapsed = nanoseconds(CLOCK_MONOTONIC) - elapsed;
	run(sessions[i], "COMMIT");
	if (turn >= WARM_UP)
		printf("%s\t%s\t%d\t%d\t%.0f\t%.0f\n", cell->name, contenders[i].name, number, SAMPLE, cpu, elapsed);
}

/* Whether all rows that were written have the version that they must have. */
static void
check_table(const Contender *contender, const Cell *cell)
{
	bool		counted = contender->counts || strstr(cell->sql, "version = ") != NULL;
	char	   *sql = text("SELECT count(*) FROM %s WHERE version = %d AND name LIKE 'another%%'", contender->name,
						   cell->inserts || !counted ? 1 : 2);
	PGresult   *result = query(keeper, sql);

	if (atoi(PQgetvalue(result, 0, 0)) != TURNS * SAMPLE)
		die("%s, %s: %s rows are as they must be", cell->name, contender->name, PQgetvalue(result, 0, 0));
	PQclear(result);
	free(sql);
}

static void
take_round(const Cell *cell, int number)
{
	int			order[CONTENDERS];

	draw_order(CONTENDERS, order);
	for (int i = 0; i < CONTENDERS; i++)
		make_table(&contenders[order[i]]);
	run(keeper, "CHECKPOINT");
	for (int i = 0; i < CONTENDERS; i++)
		open_session(i, cell);
	for (int turn = 0; turn < TURNS; turn++)
	{
		draw_order(CONTENDERS, order);
		for (int i = 0; i < CONTENDERS; i++)
			take_sample(order[i], cell, turn, number * TURNS + turn);
	}
	for (int i = 0; i < CONTENDERS; i++)
		check_table(&contenders[i], cell);
}

/* The statements of a cell for the server's single-user mode. */
static void
write_sql(const char *name, const char *contender, int calls)
{
	const Cell *cell = NULL;

	for (int i = 0; i < lengthof(cells); i++)
		if (strcmp(cells[i].name, name) == 0)
			cell = &cells[i];
	if (cell == NULL)
		die("there is no such cell: %s", name);
	printf("SET plan_cache_mode = force_generic_plan\nPREPARE measured AS ");
	printf(cell->sql, contender);
	printf("\nBEGIN\n");
	for (int i = 0; i < calls; i++)
		printf("EXECUTE measured(%lld, 'another name, a little longer')\n",
			   (long long) first_row(cell, 0) + (int64_t) i * cell->rows);
	printf("COMMIT\n");
}

static void
make_functions(const char *library)
{
	run(keeper, "SET client_min_messages = warning");
	run(keeper, "CREATE EXTENSION IF NOT EXISTS docstore");
	run(keeper, "CREATE OR REPLACE FUNCTION smallest() RETURNS trigger LANGUAGE c AS '%s'", library);
	run(keeper, "CREATE OR REPLACE FUNCTION checked() RETURNS trigger LANGUAGE plpgsql AS $$"
		" BEGIN"
		" IF TG_OP = 'INSERT' THEN IF NEW.version IS NULL THEN NEW.version := 1; END IF;"
		" ELSIF NEW.version = OLD.version THEN NEW.version := OLD.version + 1;"
		" ELSIF NEW.version <> OLD.version + 1 THEN RAISE 'stale'; END IF;"
		" RETURN NEW; END $$");
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--sql") == 0)
	{
		write_sql(argv[2], argv[3], atoi(argv[4]));
		return 0;
	}
	if (argc != 5)
		die("usage: measure_guard ROUNDS CELLS CONNINFO LIBRARY");
	pin(0);
	conninfo = argv[3];
	keeper = connect_to(conninfo);
	make_functions(argv[4]);
	for (int round = 0; round < atoi(argv[1]); round++)
		for (int i = 0; i < lengthof(cells); i++)
			if (is_wanted(argv[2], cells[i].name))
				take_round(&cells[i], round);
	/* What is counted without measuring begins with tables that are alike. */
	for (int i = 0; i < CONTENDERS; i++)
		make_table(&contenders[i]);
	return 0;
}

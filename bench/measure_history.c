/*
 * measure_history.c - what a history costs the collection that has it
 *
 * usage: measure_history ROUNDS CELLS CONNINFO
 *
 * In each turn every contender, a collection without a history, one that is
 * tracked, and one with a trigger in PL/pgSQL that stores the same, is written
 * the same way, in a session of its own, one after the other in an order drawn
 * by lot: compare them within a turn.  A sample is many calls, each of which is
 * a transaction.  Each round has new tables and new sessions.
 *
 * Measured are the CPU time of the server process, and how much it writes to the
 * WAL.  What is in the histories is checked after each round.
 *
 * Writes a line for each sample: cell, contender, turn, documents, CPU ns, WAL
 * bytes.
 */
#include "client.h"
#include "documents.h"

#define STATEMENT "measured"
#define DOCUMENTS 2000			/* in each collection */
#define DIFFERENT 50			/* that are written, one after the other */
#define BATCH 100
#define TURNS 14				/* in a round */
#define WARM_UP 2				/* turns at the start of a round that are not counted */

typedef struct Cell
{
	const char *name;
	const char *sql;			/* %s is the collection; $1 an id or the first of many, $2 a document */
	int			bytes;			/* of a document */
	int			documents;		/* that a call writes */
	int			calls;			/* in a sample */
	bool		inserts;
} Cell;

static const Cell cells[] = {
	{"update-200", "SELECT docstore.upsert('%s', $1, $2::jsonb, -1)", 200, 1, 1000, false},
	{"update-1000", "SELECT docstore.upsert('%s', $1, $2::jsonb, -1)", 1000, 1, 1000, false},
	{"update-10000", "SELECT docstore.upsert('%s', $1, $2::jsonb, -1)", 10000, 1, 200, false},
	{"batch-1000", "SELECT count(*) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', '%s', 'id', i::text, 'data', $2::jsonb, 'expected', 'any'))"
		" FROM generate_series($1::int, $1::int + 99) i))", 1000, BATCH, 10, false},
	{"sql-1000", "UPDATE %s SET data = $2::jsonb, version = version + 1, updated_at = now() WHERE id = $1", 1000, 1, 1000, false},
	{"insert-1000", "SELECT docstore.upsert('%s', $1, $2::jsonb, 0)", 1000, 1, 1000, true},
};

typedef enum History
{
	NONE,
	TRACKED,
	PLPGSQL
} History;

static const struct
{
	const char *name;
	History		history;
}			contenders[] = {
	{"untracked", NONE},
	{"tracked", TRACKED},
	{"plpgsql", PLPGSQL},
};

#define CONTENDERS lengthof(contenders)

static const char *conninfo;
static PGconn *keeper;
static PGconn *sessions[CONTENDERS];
static clockid_t clocks[CONTENDERS];
static char *documents[DIFFERENT];

/* A collection, and what records its writes: the trigger writes the columns and indexes of docstore's history. */
static void
make_collection(int i)
{
	const char *name = contenders[i].name;

	run(keeper, "DROP TABLE IF EXISTS %s, %s_history", name, name);
	run(keeper, "SELECT docstore.create_collection('%s')", name);
	run(keeper, "INSERT INTO %s (id, data) SELECT i::text, $document$%s$document$ FROM generate_series(1, %d) i", name, documents[0], DOCUMENTS);
	run(keeper, "VACUUM (FREEZE, ANALYZE) %s", name);
	if (contenders[i].history == TRACKED)
		run(keeper, "SELECT docstore.track('%s')", name);
	if (contenders[i].history != PLPGSQL)
		return;
	run(keeper, "SELECT docstore.track('%s'), docstore.untrack('%s')", name, name);
	run(keeper, "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit()", name);
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
call(PGconn *conn, const char *id, const char *document)
{
	const char *values[] = {id, document};
	PGresult   *result = PQexecPrepared(conn, STATEMENT, 2, values, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		die("%s", PQerrorMessage(conn));
	PQclear(result);
}

/* How far the WAL is written. */
static double
wal_position(void)
{
	PGresult   *result = query(keeper, "SELECT pg_current_wal_insert_lsn() - '0/0'");
	double		position = atof(PQgetvalue(result, 0, 0));

	PQclear(result);
	return position;
}

static void
take_sample(int i, const Cell *cell, int turn, int number)
{
	double		wal = wal_position();
	double		cpu = nanoseconds(clocks[i]);

	for (int n = 0; n < cell->calls; n++)
	{
		char		id[24];

		snprintf(id, sizeof(id), "%d", cell->inserts ? DOCUMENTS + 1 + turn * cell->calls + n
				 : cell->documents > 1 ? 1 + n * cell->documents : 1 + n * 7 % DOCUMENTS);
		call(sessions[i], id, documents[(turn + n) % DIFFERENT]);
	}
	cpu = nanoseconds(clocks[i]) - cpu;
	wal = wal_position() - wal;
	if (turn >= WARM_UP)
		printf("%s\t%s\t%d\t%d\t%.0f\t%.0f\n", cell->name, contenders[i].name, number, cell->calls * cell->documents, cpu, wal);
}

/* Whether history has each write, with the document as it was written last. */
static void
check_history(int i, const Cell *cell)
{
	char	   *sql = text("SELECT count(*), count(*) FILTER (WHERE h.version = d.version), bool_and(h.version <> d.version OR h.data = d.data)"
						   " FROM %s_history h JOIN %s d USING (id) WHERE h.op <> 'created' OR h.version > 1 OR %s",
						   contenders[i].name, contenders[i].name, cell->inserts ? "h.actor IS NOT NULL" : "false");
	PGresult   *result = query(keeper, sql);
	int			wanted = TURNS * cell->calls * cell->documents;

	if (atoi(PQgetvalue(result, 0, 0)) != wanted || atoi(PQgetvalue(result, 0, 1)) == 0 || strcmp(PQgetvalue(result, 0, 2), "t") != 0)
		die("%s, %s: %s changes are in the history, %d were made", cell->name, contenders[i].name, PQgetvalue(result, 0, 0), wanted);
	PQclear(result);
	free(sql);
}

static void
take_round(const Cell *cell, int number)
{
	int			order[CONTENDERS];

	for (int n = 0; n < DIFFERENT; n++)
	{
		free(documents[n]);
		documents[n] = make_document(cell->bytes);
	}
	draw_order(CONTENDERS, order);
	for (int i = 0; i < CONTENDERS; i++)
		make_collection(order[i]);
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
		if (contenders[i].history != NONE)
			check_history(i, cell);
}

/* As triggers that audit are written, storing what docstore stores. */
static void
make_functions(void)
{
	run(keeper, "SET client_min_messages = warning");
	run(keeper, "CREATE EXTENSION IF NOT EXISTS docstore");
	run(keeper, "CREATE OR REPLACE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$"
		" BEGIN"
		" IF TG_OP = 'DELETE' THEN"
		" INSERT INTO plpgsql_history (id, version, op, recorded_at, actor, context, generation, transaction_id)"
		" VALUES (OLD.id, OLD.version + 1, 'deleted', clock_timestamp(), COALESCE(NULLIF(current_setting('docstore.actor', true), ''), current_user),"
		" NULLIF(current_setting('docstore.context', true), '')::jsonb, 1, pg_current_xact_id());"
		" ELSE"
		" INSERT INTO plpgsql_history (id, version, op, data, recorded_at, actor, context, generation, transaction_id)"
		" VALUES (NEW.id, NEW.version, CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END, NEW.data, clock_timestamp(),"
		" COALESCE(NULLIF(current_setting('docstore.actor', true), ''), current_user), NULLIF(current_setting('docstore.context', true), '')::jsonb, 1, pg_current_xact_id());"
		" END IF;"
		" RETURN NULL; END $$");
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: measure_history ROUNDS CELLS CONNINFO");
	pin(0);
	conninfo = argv[3];
	keeper = connect_to(conninfo);
	make_functions();
	for (int round = 0; round < atoi(argv[1]); round++)
		for (int i = 0; i < lengthof(cells); i++)
			if (is_wanted(argv[2], cells[i].name))
				take_round(&cells[i], round);
	return 0;
}

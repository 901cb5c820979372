/*
 * measure.c - what a checked write costs the server, docstore's and others'
 *
 * usage: measure ROUNDS CELLS CONNINFO [CONNINFO]
 *
 * A cell is one kind of work: documents of one size, so many in a call,
 * updated, inserted or refused.  In each turn every contender does the same
 * work once, in a session of its own and on a table of its own that is like
 * all the others, one contender after the other in an order drawn by lot.  A
 * turn takes each of them some hundredths of a second, so that what disturbs
 * the machine disturbs them all: compare them within a turn.
 *
 * Measured is the CPU time of the server process (its own clock, in
 * nanoseconds, user and system) and the time that passes.  All strings are
 * made before a sample begins, and results are looked at after it has ended.
 * Every answer is checked.  After some turns, a round, the versions in the
 * tables are checked, dead rows are vacuumed away and all sessions are new:
 * how the memory of a process happens to lie makes it some percent faster or
 * slower for as long as it lives.
 *
 * A second server, to compare two builds, does all the same: where SQL takes
 * longer on one of them, it is not the build.
 *
 * Writes a line for each sample: cell, server, contender, kind, input, turn,
 * documents, CPU ns, elapsed ns.
 */
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

#define FIRST_VERSION 7			/* of the documents that are there, so that 6 is stale */
#define STATEMENT "measured"
#define WARM_UP 2				/* turns at the start of a round that are not counted */
#define MAX_TABLES 8
#define MAX_SERVERS 2
#define MAX_ENTRIES 32
#define MAX_ROWS 100000
#define POOL 400				/* different documents */

typedef struct Size
{
	const char *name;
	int			bytes;
	int			rows;			/* in each table */
	int			sample;			/* documents in a sample, at least */
	int			round;			/* documents in a round, about */
} Size;

static const Size sizes[] = {
	{"1k", 1024, 100000, 500, 5000},
	{"100b", 100, 100000, 500, 5000},
	{"10k", 10240, 20000, 200, 2000},
};

static const int batches[] = {1, 10, 100, 1000, 10000, 100000};

enum
{
	UPDATE = 1,
	INSERT = 2,
	CONFLICT = 4,				/* every document is stale */
	ONE_STALE = 8				/* one of a batch is */
};

static const struct
{
	const char *name;
	int			op;
}			ops[] = {{"update", UPDATE}, {"insert", INSERT}, {"conflict", CONFLICT}, {"1stale", ONE_STALE}};

/* The parameters of a call. */
typedef enum Input
{
	ONE,						/* $1 id, $2 data, $3 expected version */
	ITEMS,						/* $1 a jsonb array of docstore's items */
	ARRAY,						/* $1 a jsonb array of {id, data, expected} */
	ARRAYS						/* $1 ids, $2 data, $3 expected versions */
} Input;

static const char *const input_names[] = {"one", "items", "array", "arrays"};

typedef enum Kind
{
	DOCSTORE,					/* gets the collection as last parameter, but for items */
	SQL,
	PARSE						/* only reads the same input */
} Kind;

static const char *const kind_names[] = {"docstore", "sql", "parse"};

typedef struct Contender
{
	const char *name;
	Kind		kind;
	Input		input;
	int			ops;
	const char *sql;			/* %s is the table */
	bool		succeeds;		/* in a cell of conflicts: what a success costs */
} Contender;

#define ALL (UPDATE | INSERT | CONFLICT | ONE_STALE)
#define REFUSED (CONFLICT | ONE_STALE)

#define ITEMS_OF_ARRAY "jsonb_to_recordset($1) AS i(id text, data jsonb, expected bigint)"
#define ITEMS_OF_ARRAYS "unnest($1::text[], $2::jsonb[], $3::bigint[]) AS i(id, data, expected)"
#define UPSERT_FROM(items) \
	"INSERT INTO %s AS t (id, version, data) SELECT i.id, i.expected + 1, i.data FROM " items \
	" ON CONFLICT (id) DO UPDATE SET data = excluded.data, version = excluded.version, updated_at = now()" \
	" WHERE t.version + 1 = excluded.version RETURNING t.id, t.version"
#define UPDATE_FROM(items) \
	"UPDATE %s AS t SET data = i.data, version = t.version + 1, updated_at = now() FROM " items \
	" WHERE t.id = i.id AND t.version = i.expected RETURNING t.id, t.version"
#define INSERT_FROM(items) \
	"INSERT INTO %s AS t (id, version, data) SELECT i.id, i.expected + 1, i.data FROM " items \
	" RETURNING t.id, t.version"

static const Contender singles[] = {
	{"docstore.upsert", DOCSTORE, ONE, ALL, "SELECT docstore.upsert($4, $1, $2, $3)", false},
	{"docstore.upsert, success", DOCSTORE, ONE, REFUSED, "SELECT docstore.upsert($4, $1, $2, $3)", true},
	{"UPDATE WHERE version", SQL, ONE, UPDATE | REFUSED,
		"UPDATE %s SET data = $2, version = version + 1, updated_at = now()"
	" WHERE id = $1 AND version = $3 RETURNING version", false},
	{"ON CONFLICT WHERE version", SQL, ONE, ALL,
		"INSERT INTO %s AS t (id, version, data) VALUES ($1, $3::bigint + 1, $2) ON CONFLICT (id) DO UPDATE"
		" SET data = excluded.data, version = t.version + 1, updated_at = now()"
	" WHERE t.version = $3 RETURNING t.version", false},
	{"INSERT", SQL, ONE, INSERT, "INSERT INTO %s (id, version, data) VALUES ($1, $3::bigint + 1, $2) RETURNING version", false},
	{"parse", PARSE, ONE, UPDATE | INSERT,
	"SELECT $1::text IS NOT NULL AND $2::jsonb IS NOT NULL AND $3::bigint IS NOT NULL", false},
};

static const Contender many[] = {
	{"docstore.save", DOCSTORE, ITEMS, ALL, "SELECT id, version FROM docstore.save($1)", false},
	{"docstore.upsert_many", DOCSTORE, ARRAYS, ALL, "SELECT docstore.upsert_many($4, $1, $2, $3)", false},
	{"docstore.save, success", DOCSTORE, ITEMS, REFUSED, "SELECT id, version FROM docstore.save($1)", true},
	{"array ON CONFLICT", SQL, ARRAY, ALL, UPSERT_FROM(ITEMS_OF_ARRAY), false},
	{"unnest ON CONFLICT", SQL, ARRAYS, ALL, UPSERT_FROM(ITEMS_OF_ARRAYS), false},
	{"array UPDATE", SQL, ARRAY, UPDATE | REFUSED, UPDATE_FROM(ITEMS_OF_ARRAY), false},
	{"unnest UPDATE", SQL, ARRAYS, UPDATE | REFUSED, UPDATE_FROM(ITEMS_OF_ARRAYS), false},
	{"array INSERT", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_ARRAY), false},
	{"unnest INSERT", SQL, ARRAYS, INSERT, INSERT_FROM(ITEMS_OF_ARRAYS), false},
	{"parse", PARSE, ITEMS, UPDATE | INSERT, "SELECT $1::jsonb IS NOT NULL", false},
	{"parse", PARSE, ARRAY, UPDATE | INSERT, "SELECT $1::jsonb IS NOT NULL", false},
	{"parse", PARSE, ARRAYS, UPDATE | INSERT,
	"SELECT $1::text[] IS NOT NULL AND $2::jsonb[] IS NOT NULL AND $3::bigint[] IS NOT NULL", false},
};

/* A table of documents and what it must contain. */
typedef struct Table
{
	char		name[16];
	int			versions[MAX_ROWS];
	int64_t		inserted;
} Table;

typedef struct Server
{
	const char *conninfo;
	PGconn	   *keeper;			/* fills and vacuums */
	Table	   *tables;
} Server;

typedef struct Cell
{
	char		name[64];
	const Size *size;
	int			batch;
	int			op;
} Cell;

/* A contender on a server, with its session and its table. */
typedef struct Entry
{
	const Contender *contender;
	Server	   *server;
	int			server_number;
	Table	   *table;
	PGconn	   *conn;
	clockid_t	clock;			/* the CPU time of its server process */
} Entry;

/* What all contenders do in a turn. */
typedef struct Work
{
	int			count;
	int64_t		rows[MAX_ROWS];
	const char *data[MAX_ROWS];
	bool		stale[MAX_ROWS];
} Work;

typedef struct Call
{
	char	   *values[4];
	int			count;
	PGresult   *result;
} Call;

static Server servers[MAX_SERVERS];
static int	server_count;
static char *pool[POOL];
static int64_t next_row;		/* that has never been inserted */
static uint64_t random_state = 88172645463325252;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	fputs("measure: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

/* The same numbers in every run. */
static int
random_below(int limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (int) ((random_state >> 33) % (uint64_t) limit);
}

static char *__attribute__((format(printf, 1, 2)))
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
 * Documents
 */

static void
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

static void
write_menu_item(FILE *out)
{
	fprintf(out, "{\"name\":\"");
	write_words(out, 2);
	fprintf(out, "\",\"price\":%d.%02d,\"sizes\":[\"s\",\"m\",\"l\"],\"vegan\":%s,\"kcal\":%d,\"note\":\"",
			1 + random_below(9), random_below(100), random_below(2) ? "true" : "false", random_below(700));
	write_words(out, 3 + random_below(8));
	fprintf(out, "\"}");
}

/* A coffee shop of about so many bytes, written as programs write JSON. */
static char *
make_document(int bytes)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	fprintf(out, "{\"name\":\"Mozart's %d\",\"city\":\"Austin\",\"open\":%s,\"rating\":%d.%d,\"tags\":[\"wifi\",\"patio\"]",
			random_below(100000), random_below(2) ? "true" : "false", random_below(5), random_below(10));
	if (bytes > 500)
	{
		fprintf(out, ",\"address\":{\"street\":\"%d Lake Austin Blvd\",\"zip\":\"%05d\",\"location\":{\"lat\":30.%06d,\"lon\":-97.%06d}}",
				random_below(9999), random_below(99999), random_below(1000000), random_below(1000000));
		fprintf(out, ",\"phone\":\"+1 512 %07d\",\"owner\":null,\"hours\":{", random_below(10000000));
		for (int day = 0; day < 7; day++)
			fprintf(out, "%s\"%.2s\":{\"from\":%d,\"to\":%d}", day > 0 ? "," : "", &"motuwethfrsasu"[2 * day],
					6 + random_below(4), 17 + random_below(6));
		fprintf(out, "},\"menu\":[");
		write_menu_item(out);
		while (ftell(out) < bytes - 100)
		{
			fputc(',', out);
			write_menu_item(out);
		}
		fputc(']', out);
	}
	fputc('}', out);
	fclose(out);
	return result;
}

/* A row's id: looks random, and is different for each row.  As in fill(). */
static char *
id_of(int64_t row)
{
	return text("%08x", (uint32_t) row * 2654435761u);
}

/*
 * Servers and tables
 */

static PGconn *
connect_to(const char *conninfo)
{
	PGconn	   *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	return conn;
}

static PGresult *
query(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		die("%s: %s", sql, PQerrorMessage(conn));
	return result;
}

static void __attribute__((format(printf, 2, 3)))
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

static void
make_pool(const Size *size)
{
	int64_t		total = 0;

	for (int i = 0; i < POOL; i++)
	{
		free(pool[i]);
		pool[i] = make_document(size->bytes);
		total += strlen(pool[i]);
	}
	fprintf(stderr, "documents of %s: %d bytes on average\n", size->name, (int) (total / POOL));
}

/* Make all tables anew and alike, with documents of this size. */
static void
fill(Server *server, const Size *size)
{
	PGconn	   *keeper = server->keeper;

	run(keeper, "DROP TABLE IF EXISTS pool");
	run(keeper, "CREATE TABLE pool (n int, data jsonb)");
	for (int i = 0; i < POOL; i++)
	{
		char	   *data = PQescapeLiteral(keeper, pool[i], strlen(pool[i]));

		run(keeper, "INSERT INTO pool VALUES (%d, %s)", i, data);
		PQfreemem(data);
	}
	for (int i = 0; i < MAX_TABLES; i++)
	{
		Table	   *table = &server->tables[i];

		snprintf(table->name, sizeof(table->name), "shops_%d", i);
		for (int row = 0; row < size->rows; row++)
			table->versions[row] = FIRST_VERSION;
		table->inserted = 0;
		run(keeper, "DROP TABLE IF EXISTS %s", table->name);
		run(keeper, "SELECT docstore.create_collection('%s')", table->name);
		run(keeper, "INSERT INTO %s (id, version, data)"
			" SELECT lpad(to_hex(row * 2654435761 %% 4294967296), 8, '0'), %d, data"
			" FROM generate_series(0, %d - 1) row JOIN pool ON n = row %% %d",
			table->name, FIRST_VERSION, size->rows, POOL);
		run(keeper, "VACUUM (ANALYZE) %s", table->name);
	}
	next_row = size->rows;
}

/* Whether the table contains what the answers said. */
static void
verify(const Cell *cell, const Entry *entry)
{
	int64_t		sum = 0;
	char	   *sql = text("SELECT count(*), sum(version) FROM %s", entry->table->name);
	PGresult   *result = query(entry->server->keeper, sql);

	for (int row = 0; row < cell->size->rows; row++)
		sum += entry->table->versions[row];
	if (atoll(PQgetvalue(result, 0, 0)) != cell->size->rows + entry->table->inserted ||
		atoll(PQgetvalue(result, 0, 1)) != sum + entry->table->inserted)
		die("%s, %s: %s documents, sum of versions %s; expected %lld and %lld", cell->name, entry->contender->name,
			PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
			(long long) (cell->size->rows + entry->table->inserted), (long long) (sum + entry->table->inserted));
	PQclear(result);
	free(sql);
}

/* Leave all tables as they were, but for versions and data. */
static void
clean_table(Entry *entry)
{
	PGconn	   *keeper = entry->server->keeper;

	if (entry->table->inserted > 0)
		run(keeper, "DELETE FROM %s WHERE version = 1", entry->table->name);
	entry->table->inserted = 0;
	run(keeper, "VACUUM (INDEX_CLEANUP ON) %s", entry->table->name);
}

/*
 * Calls
 */

/* Choose what all contenders do in this turn; no document twice. */
static void
choose_work(const Cell *cell, int count, Work *work)
{
	static int	rows[MAX_ROWS];

	for (int i = 0; i < cell->size->rows; i++)
		rows[i] = i;
	work->count = count;
	for (int i = 0; i < count; i++)
	{
		int			j = i + random_below(cell->size->rows - i);
		int			row = rows[j];

		rows[j] = rows[i];
		work->rows[i] = cell->op == INSERT ? next_row++ : row;
		work->data[i] = pool[random_below(POOL)];
		work->stale[i] = cell->op == CONFLICT;
	}
	if (cell->op == ONE_STALE)
		for (int first = 0; first < count; first += cell->batch)
			work->stale[first + random_below(cell->batch)] = true;
}

static int
expected_version(const Cell *cell, const Entry *entry, const Work *work, int i)
{
	if (cell->op == INSERT)
		return 0;
	return entry->table->versions[work->rows[i]] - (work->stale[i] && !entry->contender->succeeds ? 1 : 0);
}

/* A document as an element of an array's text. */
static void
write_quoted(FILE *out, const char *document)
{
	fputc('"', out);
	for (const char *p = document; *p; p++)
	{
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

/* The documents from first on, as this contender wants them. */
static void
make_call(const Cell *cell, const Entry *entry, const Work *work, int first, Call *call)
{
	Input		input = entry->contender->input;
	int			parameters = input == ONE || input == ARRAYS ? 3 : 1;
	FILE	   *out[3];
	size_t		length[3];

	for (int p = 0; p < parameters; p++)
	{
		out[p] = open_memstream(&call->values[p], &length[p]);
		if (input != ONE)
			fputc(input == ARRAYS ? '{' : '[', out[p]);
	}
	for (int i = first; i < first + cell->batch; i++)
	{
		const char *separator = i > first ? "," : "";
		char	   *id = id_of(work->rows[i]);
		int			expected = expected_version(cell, entry, work, i);

		if (input == ITEMS)
			fprintf(out[0], "%s{\"op\":\"upsert\",\"collection\":\"%s\",\"id\":\"%s\",\"data\":%s,\"expected\":%d}",
					separator, entry->table->name, id, work->data[i], expected);
		else if (input == ARRAY)
			fprintf(out[0], "%s{\"id\":\"%s\",\"data\":%s,\"expected\":%d}", separator, id, work->data[i], expected);
		else
		{
			fprintf(out[0], "%s%s", separator, id);
			fputs(separator, out[1]);
			if (input == ONE)
				fputs(work->data[i], out[1]);
			else
				write_quoted(out[1], work->data[i]);
			fprintf(out[2], "%s%d", separator, expected);
		}
		free(id);
	}
	for (int p = 0; p < parameters; p++)
	{
		if (input != ONE)
			fputc(input == ARRAYS ? '}' : ']', out[p]);
		fclose(out[p]);
	}
	call->count = parameters;
	if (entry->contender->kind == DOCSTORE && input != ITEMS)
		call->values[call->count++] = strdup(entry->table->name);
}

/* How many documents a statement of SQL says it wrote. */
static int
documents_written(const Entry *entry, const PGresult *result)
{
	int			count = 0;

	if (entry->contender->kind != DOCSTORE || entry->contender->input != ARRAYS)
		return PQntuples(result);
	for (const char *p = PQgetvalue(result, 0, 0); *p; p++)
		count += *p == '{' || *p == ',';
	return count;
}

/* Whether the answer is the right one; remembers what was written. */
static void
check_answer(const Cell *cell, const Entry *entry, const Work *work, int first, const Call *call)
{
	const Contender *contender = entry->contender;
	bool		refused = (cell->op & REFUSED) && !contender->succeeds;
	int			total = !refused ? 0 : cell->op == CONFLICT ? cell->batch : 1;
	int			last_column = PQnfields(call->result) - 1;

	if (refused && contender->kind == DOCSTORE)
	{
		const char *state = PQresultErrorField(call->result, PG_DIAG_SQLSTATE);
		const char *detail = PQresultErrorField(call->result, PG_DIAG_MESSAGE_DETAIL);
		char	   *part = text("\"total\": %d,", total);

		if (state == NULL || detail == NULL || strcmp(state, "PT409") != 0 || strstr(detail, part) == NULL)
			die("%s, %s: not the conflict: %s", cell->name, contender->name, PQresultErrorMessage(call->result));
		free(part);
		return;
	}
	if (PQresultStatus(call->result) != PGRES_TUPLES_OK)
		die("%s, %s: %s", cell->name, contender->name, PQresultErrorMessage(call->result));
	if (contender->kind == PARSE)
		return;
	if (documents_written(entry, call->result) != cell->batch - total)
		die("%s, %s: %d of %d documents written", cell->name, contender->name,
			documents_written(entry, call->result), cell->batch);
	if (refused)
		return;
	if (atoi(PQgetvalue(call->result, 0, last_column)) != expected_version(cell, entry, work, first) + 1 &&
		contender->kind == DOCSTORE && contender->input != ARRAYS)
		die("%s, %s: wrong version", cell->name, contender->name);
	if (cell->op == INSERT)
		entry->table->inserted += cell->batch;
	else
		for (int i = first; i < first + cell->batch; i++)
			entry->table->versions[work->rows[i]]++;
}

static double
nanoseconds(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		die("the server process has no CPU clock");
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/*
 * One sample: the work of a turn, by one contender.
 *
 * SQL that has written the other documents of a batch when it finds a stale
 * one must be rolled back, so it runs in a transaction block; a conflict of
 * docstore is an error and rolls itself back.
 */
static void
sample(const Cell *cell, Entry *entry, const Work *work, int turn)
{
	bool		block = cell->op == ONE_STALE && entry->contender->kind == SQL && cell->batch > 1;
	int			count = work->count / cell->batch;
	Call	   *calls = calloc(count, sizeof(Call));
	double		cpu,
				elapsed;

	for (int i = 0; i < count; i++)
		make_call(cell, entry, work, i * cell->batch, &calls[i]);

	elapsed = nanoseconds(CLOCK_MONOTONIC);
	cpu = nanoseconds(entry->clock);
	for (int i = 0; i < count; i++)
	{
		if (block)
			PQclear(PQexec(entry->conn, "BEGIN"));
		calls[i].result = PQexecPrepared(entry->conn, STATEMENT, calls[i].count,
										 (const char *const *) calls[i].values, NULL, NULL, 0);
		if (block)
			PQclear(PQexec(entry->conn, "ROLLBACK"));
	}
	cpu = nanoseconds(entry->clock) - cpu;
	elapsed = nanoseconds(CLOCK_MONOTONIC) - elapsed;

	for (int i = 0; i < count; i++)
	{
		check_answer(cell, entry, work, i * cell->batch, &calls[i]);
		PQclear(calls[i].result);
		for (int p = 0; p < calls[i].count; p++)
			free(calls[i].values[p]);
	}
	free(calls);
	if (turn >= 0)
		printf("%s\t%d\t%s\t%s\t%s\t%d\t%d\t%.0f\t%.0f\n", cell->name, entry->server_number, entry->contender->name,
			   kind_names[entry->contender->kind], input_names[entry->contender->input], turn, work->count, cpu, elapsed);
}

/*
 * Cells
 */

/* Who takes part in a cell; returns how many. */
static int
enter(const Cell *cell, Entry *entries)
{
	const Contender *contenders = cell->batch == 1 ? singles : many;
	int			contender_count = cell->batch == 1 ? lengthof(singles) : lengthof(many);
	int			count = 0;

	for (int s = 0; s < server_count; s++)
	{
		int			tables = 0;

		for (int c = 0; c < contender_count; c++)
		{
			if (!(contenders[c].ops & cell->op))
				continue;
			entries[count++] = (Entry) {&contenders[c], &servers[s], s, &servers[s].tables[tables], NULL, 0};
			if (contenders[c].kind != PARSE && ++tables >= MAX_TABLES)
				die("too few tables");
		}
	}
	return count;
}

/*
 * Move a process to our last processor.  We and the server processes that we
 * measure are all there: they take turns anyway, and waking one another across
 * processors costs an amount that changes with whatever else goes on.
 */
static void
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

/*
 * A new session with the statement prepared.
 *
 * Generic plans for all: a custom one for 1,000 ids would scan the table.
 *
 * And one large allocation, as any session makes that lives for long: from
 * then on malloc keeps memory instead of giving it back to the system after
 * each call.  Without it a batch of 100 costs up to half as much again or not,
 * depending on the exact sizes of what it happens to allocate.
 */
static void
open_session(Entry *entry)
{
	const Contender *contender = entry->contender;
	char	   *sql = contender->kind == SQL ? text(contender->sql, entry->table->name) : strdup(contender->sql);
	PGresult   *result;

	PQfinish(entry->conn);
	entry->conn = connect_to(entry->server->conninfo);
	pin(PQbackendPID(entry->conn));
	if (clock_getcpuclockid(PQbackendPID(entry->conn), &entry->clock) != 0)
		die("the server process is not on this machine");
	run(entry->conn, "SET plan_cache_mode = force_generic_plan");
	run(entry->conn, "SELECT length(repeat('x', 30000000))");
	result = PQprepare(entry->conn, STATEMENT, sql, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQerrorMessage(entry->conn));
	PQclear(result);
	free(sql);
}

/* All contenders do the same work, in any order; a negative turn does not count. */
static void
take_turn(const Cell *cell, Entry *entries, int count, int turn)
{
	static Work work;
	int			order[MAX_ENTRIES];

	choose_work(cell, cell->batch > cell->size->sample ? cell->batch : cell->size->sample, &work);
	for (int i = 0; i < count; i++)
	{
		int			j = random_below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (int i = 0; i < count; i++)
		sample(cell, &entries[order[i]], &work, turn);
}

static void
measure(const Cell *cell, int rounds)
{
	int			turns = cell->size->round / (cell->batch > cell->size->sample ? cell->batch : cell->size->sample);
	Entry		entries[MAX_ENTRIES];
	int			count = enter(cell, entries);

	if (turns == 0)
		turns = 1;
	for (int round = 0; round < rounds; round++)
	{
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r\033[K%s: round %d of %d", cell->name, round + 1, rounds);
		for (int i = 0; i < count; i++)
			open_session(&entries[i]);
		for (int turn = -WARM_UP; turn < turns; turn++)
			take_turn(cell, entries, count, turn < 0 ? turn : round * turns + turn);
		for (int i = 0; i < count; i++)
		{
			if (entries[i].contender->kind == PARSE)
				continue;
			verify(cell, &entries[i]);
			clean_table(&entries[i]);
		}
	}
	for (int i = 0; i < count; i++)
		PQfinish(entries[i].conn);
	fprintf(stderr, "%s%s: done\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", cell->name);
	fflush(stdout);
}

/* Whether one of the patterns, separated by commas, is the cell's name. */
static bool
is_wanted(const char *patterns, const char *name)
{
	char	   *list = strdup(patterns);
	bool		wanted = false;

	for (char *pattern = strtok(list, ","); pattern != NULL; pattern = strtok(NULL, ","))
		wanted |= fnmatch(pattern, name, 0) == 0;
	free(list);
	return wanted;
}

static bool
describe(Cell *cell, const Size *size, int batch, int op)
{
	*cell = (Cell) {.size = size, .batch = batch, .op = ops[op].op};
	if (batch == 1)
		snprintf(cell->name, sizeof(cell->name), "single-%s-%s", ops[op].name, size->name);
	else
		snprintf(cell->name, sizeof(cell->name), "batch%d-%s-%s", batch, ops[op].name, size->name);
	return batch <= size->rows && (batch > 1 || ops[op].op != ONE_STALE);
}

int
main(int argc, char **argv)
{
	if (argc < 4 || argc > 3 + MAX_SERVERS)
		die("usage: measure ROUNDS CELLS CONNINFO [CONNINFO]");
	server_count = argc - 3;
	pin(0);
	for (int s = 0; s < server_count; s++)
	{
		servers[s].conninfo = argv[3 + s];
		servers[s].keeper = connect_to(argv[3 + s]);
		servers[s].tables = calloc(MAX_TABLES, sizeof(Table));
		run(servers[s].keeper, "SET client_min_messages = warning");
		run(servers[s].keeper, "CREATE EXTENSION IF NOT EXISTS docstore");
	}
	for (int i = 0; i < lengthof(sizes); i++)
	{
		bool		filled = false;

		for (int b = 0; b < lengthof(batches); b++)
			for (int op = 0; op < lengthof(ops); op++)
			{
				Cell		cell;

				if (!describe(&cell, &sizes[i], batches[b], op) || !is_wanted(argv[2], cell.name))
					continue;
				if (!filled)
				{
					make_pool(&sizes[i]);
					for (int s = 0; s < server_count; s++)
						fill(&servers[s], &sizes[i]);
					filled = true;
				}
				measure(&cell, atoi(argv[1]));
			}
	}
	return 0;
}

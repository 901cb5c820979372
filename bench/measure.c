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
 * Cells of many sizes take turns with batches from 100 to 100,000 documents,
 * so that the sizes can be compared with one another.  Cells of memory make
 * one call of each size in a new session and watch its memory.
 *
 * A second server, to compare two builds, does all the same: where SQL takes
 * longer on one of them, it is not the build.
 *
 * Writes a line for each sample: cell, server, contender, kind, input, batch,
 * server process, when it began, turn, documents, CPU ns, elapsed ns; in cells of memory the bytes before the
 * call and at its peak in place of the last two.
 */
#include "client.h"
#include "documents.h"

#include <poll.h>

#define FIRST_VERSION 7			/* of the documents that are there, so that 6 is stale */
#define STATEMENT "measured"
#define REPORT "report"
#define WARM_UP 2				/* turns at the start of a round that are not counted */
#define MAX_TABLES 12
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

static const int batches[] = {1, 10, 100, 1000};

/* In cells of many sizes and of memory; a sample has so many documents at least, and so many are warm-up. */
static const int many_sizes[] = {100, 1000, 10000, 100000};

#define MANY_SIZES_SAMPLE 10000
#define MANY_SIZES_WARM_UP 1000

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
	int			traits;
	const char *report;			/* asks for the versions of what was stale: $1 their ids */
} Contender;

/* Traits */
#define SUCCEEDS 1				/* in a cell of conflicts: what a success costs */
#define ANSWERS 2				/* a conflict is rows about what was stale, no error */
#define MANY_SIZES 4			/* takes part in the cells of many sizes and of memory */

#define ALL (UPDATE | INSERT | CONFLICT | ONE_STALE)
#define REFUSED (CONFLICT | ONE_STALE)

#define ITEMS_OF_ARRAY "jsonb_to_recordset($1) AS i(id text, data jsonb, expected bigint)"
#define ITEMS_OF_ARRAYS "unnest($1::text[], $2::jsonb[], $3::bigint[]) AS i(id, data, expected)"
#define ELEMENTS(array) \
	"(SELECT e ->> 'id' AS id, e -> 'data' AS data, (e ->> 'expected')::bigint AS expected" \
	" FROM jsonb_array_elements(" array ") AS e) AS i"
#define ITEMS_OF_ELEMENTS ELEMENTS("$1")
#define ITEMS_OF_PARSED_ELEMENTS ELEMENTS("docstore.parse($1)")
#define ITEMS_OF_PARSED_ARRAY "jsonb_to_recordset(docstore.parse($1)) AS i(id text, data jsonb, expected bigint)"
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

#define UPDATE_ONE \
	"UPDATE %s SET data = $2, version = version + 1, updated_at = now()" \
	" WHERE id = $1 AND version = $3 RETURNING version"
#define SAVE "SELECT id, version FROM docstore.save($1)"
#define SAVE_PARSED "SELECT id, version FROM docstore.save(docstore.parse($1))"
#define TRY_SAVE "SELECT item, expected, actual FROM docstore.try_save($1) WHERE reason IS NOT NULL"
#define VERSION_OF_ONE "SELECT id, version FROM %s WHERE id = $1"
#define VERSIONS_OF_MANY "SELECT id, version FROM %s WHERE id = ANY ($1::text[])"
#define PARSE_JSONB "SELECT jsonb_typeof($1)"

static const Contender singles[] = {
	{"docstore.upsert", DOCSTORE, ONE, ALL, "SELECT docstore.upsert($4, $1, $2, $3)", 0, NULL},
	{"docstore.upsert, docstore.parse", DOCSTORE, ONE, UPDATE | INSERT, "SELECT docstore.upsert($4, $1, docstore.parse($2), $3)", 0, NULL},
	{"docstore.upsert, success", DOCSTORE, ONE, REFUSED, "SELECT docstore.upsert($4, $1, $2, $3)", SUCCEEDS, NULL},
	{"docstore.try_save", DOCSTORE, ITEMS, REFUSED, TRY_SAVE, ANSWERS, NULL},
	{"UPDATE WHERE version", SQL, ONE, UPDATE | REFUSED, UPDATE_ONE, 0, NULL},
	{"UPDATE WHERE version, SELECT", SQL, ONE, REFUSED, UPDATE_ONE, 0, VERSION_OF_ONE},
	{"ON CONFLICT WHERE version", SQL, ONE, ALL,
		"INSERT INTO %s AS t (id, version, data) VALUES ($1, $3::bigint + 1, $2) ON CONFLICT (id) DO UPDATE"
		" SET data = excluded.data, version = t.version + 1, updated_at = now()"
	" WHERE t.version = $3 RETURNING t.version", 0, NULL},
	{"INSERT", SQL, ONE, INSERT, "INSERT INTO %s (id, version, data) VALUES ($1, $3::bigint + 1, $2) RETURNING version", 0, NULL},
	{"parse", PARSE, ONE, UPDATE | INSERT,
	"SELECT jsonb_typeof($2) WHERE $1::text IS NOT NULL AND $3::bigint IS NOT NULL", 0, NULL},
};

static const Contender many[] = {
	{"docstore.save", DOCSTORE, ITEMS, ALL, SAVE, MANY_SIZES, NULL},
	{"docstore.save, docstore.parse", DOCSTORE, ITEMS, UPDATE | INSERT, SAVE_PARSED, MANY_SIZES, NULL},
	{"docstore.try_save", DOCSTORE, ITEMS, REFUSED, TRY_SAVE, ANSWERS, NULL},
	{"docstore.upsert_many", DOCSTORE, ARRAYS, ALL, "SELECT docstore.upsert_many($4, $1, $2, $3)", 0, NULL},
	{"docstore.save, success", DOCSTORE, ITEMS, REFUSED, SAVE, SUCCEEDS, NULL},
	{"array ON CONFLICT", SQL, ARRAY, ALL, UPSERT_FROM(ITEMS_OF_ARRAY), 0, NULL},
	{"unnest ON CONFLICT", SQL, ARRAYS, ALL, UPSERT_FROM(ITEMS_OF_ARRAYS), 0, NULL},
	{"array UPDATE", SQL, ARRAY, UPDATE | REFUSED, UPDATE_FROM(ITEMS_OF_ARRAY), MANY_SIZES, NULL},
	{"array UPDATE, SELECT", SQL, ARRAY, REFUSED, UPDATE_FROM(ITEMS_OF_ARRAY), 0, VERSIONS_OF_MANY},
	{"unnest UPDATE", SQL, ARRAYS, UPDATE | REFUSED, UPDATE_FROM(ITEMS_OF_ARRAYS), 0, NULL},
	{"unnest UPDATE, SELECT", SQL, ARRAYS, REFUSED, UPDATE_FROM(ITEMS_OF_ARRAYS), 0, VERSIONS_OF_MANY},
	{"elements UPDATE", SQL, ARRAY, UPDATE, UPDATE_FROM(ITEMS_OF_ELEMENTS), 0, NULL},
	{"elements UPDATE, docstore.parse", SQL, ARRAY, UPDATE, UPDATE_FROM(ITEMS_OF_PARSED_ELEMENTS), 0, NULL},
	{"array UPDATE, docstore.parse", SQL, ARRAY, UPDATE, UPDATE_FROM(ITEMS_OF_PARSED_ARRAY), 0, NULL},
	{"elements INSERT, docstore.parse", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_PARSED_ELEMENTS), 0, NULL},
	{"array INSERT, docstore.parse", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_PARSED_ARRAY), 0, NULL},
	{"elements INSERT", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_ELEMENTS), 0, NULL},
	{"array INSERT", SQL, ARRAY, INSERT, INSERT_FROM(ITEMS_OF_ARRAY), MANY_SIZES, NULL},
	{"unnest INSERT", SQL, ARRAYS, INSERT, INSERT_FROM(ITEMS_OF_ARRAYS), 0, NULL},
	{"parse", PARSE, ITEMS, UPDATE | INSERT, PARSE_JSONB, MANY_SIZES, NULL},
	{"parse", PARSE, ARRAY, UPDATE | INSERT, PARSE_JSONB, MANY_SIZES, NULL},
	{"parse", PARSE, ARRAYS, UPDATE | INSERT,
	"SELECT $1::text[] IS NOT NULL AND $2::jsonb[] IS NOT NULL AND $3::bigint[] IS NOT NULL", 0, NULL},
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
	int			batch;			/* 0: many sizes */
	int			op;
} Cell;

/* A contender on a server, with its session and its table. */
typedef struct Entry
{
	const Contender *contender;
	Server	   *server;
	int			server_number;
	Table	   *table;
	int			batch;
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
	char	   *stale;			/* ids to ask the versions of */
	PGresult   *result;
	PGresult   *report;
} Call;

static Server servers[MAX_SERVERS];
static int	server_count;
static char *pool[POOL];
static int64_t next_row;		/* that has never been inserted */

/*
 * Servers and tables
 */

/* A row's id: looks random, and is different for each row.  As in fill(). */
static char *
id_of(int64_t row)
{
	return text("%08x", (uint32_t) row * 2654435761u);
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
	return entry->table->versions[work->rows[i]] -
		(work->stale[i] && !(entry->contender->traits & SUCCEEDS) ? 1 : 0);
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

/* The ids of the stale documents from first on, as the report wants them. */
static char *
list_stale(const Entry *entry, const Work *work, int first)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);
	const char *separator = entry->batch > 1 ? "{" : "";

	for (int i = first; i < first + entry->batch; i++)
	{
		char	   *id = id_of(work->rows[i]);

		if (work->stale[i])
		{
			fprintf(out, "%s%s", separator, id);
			separator = ",";
		}
		free(id);
	}
	if (entry->batch > 1)
		fputc('}', out);
	fclose(out);
	return result;
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
	for (int i = first; i < first + entry->batch; i++)
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
	if (entry->contender->report != NULL)
		call->stale = list_stale(entry, work, first);
}

static void
free_call(Call *call)
{
	PQclear(call->result);
	PQclear(call->report);
	free(call->stale);
	for (int p = 0; p < call->count; p++)
		free(call->values[p]);
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

/* Whether a report has the actual version, its last column, of so many documents. */
static void
check_report(const Cell *cell, const Entry *entry, const PGresult *report, int total)
{
	if (PQntuples(report) != total)
		die("%s, %s: %d of %d conflicts reported: %s", cell->name, entry->contender->name, PQntuples(report), total,
			PQresultErrorMessage(report));
	for (int row = 0; row < total; row++)
		if (atoi(PQgetvalue(report, row, PQnfields(report) - 1)) < FIRST_VERSION)
			die("%s, %s: wrong version reported", cell->name, entry->contender->name);
}

/* Whether the answer is the right one; remembers what was written. */
static void
check_answer(const Cell *cell, const Entry *entry, const Work *work, int first, const Call *call)
{
	const Contender *contender = entry->contender;
	bool		refused = (cell->op & REFUSED) && !(contender->traits & SUCCEEDS);
	int			total = !refused ? 0 : cell->op == CONFLICT ? entry->batch : 1;
	int			last_column = PQnfields(call->result) - 1;

	if (refused && contender->kind == DOCSTORE && !(contender->traits & ANSWERS))
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
	if (contender->traits & ANSWERS || contender->report != NULL)
		check_report(cell, entry, contender->traits & ANSWERS ? call->result : call->report, total);
	if (contender->traits & ANSWERS)
		return;
	if (documents_written(entry, call->result) != entry->batch - total)
		die("%s, %s: %d of %d documents written", cell->name, contender->name,
			documents_written(entry, call->result), entry->batch);
	if (refused)
		return;
	if (atoi(PQgetvalue(call->result, 0, last_column)) != expected_version(cell, entry, work, first) + 1 &&
		contender->kind == DOCSTORE && contender->input != ARRAYS)
		die("%s, %s: wrong version", cell->name, contender->name);
	if (cell->op == INSERT)
		entry->table->inserted += entry->batch;
	else
		for (int i = first; i < first + entry->batch; i++)
			entry->table->versions[work->rows[i]]++;
}

/*
 * Execute a call.
 *
 * SQL that has written the other documents of a batch when it finds a stale
 * one must be rolled back, so it runs in a transaction block; a conflict of
 * docstore is an error and rolls itself back.
 */
static void
execute(const Entry *entry, bool block, Call *call)
{
	if (block)
		PQclear(PQexec(entry->conn, "BEGIN"));
	call->result = PQexecPrepared(entry->conn, STATEMENT, call->count, (const char *const *) call->values, NULL, NULL, 0);
	if (block)
		PQclear(PQexec(entry->conn, "ROLLBACK"));
	if (call->stale != NULL)
		call->report = PQexecPrepared(entry->conn, REPORT, 1, (const char *const *) &call->stale, NULL, NULL, 0);
}

static void
print_sample(const Cell *cell, const Entry *entry, double began, int turn, int documents, double first, double second)
{
	printf("%s\t%d\t%s\t%s\t%s\t%d\t%d\t%.0f\t%d\t%d\t%.0f\t%.0f\n", cell->name, entry->server_number, entry->contender->name,
		   kind_names[entry->contender->kind], input_names[entry->contender->input], entry->batch, PQbackendPID(entry->conn),
		   began, turn, documents, first, second);
}

/* One sample: the work of a turn, or of its first documents, by one contender. */
static void
sample(const Cell *cell, Entry *entry, const Work *work, int documents, int turn)
{
	const Contender *contender = entry->contender;
	bool		block = contender->kind == SQL && entry->batch > 1 && (cell->op == ONE_STALE || contender->report != NULL);
	int			count = documents / entry->batch;
	Call	   *calls = calloc(count, sizeof(Call));
	double		cpu,
				began,
				elapsed;

	for (int i = 0; i < count; i++)
		make_call(cell, entry, work, i * entry->batch, &calls[i]);

	began = nanoseconds(CLOCK_MONOTONIC);
	cpu = nanoseconds(entry->clock);
	for (int i = 0; i < count; i++)
		execute(entry, block, &calls[i]);
	cpu = nanoseconds(entry->clock) - cpu;
	elapsed = nanoseconds(CLOCK_MONOTONIC) - began;

	for (int i = 0; i < count; i++)
	{
		check_answer(cell, entry, work, i * entry->batch, &calls[i]);
		free_call(&calls[i]);
	}
	free(calls);
	if (turn >= 0)
		print_sample(cell, entry, began, turn, documents, cpu, elapsed);
}

/*
 * Cells
 */

/* Who takes part in a cell on a server; returns how many there are now. */
static int
enter_server(const Cell *cell, int server, Entry *entries, int count)
{
	const Contender *contenders = cell->batch == 1 ? singles : many;
	int			contender_count = cell->batch == 1 ? lengthof(singles) : lengthof(many);
	int			tables = 0;

	for (int c = 0; c < contender_count; c++)
	{
		const Contender *contender = &contenders[c];
		int			sizes_here = cell->batch > 0 ? 1 : lengthof(many_sizes);

		if (!(contender->ops & cell->op) || (cell->batch == 0 && !(contender->traits & MANY_SIZES)))
			continue;
		/* Who only reports writes nothing that stays, and shares the table of the one before. */
		if (contender->kind != PARSE && !(contender->traits & ANSWERS) && contender->report == NULL)
			tables++;
		if (tables > MAX_TABLES || count + sizes_here > MAX_ENTRIES)
			die("too few tables or entries");
		for (int i = 0; i < sizes_here; i++)
			entries[count++] = (Entry) {
				.contender = contender, .server = &servers[server], .server_number = server,
				.table = &servers[server].tables[tables - 1], .batch = cell->batch > 0 ? cell->batch : many_sizes[i],
			};
	}
	return count;
}

/* Who takes part in a cell; returns how many. */
static int
enter(const Cell *cell, Entry *entries)
{
	int			count = 0;

	for (int s = 0; s < server_count; s++)
		count = enter_server(cell, s, entries, count);
	return count;
}

static void
prepare(const Entry *entry, const char *name, const char *format)
{
	char	   *sql = entry->contender->kind == SQL ? text(format, entry->table->name) : strdup(format);
	PGresult   *result = PQprepare(entry->conn, name, sql, 0, NULL);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQerrorMessage(entry->conn));
	PQclear(result);
	free(sql);
}

/*
 * A new session with the statement prepared.
 *
 * Generic plans for all: a custom one for 1,000 ids would scan the table.
 *
 * And, when its memory is not to be watched, one large allocation, as any session makes that lives for long: from
 * then on malloc keeps memory instead of giving it back to the system after
 * each call.  Without it a batch of 100 costs up to half as much again or not,
 * depending on the exact sizes of what it happens to allocate.
 */
static void
open_session(Entry *entry, bool grown)
{
	PQfinish(entry->conn);
	entry->conn = connect_to(entry->server->conninfo);
	pin(PQbackendPID(entry->conn));
	if (clock_getcpuclockid(PQbackendPID(entry->conn), &entry->clock) != 0)
		die("the server process is not on this machine");
	run(entry->conn, "SET plan_cache_mode = force_generic_plan");
	if (grown)
		run(entry->conn, "SELECT length(repeat('x', 30000000))");
	prepare(entry, STATEMENT, entry->contender->sql);
	if (entry->contender->report != NULL)
		prepare(entry, REPORT, entry->contender->report);
}

/* All contenders do the same work, in any order; a negative turn does not count. */
static void
take_turn(const Cell *cell, Entry *entries, int count, int turn)
{
	static Work work;
	int			order[MAX_ENTRIES];

	choose_work(cell, cell->batch > cell->size->sample ? cell->batch : cell->size->sample, &work);
	draw_order(count, order);
	for (int i = 0; i < count; i++)
		sample(cell, &entries[order[i]], &work, work.count, turn);
}

static void
check_and_clean(const Cell *cell, Entry *entry)
{
	if (entry->contender->kind == PARSE)
		return;
	verify(cell, entry);
	clean_table(entry);
}

static void
show_progress(const Cell *cell, int round, int rounds)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s: round %d of %d", cell->name, round + 1, rounds);
}

static void
finish(const Cell *cell, Entry *entries, int count)
{
	for (int i = 0; i < count; i++)
		PQfinish(entries[i].conn);
	fprintf(stderr, "%s%s: done\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", cell->name);
	fflush(stdout);
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
		show_progress(cell, round, rounds);
		for (int i = 0; i < count; i++)
			open_session(&entries[i], true);
		for (int turn = -WARM_UP; turn < turns; turn++)
			take_turn(cell, entries, count, turn < 0 ? turn : round * turns + turn);
		for (int i = 0; i < count; i++)
			check_and_clean(cell, &entries[i]);
	}
	finish(cell, entries, count);
}

/*
 * Cells of many sizes, and of memory
 *
 * The sizes of a contender share one table, which is cleaned after each
 * sample, so that all begin alike.  Each page has room for a second version of
 * all its rows: else the larger batches, which are one transaction and leave
 * nothing that could be pruned, would run out of it.
 */

static void
make_room(const Entry *entries, int count)
{
	for (int i = 0; i < count; i++)
	{
		PGconn	   *keeper = entries[i].server->keeper;

		if (i > 0 && entries[i].table == entries[i - 1].table)
			continue;
		run(keeper, "ALTER TABLE %s SET (fillfactor = 45)", entries[i].table->name);
		run(keeper, "VACUUM (FULL, ANALYZE) %s", entries[i].table->name);
	}
}

/* How many documents an entry takes in a turn. */
static int
documents_in_sample(const Entry *entry)
{
	return entry->batch > MANY_SIZES_SAMPLE ? entry->batch : MANY_SIZES_SAMPLE;
}

static Work *
choose_large_work(const Cell *cell)
{
	static Work work;

	choose_work(cell, many_sizes[lengthof(many_sizes) - 1], &work);
	return &work;
}

static void
measure_many_sizes(const Cell *cell, int rounds)
{
	Entry		entries[MAX_ENTRIES];
	int			order[MAX_ENTRIES];
	int			count = enter(cell, entries);

	make_room(entries, count);
	for (int round = 0; round < rounds; round++)
	{
		const Work *work = choose_large_work(cell);

		show_progress(cell, round, rounds);
		draw_order(count, order);
		for (int i = 0; i < count; i++)
		{
			Entry	   *entry = &entries[order[i]];

			open_session(entry, true);
			/* The larger ones are too long for plans and caches to matter. */
			if (entry->batch <= MANY_SIZES_WARM_UP)
			{
				sample(cell, entry, work, MANY_SIZES_WARM_UP, -1);
				check_and_clean(cell, entry);
			}
			sample(cell, entry, work, documents_in_sample(entry), round);
			check_and_clean(cell, entry);
			PQfinish(entry->conn);
			entry->conn = NULL;
		}
	}
	finish(cell, entries, count);
}

/* The memory that a server process has for itself, without what is shared, in bytes. */
static double
private_memory(pid_t pid)
{
	char	   *name = text("/proc/%d/status", (int) pid);
	FILE	   *status = fopen(name, "r");
	char		line[256];
	double		kilobytes = -1;

	if (status != NULL)
	{
		while (fgets(line, sizeof(line), status) != NULL)
			if (sscanf(line, "RssAnon: %lf", &kilobytes) == 1)
				break;
		fclose(status);
	}
	if (kilobytes < 0)
		die("%s does not say what memory is private", name);
	free(name);
	return kilobytes * 1024;
}

/* Execute a call and look at the memory of its process all the time; returns the peak. */
static double
watch_call(const Entry *entry, Call *call)
{
	PGconn	   *conn = entry->conn;
	double		peak = 0;

	if (!PQsendQueryPrepared(conn, STATEMENT, call->count, (const char *const *) call->values, NULL, NULL, 0))
		die("%s", PQerrorMessage(conn));
	for (;;)
	{
		struct pollfd socket = {.fd = PQsocket(conn), .events = POLLIN};
		double		now = private_memory(PQbackendPID(conn));

		if (now > peak)
			peak = now;
		if (poll(&socket, 1, 0) > 0 && !PQconsumeInput(conn))
			die("%s", PQerrorMessage(conn));
		if (!PQisBusy(conn))
			break;
		usleep(200);
	}
	call->result = PQgetResult(conn);
	PQclear(PQgetResult(conn));
	return peak;
}

static void
measure_memory(const Cell *cell)
{
	Entry		entries[MAX_ENTRIES];
	int			count = enter(cell, entries);

	for (int i = 0; i < count; i++)
	{
		Entry	   *entry = &entries[i];
		const Work *work = choose_large_work(cell);
		Call		call = {0};
		double		before,
					peak;

		show_progress(cell, i, count);
		open_session(entry, false);
		make_call(cell, entry, work, 0, &call);
		before = private_memory(PQbackendPID(entry->conn));
		peak = watch_call(entry, &call);
		check_answer(cell, entry, work, 0, &call);
		free_call(&call);
		print_sample(cell, entry, 0, 0, entry->batch, before, peak);
		check_and_clean(cell, entry);
	}
	finish(cell, entries, count);
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

/* Make the tables for documents of a size, once. */
static void
need_tables(const Size *size)
{
	static const Size *filled = NULL;

	if (filled == size)
		return;
	make_pool(size);
	for (int s = 0; s < server_count; s++)
		fill(&servers[s], size);
	filled = size;
}

static void
measure_cells(const Size *size, const char *patterns, int rounds)
{
	Cell		cell;

	for (int b = 0; b < lengthof(batches); b++)
		for (int op = 0; op < lengthof(ops); op++)
		{
			if (!describe(&cell, size, batches[b], op) || !is_wanted(patterns, cell.name))
				continue;
			need_tables(size);
			measure(&cell, rounds);
		}
}

/* Last, since it changes the tables. */
static void
measure_large_cells(const Size *size, const char *patterns, int rounds)
{
	if (size->rows < many_sizes[lengthof(many_sizes) - 1])
		return;
	for (int op = 0; op < lengthof(ops); op++)
	{
		Cell		cell = {.size = size, .op = ops[op].op};

		if (cell.op & REFUSED)
			continue;
		snprintf(cell.name, sizeof(cell.name), "sizes-%s-%s", ops[op].name, size->name);
		if (is_wanted(patterns, cell.name))
		{
			need_tables(size);
			measure_many_sizes(&cell, rounds);
		}
		snprintf(cell.name, sizeof(cell.name), "memory-%s-%s", ops[op].name, size->name);
		if (is_wanted(patterns, cell.name))
		{
			need_tables(size);
			measure_memory(&cell);
		}
	}
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
		measure_cells(&sizes[i], argv[2], atoi(argv[1]));
		measure_large_cells(&sizes[i], argv[2], (atoi(argv[1]) + 1) / 2);
	}
	return 0;
}

/*
 * calls.h - the tables that measure.c writes to, and its calls: what they
 * send, and whether the answers are right
 *
 * Only measure.c includes it, so all of this is static.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include "client.h"
#include "contenders.h"
#include "documents.h"

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

#endif							/* BENCH_CALLS_H */

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
#include "calls.h"

#include <poll.h>

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
	entry->clock = clock_of(entry->conn);
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

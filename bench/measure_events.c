/*
 * measure_events.c - how fast clients append events, docstore's way and others'
 *
 * usage: measure_events ROUNDS CELLS CONNINFO [CONNINFO]
 *
 * A cell is one kind of work: so many clients, each with a session of its own,
 * append so many events in a call, to streams of their own or all to one.  In
 * each turn every contender gets one slice of time, in an order drawn by lot,
 * on tables of its own that were made alike: what disturbs the machine
 * disturbs them all, so compare them within a turn.  Sessions are new in each
 * turn, and some calls long they are not measured.
 *
 * Measured are the events that committed in the slice, the time that passed,
 * and the CPU time of the server processes.  Every answer is checked, and at
 * the end the versions in docstore's tables.  What others fail to append on a
 * stream that all append to is counted, and is not retried.
 *
 * Writes a line for each sample: cell, server, contender, clients, batch,
 * turn, events, failed calls, CPU ns, elapsed ns.
 */
#include "event_calls.h"

/*
 * Calls
 */

/* The streams of a client: none is another's. */
static int
choose_stream(Client *client)
{
	int			own = STREAMS / client->cell->clients;

	return client->cell->work == HOT_STREAM ? 0 : client->number * own + (int) (draw(client) >> 33) % own;
}

/* The last version that an answer tells; -1 when nothing was written. */
static int64_t
last_version(const Client *client, const PGresult *result)
{
	int			rows = PQntuples(result);

	if (client->entry->contender->answer == SUCCESS)
		return strcmp(PQgetvalue(result, 0, 0), "t") == 0 ? atoll(PQgetvalue(result, 0, 1)) : -1;
	if (rows != client->cell->batch)
		die("%s: %d rows for %d events", client->entry->contender->name, rows, client->cell->batch);
	return atoll(PQgetvalue(result, rows - 1, 0)) + (client->entry->contender->answer == POSITIONS);
}

/* Whether others lost this race, as they do on one stream for all: all but docstore may. */
static bool
is_lost_race(const Client *client, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return client->cell->work == HOT_STREAM && client->entry->contender->needs != NULL
		&& (PQresultStatus(result) == PGRES_TUPLES_OK || (state != NULL && strcmp(state, "23505") == 0));
}

static void
check_answer(Client *client, int stream, const PGresult *result)
{
	int64_t    *version = &client->entry->versions[stream];
	int64_t		told = PQresultStatus(result) == PGRES_TUPLES_OK ? last_version(client, result) : -1;

	if (told < 0)
	{
		if (!is_lost_race(client, result))
			die("%s: %s", client->entry->contender->name, PQerrorMessage(client->conn));
		client->failures++;
		return;
	}
	client->events += client->cell->batch;
	if (client->cell->work == HOT_STREAM)
		return;
	if (told != *version + client->cell->batch)
		die("%s: version %lld of stream %d after %lld", client->entry->contender->name, (long long) told, stream, (long long) *version);
	*version = told;
}

static void
make_call(Client *client)
{
	Call	   *call = &client->calls[draw(client) % POOL];
	int			stream = choose_stream(client);
	const char *values[8];
	char		numbers[2][32];
	char		name[32] = HOT;
	int			count = 0;
	PGresult   *result;

	if (client->cell->work != HOT_STREAM)
		snprintf(name, sizeof(name), "account-%d", stream);
	snprintf(numbers[0], sizeof(numbers[0]), "%lld", (long long) client->entry->versions[stream]);
	snprintf(numbers[1], sizeof(numbers[1]), "%lld", (long long) client->entry->versions[stream] - 1);
	for (const char *letter = client->entry->contender->parameters; *letter != '\0'; letter++)
		switch (*letter)
		{
			case 's':
				values[count++] = name;
				break;
			case 'v':
				values[count++] = numbers[0];
				break;
			case 'p':
				values[count++] = numbers[1];
				break;
			case '-':
				values[count++] = "-1";
				break;
			case '0':
				values[count++] = NULL;
				break;
			default:
				stamp_ids(client, &call->texts[(int) *letter]);
				values[count++] = call->texts[(int) *letter].value;
				break;
		}
	result = PQexecPrepared(client->conn, STATEMENT, count, values, NULL, NULL, 0);
	check_answer(client, stream, result);
	PQclear(result);
}

/*
 * Slices
 */

static void
open_session(Client *client)
{
	const Contender *contender = client->entry->contender;
	const char *table = contender->table;
	char	   *sql = text(contender->sql, table, table);
	PGresult   *result;

	client->conn = connect_to(client->entry->server->conninfo);
	client->clock = clock_of(client->conn);
	if (contender->needs != NULL)
		run(client->conn, "SET search_path = message_store, public");
	else
		run(client->conn, "SET plan_cache_mode = force_generic_plan");
	run(client->conn, "SET synchronous_commit = %s", client->cell->durable ? "on" : "off");
	result = PQprepare(client->conn, STATEMENT, sql, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQerrorMessage(client->conn));
	PQclear(result);
	free(sql);
}

static void *
work(void *argument)
{
	Client	   *client = argument;

	for (int i = 0; i < WARM_UP; i++)
		make_call(client);
	pthread_barrier_wait(&barrier);
	/* The main thread looks at the clocks. */
	pthread_barrier_wait(&barrier);
	while ((client->ended = nanoseconds(CLOCK_MONOTONIC)) < client->until)
		make_call(client);
	return NULL;
}

static double
processor_time(const Client *clients, int count)
{
	double		sum = 0;

	for (int i = 0; i < count; i++)
		sum += nanoseconds(clients[i].clock);
	return sum;
}

static void
print_sample(const Cell *cell, const Entry *entry, int turn, const Client *clients, double cpu, double began)
{
	int64_t		events = 0;
	int64_t		failures = 0;
	double		ended = began;

	for (int i = 0; i < cell->clients; i++)
	{
		events += clients[i].events;
		failures += clients[i].failures;
		ended = clients[i].ended > ended ? clients[i].ended : ended;
	}
	printf("%s\t%d\t%s\t%d\t%d\t%d\t%lld\t%lld\t%.0f\t%.0f\n", cell->name, entry->server_number, entry->contender->name,
		   cell->clients, cell->batch, turn, (long long) events, (long long) failures, cpu, ended - began);
}

/* One slice of time of one contender, in new sessions. */
static void
take_slice(const Cell *cell, Entry *entry, int turn)
{
	static Client clients[MAX_CLIENTS];
	double		cpu;
	double		began;

	pthread_barrier_init(&barrier, NULL, cell->clients + 1);
	for (int i = 0; i < cell->clients; i++)
	{
		clients[i] = (Client) {.cell = cell, .entry = entry, .number = i, .calls = calls[i]};
		clients[i].random = ((uint64_t) random_below(INT32_MAX) << 31 | (uint64_t) random_below(INT32_MAX)) + 1;
		open_session(&clients[i]);
		if (pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0)
			die("no more threads");
	}
	pthread_barrier_wait(&barrier);
	cpu = processor_time(clients, cell->clients);
	began = nanoseconds(CLOCK_MONOTONIC);
	for (int i = 0; i < cell->clients; i++)
	{
		entry->events += clients[i].events;
		clients[i].events = clients[i].failures = 0;
		clients[i].until = began + SLICE * 1e9;
	}
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < cell->clients; i++)
		pthread_join(clients[i].thread, NULL);
	cpu = processor_time(clients, cell->clients) - cpu;
	pthread_barrier_destroy(&barrier);

	if (turn >= 0)
		print_sample(cell, entry, turn, clients, cpu, began);
	for (int i = 0; i < cell->clients; i++)
	{
		entry->events += clients[i].events;
		PQfinish(clients[i].conn);
	}
}

/*
 * Cells
 */

static bool
is_log(const Contender *contender)
{
	return strstr(contender->setup, "create_log") != NULL;
}

static bool
is_there(PGconn *conn, const char *what)
{
	PGresult   *result;
	char	   *sql = text("SELECT %s IS NOT NULL", what);
	bool		there;

	result = query(conn, sql);
	there = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	PQclear(result);
	free(sql);
	return there;
}

/*
 * What autovacuum would do: heads have dead rows, and plans need to know how
 * long streams are.  Of events that takes a while, for little: they change no
 * more.
 */
static void
clean(const Entry *entry, bool events)
{
	const char *table = entry->contender->table;

	if (events)
		run(entry->server->keeper, "VACUUM (ANALYZE) %s", table);
	if (is_log(entry->contender))
		run(entry->server->keeper, "VACUUM (ANALYZE) %s_streams", table);
	else if (strcmp(table, "emt_messages") == 0)
		run(entry->server->keeper, "VACUUM (ANALYZE) emt_streams");
}

/* Make a contender's tables anew and fill them. */
static void
prepare_tables(Entry *entry)
{
	const Contender *contender = entry->contender;
	PGconn	   *keeper = entry->server->keeper;
	const char *table = contender->table;
	char	   *setup = text(contender->setup, table, table, table, table, table, table);
	char	   *fill = text(contender->fill, table);

	if (contender->needs == NULL)
	{
		run(keeper, "DROP TABLE IF EXISTS %s, %s_streams, %s_consumers", table, table, table);
		run(keeper, "DROP SEQUENCE IF EXISTS %s_versions", table);
	}
	PQclear(query(keeper, setup));
	PQclear(query(keeper, fill));
	clean(entry, true);
	free(setup);
	free(fill);
	for (int i = 0; i < STREAMS; i++)
		entry->versions[i] = 1;
	entry->events = STREAMS;
}

/* Whether a log contains what the answers said, each stream without a gap. */
static void
verify(const Cell *cell, const Entry *entry)
{
	const char *table = entry->contender->table;
	char	   *sql = text("SELECT sum(s.version), sum(e.count), bool_and(s.version = e.count AND e.max = e.count) FROM %s_streams s"
						   " JOIN (SELECT stream, count(*), max(version) FROM %s GROUP BY stream) e USING (stream)", table, table);
	PGresult   *result = query(entry->server->keeper, sql);

	if (atoll(PQgetvalue(result, 0, 0)) != entry->events || atoll(PQgetvalue(result, 0, 1)) != entry->events
		|| strcmp(PQgetvalue(result, 0, 2), "t") != 0)
		die("%s: %s has %s events by its heads and %s by itself, and %lld were appended", cell->name, table,
			PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), (long long) entry->events);
	PQclear(result);
	free(sql);
}

static int
enter(const Cell *cell, Entry *entries)
{
	int			count = 0;

	for (int s = 0; s < server_count; s++)
		for (int i = 0; i < lengthof(contenders); i++)
		{
			const Contender *contender = &contenders[i];

			if (contender->work != cell->work || !(contender->calls & (cell->batch == 1 ? ONE : SEVERAL)))
				continue;
			if (contender->needs != NULL && !is_there(servers[s].keeper, contender->needs))
				continue;
			if (count == MAX_ENTRIES)
				die("too many contenders");
			entries[count] = (Entry) {.contender = contender, .server = &servers[s], .server_number = s};
			entries[count].versions = malloc(sizeof(int64_t) * STREAMS);
			prepare_tables(&entries[count++]);
		}
	return count;
}

/* What a commit that waits for the disk needs, or the settings that the server was started with. */
static void
set_durable(bool durable)
{
	static const char *const settings[] = {"fsync", "wal_init_zero"};

	for (int s = 0; s < server_count; s++)
	{
		for (int i = 0; i < lengthof(settings); i++)
			run(servers[s].keeper, durable ? "ALTER SYSTEM SET %s = on" : "ALTER SYSTEM RESET %s", settings[i]);
		run(servers[s].keeper, "SELECT pg_reload_conf()");
		run(servers[s].keeper, "CHECKPOINT");
	}
}

static void
measure(const Cell *cell, int rounds)
{
	Entry		entries[MAX_ENTRIES];
	int			order[MAX_ENTRIES];
	int			count;

	make_calls(cell->batch);
	count = enter(cell, entries);
	set_durable(cell->durable);
	/* The first round only gives the tables something to analyze. */
	for (int round = -1; round < rounds; round++)
	{
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r\033[K%s: round %d of %d", cell->name, round + 1, rounds);
		draw_order(count, order);
		for (int i = 0; i < count; i++)
			take_slice(cell, &entries[order[i]], round);
		for (int i = 0; i < count; i++)
			clean(&entries[i], round < 1);
		fflush(stdout);
	}
	set_durable(false);
	for (int i = 0; i < count; i++)
	{
		if (is_log(entries[i].contender))
			verify(cell, &entries[i]);
		free(entries[i].versions);
	}
	fprintf(stderr, "%s%s: done\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", cell->name);
}

static void __attribute__((format(printf, 7, 8)))
measure_if_wanted(const char *patterns, int rounds, int work, int batch, int clients, bool durable, const char *name,...)
{
	Cell		cell = {.work = work, .batch = batch, .clients = clients, .durable = durable};
	va_list		arguments;

	va_start(arguments, name);
	vsnprintf(cell.name, sizeof(cell.name), name, arguments);
	va_end(arguments);
	if (is_wanted(patterns, cell.name))
		measure(&cell, rounds);
}

int
main(int argc, char **argv)
{
	const char *patterns = argc > 2 ? argv[2] : "";
	int			rounds = argc > 1 ? atoi(argv[1]) : 0;

	if (argc < 4 || argc > 3 + MAX_SERVERS)
		die("usage: measure_events ROUNDS CELLS CONNINFO [CONNINFO]");
	server_count = argc - 3;
	for (int s = 0; s < server_count; s++)
	{
		servers[s] = (Server) {argv[3 + s], connect_to(argv[3 + s])};
		run(servers[s].keeper, "SET client_min_messages = warning");
		run(servers[s].keeper, "SET search_path = public, message_store");
		run(servers[s].keeper, "CREATE EXTENSION IF NOT EXISTS docstore");
	}
	for (int clients = 0; clients < lengthof(clients_of_many); clients++)
		for (int b = 0; b < lengthof(batches); b++)
			measure_if_wanted(patterns, rounds, MANY, batches[b], clients_of_many[clients], false,
							  "many-%d-%dc", batches[b], clients_of_many[clients]);
	for (int durable = 0; durable <= 1; durable++)
		for (int b = 0; b < lengthof(batches); b++)
			measure_if_wanted(patterns, rounds, HOT_STREAM, batches[b], MAX_CLIENTS, durable,
							  "%s-%d-%dc", durable ? "hotsync" : "hot", batches[b], MAX_CLIENTS);
	for (int b = 0; b < lengthof(batches); b++)
		measure_if_wanted(patterns, rounds, INDEXES, batches[b], 1, false, "indexes-%d", batches[b]);
	return 0;
}

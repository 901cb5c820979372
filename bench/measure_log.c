/*
 * measure_log.c - what calls cost in a long log, and calls that are large
 *
 * usage: measure_log ROUNDS CELLS EVENTS CONNINFO [CONNINFO]
 *
 * One client, in one session for each cell.
 *
 * growth: a log is filled up to EVENTS, by docstore itself; a tenth of them
 * are in one stream.  At 1,000 events and at each power of ten from there on,
 * single events are appended: to the long stream, to short ones, to new ones,
 * with and without a scope.  Rounds of calls take turns.
 *
 * tail: then the tails of many scopes are asked for, without the indexes that
 * some need and with them.
 *
 * large: events of 1 MB, and 100,000 events in a call, beside INSERTs.
 *
 * Writes a line for each sample: cell, server, what, size, turn, calls, CPU ns,
 * elapsed ns.
 */
#include "client.h"

#define STATEMENT "measured"
#define SHORT_STREAMS 20000
#define GROWTH_CALLS 50			/* in a sample */
#define MAX_TAIL_TIME 3e9		/* ns in all samples of one scope, about */
#define TAIL_CALLS 20
#define MEGABYTE 1000000
#define MANY_EVENTS 100000

typedef struct Session
{
	PGconn	   *conn;
	clockid_t	clock;			/* the CPU time of its server process */
	int			server;
} Session;

static Session sessions[2];
static int	session_count;
static int	rounds;
static int64_t max_events;

static void
open_session(Session *session, const char *conninfo, int number)
{
	session->conn = connect_to(conninfo);
	session->server = number;
	session->clock = clock_of(session->conn);
	run(session->conn, "SET client_min_messages = warning");
	run(session->conn, "SET plan_cache_mode = force_generic_plan");
	run(session->conn, "CREATE EXTENSION IF NOT EXISTS docstore");
}

static void
prepare(const Session *session, const char *sql)
{
	PGresult   *result;

	run(session->conn, "DEALLOCATE ALL");
	result = PQprepare(session->conn, STATEMENT, sql, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQerrorMessage(session->conn));
	PQclear(result);
}

static PGresult *
execute(const Session *session, int count, const char *const *values)
{
	PGresult   *result = PQexecPrepared(session->conn, STATEMENT, count, values, NULL, NULL, 0);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		die("%s", PQerrorMessage(session->conn));
	return result;
}

static void
print_sample(const Session *session, const char *cell, const char *what, int64_t size, int turn, int calls, double cpu, double elapsed)
{
	printf("%s\t%d\t%s\t%lld\t%d\t%d\t%.0f\t%.0f\n", cell, session->server, what, (long long) size, turn, calls, cpu, elapsed);
	fflush(stdout);
}

static void
show_progress(const char *format, int64_t number)
{
	if (isatty(STDERR_FILENO))
	{
		fputs("\r\033[K", stderr);
		fprintf(stderr, format, (long long) number);
	}
}

/*
 * A long log
 */

/*
 * Types and tags of the events that fill the log: the first event is the only
 * one of its type and of its stream_id, and but for it only the first
 * thousandth of the log has the old tag.
 */
static void
make_history(const Session *session)
{
	run(session->conn, "DROP TABLE IF EXISTS history, history_streams, history_consumers");
	run(session->conn, "SELECT docstore.create_log('history')");
	run(session->conn, "SELECT docstore.append('history', 'account-long', '[{\"type\": \"Opened\", \"source_type\": \"Account\","
		" \"stream_id\": \"2001-01\", \"data\": {\"owner\": \"Ann\"}}]')");
}

/* Append so many events, 100 in a call; each tenth call goes to the long stream. */
static void
fill(const Session *session, int64_t from, int64_t to)
{
	while (from < to)
	{
		int64_t		step = to - from > 200000 ? 200000 : to - from;

		run(session->conn,
			"WITH e AS MATERIALIZED (SELECT jsonb_agg(jsonb_build_object('type', CASE WHEN n %% 2 = 0 THEN 'Deposited' ELSE 'Withdrawn' END,"
			" 'source_type', 'Account', 'stream_type', 'Transactions', 'stream_id', '%s', 'data', jsonb_build_object('amount', n))) AS events"
			" FROM generate_series(1, 100) n)"
			" SELECT count(*) FROM e, generate_series(%lld::bigint / 100, (%lld::bigint - 1) / 100) AS s, docstore.append('history',"
			" CASE WHEN s %% 10 = 0 THEN 'account-long' ELSE 'account-' || (s * 7919) %% %d END, e.events)",
			from < max_events / 1000 ? "2026-01" : "2026-11", (long long) from, (long long) (from + step), SHORT_STREAMS);
		from += step;
		show_progress("filling the log: %lld events", from);
	}
	run(session->conn, "VACUUM (ANALYZE) history");
	run(session->conn, "VACUUM (ANALYZE) history_streams");
	run(session->conn, "CHECKPOINT");
}

/* Kinds of appends, and what $1, the number of a call, means to them. */
static const struct
{
	const char *name;
	const char *stream;
	const char *more;
}			appends[] = {
	{"the long stream", "'account-long'", "-1"},
	{"the long stream, event_id", "'account-long'", "-1"},
	{"the long stream, a scope of its own", "'account-long'",
		"-1, jsonb_build_array(jsonb_build_object('source', 'account-long', 'types', '[\"Opened\"]'::jsonb, 'expected', $2::bigint))"},
	{"a short stream", "'account-' || ($1::bigint * 7919) % " "20000", "-1"},
	{"a new stream", "'new-' || $1", "0"},
	{"a new stream, a scope of a type", "'new-' || $1",
		"0, jsonb_build_array(jsonb_build_object('types', '[\"Opened\"]'::jsonb, 'expected', $2::bigint))"},
};

static void
prepare_append(const Session *session, int kind)
{
	bool		has_id = strstr(appends[kind].name, "event_id") != NULL;
	char	   *sql = text("SELECT version, log_position, $2::bigint FROM docstore.append('history', %s, jsonb_build_array("
						   "jsonb_build_object('type', 'Deposited', 'data', '{\"amount\": 1}'::jsonb%s)), %s) WHERE $1::bigint > 0",
						   appends[kind].stream, has_id ? ", 'event_id', gen_random_uuid()" : "", appends[kind].more);

	prepare(session, sql);
	free(sql);
}

static int64_t
last_position(const Session *session)
{
	PGresult   *result = query(session->conn, "SELECT docstore.tail('history', '{}')");
	int64_t		position = atoll(PQgetvalue(result, 0, 0));

	PQclear(result);
	return position;
}

static void
sample_append(const Session *session, int kind, int64_t size, int turn)
{
	static int64_t number = 0;
	int64_t		position = last_position(session);
	double		cpu = 0;
	double		elapsed = 0;

	prepare_append(session, kind);
	for (int i = -10; i < GROWTH_CALLS; i++)
	{
		char		values[2][32];
		const char *pointers[] = {values[0], values[1]};
		PGresult   *result;

		snprintf(values[0], sizeof(values[0]), "%lld", (long long) ++number);
		snprintf(values[1], sizeof(values[1]), "%lld", (long long) position);
		if (i == 0)
		{
			cpu = nanoseconds(session->clock);
			elapsed = nanoseconds(CLOCK_MONOTONIC);
		}
		result = execute(session, 2, pointers);
		position = atoll(PQgetvalue(result, 0, 1));
		PQclear(result);
	}
	elapsed = nanoseconds(CLOCK_MONOTONIC) - elapsed;
	print_sample(session, "growth", appends[kind].name, size, turn, GROWTH_CALLS, nanoseconds(session->clock) - cpu, elapsed);
}

static void
measure_growth(const Session *session, bool only_fill)
{
	int64_t		filled = 1;

	make_history(session);
	for (int64_t size = 1000; size <= max_events; size *= 10)
	{
		fill(session, filled / 100 * 100, size);
		filled = size;
		for (int turn = -1; turn < rounds * 5 && !only_fill; turn++)
			for (int kind = 0; kind < lengthof(appends); kind++)
				sample_append(session, kind, size, turn);
	}
}

/*
 * Tails
 */

static const char *const scopes[] = {
	"{}",
	"{\"source\": \"account-long\"}",
	"{\"source\": \"account-7\"}",
	"{\"source\": \"account-nobody\"}",
	"{\"types\": [\"Deposited\", \"Withdrawn\"]}",
	"{\"source_type\": \"Account\", \"stream_type\": \"Transactions\"}",
	"{\"stream_id\": null}",
	"{\"source\": \"account-7\", \"types\": [\"Opened\"]}",
	"{\"source\": \"account-long\", \"types\": [\"Opened\"]}",
	"{\"source\": \"account-long\", \"stream_id\": \"2001-01\"}",
	"{\"types\": [\"Opened\"]}",
	"{\"types\": [\"Closed\"]}",
	"{\"stream_id\": \"2026-01\"}",
	"{\"stream_id\": \"2001-01\"}",
	"{\"stream_id\": \"2001-01\", \"types\": [\"Opened\"]}",
	"{\"source_type\": \"Nobody\"}",
};

static void
measure_tail(const Session *session, const char *cell, const char *scope)
{
	double		spent = 0;

	prepare(session, "SELECT docstore.tail('history', $1)");
	for (int turn = -1; turn < rounds && spent < MAX_TAIL_TIME; turn++)
	{
		double		cpu = nanoseconds(session->clock);
		double		began = nanoseconds(CLOCK_MONOTONIC);
		double		elapsed = 0;
		int			calls = 0;

		while (calls < TAIL_CALLS && elapsed < MAX_TAIL_TIME / 10)
		{
			PQclear(execute(session, 1, &scope));
			elapsed = nanoseconds(CLOCK_MONOTONIC) - began;
			calls++;
		}
		spent += elapsed;
		if (turn >= 0 || elapsed > MAX_TAIL_TIME / 10)
			print_sample(session, cell, scope, max_events, turn, calls, nanoseconds(session->clock) - cpu, elapsed);
	}
}

static void
measure_tails(const Session *session)
{
	static const char *const indexes[] = {
		"(type, log_position)", "(stream_id, log_position)", "(source_type, log_position)"
	};

	for (int i = 0; i < lengthof(scopes); i++)
		measure_tail(session, "tail", scopes[i]);
	for (int i = 0; i < lengthof(indexes); i++)
	{
		show_progress("index %lld", i);
		run(session->conn, "CREATE INDEX ON history %s", indexes[i]);
	}
	run(session->conn, "VACUUM (ANALYZE) history");
	for (int i = 0; i < lengthof(scopes); i++)
		measure_tail(session, "tail-indexed", scopes[i]);
}

/*
 * Large calls
 */

static char *
make_large_data(void)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	fprintf(out, "{\"lines\":[\"");
	while (ftell(out) < MEGABYTE - 100)
	{
		write_words(out, 1 + random_below(8));
		fprintf(out, " %d\",\"", random_below(INT32_MAX));
	}
	fprintf(out, "end\"]}");
	fclose(out);
	return result;
}

static char *
make_events(int count, const char *data)
{
	char	   *result;
	size_t		length;
	FILE	   *out = open_memstream(&result, &length);

	for (int i = 0; i < count; i++)
		if (data != NULL)
			fprintf(out, "%c{\"type\": \"Deposited\", \"data\": %s}", i == 0 ? '[' : ',', data);
		else
		{
			fprintf(out, "%c{\"type\": \"Deposited\", \"data\": {\"account\":%d,\"amount\":%d,\"note\":\"", i == 0 ? '[' : ',',
					random_below(100000), random_below(5000));
			write_words(out, 36);
			fputs("\"}}", out);
		}
	fputc(']', out);
	fclose(out);
	return result;
}

static const struct
{
	const char *name;
	const char *sql;
}			large[] = {
	{"docstore.append", "SELECT max(version) FROM docstore.append('large', $1, $2, 0)"},
	{"INSERT jsonb_to_recordset", "WITH w AS (INSERT INTO large_plain (stream, version, type, data) SELECT $1, e.n, e.type, e.data"
		" FROM ROWS FROM (jsonb_to_recordset($2) AS (type text, data jsonb)) WITH ORDINALITY AS e(type, data, n) RETURNING version, log_position)"
	" SELECT max(version) FROM w"},
};

static void
make_large_tables(const Session *session)
{
	run(session->conn, "DROP TABLE IF EXISTS large, large_streams, large_consumers, large_plain");
	run(session->conn, "SELECT docstore.create_log('large')");
	run(session->conn,
		"CREATE TABLE large_plain (log_position bigint GENERATED BY DEFAULT AS IDENTITY, version bigint NOT NULL,"
		" recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), event_id uuid, stream text COLLATE \"C\" NOT NULL,"
		" type text COLLATE \"C\" NOT NULL, source_type text COLLATE \"C\", stream_type text COLLATE \"C\","
		" stream_id text COLLATE \"C\", data jsonb COMPRESSION lz4 NOT NULL, metadata jsonb COMPRESSION lz4, UNIQUE (stream, version))");
}

static void
sample_large(const Session *session, const char *cell, int contender, int count, int turn, const char *events)
{
	static int	number = 0;
	char	   *stream = text("account-%d", ++number);
	const char *values[] = {stream, events};
	double		cpu;
	double		elapsed;
	PGresult   *result;

	prepare(session, large[contender].sql);
	cpu = nanoseconds(session->clock);
	elapsed = nanoseconds(CLOCK_MONOTONIC);
	result = execute(session, 2, values);
	elapsed = nanoseconds(CLOCK_MONOTONIC) - elapsed;
	cpu = nanoseconds(session->clock) - cpu;
	if (atoi(PQgetvalue(result, 0, 0)) != count)
		die("%s: %s events of %d", large[contender].name, PQgetvalue(result, 0, 0), count);
	if (turn >= 0)
		print_sample(session, cell, large[contender].name, count, turn, 1, cpu, elapsed);
	PQclear(result);
	free(stream);
}

static void
measure_large(const Session *session, const char *cell, int count, int turns)
{
	make_large_tables(session);
	for (int turn = -2; turn < turns; turn++)
	{
		char	   *data = count == 1 ? make_large_data() : NULL;
		char	   *events = make_events(count, data);
		int			order[lengthof(large)];

		draw_order(lengthof(large), order);
		for (int i = 0; i < lengthof(large); i++)
			sample_large(session, cell, order[i], count, turn, events);
		free(data);
		free(events);
	}
}

int
main(int argc, char **argv)
{
	if (argc < 5 || argc > 4 + lengthof(sessions))
		die("usage: measure_log ROUNDS CELLS EVENTS CONNINFO [CONNINFO]");
	rounds = atoi(argv[1]);
	max_events = atoll(argv[3]);
	session_count = argc - 4;
	for (int s = 0; s < session_count; s++)
	{
		const Session *session = &sessions[s];

		open_session(&sessions[s], argv[4 + s], s);
		if (is_wanted(argv[2], "large-1mb"))
			measure_large(session, "large-1mb", 1, rounds * 5);
		if (is_wanted(argv[2], "large-100000"))
			measure_large(session, "large-100000", MANY_EVENTS, rounds);
		if (is_wanted(argv[2], "growth") || is_wanted(argv[2], "tail"))
			measure_growth(session, !is_wanted(argv[2], "growth"));
		if (is_wanted(argv[2], "tail"))
			measure_tails(session);
	}
	return 0;
}

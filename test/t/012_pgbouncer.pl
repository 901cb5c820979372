# Through pgbouncer in transaction mode: many clients share two server sessions, and each transaction may go to another one.
use strict;
use warnings FATAL => 'all';
use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($installed) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
plan skip_all => 'pgbouncer is not installed' if !$installed;
my ($major, $minor) = `$installed --version` =~ /PgBouncer (\d+)\.(\d+)/ or die "$installed does not tell its version";
my $can_prepare = $major > 1 || $minor >= 21;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 30\nmax_prepared_transactions = 0\n");
$node->start;

# --- The pooler -------------------------------------------------------------------------------------------------------

my %running;
END { my $status = $?; stop_pooler($_) for keys %running; $? = $status; }

# Starts pgbouncer from a copy in the node's directory, so that whoever cleans up there finds it by its path. Returns what looks like a node
# that is reached through it: psql() and pgbench() work as with any other. The database "one" is "postgres" with one session for all.
sub start_pooler
{
	my ($name, $settings) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir_short();
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $user = getpwuid($<);
	my $program = $node->basedir . '/pgbouncer';
	copy($installed, $program) and chmod 0755, $program or die "$program: $!" if !-e $program;
	append_to_file("$directory/users", qq{"$_" ""\n}) for $user, 'ann', 'ben';
	append_to_file("$directory/ini", join("\n", '[databases]',
		'one = host=' . $node->host . ' port=' . $node->port . ' dbname=postgres pool_size=1',
		'* = host=' . $node->host . ' port=' . $node->port,
		'[pgbouncer]', 'listen_addr =', "listen_port = $port", "unix_socket_dir = $directory", 'auth_type = trust', "auth_file = $directory/users",
		"admin_users = $user", 'pool_mode = transaction', 'default_pool_size = 2', 'max_client_conn = 100', 'query_wait_timeout = 120',
		($can_prepare ? 'max_prepared_statements = 50' : ()), "logfile = $directory/log", $settings // '', ''));
	$running{$name} = IPC::Run::start([ $program, '-q', "$directory/ini" ], '>', "$directory/output", '2>&1');
	my $pooler = bless { %$node, _host => $directory, _port => $port, _pid => undef }, ref $node;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return $pooler if (run_command([ 'psql', '-XAtc', 'SELECT 1', '-d', $pooler->connstr('postgres') ]))[0] eq '1';
		select undef, undef, undef, 0.1;
	}
	die slurp_file("$directory/log");
}

sub stop_pooler
{
	my ($name) = @_;
	my $run = delete $running{$name};
	$run->kill_kill(grace => 5);
	return;
}

# How many server sessions the pooler has for the database.
sub sessions
{
	my ($pooler) = @_;
	return scalar grep { /\|postgres\|/ } split /\n/, $pooler->safe_psql('pgbouncer', 'SHOW SERVERS');
}

sub error_of { my ($where, $sql, $database) = @_; return ($where->psql($database // 'postgres', "\\set VERBOSITY verbose\n$sql"))[2]; }

# --- What clients do --------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops'), docstore.create_collection('hot'), docstore.create_collection('warm'), docstore.create_collection('once'),
		docstore.create_log('ledger', notify => true);
	CREATE TABLE guarded (id int PRIMARY KEY, version int NOT NULL, n int NOT NULL);
	SELECT docstore.guard('guarded');
	CREATE TABLE tally (what text);
	CREATE ROLE ann LOGIN;
	CREATE ROLE ben LOGIN;
	CREATE SCHEMA a AUTHORIZATION ann;
	CREATE SCHEMA b AUTHORIZATION ben;
	GRANT INSERT ON tally TO ann, ben;
	SET ROLE ann; SELECT docstore.create_collection('a.shops');
	SET ROLE ben; SELECT docstore.create_collection('b.shops');
	RESET ROLE;
	ALTER ROLE ann SET search_path = a;
	ALTER ROLE ben SET search_path = b});

# A version read, a document written, the conflict as an answer: n is the version less one, for ever, unless an update is lost.
my $hot = q{
\set id random(1, 3)
SELECT version, (data ->> 'n')::int AS n FROM docstore.load('hot', :id::text)
\gset
SELECT count(version) AS saved FROM docstore.try_save(jsonb_build_array(jsonb_build_object('op', 'upsert', 'collection', 'hot', 'id', :id::text,
	'data', jsonb_build_object('n', :n::int + 1), 'expected', :version::bigint)))
\gset
INSERT INTO tally SELECT 'hot' WHERE :saved = 1;
};
# The same in a transaction with deferred conflicts, which is rolled back when there is one.
my $deferred = q{
\set id random(1, 3)
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT version, (data ->> 'n')::int AS n FROM docstore.load('hot', :id::text)
\gset
SELECT COALESCE(docstore.upsert('hot', :id::text, jsonb_build_object('n', :n::int + 1), :version::bigint), 0) AS saved
\gset
\if :saved
INSERT INTO tally VALUES ('hot');
SELECT docstore.check_conflicts();
COMMIT;
\else
ROLLBACK;
\endif
SELECT 1 / (COALESCE(current_setting('docstore.conflicts', true), 'immediate') = 'immediate')::int;
};
# What expects nothing always succeeds; a request is executed once; a guarded row is updated by who has locked it.
my $certain = q{
\set id random(1, 3)
\set request random(1, 30)
SELECT docstore.patch('warm', :id::text, '{"x": 1}', -1);
SELECT count(*) FROM docstore.append('ledger', 's' || :id, '[{"type": "T"}]');
SELECT version FROM docstore.save(jsonb_build_array(jsonb_build_object('op', 'upsert', 'collection', 'once', 'id', :request::text, 'data', '{}'::jsonb)),
	('00000000-0000-0000-0000-' || lpad(:request::text, 12, '0'))::uuid);
BEGIN;
SELECT version FROM guarded WHERE id = :id FOR UPDATE
\gset
UPDATE guarded SET n = n + 1, version = :version + 1 WHERE id = :id;
COMMIT;
INSERT INTO tally VALUES ('certain');
};
# The same text means another table in another schema, also where a session has it prepared.
my %in_schema = map { my ($schema, $role) = @$_; $schema => qq{
BEGIN;
SET LOCAL ROLE $role;
SET LOCAL search_path = $schema;
SELECT docstore.upsert('shops', 'x', '{}', -1);
INSERT INTO public.tally SELECT current_schema();
COMMIT;
} } [ 'a', 'ann' ], [ 'b', 'ben' ];

sub fill
{
	$node->safe_psql('postgres', q{
		TRUNCATE tally, hot, warm, once, ledger, ledger_streams, guarded, docstore.requests, a.shops, b.shops;
		SELECT docstore.upsert('hot', id::text, '{"n": 0}') FROM generate_series(1, 3) id;
		SELECT docstore.upsert('warm', id::text, '{}') FROM generate_series(1, 3) id;
		INSERT INTO guarded SELECT id, 1, 0 FROM generate_series(1, 3) id});
	return;
}

# Eight clients at once, in turns of all kinds. Each has a thread of its own: while pgbench prepares a statement, the other clients of that thread
# stand still, and those that are in a transaction keep their server session.
sub drive
{
	my ($pooler, $mode, $text) = @_;
	fill();
	$pooler->pgbench("-n -M $mode -c 8 -j 8 -t 60", 0, [qr/processed: 480\/480/], [qr/^(?!.*(?:error|aborted))/is], "$text: all clients end well",
		{ "012_${text}_hot" => $hot, "012_${text}_deferred" => $deferred, "012_${text}_certain" => $certain, "012_${text}_a" => $in_schema{a},
			"012_${text}_b" => $in_schema{b} }, 'postgres');
	my $value = sub { return $node->safe_psql('postgres', "SELECT $_[0]") };
	is($value->(q{string_agg(id, ',') FROM hot WHERE (data ->> 'n')::int <> version - 1}), '', "$text: no update is lost");
	is($value->(q{sum(version - 1) = (SELECT count(*) FROM tally WHERE what = 'hot') AND sum(version) > 10 FROM hot}), 't', "$text: nor invented");
	is($value->(q{sum(version - 1) = (SELECT count(*) FROM tally WHERE what = 'certain') FROM warm}), 't', "$text: every patch is there");
	is($value->(q{sum(version) = (SELECT count(*) FROM tally WHERE what = 'certain') AND sum(version) = (SELECT count(*) FROM ledger) FROM ledger_streams}), 't',
		"$text: every event is there, in streams without a gap");
	is($value->(q{sum(n) = (SELECT count(*) FROM tally WHERE what = 'certain') AND every(version = n + 1) FROM guarded}), 't', "$text: every guarded row");
	is($value->(q{every(version = 1) AND count(*) = (SELECT count(*) FROM docstore.requests) FROM once}), 't', "$text: each request was executed once");
	is($value->(qq{COALESCE(max(version), 0) = (SELECT count(*) FROM tally WHERE what = '$_') FROM $_.shops}), 't', "$text: schema $_ has its own") for 'a', 'b';
	return;
}

# --- Transaction mode -------------------------------------------------------------------------------------------------

my $pooler = start_pooler('transaction');
note("pgbouncer $major.$minor");
drive($pooler, 'simple', 'simple');
drive($pooler, 'extended', 'extended');
SKIP:
{
	skip "pgbouncer $major.$minor has no prepared statements in transaction mode, 1.21 has", 12 if !$can_prepare;
	drive($pooler, 'prepared', 'prepared');
	is($pooler->safe_psql('postgres', q{SELECT count(*) > 10 FROM pg_prepared_statements WHERE name ~ '^PGBOUNCER'}), 't', 'prepared: in the server');
}
is(sessions($pooler), 2, 'they shared two sessions');

# Errors arrive as they were sent.
$node->safe_psql('postgres', q{SELECT docstore.upsert('shops', n::text, '{}') FROM generate_series(1, 20) n;
	SELECT docstore.upsert('shops', n::text, '{}', 1) FROM generate_series(1, 20, 7) n});
my $batch = q{SELECT * FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'shops', 'id', n::text, 'data', '{}'::jsonb,
	'expected', 1)) FROM generate_series(1, 20) n));};
my %conflicts = (
	document => q{SELECT docstore.upsert('shops', '1', '{}', 1);},
	'batch, 3 of 20' => $batch,
	stream => q{SELECT * FROM docstore.append('ledger', 's1', '[{"type": "T"}]', 999999);},
	scope => q{SELECT * FROM docstore.append('ledger', 's1', '[{"type": "T"}]', scopes => '{"types": ["T"], "expected": "none"}');},
	row => q{UPDATE guarded SET version = 999 WHERE id = 1;},
	'COMMIT' => q{BEGIN; SET LOCAL docstore.conflicts = 'deferred'; SELECT docstore.upsert('shops', '1', '{}', 1), docstore.delete('shops', '8', 1); COMMIT;});
for my $kind (sort keys %conflicts)
{
	my $error = error_of($pooler, $conflicts{$kind});
	like($error, qr/ERROR:  PT409: version conflict.*DETAIL:  \{"total": \d+, "violations": \[.*HINT:  .*CONSTRAINT NAME:  docstore_expected_version/s, "conflict: $kind");
	is($error, error_of($node, $conflicts{$kind}), 'is as without the pooler');
}
my ($detail) = error_of($pooler, $batch) =~ /DETAIL:  (.*)/;
is($node->safe_psql('postgres', "SELECT string_agg(id, ',' ORDER BY item) FROM docstore.violations(\$detail\$$detail\$detail\$)"), '1,8,15', 'its DETAIL can be read');
my $long = q{SELECT docstore.upsert_many('shops', array_agg(n::text), array_agg('{}'::jsonb), array_agg(99)) FROM generate_series(1, 5000) n;};
is(error_of($pooler, "BEGIN; SET LOCAL docstore.max_violations = 5000; $long"), error_of($node, "BEGIN; SET LOCAL docstore.max_violations = 5000; $long"),
	'so it is with 5000 violations');
like(error_of($pooler, $batch), qr/"total": 3,/, 'and the setting of that transaction is gone');

# A client that goes away in a transaction takes all of it along.
my @clients = map { $pooler->background_psql('postgres', on_error_die => 1) } 1 .. 3;
$clients[0]->query_safe(q{BEGIN; SET LOCAL docstore.conflicts = 'deferred'; SET LOCAL docstore.checks = off; SELECT docstore.upsert('shops', 'gone', '{}', 7)});
$clients[0]->query_safe(q{SET LOCAL docstore.checks = on; SELECT docstore.upsert('shops', 'gone', '{}', 99)});
$clients[0]->{run}->kill_kill;
for my $client (@clients[1, 2])
{
	is($client->query_safe(q{BEGIN; SELECT current_setting('docstore.conflicts'), current_setting('docstore.checks'), docstore.check_conflicts() IS NULL}),
		'immediate|on|f', 'nothing is left in a session of a client that has gone');
}
$_->query_safe('COMMIT') for @clients[1, 2];
is($node->safe_psql('postgres', q{SELECT count(*) FROM docstore.load('shops', 'gone')}), '0', 'and nothing was written');

# A session's kept plans follow the tables, whichever client changes them.
my @steps = (
	[ q{SELECT docstore.create_collection('changing'); SELECT docstore.upsert('changing', 'a', '{}')}, "changing\n1" ],
	[ q{SELECT docstore.upsert('changing', 'a', '{}', 1)}, '2' ],
	[ q{ALTER TABLE changing ADD n int DEFAULT 7, ADD UNIQUE (n)}, '' ],
	[ q{SELECT docstore.upsert('changing', 'a', '{}', 2)}, '3' ],
	[ q{DROP TABLE changing; SELECT docstore.create_collection('changing', 'bigint'); SELECT docstore.upsert('changing', '1', '{}')}, "changing\n1" ],
	[ q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "changing", "id": 1, "data": {}, "expected": 1}]')}, '2' ],
	[ q{SELECT docstore.guard('changing'); SELECT docstore.upsert('changing', '1', '{}', 2)}, "\n3" ],
	[ q{DISCARD ALL; SELECT docstore.upsert('changing', '1', '{}', 3)}, '4' ],
	[ q{DROP EXTENSION docstore CASCADE; CREATE EXTENSION docstore; SELECT docstore.upsert('changing', '1', '{}', 4)}, '5' ]);
for my $step (@steps)
{
	is($pooler->safe_psql('one', $step->[0]), $step->[1], "one session for all: $step->[0]");
	is($pooler->safe_psql('one', q{SELECT version FROM docstore.load_many('shops', '{2}')}), '1', 'and another client');
}
is($pooler->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'own', '{}')}, extra_params => [ '-U', $_->[0] ]), $_->[1], "$_->[0] has a search_path")
	for [ 'ann', 1 ], [ 'ben', 1 ];
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM a.shops WHERE id = 'own'), (SELECT count(*) FROM b.shops WHERE id = 'own')}), '1|1', 'to his own tables');

# What is set for the session stays in it for whoever comes next: the README says SET LOCAL.
sub is_checked { return error_of($pooler, q{SELECT docstore.upsert('shops', '2', '{}', 99)}, 'one') =~ /version conflict/; }
$pooler->safe_psql('one', q{BEGIN; SET LOCAL docstore.checks = off; SELECT docstore.upsert('shops', '2', '{}', 99); ROLLBACK});
ok(is_checked(), 'SET LOCAL ends with the transaction');
$pooler->safe_psql('one', 'SET docstore.checks = off');
ok(!is_checked(), 'SET without LOCAL is met by the next client');
stop_pooler('transaction');

# --- With DISCARD ALL after each transaction --------------------------------------------------------------------------

$pooler = start_pooler('reset', 'server_reset_query_always = 1');
$pooler->safe_psql('one', 'SET docstore.checks = off');
ok(is_checked(), 'with server_reset_query_always it is not');
drive($pooler, $can_prepare ? 'prepared' : 'extended', 'reset');
stop_pooler('reset');

$node->stop;
done_testing();

# Guarded tables and what a session of SQL does not show: transactions that were prepared or have very many savepoints, rows that are frozen
# or moved, and a dump.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 2');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	CREATE TABLE r (id int PRIMARY KEY, version smallint, note text);
	INSERT INTO r SELECT i, 1, 'setup' FROM generate_series(1, 200) i;
	SELECT docstore.guard('r');
});

sub row { return $node->safe_psql('postgres', 'SELECT version, note FROM r WHERE id = ' . shift); }

# What a statement says that waits until another has run.
sub while_waiting
{
	my ($statement, $meanwhile) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_safe('\set VERBOSITY verbose');
	$session->query_until(qr//, "$statement;\n");
	$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid") or die 'it does not wait';
	$meanwhile->();
	$session->query('SELECT 1');
	my $said = $session->{stderr};
	$session->quit;
	return $said;
}

my $plus = q{UPDATE r SET note = note || ' after', version = version + 1 WHERE id = };

# two-phase transactions
$node->safe_psql('postgres', "BEGIN; UPDATE r SET note = 'prepared' WHERE id = 1; UPDATE r SET note = 'prepared' WHERE id = 2; PREPARE TRANSACTION 'p'");
like(while_waiting($plus . 1, sub { $node->safe_psql('postgres', "COMMIT PREPARED 'p'") }),
	qr/ERROR:  PT409: version conflict.*"table": "public.r", "id": "1", "reason": "stale", "expected": 1, "actual": 2\}/s,
	'a change that was prepared and then committed is one that the statement has not seen');
is(row(1), '2|prepared', 'it is not lost');
$node->safe_psql('postgres', "BEGIN; UPDATE r SET note = 'prepared again', version = 3 WHERE id = 1; PREPARE TRANSACTION 'p'");
is(while_waiting($plus . 1, sub { $node->safe_psql('postgres', "ROLLBACK PREPARED 'p'") }), '', 'and one that was rolled back was none');
is(row(1), '3|prepared after', 'so the statement goes on');
$node->safe_psql('postgres', "BEGIN; UPDATE r SET note = 'by restart', version = 3 WHERE id = 2; PREPARE TRANSACTION 'p'");
$node->restart;
like(while_waiting($plus . 2, sub { $node->safe_psql('postgres', "COMMIT PREPARED 'p'") }), qr/PT409/, 'a change that was prepared before a restart');
is(row(2), '3|by restart', 'is not lost either');

# more savepoints than a snapshot has room for: each change is in a subtransaction of its own
my $writer = $node->background_psql('postgres');
$writer->query_safe(q{BEGIN; DO $$
	BEGIN
		FOR i IN 101 .. 200 LOOP
			BEGIN
				UPDATE r SET note = 'savepoint' WHERE id = i;
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
		END LOOP;
	END $$});
like(while_waiting($plus . 200, sub { $writer->query_safe('COMMIT') }), qr/PT409.*"id": "200"/s, 'changes in very many savepoints');
is(row(200), '2|savepoint', 'are not lost');
is($node->safe_psql('postgres', q{SELECT count(*) FROM r WHERE note = 'savepoint' AND version = 2}), '100', 'none of them');
$writer->quit;

# rows that are frozen, moved to another file, or written frozen
$node->safe_psql('postgres', 'VACUUM FREEZE r');
$node->safe_psql('postgres', $plus . 200);
is(row(200), '3|savepoint after', 'a frozen row is updated');
like(($node->psql('postgres', 'UPDATE r SET version = 9 WHERE id = 199'))[2], qr/version conflict/, 'and guarded');
$node->safe_psql('postgres', "$_; $plus 200") for 'VACUUM FULL r', 'CLUSTER r USING r_pkey', 'ALTER TABLE r ALTER version TYPE bigint',
	'ALTER TABLE r ADD random float DEFAULT random()', 'ALTER TABLE r SET UNLOGGED', 'ALTER TABLE r SET LOGGED';
is($node->safe_psql('postgres', 'SELECT version FROM r WHERE id = 200'), '9', 'so is a table that is written anew');
$node->safe_psql('postgres', q{BEGIN; TRUNCATE r; COPY r (id, version, note) FROM PROGRAM 'echo 1,7,frozen' WITH (FORMAT csv, FREEZE); COMMIT});
$node->safe_psql('postgres', $plus . 1);
is(row(1), '8|frozen after', 'so is a row that COPY has written frozen');
# a statement that began before: it waits for the table
my $copier = $node->background_psql('postgres');
$copier->query_safe(q{BEGIN; TRUNCATE r; COPY r (id, version, note) FROM PROGRAM 'echo 1,20,anew' WITH (FORMAT csv, FREEZE)});
is(while_waiting($plus . 1, sub { $copier->query_safe('COMMIT') }), '', 'a statement that waits for the table sees what is in it');
is(row(1), '21|anew after', 'and updates that');
$copier->quit;

# a dump has the guards of tables, of collections and of partitioned tables, and loads what they would refuse to write
$node->safe_psql('postgres', q{
	CREATE TABLE parts (id int PRIMARY KEY, lock_version int) PARTITION BY RANGE (id);
	CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
	INSERT INTO parts VALUES (1, 0), (100, NULL);
	SELECT docstore.guard('parts', 'lock_version');
	SELECT docstore.create_collection('shops');
	SELECT docstore.guard('shops');
	SELECT docstore.upsert('shops', 'a', '{}');
	CREATE TABLE spread (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY HASH (id);
	CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	SELECT docstore.guard('spread');
	CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE TABLE strictly (id int PRIMARY KEY, version int) PARTITION BY RANGE (id);
	CREATE TABLE strictly_low PARTITION OF strictly FOR VALUES FROM (0) TO (100);
	INSERT INTO strictly VALUES (1, 1);
	SELECT docstore.guard('strictly', strict => true);
});
my $triggers = q{SELECT string_agg(tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text, ', ' ORDER BY tgrelid::regclass::text, tgname) FROM pg_trigger WHERE tgname ~ '^docstore'};
my $guards = $node->safe_psql('postgres', $triggers);
is($guards, join(', ', 'parts docstore_guard O', 'parts_high docstore_guard O', 'parts_low docstore_guard O', 'r docstore_guard O',
		'shops docstore_guard O', 'shops docstore_guard_delete A', 'shops docstore_guard_truncate A',
		'spread docstore_guard O', 'spread docstore_guard_delete A', 'spread docstore_guard_truncate A',
		'spread_0 docstore_guard O', 'spread_0 docstore_guard_delete A', 'spread_1 docstore_guard O', 'spread_1 docstore_guard_delete A',
		'strictly docstore_guard O', 'strictly_low docstore_guard O'),
	'partitions have the triggers as the table has them, also those that came later');
my $dump = $node->basedir . '/dump';
$node->command_ok(['pg_dump', '-Fc', '-f', $dump, 'postgres'], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok(['pg_restore', '--exit-on-error', '-d', 'restored', $dump], 'restore');
is($node->safe_psql('restored', $triggers), $guards, 'the guards are there');
is($node->safe_psql('restored', q{SELECT string_agg(id || ' ' || COALESCE(lock_version::text, 'none'), ', ' ORDER BY id) FROM parts}), '1 0, 100 none', 'versions are as they were');
is($node->safe_psql('restored', q{UPDATE parts SET id = id RETURNING lock_version}), "1\n1", 'the next update counts on');
like(($node->psql('restored', q{UPDATE parts SET lock_version = 9 WHERE id = 100}))[2], qr/version conflict/, 'and a stale one is refused');
is($node->safe_psql('restored', q{SELECT string_agg(name, ' ' ORDER BY name) FROM docstore.guarded WHERE strict}), 'public.strictly', 'a strict guard is strict');
like(($node->psql('restored', "\\set VERBOSITY verbose\nUPDATE strictly SET id = 2"))[2], qr/ERROR:  PT428: .*CONSTRAINT NAME:  docstore_version_required/s,
	'an UPDATE without the version is refused');
$node->safe_psql('restored', 'CREATE TABLE strictly_high PARTITION OF strictly FOR VALUES FROM (100) TO (200); INSERT INTO strictly VALUES (100, 1)');
like(($node->psql('restored', 'UPDATE strictly SET id = 101 WHERE id = 100'))[2], qr/does not set its version column/, 'in a partition that comes after it, too');
is($node->safe_psql('restored', 'UPDATE strictly SET id = id, version = version RETURNING id, version'), "1|2\n100|2", 'with the version it is stored');
$node->safe_psql('restored', q{DELETE FROM shops});
is($node->safe_psql('restored', q{SELECT docstore.upsert('shops', 'a', '{}')}), '2', 'a deleted version does not come back');

$node->stop;
done_testing();

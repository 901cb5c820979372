# pg_upgrade takes collections along: a version that was read before saves after it.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no older server here to upgrade from' unless $ENV{oldinstall};
# An upgrade that somebody asked for is not skipped.
my $optional = !$ENV{OLD_PG_MAJOR};

# Newer servers have checksums unless told otherwise, and both must have the same.
my $old = PostgreSQL::Test::Cluster->new('old', install_path => $ENV{oldinstall});
$old->init(extra => ['--data-checksums', '--encoding=UTF8']);
# Readers of a log wait for every transaction, those of autovacuum, too.
$old->append_conf('postgresql.conf', 'autovacuum = off');
$old->start;
$old->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
	SELECT docstore.create_collection('"My Orders"', 'uuid');
	SELECT docstore.upsert('shops', 'a', '{"n": 1}');
	SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
	SELECT docstore.upsert('"My Orders"', '7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10', '{}');
	CREATE TABLE by_hand (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
	SELECT docstore.upsert('by_hand', '1', '{}');
	SELECT docstore.upsert('shops', 'gone', '{}'), docstore.upsert('shops', 'gone', '{}', 1), docstore.delete('shops', 'gone', 2);
	CREATE TABLE strictly (id int PRIMARY KEY, version int);
	INSERT INTO strictly VALUES (1, 1);
	SELECT docstore.guard('strictly', strict => true);
	SELECT docstore.create_log('ledger');
	SELECT docstore.append('ledger', 'a', '[{"type": "T"}, {"type": "T"}]');
	SELECT docstore.append('ledger', 'b', '[{"type": "T"}]');
	SELECT docstore.commit_cursor('ledger', 'mail', cursor, 0) FROM docstore.read_log('ledger', max_count => 1);
});
my $cursor = $old->safe_psql('postgres', q{SELECT cursor FROM docstore.read_log('ledger') OFFSET 1 LIMIT 1});
my $last = $old->safe_psql('postgres', q{SELECT safe_end FROM docstore.log_status('ledger')});
$old->safe_psql('postgres', 'CREATE DATABASE older');
$old->safe_psql('older', q{
	CREATE EXTENSION docstore VERSION '0.4.0';
	SELECT docstore.create_collection('shops');
	SELECT docstore.upsert('shops', 'a', '{"n": 1}');
});
my $version = $old->safe_psql('postgres', q{SELECT version FROM docstore.load('shops', 'a')});
my $old_major = $old->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int / 10000});
# Options that the old server gives columns by itself.
my @marks = split /\n/, $old->safe_psql('postgres', q{SELECT DISTINCT split_part(o, '=', 1) FROM pg_attribute, unnest(attoptions) o WHERE o ~ '^pg_'});
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => ['--data-checksums', '--encoding=UTF8']);
$new->append_conf('postgresql.conf', 'autovacuum = off');
$new->start;
$new->safe_psql('postgres', 'CREATE TABLE marked (a int)');
for my $mark (@marks)
{
	next if !$optional || $new->psql('postgres', "ALTER TABLE marked ALTER a SET ($mark = 1)") == 0;
	plan skip_all => "the new server's minor release is too old: it does not know the option $mark of the old one's columns";
}
$new->safe_psql('postgres', 'DROP TABLE marked');
$new->stop;
# It leaves its scripts in the current directory.
chdir $PostgreSQL::Test::Utils::tmp_check or die $!;
command_ok(
	['pg_upgrade', '--no-sync', '--old-datadir', $old->data_dir, '--new-datadir', $new->data_dir,
		'--old-bindir', $old->config_data('--bindir'), '--new-bindir', $new->config_data('--bindir'),
		'--socketdir', $new->host, '--old-port', $old->port, '--new-port', $new->port],
	'pg_upgrade');
$new->start;

cmp_ok($new->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int / 10000}), '>', $old_major, 'to a newer server');
is($new->safe_psql('postgres', q{SELECT version, data FROM docstore.load('shops', 'a')}), '2|{"n": 2}', 'documents and versions are there');
is($new->safe_psql('postgres', qq{SELECT docstore.upsert('shops', 'a', '{"n": 3}', $version)}), '3', 'a version that was read before saves');
like(($new->psql('postgres', qq{\\set VERBOSITY verbose\nSELECT docstore.upsert('shops', 'a', '{}', $version)}))[2],
	qr/ERROR:  PT409: .*"expected": 2, "actual": 3/s, 'and is stale from then on');
is($new->safe_psql('postgres', q{SELECT docstore.upsert('"My Orders"', '7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10', '{}', 1)}), '2', 'with uuids, too');
is($new->safe_psql('postgres', q{SELECT docstore.upsert('by_hand', '1', '{}', 1)}), '2', 'and in a table made by hand');
is($new->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'gone', '{}')}), '3', 'what was deleted before starts above its old version');
like(($new->psql('postgres', 'UPDATE strictly SET id = 2'))[2], qr/does not set its version column/, 'a strict guard is strict');
is($new->safe_psql('postgres', 'UPDATE strictly SET id = 2, version = 1 RETURNING version'), '2', 'and counts on');
is($new->safe_psql('postgres', q{SELECT docstore.create_collection('more'); SELECT docstore.upsert('more', 'a', '{}')}), "more\n1", 'a new collection can be made');
$new->safe_psql('older', 'ALTER EXTENSION docstore UPDATE');
is($new->safe_psql('older', q{SELECT docstore.upsert('shops', 'a', '{}', 1)}), '2', 'an older version of the extension is updated afterwards');

# Readers go on from old cursors, before and after somebody has appended here; the new events come after all others.
sub events { my ($after) = @_; return $new->safe_psql('postgres', "SELECT string_agg(stream || version, ' ') FROM docstore.read_log('ledger', $after)"); }
sub behind { return $new->safe_psql('postgres', q{SELECT consumer, version, behind FROM docstore.consumers('ledger')}); }
is(events('NULL'), 'a1 a2 b1', 'the events of a log are there, in their order');
is(events("'$cursor'"), 'b1', 'an old cursor goes on');
is(events("'$last'"), '', 'and one at the end waits');
is(behind(), 'mail|1|2', 'a consumer is where it was');
is($new->safe_psql('postgres', q{SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 2)}), '3', 'a stream goes on');
is(events("'$cursor'"), 'b1 a3', 'the new event comes after the old ones');
is(events("'$last'"), 'a3', 'and from the end');
is(events('NULL'), 'a1 a2 b1 a3', 'and from the beginning');
is(behind(), 'mail|1|3', 'a consumer sees that it is behind');
is($new->safe_psql('postgres', 'SELECT count(DISTINCT generation) FROM ledger'), '2', 'a new generation has begun');

$new->command_ok(['pg_amcheck', '--heapallindexed', '--install-missing', '-h', $new->host, '-p', $new->port, 'postgres'],
	'tables and indexes are sound');

$new->stop;
done_testing();

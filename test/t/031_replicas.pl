# Reads from a standby that are at least as new as a write: the position of a write, the procedure of docs/operations/replicas.md that waits for
# it, remote_apply; and a read that is old costs no write.
use strict;
use warnings FATAL => 'all';
use Cwd qw(realpath);
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($procedure) = slurp_file(realpath(dirname(__FILE__) . '/../../docs/operations/replicas.md')) =~ /^(CREATE PROCEDURE wait_for_position.*?^\$\$;)$/ms
  or die 'the page has no procedure';

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', 'autovacuum = off');
$primary->start;
$primary->safe_psql('postgres', qq{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops'), docstore.create_log('ledger');
	SELECT docstore.upsert('shops', 'a', '{"n": 1}');
	SELECT docstore.append('ledger', 's', '[{"type": "t"}]');
	$procedure});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

sub position { return $primary->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()'); }
sub is_there { my ($position) = @_; return $standby->safe_psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$position'"); }
sub version { my ($node) = @_; return $node->safe_psql('postgres', q{SELECT version FROM docstore.load('shops', 'a')}); }
sub pause { $standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()'); $standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) or die; return; }
sub resume { $standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()'); return; }

# --- A standby that lags -------------------------------------------------------------------------------------------------

pause();
$primary->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1)});
my $position = position();
is(is_there($position), 'f', 'a standby says that it does not have a write yet');
is(version($standby), '1', 'and it does not');
like(($primary->psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{"n": 9}', 1)}))[2], qr/version conflict/, 'what is saved after reading that is a conflict');
is($standby->safe_psql('postgres', "CALL wait_for_position('$position', '0 s')"), 'f', 'who waits is told when the time is up');
my $cursor = $primary->safe_psql('postgres', q{SELECT docstore.append('ledger', 's', '[{"type": "u"}]'); SELECT docstore.log_end('ledger')}) =~ s/.*\n//r;
is($standby->safe_psql('postgres', "SELECT count(*) FROM docstore.read_log('ledger', '$cursor')"), '0', 'a cursor that is ahead of a standby');

# one waits already when the standby goes on
my $reader = $standby->background_psql('postgres', on_error_die => 1);
$reader->query_until(qr/waiting/, "\\echo waiting\nCALL wait_for_position('$position', '1 h');\n");
$standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) or die 'nobody waits';
resume();
is($reader->query_safe(q{SELECT version FROM docstore.load('shops', 'a')}) =~ s/.*\n//sr, '2', 'who has waited reads the write');
$reader->quit;
is(is_there($position), 't', 'and the standby says that it has it');

# each write, without anybody else writing: the position is always reached
my $reached = 0;
for my $n (1 .. 100)
{
	my ($version, $at) = split /\n/, $primary->safe_psql('postgres', "SELECT docstore.patch('shops', 'a', jsonb_build_object('note', repeat('x', $n % 8 * 100)), -1); SELECT pg_current_wal_flush_lsn()");
	last if $standby->safe_psql('postgres', "CALL wait_for_position('$at', '180 s'); SELECT version FROM docstore.load('shops', 'a')") ne "t\n$version";
	$reached++;
}
is($reached, 100, 'each of 100 writes is read after its position');
is($primary->safe_psql('postgres', "CALL wait_for_position('FFFFFFFF/0', '1 h')"), 't', 'a primary is never behind');

# a mark of the standby decides on the primary
my $mark = $standby->safe_psql('postgres', q{SELECT docstore.mark('ledger')});
is($primary->safe_psql('postgres', qq{SELECT version FROM docstore.append('ledger', 's', '[{"type": "u"}]', scopes => '{"types": ["u"], "seen": "$mark"}')}), '3', 'a mark of a standby');
like(($primary->psql('postgres', qq{SELECT docstore.append('ledger', 's', '[{"type": "u"}]', scopes => '{"types": ["u"], "seen": "$mark"}')}))[2], qr/version conflict/, 'is good once');

SKIP:
{
	skip 'WAIT FOR is of PostgreSQL 19', 2 if $primary->safe_psql('postgres', 'SHOW server_version_num') < 190000;
	$primary->safe_psql('postgres', q{SELECT docstore.patch('shops', 'a', '{"n": 0}', -1)});
	$position = position();
	is($standby->safe_psql('postgres', qq{WAIT FOR LSN '$position' WITH (TIMEOUT '180s', NO_THROW);}), 'success', 'WAIT FOR');
	is($primary->safe_psql('postgres', qq{WAIT FOR LSN '$position' WITH (TIMEOUT '180s', NO_THROW);}), 'not in recovery', 'WAIT FOR on a primary');
}

# clients that know both servers
my $both = sprintf "host=%s,%s port=%d,%d dbname=postgres", ($standby->host, $primary->host), ($standby->port, $primary->port);
for my $case ([ 'read-write', 'f' ], [ 'prefer-standby', 't' ])
{
	my ($found) = PostgreSQL::Test::Utils::run_command([ 'psql', '-XAtqd', "$both target_session_attrs=$case->[0]", '-c', 'SELECT pg_is_in_recovery()' ]);
	is($found, $case->[1], "target_session_attrs=$case->[0]");
}

# --- remote_apply --------------------------------------------------------------------------------------------------------

$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$primary->reload;
$primary->poll_query_until('postgres', q{SELECT every(sync_state = 'sync') FROM pg_stat_replication}) or die 'no synchronous standby';
my $before = version($standby);
pause();
is($primary->safe_psql('postgres', q{SELECT docstore.patch('shops', 'a', '{"m": 1}', -1)}), $before + 1, 'a write that waits for the flush only');
is(version($standby), $before, 'is not on the standby');
my $writer = $primary->background_psql('postgres', on_error_die => 1);
$writer->query_until(qr/writing/, qq{\\echo writing\nBEGIN; SET LOCAL synchronous_commit = remote_apply;
	SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {"m": 2}, "expected": "any"}, {"op": "upsert", "collection": "shops", "id": "b", "data": {}}]'); COMMIT;\n});
$primary->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'}) or die 'the write does not wait';
is($standby->safe_psql('postgres', q{SELECT count(*) FROM docstore.load('shops', 'b')}), '0', 'one with remote_apply waits');
resume();
$writer->query_safe('SELECT 1');
is($standby->safe_psql('postgres', q{SELECT id, version FROM docstore.load_many('shops', '{a, b}') ORDER BY id}), 'a|' . ($before + 2) . "\nb|1", 'and is on the standby when it returns');
$writer->quit;

$standby->stop;
$primary->stop('immediate');
done_testing();

# Readers of a log wait for a transaction from before the 32-bit transaction ids began anew.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# 300 transactions are left. What the server notes of the last ones is in a file that initdb has not made.
my $node = PostgreSQL::Test::Cluster->new('node');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
$node->command_ok([ 'vacuumdb', '--all', '--freeze', '--quiet', '-h', $node->host, '-p', $node->port ], 'what initdb has made is frozen');
$node->stop;
command_ok([ 'pg_resetwal', '-x', 2**32 - 300, $node->data_dir ], 'transaction ids are about to begin anew');
append_to_file($node->data_dir . '/pg_xact/0FFF', "\0" x (32 * 8192));
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger')});

my $append = q{SELECT version FROM docstore.append('ledger', '%s', '[{"type": "T"}]')};
my $read = q{SELECT stream || version FROM docstore.read_log('ledger')};
$node->safe_psql('postgres', sprintf($append, 'a'));

my $holder = $node->background_psql('postgres', on_error_die => 1);
$holder->query_safe('BEGIN; SELECT pg_current_xact_id()');
$node->safe_psql('postgres', sprintf($append, 'b'));
$node->safe_psql('postgres', q{DO $$ BEGIN FOR i IN 1..400 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$});
is($node->safe_psql('postgres', 'SELECT pg_current_xact_id()::text::bigint >> 32'), '1', 'they have begun anew');
$node->safe_psql('postgres', sprintf($append, 'c'));
$node->safe_psql('postgres', sprintf($append, 'b'));
is($node->safe_psql('postgres', $read), 'a1', 'readers wait for one that has begun before');
is($node->safe_psql('postgres', q{SELECT waiting_events, blocked_by_pid = (SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction') FROM docstore.log_status('ledger')}),
	'3|t', 'and the status names it');

# What it appends goes on the stream of one that came later.
$holder->query_safe(sprintf($append, 'c'));
$holder->query_safe(sprintf($append, 'h'));
$holder->query_safe('COMMIT');
$holder->quit;
is($node->safe_psql('postgres', $read), "a1\nh1\nb1\nc1\nc2\nb2", 'then they get everything, each stream in its order');

$node->stop;
done_testing();

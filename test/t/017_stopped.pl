# A call over 100,000 items that waits for nobody is stopped, and leaves nothing behind: no row, no lock, no memory, no broken session.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
});

# It is stopped while its items are read, sorted, locked and written: at once when the call has begun, and when it has written something.
# A try that comes too late is rolled back, and is made once more.  Creates, and documents that are there.
$node->safe_psql('postgres', q{
	SELECT docstore.create_collection('many');
	SELECT docstore.upsert_many('many', array_agg('old-' || n), array_agg('{}'::jsonb), NULL) FROM generate_series(1, 50000) n;
	SELECT docstore.create_log('many_events');
	CREATE TABLE items AS SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'many', 'id', CASE WHEN n % 2 = 0 THEN 'old-' ELSE 'new-' END || (n + 1) / 2,
		'data', jsonb_build_object('n', n), 'expected', 'any')) AS save,
		jsonb_agg(jsonb_build_object('op', 'append', 'log', 'many_events', 'stream', n::text, 'events', '[{"type": "T"}]'::jsonb)) AS append
		FROM generate_series(1, 100000) n;
});

sub many { return $node->safe_psql('postgres', 'SELECT count(*), sum(version), (SELECT count(*) FROM many_events), (SELECT count(*) FROM many_events_streams) FROM many'); }

my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
my $contexts = q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'docstore%'};

# What a session keeps: plans and descriptions.  They are there from the first call on.
$session->query_safe("BEGIN; SELECT count(*) FROM docstore.save((SELECT $_ #- '{0}' FROM items)); ROLLBACK") for 'save', 'append';
my $kept = $session->query_safe($contexts);

for my $column ('save', 'append')
{
	for my $moment ('state = \'active\'', 'backend_xid IS NOT NULL')
	{
		my ($stopped, $answer) = (0, '');
		for (my $try = 1; $try <= 20 && !$stopped; $try++)
		{
			$session->{stderr} = '';
			$session->query_safe('BEGIN');
			$session->query_until(qr/running/, "\\echo running\nSELECT count(*) FROM docstore.save((SELECT $column FROM items));\n");
			$node->poll_query_until('postgres', "SELECT $moment OR state = 'idle in transaction' FROM pg_stat_activity WHERE pid = $pid");
			$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
			$node->poll_query_until('postgres', "SELECT state IN ('idle in transaction', 'idle in transaction (aborted)') FROM pg_stat_activity WHERE pid = $pid");
			$stopped = $node->safe_psql('postgres', "SELECT state = 'idle in transaction (aborted)' FROM pg_stat_activity WHERE pid = $pid") eq 't';
			$session->query('ROLLBACK');
		}
		ok($stopped, "$column, $moment: 100,000 items that wait for nobody are stopped");
		is(many(), '50000|50000|0|0', "$column, $moment: nothing was written");
		is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype <> 'virtualxid'"), '0', "$column, $moment: nothing is locked");
		$session->{stderr} = '';
		is($session->query_safe($contexts), $kept, "$column, $moment: nothing is kept in memory");
		is($session->query_safe(q{SELECT docstore.upsert('shops', 'a', '{}', -1) > 0}), 't', "$column, $moment: the session goes on");
	}
}
$session->quit;
$node->stop;
done_testing();

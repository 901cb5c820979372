# A call that is cancelled, timed out or killed leaves nothing behind: no document, no lock, no broken session.
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
	SELECT docstore.upsert('shops', 'locked', '{}');
});

# The batch creates documents before and locks one that somebody holds: it waits until it is stopped.
my $batch = q{SELECT count(*) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'shops',
	'id', id, 'data', '{}'::jsonb, 'expected', expected)) FROM (SELECT 'new-' || n, 'none' FROM generate_series(1, 500) n
	UNION ALL SELECT 'locked', 'any') AS items (id, expected)))};

sub documents { return $node->safe_psql('postgres', 'SELECT count(*), sum(version) FROM shops'); }
sub locks { return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE relation = 'shops'::regclass}); }

my $holder = $node->background_psql('postgres');
sub hold { $holder->query_safe(q{BEGIN; SELECT docstore.upsert('shops', 'locked', '{}', 1)}); }
sub let_go { $holder->query_safe('ROLLBACK'); }

my ($status, $out, $err);

hold();
($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '300ms'; $batch");
like($err, qr/ERROR:  57014/, 'statement_timeout keeps its own SQLSTATE');
($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET lock_timeout = '300ms'; $batch");
like($err, qr/ERROR:  55P03/, 'and so does lock_timeout');
($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET lock_timeout = '300ms'; SELECT docstore.upsert('shops', 'locked', '{}', 1)");
like($err, qr/ERROR:  55P03/, 'for a single upsert, too');
let_go();
is(documents(), '1|1', 'nothing was written');
is(locks(), '0', 'and nothing is locked');

for my $function ('pg_cancel_backend', 'pg_terminate_backend')
{
	hold();
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr//, "$batch;\n");
	ok($node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid"),
		"$function: the batch waits");
	$node->safe_psql('postgres', "SELECT $function($pid)");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid AND state = 'active'"),
		"$function: the batch ends");
	if ($function eq 'pg_cancel_backend')
	{
		is($session->query(q{SELECT docstore.delete('shops', 'nothing', -1) IS NULL}), 't', 'the session goes on');
		$session->quit;
	}
	else
	{
		$session->{run}->finish;
	}
	let_go();
	is(documents(), '1|1', "$function: nothing was written");
	is(locks(), '0', "$function: nothing is locked");
}

$holder->quit;
$node->stop;
done_testing();

# A history with a partition for each month: it is dumped and restored as it was, is read on a standby, and tells there of what was dropped; a crash
# loses nothing; logical replication cannot bring its rows.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 'logical');
$node->start;
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->start;

# Months of another length, so that it does not matter which day it is: one that is over, and one that is not.
$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('orders');
	SELECT docstore.track('orders', partition_by => 'month', notify => true);
	SELECT docstore.upsert('orders', 'a', '{"n": 1}'), docstore.upsert('orders', 'b', '{"n": 1}');
	SELECT docstore.upsert('orders', 'a', '{"n": 2}', 1);
	BEGIN;
	CREATE TABLE moved AS SELECT * FROM orders_history;
	DO $$ DECLARE part regclass; BEGIN
		FOR part IN SELECT inhrelid FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'orders_history'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' LOOP
			EXECUTE format('DROP TABLE %s', part);
		END LOOP;
	END $$;
	CREATE TABLE past PARTITION OF orders_history FOR VALUES FROM (MINVALUE) TO ('2000-01-01Z');
	CREATE TABLE present PARTITION OF orders_history FOR VALUES FROM ('2000-01-01Z') TO ('2200-01-01Z');
	INSERT INTO orders_history SELECT * FROM moved;
	DROP TABLE moved;
	UPDATE orders_history SET recorded_at = '1999-01-01' WHERE version = 1;
	COMMIT;
});
my $rows = q{SELECT string_agg(concat_ws(' ', tableoid::regclass, id, version, op), ', ' ORDER BY id, version) FROM orders_history};
my $read = q{SELECT string_agg(concat_ws(' ', id, version), ', ') FROM docstore.read_changes('orders'%s)};
sub settle { $_[0]->poll_query_until('postgres', q{SELECT pg_snapshot_xmin(pg_current_snapshot()) > max(transaction_id) FROM orders_history}) or die 'it does not settle'; }
my $before = 'past a 1 created, present a 2 updated, past b 1 created';
is($node->safe_psql('postgres', $rows), $before, 'what is there');
settle($node);
my ($first, $last) = split /\n/, $node->safe_psql('postgres', q{SELECT cursor FROM docstore.read_changes('orders') WHERE version = 1 AND id = 'a' OR version = 2});

# Dumped and restored
for my $kind (['-Fc'], ['-Fp'])
{
	my $dump = $node->basedir . "/dump$kind->[0]";
	$node->command_ok(['pg_dump', @$kind, '-f', $dump, 'postgres'], "dump @$kind");
	for my $server ($node, $other)
	{
		my $database = $kind->[0] eq '-Fc' ? 'whole' : 'script';
		my $text = ($server == $node ? 'same server' : 'another server') . " @$kind";
		$server->safe_psql('postgres', "CREATE DATABASE $database");
		$server->command_ok($kind->[0] eq '-Fc' ? ['pg_restore', '--exit-on-error', '-d', $database, $dump]
			: ['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $database, '-f', $dump], "$text: restore");
		is($server->safe_psql($database, $rows), $before, "$text: what happened");
		is($server->safe_psql($database, q{SELECT concat_ws(' ', name, history, notify, fault) FROM docstore.tracked}), 'public.orders public.orders_history t', "$text: it is tracked");
		$server->safe_psql($database, q{SELECT docstore.upsert('orders', 'a', '{"n": 3}', 2), docstore.delete('orders', 'b', 1)});
		is($server->safe_psql($database, $rows), 'past a 1 created, present a 2 updated, present a 3 updated, past b 1 created, present b 2 deleted', "$text: it goes on");
		is($server->safe_psql($database, sprintf($read, ", '$first'")), 'b 1, a 2, a 3, b 2', "$text: a reader goes on");
		$server->safe_psql($database, 'DROP TABLE past');
		is(($server->psql($database, sprintf($read, ", '$first'")))[0], 3, "$text: a reader of what is dropped is refused");
		is($server->safe_psql($database, sprintf($read, ", '$last'")), 'a 3, b 2', "$text: one that is ahead goes on");
	}
}

# A standby
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', sprintf($read, ", '$first'")), 'b 1, a 2', 'standby: it reads');
$node->safe_psql('postgres', 'DROP TABLE past');
$node->wait_for_catchup($standby);
my ($code, $out, $error) = $standby->psql('postgres', sprintf($read, ", '$first'"));
like($error, qr/^psql:<stdin>:1: ERROR:  after points to a change, after which others may have been dropped from history "public.orders_history"/m, 'standby: a reader of what is dropped is refused');
is($standby->safe_psql('postgres', sprintf($read, ", '$last'")), '', 'standby: one that is ahead goes on');
# one that has read on the primary what has not arrived
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$node->safe_psql('postgres', q{SELECT docstore.upsert('orders', 'a', '{"n": 3}', 2)});
settle($node);
my $ahead = $node->safe_psql('postgres', q{SELECT docstore.changes_end('orders')});
is($standby->safe_psql('postgres', sprintf($read, ", '$ahead'")), '', 'standby: one that is ahead of it waits');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');

# A crash, and a promotion
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', $rows), 'present a 2 updated, present a 3 updated', 'crash: what is there');
$node->wait_for_catchup($standby);
$standby->promote;
$standby->safe_psql('postgres', q{SELECT docstore.upsert('orders', 'a', '{"n": 4}', 3), docstore.upsert('orders', 'b', '{"n": 2}', 1)});
settle($standby);
is($standby->safe_psql('postgres', sprintf($read, ", '$ahead'")), 'a 4, b 1, b 2', 'promotion: a reader goes on');

# Logical replication of the collection alone, and with its history
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$subscriber->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('orders');
	SELECT docstore.track('orders', partition_by => 'month');
});
$node->safe_psql('postgres', 'CREATE PUBLICATION orders FOR TABLE orders');
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION orders CONNECTION '%s dbname=postgres' PUBLICATION orders}, $node->connstr));
$subscriber->wait_for_subscription_sync($node, 'orders');
$node->safe_psql('postgres', q{SELECT docstore.upsert('orders', 'c', '{"n": 1}'), docstore.delete('orders', 'b', 1)});
$node->wait_for_catchup('orders');
is($subscriber->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', id, version, op), ', ' ORDER BY id, version) FROM orders_history}), 'a 3 created, b 1 created, b 2 deleted, c 1 created',
	'logical: what is applied is recorded');
$node->safe_psql('postgres', 'CREATE PUBLICATION history FOR TABLE orders_history WITH (publish_via_partition_root)');
my $log = -s $subscriber->logfile;
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION history CONNECTION '%s dbname=postgres' PUBLICATION history WITH (copy_data = false)}, $node->connstr));
$node->safe_psql('postgres', q{SELECT docstore.upsert('orders', 'c', '{"n": 2}', 1)});
$subscriber->wait_for_log(qr/ERROR:  logical replication cannot bring the rows of history "public.orders_history", which is partitioned/, $log);
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION history');
$node->wait_for_catchup('orders');
is($subscriber->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', id, version, op), ', ' ORDER BY id, version) FROM orders_history WHERE id = 'c'}), 'c 1 created, c 2 updated',
	'logical with the history: the collection goes on');

done_testing();

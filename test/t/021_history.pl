# The history of a tracked collection is dumped and restored with it, as it was, and goes on from there; what logical replication applies is
# recorded, unless it brings the history along.
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

# What a history has, but for places; and whether these grow along each document.
my $changes = q{SELECT string_agg(concat_ws(' ', id, version, op, data, actor, context), ', ' ORDER BY id, version) FROM orders_history};
my $disorder = q{SELECT count(*) FROM (SELECT (generation, transaction_id, change_position) <= lag((generation, transaction_id, change_position)) OVER w
	OR recorded_at <= lag(recorded_at) OVER w AS wrong FROM orders_history WINDOW w AS (PARTITION BY id ORDER BY version)) h WHERE wrong};
sub state_of { my ($server, $database) = @_; return $server->safe_psql($database // 'postgres', $changes); }

$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('orders');
	SELECT docstore.upsert('orders', 'old', '{}');
	SELECT docstore.track('orders');
	SET docstore.actor = 'ann';
	SET docstore.context = '{"why": "test"}';
	SELECT docstore.upsert('orders', 'a', '{"n": 1}'), docstore.upsert('orders', 'b', '{"n": 1}');
	SELECT docstore.upsert('orders', 'a', '{"n": 2}', 1), docstore.delete('orders', 'b', 1);
	-- partitions, an unlogged table, one whose history has another name and is elsewhere
	CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY HASH (id);
	CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
	CREATE UNLOGGED TABLE fast (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);
	SELECT docstore.create_collection('moved');
	SELECT docstore.track(c) FROM unnest('{parts, fast, moved}'::regclass[]) c;
	CREATE SCHEMA elsewhere;
	ALTER TABLE moved_history SET SCHEMA elsewhere;
	ALTER TABLE elsewhere.moved_history RENAME TO past;
	SELECT docstore.upsert('parts', 'p', '{}'), docstore.upsert('fast', '7', '{}'), docstore.upsert('moved', 'm', '{}');
});
my $before = state_of($node);
is($before, 'a 1 created {"n": 1} ann {"why": "test"}, a 2 updated {"n": 2} ann {"why": "test"}, b 1 created {"n": 1} ann {"why": "test"}, '
	. 'b 2 deleted ann {"why": "test"}, old 1 created {}', 'what is to be dumped');

# Dumped and restored: the same, tracked, and going on
my $all = q{SELECT string_agg(concat_ws(' ', name, history, fault), ', ' ORDER BY name) FROM docstore.tracked};
my $tracked = 'public.fast public.fast_history, public.moved elsewhere.past, public.orders public.orders_history, public.parts public.parts_history';
sub goes_on
{
	my ($server, $database, $text) = @_;
	is(state_of($server, $database), $before, "$text: what happened");
	is($server->safe_psql($database, $all), $tracked, "$text: which collections have a history");
	$server->safe_psql($database, q{SELECT docstore.upsert('orders', 'a', '{"n": 3}', 2), docstore.upsert('orders', 'b', '{"again": true}'),
		docstore.upsert('parts', 'p', '{}', 1), docstore.upsert('fast', '7', '{}', 1), docstore.upsert('moved', 'm', '{}', 1); UPDATE orders SET version = version + 1 WHERE id = 'old'});
	like(state_of($server, $database), qr/a 3 updated \{"n": 3\} postgres, b 1 .* b 2 deleted .*, b 3 created \{"again": true\} postgres, .* old 2 updated \{\} postgres$/,
		"$text: it goes on");
	is($server->safe_psql($database, $disorder), 0, "$text: in order");
	is($server->safe_psql($database, q{SELECT string_agg(h.id || h.version || h.op, ' ' ORDER BY h.id, h.version) FROM (SELECT id, version, op FROM parts_history
		UNION ALL SELECT id::text, version, op FROM fast_history UNION ALL SELECT id, version, op FROM elsewhere.past) h}),
		'71created 72updated m1created m2updated p1created p2updated', "$text: the others, too");
}
for my $kind (['-Fc'], ['-Fp'])
{
	my $dump = $node->basedir . "/dump$kind->[0]";
	$node->command_ok(['pg_dump', @$kind, '-f', $dump, 'postgres'], "dump @$kind");
	for my $server ($node, $other)
	{
		my $database = $kind->[0] eq '-Fc' ? 'whole' : 'script';
		$server->safe_psql('postgres', "CREATE DATABASE $database");
		$server->command_ok($database eq 'whole' ? ['pg_restore', '--exit-on-error', '-d', $database, $dump]
			: ['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $database, '-f', $dump], "restore @$kind");
		goes_on($server, $database, ($server == $node ? 'same server' : 'another server') . " @$kind");
	}
}

# The schema first, then the data: as pg_dump says, triggers must be off meanwhile, or all is recorded once more
my ($schema, $data, $disabling) = map { $node->basedir . "/$_" } qw(schema data disabling);
$node->command_ok(['pg_dump', '--schema-only', '-f', $schema, 'postgres'], 'dump of the schema');
$node->command_ok(['pg_dump', '--data-only', '--exclude-schema=docstore', '-f', $data, 'postgres'], 'dump of the data');
$node->command_ok(['pg_dump', '--data-only', '--exclude-schema=docstore', '--disable-triggers', '-f', $disabling, 'postgres'], 'dump of the data, --disable-triggers');
for my $way (['replica', $data, '-c session_replication_role=replica'], ['disabled', $disabling, ''])
{
	my ($name, $dump, $options) = @$way;
	$other->safe_psql('postgres', "CREATE DATABASE $name");
	$other->command_ok(['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $name, '-f', $schema], "$name: restore of the schema");
	{
		local $ENV{PGOPTIONS} = $options;
		$other->command_ok(['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $name, '-f', $dump], "$name: restore of the data");
	}
	if ($name eq 'disabled')
	{
		like($other->safe_psql($name, $all), qr/orders_history trigger docstore_track of public.orders fires as ORIGIN only/, "$name: the view says what that leaves");
		$other->safe_psql($name, q{SELECT docstore.track(c) FROM unnest('{orders, parts, fast, moved}'::regclass[]) c});
	}
	goes_on($other, $name, $name);
}
$other->safe_psql('postgres', 'CREATE DATABASE fails');
$other->command_ok(['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', 'fails', '-f', $schema], 'triggers fire: restore of the schema');
$other->command_checks_all(['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', 'fails', '-f', $data], 3, [], [qr/duplicate key value violates unique constraint "\w+_history_pkey"/],
	'triggers fire: what they record is in the way of the history');

# Logical replication of the collection alone: what it applies is recorded there, by who owns the subscription
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf('postgresql.conf', 'max_prepared_transactions = 2');
$subscriber->start;
$subscriber->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('orders');
	SELECT docstore.track('orders');
});
$node->safe_psql('postgres', 'CREATE PUBLICATION orders FOR TABLE orders');
sub subscribe
{
	$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION orders CONNECTION '%s dbname=postgres' PUBLICATION orders}, $node->connstr));
	$subscriber->wait_for_subscription_sync($node, 'orders');
}
sub catch_up { $node->wait_for_catchup('orders'); }
subscribe();
is(state_of($subscriber), 'a 2 created {"n": 2} postgres, old 1 created {} postgres', 'logical: the copy');
$node->safe_psql('postgres', q{
	SELECT docstore.upsert('orders', 'a', '{"n": 3}', 2), docstore.upsert('orders', 'b', '{"n": 9}');
	UPDATE orders SET version = version + 1 WHERE id = 'old';
	SELECT docstore.delete('orders', 'b', 3);
});
catch_up();
is(state_of($subscriber), 'a 2 created {"n": 2} postgres, a 3 updated {"n": 3} postgres, b 3 created {"n": 9} postgres, b 4 deleted postgres, '
	. 'old 1 created {} postgres, old 2 updated {} postgres', 'logical: what is applied');
is($subscriber->safe_psql('postgres', q{SELECT docstore.upsert('orders', 'b', '{}') > 4}), 't', 'logical: the floor is above what was deleted there');
$subscriber->safe_psql('postgres', q{SELECT docstore.delete('orders', 'b', -1)});
$node->safe_psql('postgres', 'TRUNCATE orders');
catch_up();
like(state_of($subscriber), qr/a 4 deleted postgres, b .* old 3 deleted postgres$/, 'logical: TRUNCATE');
is($subscriber->safe_psql('postgres', $disorder), 0, 'logical: in order');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION orders; TRUNCATE orders; DROP TABLE orders_history; SELECT docstore.track(\'orders\')');

# With the history: it is what it was there, by whom it was there, in an order that is this server's
$node->safe_psql('postgres', q{
	SET docstore.actor = 'bob';
	SELECT docstore.upsert('orders', 'c', '{"n": 1}'), docstore.upsert('orders', 'd', '{"n": 1}');
	ALTER PUBLICATION orders ADD TABLE orders_history;
});
subscribe();
is(state_of($subscriber), state_of($node), 'logical with the history: the copy');
$node->safe_psql('postgres', q{
	SET docstore.actor = 'bob';
	SELECT docstore.upsert('orders', 'c', '{"n": 2}', -1), docstore.delete('orders', 'd', -1);
	UPDATE orders_history SET op = 'erased', data = NULL, actor = NULL, context = NULL WHERE id = 'a' AND version = 1;
});
catch_up();
is(state_of($subscriber), state_of($node), 'logical with the history: what is applied');
is($subscriber->safe_psql('postgres', $disorder), 0, 'logical with the history: in order');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM orders_history h WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())}), 0, 'logical with the history: by its own ids');
# What is applied had its transaction id before the change that is before it: it gets that one's. So it is when another transaction, which is
# newer, has recorded a change of a document while the transaction that is applied waited for that.
my $row = q{(SELECT id, version FROM orders_history WHERE id = 'c' ORDER BY version DESC LIMIT 1)};
$subscriber->safe_psql('postgres', q{BEGIN; SELECT FROM orders WHERE id = 'c' FOR UPDATE; PREPARE TRANSACTION 'held'});
$node->safe_psql('postgres', q{BEGIN; SELECT docstore.upsert('orders', 'a', '{"n": 1}', -1); SELECT docstore.upsert('orders', 'c', '{"n": 2}', -1); COMMIT});
$subscriber->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)}) or die 'nobody waits';
$subscriber->safe_psql('postgres', "UPDATE orders_history SET transaction_id = pg_current_xact_id() WHERE (id, version) IN $row");
$subscriber->safe_psql('postgres', q{COMMIT PREPARED 'held'});
catch_up();
is($subscriber->safe_psql('postgres', $disorder), 0, 'logical with the history: in order, where a newer transaction has written before');
is($subscriber->safe_psql('postgres', q{SELECT count(DISTINCT transaction_id), count(*) FROM (SELECT transaction_id FROM orders_history WHERE id = 'c' ORDER BY version DESC LIMIT 2) h}),
	'1|2', 'logical with the history: by the id of that one');
# ids of another generation say nothing
$subscriber->safe_psql('postgres', q{UPDATE orders_history SET generation = 1, transaction_id = '9000000000000000000' WHERE id = 'c'});
$node->safe_psql('postgres', q{SELECT docstore.upsert('orders', 'c', '{"n": 2}', -1)});
catch_up();
is($subscriber->safe_psql('postgres', "SELECT generation > 1, transaction_id < '9000000000000000000' FROM orders_history WHERE (id, version) IN $row"), 't|t',
	'logical with the history: ids of another generation are left alone');
# and once it is this server that writes, in the same order
$subscriber->safe_psql('postgres', q{
	DROP SUBSCRIPTION orders;
	SELECT docstore.upsert('orders', 'c', '{"n": 3}', -1), docstore.upsert('orders', 'd', '{"n": 3}'), docstore.upsert('orders', 'e', '{}');
});
like(state_of($subscriber), qr/c \d+ updated \{"n": 3\} postgres, d \d+ created \{"n": 1\} bob, d \d+ deleted bob, d \d+ created \{"n": 3\} postgres, e \d+ created/, 'a switch: it goes on');
is($subscriber->safe_psql('postgres', $disorder), 0, 'a switch: in order');

done_testing();

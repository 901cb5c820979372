# Logical replication takes a collection to another server, where a version that was read on the first one saves.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;

$_->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
}) for $publisher, $subscriber;
$publisher->safe_psql('postgres', q{
	SELECT docstore.upsert('shops', id, '{"n": 1}') FROM unnest('{a, b, c, d}'::text[]) id;
	SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
	CREATE PUBLICATION shops FOR TABLE shops;
});
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION shops CONNECTION '%s dbname=postgres' PUBLICATION shops}, $publisher->connstr));
$subscriber->wait_for_subscription_sync($publisher, 'shops');
sub catch_up { $publisher->wait_for_catchup('shops'); }
sub documents { return (shift)->safe_psql('postgres', q{SELECT string_agg(id || version || data, ' ' ORDER BY id) FROM shops}); }

is(documents($subscriber), 'a2{"n": 2} b1{"n": 1} c1{"n": 1} d1{"n": 1}', 'documents and their versions are copied');

# single calls, a batch and a conflict
$publisher->safe_psql('postgres', q{
	SELECT docstore.upsert('shops', 'a', '{"n": 3}', 2);
	SELECT docstore.delete('shops', 'b', 1);
	SELECT docstore.save('[{"op": "upsert", "collection": "shops", "id": "c", "data": {"n": 2}, "expected": 1},
		{"op": "upsert", "collection": "shops", "id": "e", "data": {"n": 1}},
		{"op": "delete", "collection": "shops", "id": "d", "expected": 1}]');
});
$publisher->psql('postgres', q{SELECT docstore.upsert('shops', 'e', '{"n": 9}', 9)});
catch_up();
is(documents($subscriber), 'a3{"n": 3} c2{"n": 2} e2{"n": 1}', 'and so are changes');
is(documents($subscriber), documents($publisher), 'both have the same');

# the subscriber takes over
my $version = $publisher->safe_psql('postgres', q{SELECT version FROM docstore.load('shops', 'a')});
$publisher->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'c', '{"n": 3}', 2)});
catch_up();
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION shops');
is($subscriber->safe_psql('postgres', qq{SELECT docstore.upsert('shops', 'a', '{"n": 4}', $version)}), '4',
	'a version that was read on the publisher saves on the subscriber');
for my $case ([a => $version, 4], [c => 2, 3])
{
	my ($id, $expected, $actual) = @$case;
	like(($subscriber->psql('postgres', qq{\\set VERBOSITY verbose\nSELECT docstore.upsert('shops', '$id', '{}', $expected)}))[2],
		qr/ERROR:  PT409: .*"id": "$id", "reason": "stale", "expected": $expected, "actual": $actual\}/s, "a stale one does not: $id");
}

$_->stop for $subscriber, $publisher;
done_testing();

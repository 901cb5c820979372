# Logical replication takes a collection to another server, where a version that was read on the first one saves.  Guards leave alone what
# it applies, but for the floor, and hold everybody else on the second server.
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
	CREATE TABLE invoices (nr int PRIMARY KEY, version int, total int);
	CREATE TABLE parts (nr int PRIMARY KEY, version int, note text) PARTITION BY RANGE (nr);
	CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
	SELECT docstore.create_collection('notes');
	SELECT docstore.guard('invoices'), docstore.guard('parts'), docstore.guard('notes');
	CREATE TABLE always (nr int PRIMARY KEY, note text, version int);
	CREATE TABLE strictly (nr int PRIMARY KEY, note text, version int);
	CREATE TABLE named (version int, gone int, note text, nr int PRIMARY KEY);
	ALTER TABLE named DROP gone;
}) for $publisher, $subscriber;
# a guard that its owner wants to see what replication applies, too
$subscriber->safe_psql('postgres', q{SELECT docstore.guard('always'); ALTER TABLE always ENABLE ALWAYS TRIGGER docstore_guard});
# strict guards: as they are made, and one that sees it
$subscriber->safe_psql('postgres', q{
	SELECT docstore.guard('strictly', strict => true), docstore.guard('named', strict => true);
	ALTER TABLE named ENABLE ALWAYS TRIGGER docstore_guard;
});
$publisher->safe_psql('postgres', q{
	SELECT docstore.upsert('shops', id, '{"n": 1}') FROM unnest('{a, b, c, d}'::text[]) id;
	SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
	INSERT INTO invoices VALUES (1, 1, 100), (2, 1, 100), (3, NULL, 100);
	ALTER TABLE invoices DISABLE TRIGGER docstore_guard;
	INSERT INTO invoices VALUES (4, NULL, 100);
	ALTER TABLE invoices ENABLE TRIGGER docstore_guard;
	INSERT INTO parts VALUES (1, 1, 'first');
	INSERT INTO always VALUES (1, 'first', 1), (2, 'first', 1);
	INSERT INTO strictly VALUES (1, 'first', 1);
	INSERT INTO named VALUES (1, 'first', 1);
	SELECT docstore.upsert('notes', 'b', '{}'), docstore.upsert('notes', 'b', '{}', 1), docstore.upsert('notes', 'b', '{}', 2);
	CREATE PUBLICATION shops FOR TABLE shops, invoices, parts, notes, always, strictly, named WITH (publish_via_partition_root);
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

# guarded tables: versions arrive as they were sent, whatever the subscriber's guard would make of them
sub invoices { return (shift)->safe_psql('postgres', q{SELECT string_agg(concat_ws(' ', nr, version, total), ', ' ORDER BY nr) FROM invoices}); }
is(invoices($subscriber), '1 1 100, 2 1 100, 3 1 100, 4 100', 'rows of a guarded table are copied as they are, a version that is NULL, too');
$publisher->safe_psql('postgres', q{
	UPDATE invoices SET total = 120 WHERE nr = 1;
	UPDATE invoices SET total = 130, version = version + 1 WHERE nr = 1;
	ALTER TABLE invoices DISABLE TRIGGER docstore_guard;
	UPDATE invoices SET version = 50 WHERE nr = 2;
	INSERT INTO invoices VALUES (5, NULL, 100);
	UPDATE invoices SET total = 140 WHERE nr = 3;
	ALTER TABLE invoices ENABLE TRIGGER docstore_guard;
	UPDATE parts SET note = 'moved', nr = 101;
	UPDATE always SET note = 'left out';
	UPDATE strictly SET note = 'left out';
	UPDATE named SET note = 'left out';
	UPDATE always SET note = 'sent', version = 3 WHERE nr = 1;
	UPDATE notes SET id = 'c', version = version + 1 WHERE id = 'b';
});
$subscriber->safe_psql('postgres', 'UPDATE invoices SET total = 999 WHERE nr = 4');
catch_up();
is(invoices($subscriber), '1 3 130, 2 50 100, 3 1 140, 4 1 999, 5 100', 'and so are changes: none counts twice, none is refused');
is($subscriber->safe_psql('postgres', 'SELECT tableoid::regclass, * FROM parts'), 'parts_high|101|2|moved', 'a row that moves to another partition');
like(($subscriber->psql('postgres', 'UPDATE invoices SET total = 1, version = 2 WHERE nr = 1'))[2], qr/version conflict/, 'others are refused there');
is($subscriber->safe_psql('postgres', 'UPDATE invoices SET total = 1, version = 4 WHERE nr = 1 RETURNING version'), '4', 'or count on');
is($subscriber->safe_psql('postgres', 'SELECT * FROM always ORDER BY nr'), "1|sent|3\n2|left out|2", 'a guard that fires always counts what is applied');
is($subscriber->safe_psql('postgres', 'SELECT * FROM strictly'), '1|left out|1', 'a strict guard lets through what is applied');
is($subscriber->safe_psql('postgres', 'SELECT * FROM named'), '2|left out|1', 'or counts it: what is applied names all columns');
like(($subscriber->psql('postgres', "UPDATE $_ SET note = 'x'"))[2], qr/does not set its version column/, "others are refused in $_") for 'strictly', 'named';
is($subscriber->safe_psql('postgres', q{SELECT id, version FROM notes}), 'c|4', 'a document gets another id');
is($subscriber->safe_psql('postgres', q{SELECT docstore.upsert('notes', 'b', '{}')}), '4', 'which uses up the version of the old one');
$publisher->safe_psql('postgres', q{DELETE FROM notes WHERE id = 'c'});
catch_up();
is($subscriber->safe_psql('postgres', q{SELECT docstore.upsert('notes', 'c', '{}')}), '5', 'and so does a delete');

# sequences, where the server copies them: a floor becomes what it is on the publisher, even if it was higher
sub floor_of { return (shift)->safe_psql('postgres', 'SELECT last_value FROM shops_version_floor'); }
if ($publisher->safe_psql('postgres', 'SHOW server_version_num') >= 190000)
{
	$publisher->safe_psql('postgres', 'CREATE PUBLICATION floors FOR ALL SEQUENCES');
	$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION floors CONNECTION '%s dbname=postgres' PUBLICATION floors}, $publisher->connstr));
	$subscriber->wait_for_subscription_sync;
	is(floor_of($subscriber), floor_of($publisher), 'a floor is copied');
	$publisher->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'f', '{}', -1) FROM generate_series(1, 5); SELECT docstore.delete('shops', 'f', version) FROM shops WHERE id = 'f'});
	isnt(floor_of($subscriber), floor_of($publisher), 'and then left alone');
	$subscriber->safe_psql('postgres', q{SELECT setval('shops_version_floor', 1000); ALTER SUBSCRIPTION floors REFRESH SEQUENCES});
	$subscriber->wait_for_subscription_sync;
	is(floor_of($subscriber), floor_of($publisher), 'until somebody asks for it again');
	$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION floors');
	is($subscriber->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'g', '{}')}), floor_of($publisher) + 1, 'so that no version comes back');
}

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

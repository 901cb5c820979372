# A crash loses nothing that was acknowledged, and keeps nothing that was not.
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
	SELECT docstore.upsert('shops', 'a', '{"n": 0}');
	SELECT docstore.create_collection('brief');
	SELECT docstore.upsert('brief', 'gone', '{}'), docstore.upsert('brief', 'gone', '{}', 1);
	CHECKPOINT;
	SELECT docstore.delete('brief', 'gone', 2);
});

# One session acknowledges 200 single writes and 20 batches, the other is in the middle of a batch when the server is killed.
my $acknowledged = 1;
my $writer = $node->background_psql('postgres', on_error_die => 1);
for my $i (1 .. 200)
{
	$acknowledged = $writer->query_safe(qq{SELECT docstore.upsert('shops', 'a', '{"n": $i}', $acknowledged)});
}
for my $i (1 .. 20)
{
	$writer->query_safe(qq{SELECT count(*) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'upsert',
		'collection', 'shops', 'id', $i || '-' || n, 'data', '{}'::jsonb)) FROM generate_series(1, 50) n))});
}
my $unfinished = $node->background_psql('postgres', on_error_die => 1);
$unfinished->query_safe('BEGIN');
$unfinished->query_safe(q{SELECT count(*) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'upsert',
	'collection', 'shops', 'id', 'unfinished-' || n, 'data', '{}'::jsonb)) FROM generate_series(1, 50) n))});

$node->stop('immediate');
$_->{run}->finish for $writer, $unfinished;
$node->start;

is($acknowledged, 201, 'all single writes were acknowledged');
is($node->safe_psql('postgres', q{SELECT version, data FROM docstore.load('shops', 'a')}),
	'201|{"n": 200}', 'the last acknowledged version is there after the crash');
is($node->safe_psql('postgres', q{SELECT count(*) FROM shops WHERE id <> 'a'}),
	'1000', 'all acknowledged batches are there, and nothing of the unfinished one');

# A19: a version read before the restart is good after it
is($node->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{}', 201)}),
	'202', 'A19: a version that was read before the crash saves after it');
is($node->safe_psql('postgres', q{SELECT docstore.upsert('brief', 'gone', '{}')}),
	'3', 'C10: a document that was deleted before the crash starts above its old version');
$node->restart;
is($node->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{}', 202)}),
	'203', 'A19: and after a restart');

$node->command_ok(['pg_amcheck', '--heapallindexed', '--install-missing', '-h', $node->host, '-p', $node->port, 'postgres'],
	'tables and indexes are sound');

$node->stop;
done_testing();

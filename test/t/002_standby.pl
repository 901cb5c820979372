# A standby reads, says clearly that it does not write, and writes when it is promoted.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
	SELECT docstore.upsert('shops', 'a', '{"n": 1}');
	SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
	SELECT docstore.upsert('shops', 'b', '{}');
	SELECT docstore.upsert('shops', 'gone', '{}'), docstore.upsert('shops', 'gone', '{}', 1);
	SELECT docstore.create_collection('menus');
	SELECT docstore.track('menus');
	SELECT docstore.upsert('menus', 'a', '{"n": 1}'), docstore.upsert('menus', 'a', '{"n": 2}', 1);
});
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->safe_psql('postgres', q{SELECT docstore.delete('shops', 'gone', 2)});
$primary->wait_for_catchup($standby);

my $version = $standby->safe_psql('postgres', q{SELECT version FROM docstore.load('shops', 'a')});
is($version, '2', 'a standby loads documents');
is($standby->safe_psql('postgres', q{SELECT id FROM docstore.load_many('shops', '{a, x}')}), 'a', 'and many of them');

is($standby->safe_psql('postgres', q{SELECT version, data FROM docstore.history('menus', 'a')}), qq{2|{"n": 2}\n1|{"n": 1}}, 'what they were');
is($standby->safe_psql('postgres', q{SELECT v.data, a.version FROM docstore.load_version('menus', 'a', 1) AS v, docstore.load_at('menus', 'a', 'infinity') AS a}),
	'{"n": 1}|2', 'one version, and the one of a time');

my %writes = (
	'revert()' => q{SELECT docstore.revert('menus', 'a', 1, 2)},
	'prune_history()' => q{SELECT docstore.prune_history('menus', '0')},
	'erase_history()' => q{SELECT docstore.erase_history('menus', 'a')},
	'upsert()' => q{SELECT docstore.upsert('shops', 'a', '{}', 2)},
	'delete()' => q{SELECT docstore.delete('shops', 'a', 2)},
	'upsert_many()' => q{SELECT docstore.upsert_many('shops', '{a}', ARRAY['{}'::jsonb], '{2}')},
	'save()' => q{SELECT * FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "a", "expected": 2}]')},
	'try_save()' => q{SELECT * FROM docstore.try_save('[]')},
	'create_collection()' => q{SELECT docstore.create_collection('more')});
for my $function (sort keys %writes)
{
	my ($status, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$writes{$function}");
	like($err, qr/ERROR:  25006: cannot execute docstore\.\Q$function\E in a read-only transaction.*HINT:  .*connect to the primary/s,
		"$function says that this is a standby");
}

$standby->promote;
is($standby->safe_psql('postgres', qq{SELECT docstore.upsert('shops', 'a', '{"n": 3}', $version)}),
	'3', 'after a promotion a version that was read on the standby saves');
like(($standby->psql('postgres', qq{\\set VERBOSITY verbose\nSELECT docstore.upsert('shops', 'a', '{}', $version)}))[2],
	qr/ERROR:  PT409: .*"reason": "stale", "expected": 2, "actual": 3\}/s, 'and is stale from then on');
is($standby->safe_psql('postgres', q{SELECT version FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "a", "expected": 3},
	{"op": "delete", "collection": "shops", "id": "b", "expected": 1}, {"op": "upsert", "collection": "shops", "id": "c", "data": {}}]') ORDER BY item}),
	"3\n1\n3", 'batches save, too, and a new document starts above what was deleted');
is($standby->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'gone', '{}')}), '3', 'also the very document that the primary has deleted');
is($standby->safe_psql('postgres', q{SELECT docstore.revert('menus', 'a', 1, 2)}), '3', 'what a document was comes back');
is($standby->safe_psql('postgres', q{SELECT docstore.create_collection('more'); SELECT docstore.upsert('more', 'a', '{}')}),
	"more\n1", 'a new collection can be made');

$standby->stop;
$primary->stop;
done_testing();

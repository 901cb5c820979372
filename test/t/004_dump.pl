# Collections are ordinary tables: a dump has them, and so has DROP EXTENSION left them.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->start;

$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
	SELECT docstore.create_collection('"My Orders"', 'uuid');
	CREATE TABLE by_hand (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
	SELECT docstore.upsert('shops', 'a', '{"n": 1}');
	SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
	SELECT docstore.upsert('"My Orders"', '7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10', '{}');
	SELECT docstore.upsert('by_hand', '1', '{}');
	-- deleted at version 2, and at 1
	SELECT docstore.upsert('shops', 'gone', '{}'), docstore.upsert('shops', 'gone', '{}', 1), docstore.delete('shops', 'gone', 2);
	SELECT docstore.upsert('by_hand', '2', '{}'), docstore.delete('by_hand', '2', 1);
});

# kind => options of pg_dump, options of pg_restore (none: psql reads it), the extension is in it, documents are in it
my %dumps = (
	whole => [['-Fc'], [], 't', 1],
	parallel => [['-Fd', '--jobs=2'], ['--jobs=2'], 't', 1],
	text => [['-Fp'], undef, 't', 1],
	schema_only => [['-Fc', '--schema-only'], [], 't', 0],
	one_table => [['-Fc', '--table=shops'], [], 'f', 1]);
for my $kind (sort keys %dumps)
{
	my ($dump_options, $restore_options, $has_extension, $has_documents) = @{ $dumps{$kind} };
	my $dump = $node->basedir . "/dump_$kind";
	$node->command_ok(['pg_dump', @$dump_options, '-f', $dump, 'postgres'], "$kind: dump");
	for my $server ($node, $other)
	{
		my $text = "$kind, " . ($server == $node ? 'same server' : 'another server');
		$server->safe_psql('postgres', "CREATE DATABASE restored_$kind");
		$server->command_ok(
			$restore_options ? ['pg_restore', '--exit-on-error', @$restore_options, '-d', "restored_$kind", $dump]
			: ['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', "restored_$kind", '-f', $dump], "$text: restore");
		is($server->safe_psql("restored_$kind", q{SELECT count(*) > 0 FROM pg_extension WHERE extname = 'docstore'}),
			$has_extension, "$text: the extension");
		$server->safe_psql("restored_$kind", 'CREATE EXTENSION IF NOT EXISTS docstore');
		looks_restored($server, "restored_$kind", $text, $kind eq 'one_table', $has_documents);
	}
}

# What a restored database must be like.
sub looks_restored
{
	my ($server, $database, $text, $one_table, $has_documents) = @_;
	my $read = sub { return $server->safe_psql($database, shift); };
	is($read->(q{SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace}),
		$one_table ? 'shops' : 'My Orders, by_hand, shops', "$text: the tables");
	if (!$has_documents)
	{
		is($read->(q{SELECT count(*) FROM shops}), '0', "$text: no documents");
		is($read->(q{SELECT docstore.upsert('shops', 'a', '{}')}), '1', "$text: but a collection to put some into");
		return;
	}
	is($read->(q{SELECT version, data FROM docstore.load('shops', 'a')}), '2|{"n": 2}', "$text: documents and versions come back");
	is($read->(q{SELECT docstore.upsert('shops', 'a', '{}', 2)}), '3', "$text: a version that was read before the dump saves");
	like(($server->psql($database, qq{\\set VERBOSITY verbose\nSELECT docstore.upsert('shops', 'a', '{}', 2)}))[2],
		qr/ERROR:  PT409: .*"expected": 2, "actual": 3/s, "$text: and is stale from then on");
	is($read->(q{SELECT docstore.upsert('shops', 'gone', '{}')}), '3', "$text: what was deleted before the dump starts above its old version");
	return if $one_table;
	is($read->(q{SELECT docstore.upsert('by_hand', '2', '{}')}), '2', "$text: in a table made by hand, too");
	is($read->(q{SELECT docstore.upsert('"My Orders"', '7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10', '{}', 1)}), '2', "$text: a collection with uuids");
	is($read->(q{SELECT docstore.upsert('by_hand', '1', '{}', 1)}), '2', "$text: a table made by hand");
}

$node->safe_psql('postgres', 'DROP EXTENSION docstore');
is($node->safe_psql('postgres', 'SELECT id, version FROM shops'), 'a|2', 'DROP EXTENSION leaves the documents');
$node->safe_psql('postgres', 'CREATE EXTENSION docstore');
is($node->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{}', 2)}), '3', 'and they are a collection again');
is($node->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'gone', '{}')}), '3', 'that knows which versions were deleted');

$_->stop for $node, $other;
done_testing();

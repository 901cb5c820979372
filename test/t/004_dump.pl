# Collections are ordinary tables: a dump has them, and so has DROP EXTENSION left them.
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
	SELECT docstore.create_collection('"My Orders"', 'uuid');
	SELECT docstore.upsert('shops', 'a', '{"n": 1}');
	SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
	SELECT docstore.upsert('"My Orders"', '7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10', '{}');
});

my $dump = $node->basedir . '/dump';
my @server = ('-h', $node->host, '-p', $node->port);
my %dumps = (
	whole => [[], 't'],
	parallel => [['--jobs=2'], 't'],
	'one table' => [['--table=shops'], 'f']);
for my $kind (sort keys %dumps)
{
	my ($options, $has_extension) = @{ $dumps{$kind} };
	my $database = "restored_$kind" =~ s/ /_/r;
	$node->command_ok(['pg_dump', @server, '-Fd', @$options, '-f', "$dump-$database", 'postgres'], "$kind: dump");
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->command_ok(['pg_restore', @server, '--exit-on-error', '-d', $database, "$dump-$database"], "$kind: restore");
	is($node->safe_psql($database, q{SELECT count(*) > 0 FROM pg_extension WHERE extname = 'docstore'}),
		$has_extension, "$kind: the extension");
	$node->safe_psql($database, 'CREATE EXTENSION IF NOT EXISTS docstore');
	is($node->safe_psql($database, q{SELECT version, data FROM docstore.load('shops', 'a')}), '2|{"n": 2}',
		"$kind: documents and versions come back");
	is($node->safe_psql($database, q{SELECT docstore.upsert('shops', 'a', '{}', 2)}), '3',
		"$kind: a version that was read before the dump saves");
}

$node->safe_psql('postgres', 'DROP EXTENSION docstore');
is($node->safe_psql('postgres', 'SELECT id, version FROM shops'), 'a|2', 'DROP EXTENSION leaves the documents');
$node->safe_psql('postgres', 'CREATE EXTENSION docstore');
is($node->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{}', 2)}), '3', 'and they are a collection again');

$node->stop;
done_testing();

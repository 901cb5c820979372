# A conflict does not put documents into the server's log.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "log_min_error_statement = error\nlog_statement = none\nlog_min_duration_statement = -1\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
	SELECT docstore.upsert('shops', 'a', '{}');
});

my %conflicts = (
	single => q{SELECT docstore.upsert('shops', 'a', '{"secret": "xyzzy"}', 9)},
	batch => q{SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {"secret": "xyzzy"}, "expected": 9}]')},
	'in a function' => q{DO $$BEGIN PERFORM docstore.upsert('shops', 'a', '{"secret": "xyzzy"}', 9); END$$});
for my $kind (sort keys %conflicts)
{
	my $from = -s $node->logfile;
	$node->psql('postgres', $conflicts{$kind});
	my $log = slurp_file($node->logfile, $from);
	like($log, qr/ERROR:  version conflict: 1 of 1 items/, "$kind: the conflict is in the log");
	like($log, qr/DETAIL:  \{"total": 1, "violations": \[\{"item": 1, .*"id": "a"/, "$kind: and so is what it says");
	unlike($log, qr/xyzzy|STATEMENT:|CONTEXT:/, "$kind: neither the statement nor the context is");
}

# That this test would see a statement: other errors have theirs.
my $from = -s $node->logfile;
$node->psql('postgres', q{SELECT docstore.upsert('shops', '', '{"secret": "xyzzy"}', 9)});
like(slurp_file($node->logfile, $from), qr/STATEMENT:/, 'another error is logged as the settings say');

$node->stop;
done_testing();

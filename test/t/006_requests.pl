# A call of save() with a request_id that was acknowledged is answered again: after a crash, and from a dump; each role has its own.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 5\nlog_statement = none");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
	CREATE ROLE ann;
	CREATE ROLE "Ben ""the"" 2nd";
	CREATE ROLE gone;
	GRANT SELECT, INSERT, UPDATE ON shops TO ann, "Ben ""the"" 2nd", gone;
});

# A call of a role; the answers differ by the generated ids.
sub save
{
	my ($server, $database, $role, $request, $data) = @_;
	return $server->safe_psql($database, qq{
		SET ROLE $role;
		SELECT item, op, target, id, version FROM docstore.save('[
			{"op": "upsert", "collection": "public.shops", "data": {"n": "$data"}},
			{"op": "upsert", "collection": "public.shops", "id": "counter", "data": {}, "expected": "any"},
			{"op": "assert", "collection": "public.shops", "id": "none", "expected": "none"}]',
			'00000000-0000-0000-0000-00000000000$request')});
}
sub refusal
{
	my ($server, $database, $sql) = @_;
	my ($result, $stdout, $stderr) = $server->psql($database, $sql);
	return $stderr;
}

my @callers = ('ann', '"Ben ""the"" 2nd"', 'postgres');
my %answer = map { $_ => save($node, 'postgres', $_, 1, 'first') } @callers;
is(scalar(split /\n/, $answer{ann}), 3, 'the call is answered with a row for each item');
is(scalar(keys %{ { map { $_ => 1 } values %answer } }), 3, 'each role has executed it');
my $documents = $node->safe_psql('postgres', 'SELECT count(*), sum(version) FROM shops');
is($documents, '4|6', 'three documents were created, one was written three times');

# A crash after the commit; one that is under way goes with it.
my $unfinished = $node->background_psql('postgres', on_error_die => 1);
$unfinished->query_safe('BEGIN');
$unfinished->query_safe(q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "unfinished", "data": {}}]',
	'00000000-0000-0000-0000-000000000009')});
$node->stop('immediate');
$unfinished->{run}->finish;
$node->start;
is(save($node, 'postgres', $_, 1, 'first'), $answer{$_}, "$_: the same answer after a crash") for @callers;
is($node->safe_psql('postgres', 'SELECT count(*), sum(version) FROM shops'), $documents, 'and nothing was written');
is($node->safe_psql('postgres', q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "unfinished", "data": {}}]',
	'00000000-0000-0000-0000-000000000009')}), '1', 'a call that was not committed is executed');

# A prepared transaction holds its request until it ends.
$node->safe_psql('postgres', q{BEGIN; SELECT * FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "prepared", "data": {}}]',
	'00000000-0000-0000-0000-000000000008'); PREPARE TRANSACTION 'request'});
like(refusal($node, 'postgres', q{SET lock_timeout = '100ms'; SELECT * FROM docstore.save('[]', '00000000-0000-0000-0000-000000000008')}),
	qr/lock timeout/, 'a call waits for a prepared transaction with the same request');
$node->restart;
$node->safe_psql('postgres', q{COMMIT PREPARED 'request'});
is($node->safe_psql('postgres', q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "prepared", "data": {}}]',
	'00000000-0000-0000-0000-000000000008')}), '1', 'and is answered when that is committed');

# Dump and restore, into another database and another cluster: requests of roles that are gone stay behind.
save($node, 'postgres', 'gone', 1, 'first');
$node->safe_psql('postgres', 'DROP OWNED BY gone; DROP ROLE gone');
$documents = $node->safe_psql('postgres', 'SELECT count(*), sum(version) FROM shops');
my $dump = $node->basedir . '/dump';
my @server = ('-h', $node->host, '-p', $node->port);
$node->command_ok(['pg_dump', @server, '-Fc', '-f', $dump, 'postgres'], 'dump');
$node->command_ok(['pg_dumpall', @server, '--roles-only', '-f', "$dump-roles"], 'dump of the roles');

my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->start;
# Roles that have other numbers there.
$other->safe_psql('postgres', 'CREATE ROLE x1; CREATE ROLE "Ben ""the"" 2nd"; CREATE ROLE x2; CREATE ROLE ann');
for my $to ([$node, 'another database'], [$other, 'another cluster'])
{
	my ($server, $name) = @$to;
	$server->safe_psql('postgres', 'CREATE DATABASE restored');
	$server->command_ok(['pg_restore', '--exit-on-error', '-d', 'restored', $dump], "$name: restore");
	is(save($server, 'restored', $_, 1, 'first'), $answer{$_}, "$name: $_ gets the same answer") for @callers;
	is($server->safe_psql('restored', 'SELECT count(*), sum(version) FROM shops'), $documents, "$name: and nothing was written");
	like(refusal($server, 'restored', q{SET ROLE ann; SELECT * FROM docstore.save('[]', '00000000-0000-0000-0000-000000000001')}),
		qr/request 00000000-0000-0000-0000-000000000001 was made with other changes/, "$name: other changes are refused");
	is($server->safe_psql('restored', q{SELECT count(*) FROM docstore.requests r WHERE NOT EXISTS (SELECT FROM pg_roles WHERE oid = r.role)}),
		'0', "$name: there is no request of a role that is gone");
	is($server->safe_psql('restored', q{SET ROLE ann; SELECT count(*), min(role::text) FROM docstore.requests}), '1|ann',
		"$name: each role sees its own");
}

# The owner of a database who is no superuser dumps it without the requests, or with his own.
$node->safe_psql('postgres', q{
	CREATE ROLE owner LOGIN;
	CREATE DATABASE owned OWNER owner});
$node->safe_psql('owned', q{SET ROLE owner; CREATE EXTENSION docstore; SELECT docstore.save('[]', '00000000-0000-0000-0000-000000000001')});
$node->command_fails_like(['pg_dump', @server, '-U', 'owner', 'owned'], qr/row-level security/,
	'an owner who is no superuser is told that row security is in the way of a dump');
$node->command_like(['pg_dump', @server, '-U', 'owner', '--exclude-table-data=docstore.requests', 'owned'], qr/CREATE EXTENSION.*docstore/,
	'he leaves the requests out');
$node->command_like(['pg_dump', @server, '-U', 'owner', '--enable-row-security', 'owned'], qr/^owner\t00000000-/m,
	'or takes his own along');

# Deferred conflicts: a transaction with a violation cannot be prepared, and its error has every field.
my $violate = q{SET docstore.conflicts = 'deferred'; BEGIN; SELECT docstore.upsert('shops', 'counter', '{"secret": 1}', 99);};
my $prepared = refusal($node, 'postgres', "\\set VERBOSITY verbose\n$violate PREPARE TRANSACTION 'conflict'");
like($prepared, qr/ERROR:  PT409: version conflict: 1 of 1 items/, 'PREPARE TRANSACTION raises the conflict');
like($prepared, qr/DETAIL:  \{"total": 1, "violations": \[\{"item": 1, .*"reason": "stale", "expected": 99, "actual": 4\}\]\}/, 'with all violations');
like($prepared, qr/HINT:  A transaction with conflicts cannot be prepared\./, 'and says that it cannot be prepared');
my $left = $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
is($left, '', 'nothing is prepared');
# It would hold the document for ever.
$node->safe_psql('postgres', "ROLLBACK PREPARED '$left'") if $left;
my $committed = refusal($node, 'postgres', "\\set VERBOSITY verbose\n$violate COMMIT");
like($committed, qr/ERROR:  PT409: version conflict: 1 of 1 items.*SCHEMA NAME:  public\nTABLE NAME:  shops\nCONSTRAINT NAME:  docstore_expected_version/s,
	'the conflict of COMMIT has its fields');
is($node->safe_psql('postgres', q{SET docstore.conflicts = 'deferred'; BEGIN; SELECT docstore.upsert('shops', 'clean', '{}');
	PREPARE TRANSACTION 'clean'; COMMIT PREPARED 'clean'; SELECT version FROM docstore.load('shops', 'clean')}), "1\n1",
	'a transaction without a violation can be prepared');
is($node->safe_psql('postgres', q{SET docstore.conflicts = 'deferred'; BEGIN; SAVEPOINT s; SELECT docstore.upsert('shops', 'clean', '{}', 7); ROLLBACK TO s;
	PREPARE TRANSACTION 'clean'; ROLLBACK PREPARED 'clean'; BEGIN; SELECT docstore.check_conflicts(); COMMIT}), "\n",
	'so can one that has undone it, and nothing of it is left in the session');
$node->command_fails_like(['psql', '-X', @server, '-d', 'postgres', '-c', "$violate COMMIT"], qr/version conflict: 1 of 1/, 'all in one query');
my $log = slurp_file($node->logfile);
like($log, qr/ERROR:  version conflict: 1 of 1 items/, 'the conflict is in the server log');
unlike($log, qr/secret/, 'without the statements that led to it');

$_->stop for $node, $other;
done_testing();

# A switch to a server that logical replication has filled, of collections, a history, guarded tables and logs, by the steps of docs/operations/failover.md:
# everything is there once, versions and floors go on. And what happens when both servers are written to: nobody is told.
use strict;
use warnings FATAL => 'all';
use Cwd qw(realpath);
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($copy_sequences) = slurp_file(realpath(dirname(__FILE__) . '/../../docs/operations/failover.md')) =~ /^(SELECT format\('SELECT setval.*?;)$/ms
  or die 'the page does not copy sequences';

my %node;
for my $name ('old', 'new')
{
	$node{$name} = PostgreSQL::Test::Cluster->new($name);
	$node{$name}->init(allows_streaming => 'logical');
	$node{$name}->append_conf('postgresql.conf', 'autovacuum = off');
	$node{$name}->start;
	$node{$name}->safe_psql('postgres', q{
		CREATE EXTENSION docstore;
		SELECT docstore.create_collection('shops'), docstore.create_collection('drafts'), docstore.create_collection('notes'), docstore.create_log('ledger');
		SELECT docstore.track('shops');
		CREATE TABLE invoices (nr int PRIMARY KEY, version int, total int);
		SELECT docstore.guard('invoices'), docstore.guard('notes');
		CREATE ROLE app LOGIN;
		GRANT SELECT, INSERT, UPDATE ON shops TO app;
		CREATE PUBLICATION everything FOR TABLE shops, shops_history, drafts, notes, invoices, ledger, ledger_streams, ledger_consumers});
}
my ($old, $new) = @node{ 'old', 'new' };
sub error { my ($where, $sql, @options) = @_; return ($where->psql('postgres', "\\set VERBOSITY verbose\n$sql", @options))[2]; }
sub follow
{
	my ($follower, $leader, $options) = @_;
	$follower->safe_psql('postgres', sprintf q{CREATE SUBSCRIPTION everything CONNECTION '%s dbname=postgres' PUBLICATION everything%s}, $leader->connstr, $options // '');
	$follower->wait_for_subscription_sync($leader, 'everything');
	return;
}
# What a server has, but for when and by whom it was written there.
sub contents
{
	my ($where) = @_;
	return $where->safe_psql('postgres', q{
		SELECT 'shops', id, version, data FROM shops UNION ALL SELECT 'notes', id, version, data FROM notes
			UNION ALL SELECT 'invoices', nr::text, version, to_jsonb(total) FROM invoices UNION ALL SELECT 'ledger', stream, version, to_jsonb(log_position) FROM ledger
			UNION ALL SELECT 'history', concat_ws(' ', id, op, actor), version, data FROM shops_history
			UNION ALL SELECT 'streams', stream, version, NULL FROM ledger_streams ORDER BY 1, 2, 3});
}

# --- One writer at a time ------------------------------------------------------------------------------------------------

# In a tracked collection a deletion is a version, too.
my %above = (shops => 5, notes => 3);
my $work = q{
	SELECT docstore.upsert(c::regclass, id, '{"n": 0}') FROM unnest('{shops, notes}'::text[]) c, unnest('{a, b, gone}'::text[]) id;
	SELECT docstore.upsert(c::regclass, 'a', '{"n": 1}', 1), docstore.delete(c::regclass, 'gone', -1) FROM unnest('{shops, notes}'::text[]) c;
	SELECT docstore.upsert(c::regclass, 'gone', '{"n": 1}', 0) FROM unnest('{shops, notes}'::text[]) c;
	SELECT docstore.delete(c::regclass, 'gone', -1) FROM unnest('{shops, notes}'::text[]) c;
	INSERT INTO invoices VALUES (1, 1, 100), (2, 1, 100);
	UPDATE invoices SET total = 120, version = 2 WHERE nr = 1;
	SELECT docstore.append('ledger', 's' || n % 2, '[{"type": "T"}]') FROM generate_series(1, 6) n;
	SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "b", "data": {"m": 1}, "expected": "any"}]', '00000000-0000-0000-0000-000000000001')};
follow($new, $old);
$old->safe_psql('postgres', $work);
my $mark = $old->safe_psql('postgres', q{SELECT docstore.mark('ledger')});
my $cursor = $old->safe_psql('postgres', q{SELECT docstore.log_end('ledger')});

# the steps: no writer any more, all is there, sequences, writers on the other side
$old->safe_psql('postgres', 'ALTER ROLE app SET default_transaction_read_only = on');
like(error($old, q{SELECT docstore.upsert('shops', 'a', '{}', 2)}, extra_params => [ '-U', 'app' ]), qr/ERROR:  25006: /, 'switch: the old server takes no writes');
$old->wait_for_catchup('everything');
is(contents($new), contents($old), 'switch: all is there');
my $sequences = $old->safe_psql('postgres', $copy_sequences);
$new->safe_psql('postgres', $sequences);
$new->safe_psql('postgres', 'DROP SUBSCRIPTION everything');
# and back, if need be
follow($old, $new, ' WITH (copy_data = false)');

for my $collection ('shops', 'notes')
{
	is($new->safe_psql('postgres', qq{SELECT docstore.upsert('$collection', 'a', '{"n": 2}', 2)}), '3', "$collection: a version that was read before saves after");
	like(error($new, qq{SELECT docstore.upsert('$collection', 'a', '{"n": 3}', 2)}), qr/"reason": "stale", "expected": 2, "actual": 3/, "$collection: once");
	is($new->safe_psql('postgres', qq{SELECT docstore.upsert('$collection', 'gone', '{}')}), $above{$collection}, "$collection: what was deleted begins above its versions");
}
is($new->safe_psql('postgres', q{UPDATE invoices SET total = 130, version = 3 WHERE nr = 1 RETURNING version}), '3', 'guarded: likewise');
like(error($new, q{UPDATE invoices SET total = 140, version = 2 WHERE nr = 1}), qr/version conflict/, 'guarded: once');
is($new->safe_psql('postgres', q{SELECT version, log_position FROM docstore.append('ledger', 's1', '[{"type": "T"}]', 3)}), '4|7', 'log: streams and positions go on');
like(error($new, qq{SELECT docstore.append('ledger', 's1', '[{"type": "T"}]', scopes => '{"types": ["T"], "seen": "$mark"}')}), qr/version conflict/, 'log: a mark of the old server is a conflict');
like(error($new, qq{SELECT docstore.read_log('ledger', '$cursor')}), qr/ERROR:  22023: /, 'log: a cursor of the old server is refused');
is($new->safe_psql('postgres', q{SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "b", "data": {"m": 1}, "expected": "any"}]', '00000000-0000-0000-0000-000000000001')}),
	'3', 'requests: one that was executed on the old server is unknown, and executed again');
is($new->safe_psql('postgres', q{SELECT string_agg(version || ' ' || op, ', ' ORDER BY version) FROM shops_history WHERE id = 'a'}), '1 created, 2 updated, 3 updated', 'history: goes on');
# the old one is closed to clients only, and takes what is applied, with all that triggers do then
$new->safe_psql('postgres', q{SELECT docstore.delete('notes', 'b', 1); DELETE FROM invoices WHERE nr = 2});
$new->wait_for_catchup('everything');
is(contents($old), contents($new), 'the old server follows');

# --- Two writers ---------------------------------------------------------------------------------------------------------

# the old one again follows the new one, and is written to
$new->safe_psql('postgres', q{SELECT docstore.upsert(c::regclass, 'two', '{"by": "nobody"}') FROM unnest('{shops, drafts, notes}'::text[]) c; INSERT INTO invoices VALUES (3, 1, 0)});
$new->wait_for_catchup('everything');
my %tables = (
	drafts => [ q{id = 'two'}, q{SELECT docstore.upsert('drafts', 'two', '{"by": "%s"}', %d)} ],
	notes => [ q{id = 'two'}, q{SELECT docstore.upsert('notes', 'two', '{"by": "%s"}', %d)} ],
	invoices => [ q{nr = 3}, q{UPDATE invoices SET total = total + length('%s'), version = %d + 1 WHERE nr = 3 RETURNING version} ]);
for my $table (sort keys %tables)
{
	my ($row, $write) = @{ $tables{$table} };
	my $version = $new->safe_psql('postgres', "SELECT version FROM $table WHERE $row");
	is($_->[0]->safe_psql('postgres', sprintf $write, $_->[1], $version), $version + 1, "$table: the $_->[1] server saves over the same version") for [ $old, 'old' ], [ $new, 'other' ];
	my $shown = "SELECT to_jsonb(t) - 'updated_at' FROM $table t WHERE $row";
	$new->wait_for_catchup('everything');
	is($old->safe_psql('postgres', $shown), $new->safe_psql('postgres', $shown), "$table: one version has replaced the other, and nobody was told");
}

# a history has one row for each version, so where it is replicated, too, that is noticed
$_->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'two', '{"by": "both"}', version) FROM shops WHERE id = 'two'}) for $old, $new;
# from PostgreSQL 18 on it is called a conflict, and names the same index
$old->wait_for_log(qr{unique (?:constraint|index) "shops_history_pkey"});
is($old->safe_psql('postgres', q{SELECT count(*) FROM shops_history WHERE id = 'two'}), '2', 'shops, tracked: replication stops');

$old->safe_psql('postgres', 'ALTER SUBSCRIPTION everything DISABLE; ALTER SUBSCRIPTION everything SET (slot_name = NONE); DROP SUBSCRIPTION everything');
$_->stop for $old, $new;
done_testing();

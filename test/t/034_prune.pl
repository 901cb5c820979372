# What is pruned from a history keeps its readers from nothing: also where a transaction that was prepared before a promotion can still add to
# what came before it, and after a restart.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
# Readers wait for every transaction; those of autovacuum would make them wait here and there.
$primary->append_conf('postgresql.conf', "autovacuum = off\nmax_prepared_transactions = 5\n");
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('shops');
	SELECT docstore.track('shops')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub save { my ($node, @ids) = @_; $node->safe_psql('postgres', "SELECT docstore.upsert('shops', '$_', '{}', docstore.any_version())") for @ids; return; }
sub prune
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{UPDATE shops_history SET recorded_at = now() - interval '2 days'});
	return $node->safe_psql('postgres', q{SELECT docstore.prune_history('shops', '1 day')});
}
sub kept { return (shift)->safe_psql('postgres', q{SELECT string_agg(id || version, ' ' ORDER BY generation, transaction_id, change_position) FROM shops_history}); }

# All changes after a cursor, and the cursor to go on from.
sub changes
{
	my ($node, $after) = @_;
	my @rows = split /\n/, $node->safe_psql('postgres', 'SELECT id || version, cursor FROM docstore.read_changes(\'shops\'' . (defined $after ? ", '$after')" : ')'));
	my ($last) = @rows ? $rows[-1] =~ /\|(.*)/ : $after;
	return (join(' ', map { /^(.*)\|/ } @rows), $last);
}

save($primary, 'a');
$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.upsert('shops', 'prepared', '{}'); PREPARE TRANSACTION 'order'});
save($primary, 'a');
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
save($standby, 'a');
is($standby->safe_psql('postgres', 'SELECT count(DISTINCT generation) FROM shops_history'), '2', 'a promotion begins a generation');

my ($seen, $cursor) = changes($standby);
is($seen, 'a1', 'readers wait for what was prepared before');
is(prune($standby), '0', 'nothing goes that they cannot have got, nor what they stand at');
$standby->safe_psql('postgres', q{VACUUM shops_history});
is(kept($standby), 'a1 a2 a3', 'so all is there');
$standby->restart;
is((changes($standby))[0], 'a1', 'readers still wait');
$standby->safe_psql('postgres', q{COMMIT PREPARED 'order'});
($seen, $cursor) = changes($standby, $cursor);
is($seen, 'prepared1 a2 a3', 'then they go on, and get all of it');

is(prune($standby), '2', 'what they have got goes');
$standby->safe_psql('postgres', q{VACUUM shops_history});
is(kept($standby), 'prepared1 a3', 'but the newest rows');
is((changes($standby, $cursor))[0], '', 'who has read it all has read it all');
save($standby, 'b');
is((changes($standby, $cursor))[0], 'b1', 'and goes on from there');
is((changes($standby))[0], 'prepared1 a3 b1', 'who begins anew gets what is left');

# Nothing is left but the last row, which says of which generation the next ones are.
$standby->safe_psql('postgres', q{SELECT docstore.delete('shops', 'a', 3), docstore.delete('shops', 'b', 1), docstore.delete('shops', 'prepared', 1)});
(undef, $cursor) = changes($standby, $cursor);
prune($standby);
$standby->safe_psql('postgres', q{VACUUM shops_history});
is($standby->safe_psql('postgres', 'SELECT count(*) FROM shops_history'), '1', 'of documents that are gone all rows go but the last');
$standby->restart;
save($standby, 'c');
is((changes($standby, $cursor))[0], 'c5', 'readers go on from that row');
is($standby->safe_psql('postgres', 'SELECT count(DISTINCT generation) FROM shops_history'), '1', 'in the same generation');
$standby->stop;
done_testing();

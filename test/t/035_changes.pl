# Who follows a collection skips no change that is committed and kept, as readers of a log (014_lost.pl): a standby that lagged is promoted, a
# server without synchronous_commit crashes, a database is dumped and restored in another cluster.  A cursor from the lost future is refused,
# one from before it goes on, and so does who begins anew.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub new_collection
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1, %params);
	# Readers wait for every transaction; those of autovacuum would make them wait here and there.
	$node->append_conf('postgresql.conf', "autovacuum = off\nmax_prepared_transactions = 5\n");
	$node->start;
	$node->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_collection('shops');});
	$node->safe_psql('postgres', q{SELECT docstore.track('shops'); SELECT docstore.create_consumers('shops')});
	return $node;
}

sub put { my ($node, @ids) = @_; $node->safe_psql('postgres', "SELECT docstore.upsert('shops', '$_', '{}', -1)") for @ids; return; }

# All changes after a cursor, as id and version, and the cursor to go on from.
sub read_changes
{
	my ($node, $after, $each) = @_;
	my $arguments = (defined $after ? "'$after'" : 'NULL') . ($each ? ", each => '$each'" : '');
	my @rows = split /\n/, $node->safe_psql('postgres', "SELECT id || version, cursor FROM docstore.read_changes('shops', $arguments)");
	my ($last) = @rows ? $rows[-1] =~ /\|(.*)/ : $after;
	return (join(' ', map { /^(.*)\|/ } @rows), $last);
}
sub changes { return (read_changes(@_))[0]; }

sub is_refused
{
	my ($node, $cursor, $text) = @_;
	like(($node->psql('postgres', "\\set VERBOSITY verbose\nSELECT docstore.read_changes('shops', '$cursor')"))[2],
		qr/ERROR:  22023: after points to a change that history "public\.shops_history" does not have.*HINT:  .*Begin again/s, $text);
	return;
}

sub generations { return (shift)->safe_psql('postgres', 'SELECT count(DISTINCT generation) FROM shops_history'); }

# --- A standby that lagged is promoted --------------------------------------------------------------------------------

my $primary = new_collection('primary');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
put($primary, 'a');
my (undef, $kept) = read_changes($primary);
$primary->wait_for_catchup($standby);
is(changes($standby), 'a1', 'standby: it is read there');
is($standby->safe_psql('postgres', q{SELECT docstore.changes_end('shops')}), $kept, 'standby: and its end is the same');

# one that is prepared before, and one that got its transaction id after that
$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.upsert('shops', 'prepared', '{}', 0); PREPARE TRANSACTION 'order'});
put($primary, 'b', 'a');
$primary->wait_for_catchup($standby);
$standby->stop;
$primary->safe_psql('postgres', q{COMMIT PREPARED 'order'});
put($primary, 'lost', 'a');
$primary->safe_psql('postgres', q{SELECT docstore.delete('shops', 'b', 1)});
my ($seen, $lost) = read_changes($primary);
is($seen, 'a1 prepared1 b1 a2 lost1 a3 b2', 'promotion: a reader has seen what is lost then');
is($primary->safe_psql('postgres', qq{SELECT docstore.commit_cursor('shops', 'search', '$lost', 0)}), '1', 'promotion: and so has a consumer');
$primary->stop('immediate');

$standby->start;
is(changes($standby, $lost), '', 'promotion: a standby cannot know what has not arrived');
like(($standby->psql('postgres', qq{\\set VERBOSITY verbose\nSELECT docstore.read_changes('shops', until => '$lost')}))[2],
	qr/ERROR:  22023: until is after the last change of history "public\.shops_history" that can be read now.*standby that lags/s, 'promotion: but nobody reads until there');
my $session = $standby->background_psql('postgres', on_error_die => 1);
is($session->query_safe(q{SELECT count(*) FROM docstore.read_changes('shops')}), '1', 'promotion: a session that knows the history before');
$standby->promote;
is_refused($standby, $lost, 'promotion: a cursor from the lost future, before anything is written');
is($session->query_safe(q{SELECT docstore.upsert('shops', 'a', '{"n": 1}', 2)}), '3', 'promotion: a version is given once more');
$session->quit;
is(generations($standby), '2', 'promotion: the timeline begins a generation, in that session, too');
is(changes($standby), 'a1', 'promotion: readers wait for what was prepared before');
is(changes($standby, $kept, 'document'), '', 'promotion: with a cursor from before, too');
$standby->safe_psql('postgres', q{COMMIT PREPARED 'order'});
put($standby, 'd', 'b');
is(changes($standby), 'a1 prepared1 b1 a2 a3 d1 b2', 'promotion: who begins anew gets all that is kept');
is(changes($standby, $kept), 'prepared1 b1 a2 a3 d1 b2', 'promotion: who goes on from a cursor that is left, too');
is(changes($standby, $kept, 'document'), 'prepared1 a3 d1 b2', 'promotion: and the last of each document');
is_refused($standby, $lost, 'promotion: a cursor from the lost future, after its transaction id was given again');
$standby->safe_psql('postgres', qq{SELECT docstore.commit_cursor('shops', 'search', '$lost', 0), docstore.commit_cursor('shops', 'report', '$kept', 0)});
is($standby->safe_psql('postgres', q{SELECT consumer, behind, state FROM docstore.consumers('shops')}), "report|6|good\nsearch||lost",
	'promotion: consumers() shows whose cursor is lost');
is($standby->safe_psql('postgres', qq{SELECT docstore.commit_cursor('shops', 'search', '$kept', 1)}), '2', 'promotion: a lost cursor keeps nobody from going back before it');

# --- Dumped, and restored in another cluster --------------------------------------------------------------------------

my $dump = $standby->basedir . '/dump';
my ($all, $last) = read_changes($standby);
$standby->command_ok(['pg_dump', '-f', $dump, 'postgres'], 'dump');
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init;
$restored->append_conf('postgresql.conf', "autovacuum = off\n");
$restored->start;
$restored->command_ok(['psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres', '-f', $dump], 'restore');
is(changes($restored), $all, 'restore: all changes, in the same order');
is(changes($restored, $kept), changes($standby, $kept), 'restore: who goes on from a cursor gets the same');
put($restored, 'd', 'e');
is(changes($restored, $last), 'd2 e1', 'restore: and then what is written here');
is($restored->safe_psql('postgres', q{SELECT consumer, behind, state FROM docstore.consumers('shops')}), "report|8|good\nsearch|8|good", 'restore: consumers, too');
is(generations($restored), '3', 'restore: the cluster begins a generation');
$restored->stop;
$standby->stop;

# --- A crash without synchronous_commit -------------------------------------------------------------------------------

my $crashing = new_collection('crashing');
$crashing->append_conf('postgresql.conf', "synchronous_commit = off\nwal_writer_delay = 10s\nfull_page_writes = off\n");
put($crashing, 'a');
$crashing->restart;
sub crash { $crashing->stop('immediate'); $crashing->start; return; }

# what nobody has read can be lost, unless the WAL writer comes just then
my $is_lost = 0;
for my $try (1 .. 10)
{
	put($crashing, "unread$try-");
	crash();
	$is_lost = changes($crashing) !~ /unread$try-/;
	last if $is_lost;
}
ok($is_lost, 'crash: a change that nobody has read is lost');
# what a reader has got cannot, and it goes on from there
my ($before, $cursor) = read_changes($crashing);
my (@got, @after);
for my $try (1 .. 5)
{
	# in one session, before the WAL writer comes
	($seen, $cursor) = split /\|/, $crashing->safe_psql('postgres',
		"DO \$\$ BEGIN PERFORM docstore.upsert('shops', 'b', '{}', -1); END \$\$; SELECT id || version, cursor FROM docstore.read_changes('shops', '$cursor')");
	push @got, $seen;
	crash();
	put($crashing, 'c');
	($seen, $cursor) = read_changes($crashing, $cursor);
	push @after, $seen;
}
is("@got", 'b1 b2 b3 b4 b5', 'crash: a reader gets changes');
is("@after", 'c1 c2 c3 c4 c5', 'crash: and goes on from each');
is(changes($crashing), join(' ', $before, map { "b$_ c$_" } 1 .. 5), 'crash: what it has got is there');
for my $try (6 .. 8)
{
	my $end = $crashing->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'b', '{}', -1); SELECT docstore.changes_end('shops')});
	$end =~ s/.*\n//;
	crash();
	put($crashing, 'c');
	is(changes($crashing, $end), "c$try", 'crash: so is what changes_end() has returned');
}
is(generations($crashing), '1', 'crash: the generation stays');
$crashing->stop;

done_testing();

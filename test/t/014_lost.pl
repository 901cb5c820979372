# Readers skip no event that is committed and kept after transactions were lost: a standby that lagged is promoted, a server without
# synchronous_commit crashes, a backup is recovered to a point in time, the files of a server are put back.  Transaction ids are given again
# then.  A cursor from the lost future is refused, one from before it goes on, and so does who begins anew.
use strict;
use warnings FATAL => 'all';
use File::Path;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

# Readers wait for every transaction; those of autovacuum would make them wait here and there.
my $settings = "autovacuum = off\nmax_prepared_transactions = 5\n";

sub new_log
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1, %params);
	$node->append_conf('postgresql.conf', $settings);
	$node->start;
	$node->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger')});
	return $node;
}

# An event is known by the stream that it alone is in.
sub append { my ($node, @streams) = @_; $node->safe_psql('postgres', "SELECT docstore.append('ledger', '$_', '[{\"type\": \"T\"}]')") for @streams; return; }

# All events after a cursor, and the cursor to go on from.
sub read_log
{
	my ($node, $after) = @_;
	my @rows = split /\n/, $node->safe_psql('postgres', 'SELECT stream, cursor FROM docstore.read_log(\'ledger\'' . (defined $after ? ", '$after')" : ')'));
	my ($last) = @rows ? $rows[-1] =~ /\|(.*)/ : $after;
	return (join(' ', map { /^(.*)\|/ } @rows), $last);
}
sub events { return (read_log(@_))[0]; }

sub is_refused
{
	my ($node, $cursor, $text) = @_;
	like(($node->psql('postgres', "\\set VERBOSITY verbose\nSELECT docstore.read_log('ledger', '$cursor')"))[2],
		qr/ERROR:  22023: after points to an event that log "public\.ledger" does not have.*HINT:  .*Begin again/s, $text);
	return;
}

# Append an event that a standby has not got, though it has got one of a transaction that began and ended later; returns its cursor.  The standby
# is alone then.
sub append_unseen
{
	my ($node, $standby, $stream) = @_;
	my $session = $node->background_psql('postgres', on_error_die => 1);
	$session->query_safe('BEGIN; SELECT pg_current_xact_id()');
	append($node, "after $stream");
	$node->wait_for_catchup($standby);
	$standby->stop;
	$session->query_safe("SELECT docstore.append('ledger', '$stream', '[{\"type\": \"T\"}]')");
	$session->query_safe('COMMIT');
	$session->quit;
	$standby->append_conf('postgresql.conf', "primary_conninfo = ''\n");
	$standby->start;
	return $node->safe_psql('postgres', "SELECT concat_ws('-', generation, transaction_id, log_position) FROM ledger WHERE stream = '$stream'");
}

sub generations { return (shift)->safe_psql('postgres', 'SELECT count(DISTINCT generation) FROM ledger'); }

# --- A standby that lagged is promoted --------------------------------------------------------------------------------

my $primary = new_log('primary');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
append($primary, 'a');
my (undef, $kept) = read_log($primary);
# and a log with an event of another cluster
$primary->safe_psql('postgres', q{SELECT docstore.create_log('restored');
	INSERT INTO restored (log_position, generation, transaction_id, type, data) VALUES (100, 281479271677953, '1', 'T', '{}')});
# one that is prepared before, and one that got its transaction id after that
$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 'prepared', '[{"type": "T"}]'); PREPARE TRANSACTION 'order'});
append($primary, 'b');
$primary->wait_for_catchup($standby);
$standby->stop;

$primary->safe_psql('postgres', q{COMMIT PREPARED 'order'});
append($primary, 'lost1', 'lost2');
my $restored = $primary->safe_psql('postgres', q{SELECT count(*) FROM docstore.append('restored', 'a', '[{"type": "T"}]');
	SELECT concat_ws('-', generation, transaction_id, log_position) FROM restored WHERE stream = 'a'});
$restored =~ s/.*\n//;
my ($seen, $lost) = read_log($primary);
is($primary->safe_psql('postgres', q{SELECT docstore.log_end('ledger')}), $lost, 'promotion: the end of the log is the last cursor');
is($seen, 'a prepared b lost1 lost2', 'promotion: a reader has seen what is lost then');
is($primary->safe_psql('postgres', qq{SELECT docstore.commit_cursor('ledger', 'mail', '$lost', 0)}), '1', 'promotion: and so has a consumer');
$primary->stop('immediate');

$standby->start;
is(events($standby, $lost), '', 'promotion: a standby cannot know what has not arrived');
is($standby->safe_psql('postgres', "SELECT count(*) FROM docstore.read_log('restored', '$restored')"), '0', 'promotion: nor where all that has arrived is of another cluster');
like(($standby->psql('postgres', qq{\\set VERBOSITY verbose\nSELECT docstore.read_log('ledger', until => '$lost')}))[2],
	qr/ERROR:  22023: until is after the last event of log "public\.ledger" that can be read now.*standby that lags/s, 'promotion: but nobody reads until there');
is($standby->safe_psql('postgres', q{SELECT stream FROM docstore.read_log('ledger', until => docstore.log_end('ledger'))}), 'a', 'promotion: until its own end, all that is safe');
my $session = $standby->background_psql('postgres', on_error_die => 1);
is($session->query_safe(q{SELECT count(*) FROM docstore.read_log('ledger')}), '1', 'promotion: a session that knows the log before');
$standby->promote;
is_refused($standby, $lost, 'promotion: a cursor from the lost future, before anything is appended');
like(($standby->psql('postgres', qq{SELECT docstore.read_log('ledger', until => '$lost')}))[2],
	qr/ERROR:  until points to an event that log "public\.ledger" does not have/, 'promotion: likewise to read until there');
$session->query_safe(q{SELECT docstore.append('ledger', 'c', '[{"type": "T"}]')});
$session->quit;
is(generations($standby), '2', 'promotion: the timeline begins a generation, in that session, too');
is(events($standby), 'a', 'promotion: readers wait for what was prepared before');
is($session->query_safe(q{SELECT string_agg(stream, ' ') FROM docstore.read_log('ledger')}), 'a', 'promotion: in a session that knew the log before, too');
is(events($standby, $kept), '', 'promotion: with a cursor from before, too');
# a standby of the new primary, while something of the generation before can still come
$standby->backup('before');
my $early = PostgreSQL::Test::Cluster->new('early');
$early->init_from_backup($standby, 'before', has_streaming => 1);
$early->start;
my $unseen = append_unseen($standby, $early, 'x');
is(events($early, $unseen), '', 'promotion: a standby of that one waits for what is of its own generation, too');
$early->stop;
$standby->safe_psql('postgres', q{COMMIT PREPARED 'order'});
append($standby, 'd', 'e');
is(events($standby), 'a prepared b c x after x d e', 'promotion: who begins anew gets all that is kept');
is(events($standby, $kept), 'prepared b c x after x d e', 'promotion: who goes on from a cursor that is left, too');
is_refused($standby, $lost, 'promotion: a cursor from the lost future, after its transaction id was given again');
$standby->safe_psql('postgres', qq{SELECT docstore.commit_cursor('ledger', 'mail', '$lost', 0), docstore.commit_cursor('ledger', 'stock', '$kept', 0)});
is($standby->safe_psql('postgres', q{SELECT consumer, behind, state FROM docstore.consumers('ledger')}), "mail||lost\nstock|7|good",
	'promotion: consumers() shows whose cursor is lost');
is($standby->safe_psql('postgres', qq{SELECT docstore.commit_cursor('ledger', 'mail', '$kept', 1)}), '2', 'promotion: a lost cursor keeps nobody from going back before it');
is($standby->safe_psql('postgres', q{SELECT waiting_events FROM docstore.log_status('ledger')}), '0', 'promotion: the status');
# a standby of the new primary
$standby->backup('after');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($standby, 'after', has_streaming => 1);
$second->start;
append($standby, 'f');
$standby->wait_for_catchup($second);
is_refused($second, $lost, 'promotion: a standby knows that nothing can arrive any more in a generation that has ended');
is(events($second, $kept), 'prepared b c x after x d e f', 'promotion: and goes on from a cursor that is left');
$unseen = append_unseen($standby, $second, 'y');
is(events($second, $unseen), '', 'promotion: and waits for what began before, and ended after what it has got');
is(events($standby, $unseen), 'after y', 'promotion: which the primary has');
$second->stop;
$standby->stop;

# --- A crash without synchronous_commit -------------------------------------------------------------------------------

my $crashing = new_log('crashing');
$crashing->append_conf('postgresql.conf', "synchronous_commit = off\nwal_writer_delay = 10s\nfull_page_writes = off\n");
append($crashing, 'a');
$crashing->restart;
sub crash { $crashing->stop('immediate'); $crashing->start; return; }

# what nobody has read can be lost, unless the WAL writer comes just then
my $is_lost = 0;
for my $try (1 .. 10)
{
	append($crashing, "unread$try");
	crash();
	$is_lost = events($crashing) !~ /unread$try\b/;
	last if $is_lost;
}
ok($is_lost, 'crash: an event that nobody has read is lost');
# what a reader has got cannot, and it goes on from there
my (undef, $cursor) = read_log($crashing);
my $before = events($crashing);
my (@got, @after);
for my $try (1 .. 10)
{
	# in one session, before the WAL writer comes
	($seen, $cursor) = split /\|/, $crashing->safe_psql('postgres',
		"DO \$\$ BEGIN PERFORM docstore.append('ledger', 'b$try', '[{\"type\": \"T\"}]'); END \$\$; SELECT stream, cursor FROM docstore.read_log('ledger', '$cursor')");
	push @got, $seen;
	crash();
	append($crashing, "c$try");
	($seen, $cursor) = read_log($crashing, $cursor);
	push @after, $seen;
}
is("@got", join(' ', map { "b$_" } 1 .. 10), 'crash: a reader gets events');
is("@after", join(' ', map { "c$_" } 1 .. 10), 'crash: and goes on from each');
is(events($crashing), join(' ', $before, map { "b$_ c$_" } 1 .. 10), 'crash: what it has got is there');
my $end = $crashing->safe_psql('postgres', q{SELECT docstore.append('ledger', 'e', '[{"type": "T"}]'); SELECT safe_end FROM docstore.log_status('ledger')});
$end =~ s/.*\n//;
crash();
append($crashing, 'f');
is(events($crashing, $end), 'f', 'crash: so is what the status has named');
for my $try (1 .. 5)
{
	$end = $crashing->safe_psql('postgres', qq{SELECT docstore.append('ledger', 'g$try', '[{"type": "T"}]'); SELECT docstore.log_end('ledger')});
	$end =~ s/.*\n//;
	crash();
	append($crashing, "h$try");
	is(events($crashing, $end), "h$try", 'crash: and what log_end() has returned');
}
is(generations($crashing), '1', 'crash: the generation stays');
$crashing->stop;

# --- Recovery to a point in time --------------------------------------------------------------------------------------

my $archived = new_log('archived', has_archiving => 1);
$archived->backup('base');
append($archived, 'a');
(undef, $kept) = read_log($archived);
append($archived, 'b');
$archived->safe_psql('postgres', q{SELECT pg_create_restore_point('then')});
append($archived, 'lost1', 'lost2', 'lost3');
($seen, $lost) = read_log($archived, $kept);
is($seen, 'b lost1 lost2 lost3', 'recovery: a reader has seen what is lost then');
$archived->stop;

my $recovered = PostgreSQL::Test::Cluster->new('recovered');
$recovered->init_from_backup($archived, 'base', has_restoring => 1, standby => 0);
$recovered->append_conf('postgresql.conf', "recovery_target_name = 'then'\nrecovery_target_action = 'promote'\n");
$recovered->start;
$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
is_refused($recovered, $lost, 'recovery: a cursor from the lost future, before anything is appended');
append($recovered, 'c');
is_refused($recovered, $lost, 'recovery: and after that');
append($recovered, 'd', 'e', 'f', 'g');
is_refused($recovered, $lost, 'recovery: and after its transaction id was given again');
is(events($recovered), 'a b c d e f g', 'recovery: who begins anew gets all that is kept');
is(events($recovered, $kept), 'b c d e f g', 'recovery: who goes on from a cursor that is left, too');
is(generations($recovered), '2', 'recovery: the timeline begins a generation');
$recovered->stop;

# --- The files are put back -------------------------------------------------------------------------------------------

# The timeline stays: nothing but the cursor's event tells.
my $files = new_log('files');
append($files, 'a');
(undef, $kept) = read_log($files);
$files->stop;
my $copy = $files->basedir . '/copy';
PostgreSQL::Test::RecursiveCopy::copypath($files->data_dir, $copy);
$files->start;
append($files, 'lost1');
$files->safe_psql('postgres', 'CREATE TABLE other ()');
append($files, 'lost2');
(undef, $lost) = read_log($files);
$files->stop;
rmtree($files->data_dir);
rename $copy, $files->data_dir or die "cannot put the files back: $!";
chmod 0700, $files->data_dir or die "cannot set permissions: $!";
$files->start;
is_refused($files, $lost, 'files put back: a cursor at a transaction id that is not given yet');
append($files, 'b', 'c', 'd', 'e', 'f');
is_refused($files, $lost, 'files put back: one whose event is not there');
is(events($files), 'a b c d e f', 'files put back: who begins anew gets all that is kept');
is(events($files, $kept), 'b c d e f', 'files put back: who goes on from a cursor that is left, too');
# the owner may delete the oldest events all the same
my $third = $files->safe_psql('postgres', q{SELECT cursor FROM docstore.read_log('ledger') WHERE stream = 'c'});
$files->safe_psql('postgres', q{DELETE FROM ledger WHERE stream <= 'd'; VACUUM ledger});
is(events($files, $third), 'e f', 'a cursor whose event was deleted with all that are older goes on');
# where none is left, nothing tells of a cursor but whether its transaction can have been
my ($generation) = $third =~ /^(\d+)/;
$files->safe_psql('postgres', 'DELETE FROM ledger; VACUUM ledger');
my $next = $files->safe_psql('postgres', 'SELECT pg_snapshot_xmax(pg_current_snapshot())');
is_refused($files, "$generation-$next-100", 'files put back: a cursor at the next transaction id, where no event is left');
is(events($files, $generation . '-' . ($next - 1) . '-100'), '', 'files put back: one at the last');
$files->stop;

done_testing();

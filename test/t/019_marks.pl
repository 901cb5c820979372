# A mark shows what its snapshot showed, also when it was made on a standby; and nothing, once the ids of transactions mean something else.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$primary->start;
$primary->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$standby->start;

sub mark { my ($node) = @_; return $node->safe_psql('postgres', q{SELECT docstore.mark('ledger')}); }

sub append
{
	my ($node, @types) = @_;
	$node->safe_psql('postgres', qq{SELECT docstore.append('ledger', lower('$_'), '[{"type": "$_"}]')}) for @types;
	return;
}

# Whether a scope of a type holds with a mark: "holds", or the position that is not seen, and why the mark counts for nothing.
sub verdict
{
	my ($node, $mark, $type) = @_;
	my ($status, $out, $err) = $node->psql('postgres', qq{SELECT * FROM docstore.save('[{"op": "assert", "log": "ledger", "scope": {"types": ["$type"], "seen": "$mark"}}]')});
	return 'holds' if $status == 0;
	return $err =~ /"reason": "scope", "seen": "\Q$mark\E", "actual": (\d+)(?:, "mark": "(\w+)")?\}/ ? join(' ', grep { defined } $1, $2) : $err;
}

sub position { my ($node, $type) = @_; return $node->safe_psql('postgres', qq{SELECT log_position FROM ledger WHERE type = '$type'}); }

# --- On a standby -----------------------------------------------------------------------------------------------------

my $late = $primary->background_psql('postgres', on_error_die => 1);
$late->query_safe(q{BEGIN; SELECT docstore.append('ledger', 'late', '[{"type": "Late"}]')});
$late->query_safe(q{SAVEPOINT s; SELECT docstore.append('ledger', 'later', '[{"type": "Later"}]'); RELEASE s});
append($primary, 'Early');
$primary->wait_for_catchup($standby);
my $mark = mark($standby);
is(verdict($primary, $mark, 'Early'), 'holds', 'a mark of a standby shows what the standby showed');
is(verdict($primary, $mark, 'None'), 'holds', 'and holds where nothing matches');
$late->query_safe('COMMIT');
is(verdict($primary, $mark, 'Late'), '1', 'and not what was running then');
is(verdict($primary, $mark, 'Later'), '2', 'nor what a subtransaction of it has written');
is(verdict($primary, $mark, 'Early'), 'holds', 'what it showed it still shows');
$late->quit;
like(($standby->psql('postgres', qq{SELECT * FROM docstore.save('[{"op": "assert", "log": "ledger", "scope": {"seen": "$mark"}}]')}))[2],
	qr/cannot execute docstore\.save\(\) in a read-only transaction/, 'nothing is checked on a standby');

# --- After a crash ----------------------------------------------------------------------------------------------------

$primary->wait_for_catchup($standby);
my $before = mark($primary);
$mark = mark($standby);
is(verdict($primary, $before, 'Later'), 'holds', 'a mark before a crash');
$primary->stop('immediate');
$primary->start;
is(verdict($primary, $before, 'Later'), '2 outdated', 'after it ids may be given again: nothing is seen');
is(verdict($primary, $before, 'None'), 'holds', 'which is no matter where nothing matches');
is(verdict($primary, $mark, 'Later'), 'holds', 'what a standby has shown was not lost');
is(verdict($primary, mark($primary), 'Later'), 'holds', 'a new mark');

# --- After a promotion ------------------------------------------------------------------------------------------------

$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 'prepared', '[{"type": "Prepared"}]'); PREPARE TRANSACTION 'p'});
append($primary, 'Last');
$primary->wait_for_catchup($standby);
$before = mark($primary);
$mark = mark($standby);
my $reader = $standby->background_psql('postgres', on_error_die => 1);
$reader->query_safe(q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger});
$primary->stop('immediate');
$standby->promote;
is(verdict($standby, $before, 'Last'), position($standby, 'Last') . ' outdated', 'a mark of another timeline shows nothing');
is(verdict($standby, $mark, 'Last'), position($standby, 'Last') . ' outdated', 'nor does that of the standby before it was promoted');
# The ids that ran on the primary mean something else in a snapshot of a standby; the one that is kept outlives what it was taken in.
my $kept = $reader->query_safe(q{SELECT docstore.mark('ledger')});
is(verdict($standby, $kept, 'Last'), position($standby, 'Last') . ' outdated', 'nor does one of a snapshot from before, though it is made after');
is(verdict($standby, $kept, 'None'), 'holds', 'which is no matter where nothing matches');
$mark = mark($standby);
is(verdict($standby, $mark, 'Last'), 'holds', 'a new one does, before anything is appended');
append($standby, 'Promoted');
is(verdict($standby, $mark, 'Promoted'), position($standby, 'Promoted'), 'and not what is appended then');
$kept = $reader->query_safe(q{SELECT docstore.mark('ledger')});
is(verdict($standby, $kept, 'Promoted'), position($standby, 'Promoted') . ' outdated', 'nor does a mark of that snapshot, which is taken later still');
$reader->query_safe('COMMIT');
is(verdict($standby, $reader->query_safe(q{SELECT docstore.mark('ledger')}), 'Promoted'), 'holds', 'the next transaction of that session is as good as any');
$reader->quit;
$mark = mark($standby);
$standby->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is(verdict($standby, $mark, 'Promoted'), 'holds', 'a mark of the new timeline');
is(verdict($standby, $mark, 'Prepared'), position($standby, 'Prepared'), 'what was prepared in the old one, and has ended since, is not in it');
is(verdict($standby, mark($standby), 'Prepared'), 'holds', 'but in the next');

$standby->stop;

# --- Of any age -------------------------------------------------------------------------------------------------------

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(allows_streaming => 1);
$old->append_conf('postgresql.conf', "autovacuum = off\n");
$old->start;
$old->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger')});
append($old, 'Seen');
$old->backup('base');
my $follower = PostgreSQL::Test::Cluster->new('follower');
$follower->init_from_backup($old, 'base', has_streaming => 1);
$follower->start;
# That of a standby outlives the restarts.
$mark = mark($follower);
$follower->stop;
append($old, 'Unseen');

# So many ids are given out, and everything is frozen before.
sub give_out
{
	my ($count) = @_;
	my $next = $old->safe_psql('postgres', 'SELECT pg_current_xact_id()') + $count;
	$old->safe_psql('postgres', 'UPDATE pg_database SET datallowconn = true');
	$old->command_ok([ 'vacuumdb', '--all', '--freeze', '--quiet', '-h', $old->host, '-p', $old->port ], 'everything is frozen');
	$old->stop;
	command_ok([ 'pg_resetwal', '-x', $next, $old->data_dir ], "$count ids are given out");
	# The server notes what becomes of 1,048,576 transactions in each file, and finds none yet.
	my $file = sprintf('%s/pg_xact/%04X', $old->data_dir, $next >> 20);
	append_to_file($file, "\0" x (32 * 8192)) if !-e $file;
	$old->start;
	return;
}

give_out(1 << 30);
is($old->safe_psql('postgres', q{SELECT age(xmin) > 1000000000 FROM ledger WHERE type = 'Seen'}), 't', 'the event is old');
is(verdict($old, $mark, 'Seen'), 'holds', 'a mark that is a billion transactions old shows what it showed, frozen as it is');
is(verdict($old, $mark, 'Unseen'), position($old, 'Unseen'), 'and not what it did not show');
give_out(1 << 30);
is(verdict($old, $mark, 'Seen'), position($old, 'Seen') . ' outdated', 'one that is two billions old is too old to tell');
is(verdict($old, $mark, 'None'), 'holds', 'which is no matter where nothing matches');
is(verdict($old, mark($old), 'Seen'), 'holds', 'a new mark');
append($old, 'New');
is(verdict($old, mark($old), 'New'), 'holds', 'of what is new, too');
$old->stop;
done_testing();

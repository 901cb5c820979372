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

# Whether a scope of a type holds with a mark: "holds", or the position that is not seen.
sub verdict
{
	my ($node, $mark, $type) = @_;
	my ($status, $out, $err) = $node->psql('postgres', qq{SELECT * FROM docstore.save('[{"op": "assert", "log": "ledger", "scope": {"types": ["$type"], "seen": "$mark"}}]')});
	return 'holds' if $status == 0;
	return $err =~ /"reason": "scope", "seen": "\Q$mark\E", "actual": (\d+)\}/ ? $1 : $err;
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
is(verdict($primary, $before, 'Later'), '2', 'after it ids may be given again: nothing is seen');
is(verdict($primary, $before, 'None'), 'holds', 'which is no matter where nothing matches');
is(verdict($primary, $mark, 'Later'), 'holds', 'what a standby has shown was not lost');
is(verdict($primary, mark($primary), 'Later'), 'holds', 'a new mark');

# --- After a promotion ------------------------------------------------------------------------------------------------

$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 'prepared', '[{"type": "Prepared"}]'); PREPARE TRANSACTION 'p'});
append($primary, 'Last');
$primary->wait_for_catchup($standby);
$before = mark($primary);
$mark = mark($standby);
$primary->stop('immediate');
$standby->promote;
is(verdict($standby, $before, 'Last'), position($standby, 'Last'), 'a mark of another timeline shows nothing');
is(verdict($standby, $mark, 'Last'), position($standby, 'Last'), 'nor does that of the standby before it was promoted');
$mark = mark($standby);
is(verdict($standby, $mark, 'Last'), 'holds', 'a new one does, before anything is appended');
append($standby, 'Promoted');
is(verdict($standby, $mark, 'Promoted'), position($standby, 'Promoted'), 'and not what is appended then');
$mark = mark($standby);
$standby->safe_psql('postgres', q{COMMIT PREPARED 'p'});
is(verdict($standby, $mark, 'Promoted'), 'holds', 'a mark of the new timeline');
is(verdict($standby, $mark, 'Prepared'), position($standby, 'Prepared'), 'what was prepared in the old one, and has ended since, is not in it');
is(verdict($standby, mark($standby), 'Prepared'), 'holds', 'but in the next');

$standby->stop;
done_testing();

# A log that is restored is read in its order, and with its cursors, however it is restored; and what pg_dump --data-only --disable-triggers
# leaves of the triggers is seen, and repaired by one call.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $settings = "autovacuum = off\n";
my ($source, $target) = map {
	my $node = PostgreSQL::Test::Cluster->new($_);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', $settings);
	$node->start;
	$node } qw(source target);
my $make = q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_log('ledger'), docstore.create_collection('shops');
	SELECT docstore.guard('shops');
};
$source->safe_psql('postgres', $make);

sub append { my ($node, $database, $stream, $data) = @_; return $node->safe_psql($database, "SELECT docstore.append('ledger', '$stream', '[{\"type\": \"T\", \"data\": $data}]')"); }
sub read_log
{
	my ($node, $database, $after) = @_;
	my @rows = split /\n/, $node->safe_psql($database, 'SELECT stream || version, cursor FROM docstore.read_log(\'ledger\'' . (defined $after ? ", '$after')" : ')'));
	my ($last) = @rows ? $rows[-1] =~ /\|(.*)/ : $after;
	return (join(' ', map { /^(.*)\|/ } @rows), $last);
}
sub faults { my ($node, $database) = @_; return $node->safe_psql($database, q{SELECT options ->> 'fault' FROM docstore.guarded UNION ALL SELECT options ->> 'fault' FROM docstore.logs}); }

append($source, 'postgres', 'a', '{"n": 1}');
append($source, 'postgres', 'b', '{"n": 2}');
my (undef, $middle) = read_log($source, 'postgres');
append($source, 'postgres', 'a', '{"n": 3}');
append($source, 'postgres', 'a', '{"n": 4}');
my ($all, $end) = read_log($source, 'postgres');
is($all, 'a1 b1 a2 a3', 'the log');
# what was erased is the last of the table by now, and so of a dump
$source->safe_psql('postgres', q{SELECT docstore.erase('ledger', 'a', '{1}'); SELECT docstore.upsert('shops', 'a', '{}'), docstore.upsert('shops', 'b', '{}')});

# Restore a dump into a database that has the tables or has not, and read on.
sub restore
{
	my ($database, $sql, $options, $dump) = @_;
	my $file = $source->basedir . "/$database.sql";
	$source->command_ok([ 'pg_dump', '-h', $source->host, '-p', $source->port, @$dump, '-f', $file, 'postgres' ], "$database: dump");
	$target->safe_psql('postgres', "CREATE DATABASE $database");
	$target->safe_psql($database, $sql) if $sql;
	local $ENV{PGOPTIONS} = $options;
	$target->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $target->connstr($database), '-f', $file ], "$database: restore");
	is((read_log($target, $database))[0], 'a1 b1 a2 a3', "$database: in order");
	is((read_log($target, $database, $middle))[0], 'a2 a3', "$database: a cursor of the source goes on");
	is((read_log($target, $database, $end))[0], '', "$database: and waits at the end");
	return;
}

my @data_only = ('--data-only', '--table=ledger*', '--table=shops');
# each row by itself: they arrive as they lie in the table
restore('replica', $make, '-c session_replication_role=replica', [ @data_only, '--inserts' ]);
append($target, 'replica', 'c', '{}');
is((read_log($target, 'replica', $end))[0], 'c1', 'replica: new events come after');
is(faults($target, 'replica'), "\n", 'replica: the triggers are as they should be');

restore('disabled', $make, '', [ @data_only, '--disable-triggers' ]);
is(faults($target, 'disabled'), "trigger docstore_guard_delete of public.shops fires as ORIGIN only\ntrigger docstore_replicate_event of public.ledger fires as ORIGIN only",
	'disabled: the views show that the triggers are not');
append($target, 'disabled', 'c', '{}');
is((read_log($target, 'disabled', $end))[0], 'c1', 'disabled: new events come after');

# --- A restored log that is emptied -----------------------------------------------------------------------------------

restore('emptied', '', '', ['--exclude-schema=docstore']);
$target->safe_psql('emptied', 'DELETE FROM ledger; VACUUM ledger');
append($target, 'emptied', 'd', '{}');
is((read_log($target, 'emptied', $end))[0], 'd1', 'emptied: old cursors see what is new');
is((read_log($target, 'emptied', $middle))[0], 'd1', 'emptied: whichever they are');
append($target, 'emptied', 'a', '{}');
is((read_log($target, 'emptied', $end))[0], 'd1 a4', 'emptied: streams go on');

# --- One call repairs them --------------------------------------------------------------------------------------------

$target->safe_psql('disabled', q{SELECT docstore.guard('shops'), docstore.repair_log('ledger')});
is(faults($target, 'disabled'), "\n", 'repaired: the triggers are as they should be');
# positions are the source's: none that was given on the target
$source->safe_psql('postgres', q{SELECT setval(pg_get_serial_sequence('ledger', 'log_position'), 100)});
$source->safe_psql('postgres', 'CREATE PUBLICATION docs FOR TABLE shops, ledger, ledger_streams');
$target->safe_psql('disabled', sprintf(q{CREATE SUBSCRIPTION docs CONNECTION '%s dbname=postgres' PUBLICATION docs WITH (copy_data = false)}, $source->connstr));
my (undef, $cursor) = read_log($target, 'disabled');
$source->safe_psql('postgres', q{SELECT docstore.upsert('shops', 'a', '{}', 1), docstore.upsert('shops', 'a', '{}', 2)});
$source->safe_psql('postgres', q{SELECT docstore.delete('shops', 'a', 3)});
append($source, 'postgres', 'b', '{}');
$source->wait_for_catchup('docs');
is($target->safe_psql('disabled', q{SELECT docstore.upsert('shops', 'a', '{}')}), '4', 'repaired: what replication deletes uses versions up');
is((read_log($target, 'disabled', $cursor))[0], 'b2', 'repaired: what replication appends comes after what was read');
$target->safe_psql('disabled', 'DROP SUBSCRIPTION docs');

$_->stop for $source, $target;
done_testing();

# Readers of a log see each event once, in the order of each stream, whatever transactions, crashes, standbys, dumps and other servers do.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

srand(4);
# Readers wait for every transaction; those of autovacuum would make them wait here and there.
my $settings = "autovacuum = off\nmax_prepared_transactions = 5\n";

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->append_conf('postgresql.conf', $settings);
$primary->start;
$primary->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger', notify => true)});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# --- Readers ----------------------------------------------------------------------------------------------------------

# A reader remembers its cursor and the events that it has seen, each as stream/version/position.
sub new_reader { my ($cursor) = @_; return { cursor => $cursor, seen => [] }; }
sub copy_of { my ($reader) = @_; return { cursor => $reader->{cursor}, seen => [ @{ $reader->{seen} } ] }; }

# Read one page; returns how many events it had.
sub poll
{
	my ($reader, $node, $max_count, $database) = @_;
	my $after = defined $reader->{cursor} ? "'$reader->{cursor}'" : 'NULL';
	my @rows = split /\n/, $node->safe_psql($database // 'postgres',
		"SELECT stream || '/' || version || '/' || log_position, cursor FROM docstore.read_log('ledger', $after, $max_count)");
	for my $row (@rows)
	{
		my ($event, $cursor) = split /\|/, $row;
		push @{ $reader->{seen} }, $event;
		$reader->{cursor} = $cursor;
	}
	return scalar @rows;
}
# One that wants the events of some streams: it reads until the end of the log, and goes on from there.
my @wanted = ('s1', 's4', 'prepared');
sub poll_wanted
{
	my ($reader, $node, $max_count, $database) = @_;
	my $until = $node->safe_psql($database // 'postgres', q{SELECT docstore.log_end('ledger')});
	my $after = defined $reader->{cursor} ? "'$reader->{cursor}'" : 'NULL';
	my $scopes = '[' . join(', ', map { qq({"source": "$_"}) } @wanted) . ']';
	my @rows = split /\n/, $node->safe_psql($database // 'postgres', "SELECT stream || '/' || version || '/' || log_position, cursor
		FROM docstore.read_log('ledger', $after, $max_count, '$scopes', '$until')");
	$reader->{cursor} = $until;
	for my $row (@rows)
	{
		my ($event, $cursor) = split /\|/, $row;
		push @{ $reader->{seen} }, $event;
		$reader->{cursor} = $cursor if @rows == $max_count;
	}
	return scalar @rows;
}
sub is_exact_wanted
{
	my ($reader, $node, $text, $database) = @_;
	while (poll_wanted($reader, $node, 10, $database)) { }
	is_exact($reader, $node, "$text, of some streams", $database, "WHERE stream IN ('" . join("', '", @wanted) . "')");
	is(poll({ cursor => $reader->{cursor}, seen => [] }, $node, 10, $database), 0, "$text, of some streams: at the end of the log");
	return;
}
sub poll_all { my ($reader, $node, $database) = @_; while (poll($reader, $node, 50, $database)) { } return; }

# Each event that is there was seen once, nothing else was, and each stream in its order.
sub is_exact
{
	my ($reader, $node, $text, $database, $where) = @_;
	my @stored = split /\n/, $node->safe_psql($database // 'postgres', q{SELECT stream || '/' || version || '/' || log_position FROM ledger } . ($where // ''));
	my (%next, @disorder);
	for my $event (@{ $reader->{seen} })
	{
		my ($stream, $version) = split /\//, $event;
		push @disorder, $event if $version != ++$next{$stream};
	}
	is_deeply([ sort @{ $reader->{seen} } ], [ sort @stored ], "$text: each event once");
	is_deeply(\@disorder, [], "$text: each stream in its order");
	return;
}

# --- Writers ----------------------------------------------------------------------------------------------------------

# Four sessions whose transactions overlap at random: some get their id early and append late, some roll back, some only look on.
# After each step $between is called.  Returns how many events were committed.
sub write_at_random
{
	my ($node, $steps, $between, $database) = @_;
	my @writers = map { { session => $node->background_psql($database // 'postgres', on_error_die => 1), events => 0, streams => {} } } 1 .. 4;
	my $committed = 0;
	my $end = sub {
		my ($writer, $how) = @_;
		$writer->{session}->query_safe($how);
		$committed += $writer->{events} if $how eq 'COMMIT';
		@$writer{qw(open events streams)} = (0, 0, {});
	};
	for my $step (1 .. $steps)
	{
		my $writer = $writers[ rand @writers ];
		my $dice = rand;
		if (!$writer->{open})
		{
			$writer->{session}->query_safe('BEGIN');
			$writer->{session}->query_safe('SELECT pg_current_xact_id()') if $dice < 0.5;
			$writer->{open} = 1;
		}
		elsif ($dice < 0.3)
		{
			$end->($writer, $dice < 0.08 ? 'ROLLBACK' : 'COMMIT');
		}
		else
		{
			# A stream that no other open transaction has the head of: this one would wait.
			my $stream = 's' . int(rand 5);
			next if grep { $_ != $writer && $_->{streams}{$stream} } @writers;
			my $events = 1 + int(rand 3);
			$writer->{session}->query_safe(qq{SELECT count(*) FROM docstore.append('ledger', '$stream',
				(SELECT jsonb_agg('{"type": "T", "data": {"n": 1}}'::jsonb) FROM generate_series(1, $events)))});
			$writer->{streams}{$stream} = 1;
			$writer->{events} += $events;
		}
		$between->($step);
	}
	$end->($_, 'COMMIT') for grep { $_->{open} } @writers;
	$_->{session}->quit for @writers;
	return $committed;
}

# --- Writers that commit in any order, on the primary and on a standby ------------------------------------------------

my $reader = new_reader();
my $afar = new_reader();
# One that reads page after page on the standby and on the primary in turn.
my $traveller = new_reader();
# Two that want few events.
my $few = new_reader();
my $few_afar = new_reader();
my $committed = write_at_random($primary, 400, sub {
	my ($step) = @_;
	poll_wanted($few, $primary, 2) if $step % 3 == 0;
	poll_wanted($few_afar, $standby, 2) if $step % 3 == 1;
	poll($reader, $primary, 3) if $step % 2;
	poll($afar, $standby, 5) if $step % 3 == 0;
	poll($traveller, $step % 2 ? $standby : $primary, 4) if $step % 4 == 0;
});
$primary->wait_for_catchup($standby);
cmp_ok(scalar @{ $reader->{seen} }, '>', 20, 'a reader has read while others wrote');
cmp_ok(scalar @{ $afar->{seen} }, '>', 20, 'and so has one on a standby');
poll_all($reader, $primary);
poll_all($afar, $standby);
poll_all($traveller, $standby);
is(scalar @{ $reader->{seen} }, $committed, 'what was committed was read');
is_exact($reader, $primary, 'primary');
is_exact($afar, $standby, 'standby');
is_exact($traveller, $standby, 'in turn');
is_deeply($afar->{seen}, $reader->{seen}, 'both in the same order');
cmp_ok(scalar @{ $few->{seen} }, '>', 10, 'one that wants some streams has read while others wrote');
cmp_ok(scalar @{ $few_afar->{seen} }, '>', 10, 'and so has one on a standby');
is_exact_wanted($few, $primary, 'primary');
is_exact_wanted($few_afar, $standby, 'standby');
is($standby->safe_psql('postgres', q{SELECT waiting_events, safe_end = '} . $reader->{cursor} . q{' FROM docstore.log_status('ledger')}),
	'0|t', 'the status on a standby');

# A transaction with an id that has written nothing to the log: the standby waits as well, and for no longer.
my $holder = $primary->background_psql('postgres', on_error_die => 1);
$holder->query_safe(q{SET application_name = 'nightly report'; BEGIN; CREATE TABLE report ()});
my $pid = $holder->query_safe('SELECT pg_backend_pid()');
$primary->safe_psql('postgres', q{SELECT docstore.append('ledger', 's0', '[{"type": "T"}]')});
$primary->wait_for_catchup($standby);
is(poll($reader, $primary, 10), 0, 'readers wait for the oldest transaction that writes');
is(poll($afar, $standby, 10), 0, 'on a standby, too');
is($primary->safe_psql('postgres', q{SELECT waiting_events, lag > '0', blocked_by_pid, blocked_by_prepared, blocked_by_role = current_user, blocked_by_application,
	blocked_since < now() FROM docstore.log_status('ledger')}), "1|t|$pid||t|nightly report|t", 'the status names who holds readers back');
is($standby->safe_psql('postgres', q{SELECT waiting_events, blocked_by_pid FROM docstore.log_status('ledger')}), '1|', 'on a standby that is not known');
$holder->query_safe('COMMIT');
$primary->wait_for_catchup($standby);
is(poll($reader, $primary, 10), 1, 'until it ends');
is(poll($afar, $standby, 10), 1, 'on the standby, too');

# One that wrote nothing holds nobody back, on either server.
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger');
$primary->safe_psql('postgres', q{SELECT docstore.append('ledger', 's0', '[{"type": "T"}]')});
$primary->wait_for_catchup($standby);
is(poll($reader, $primary, 10), 1, 'a long idle transaction that wrote nothing does not hold readers back');
is(poll($afar, $standby, 10), 1, 'nor on the standby');
$holder->query_safe('COMMIT');
$holder->quit;

# --- NOTIFY -----------------------------------------------------------------------------------------------------------

my $listener = $primary->background_psql('postgres', on_error_die => 1);
$listener->query_safe('LISTEN docstore');
sub notifications { my $heard = $listener->query_safe('SELECT 1'); return scalar(() = $heard =~ /notification "docstore" with payload "public\.ledger"/g); }
is(notifications(), 0, 'no notification yet');
$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 's0', '[{"type": "T"}, {"type": "T"}]'); SELECT docstore.append('ledger', 's1', '[{"type": "T"}]'); COMMIT});
is(notifications(), 1, 'one for each commit');
$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 's0', '[{"type": "T"}, {"type": "T"}]'); ROLLBACK});
is(notifications(), 0, 'none when it is rolled back');
$primary->safe_psql('postgres', q{SELECT docstore.save('[{"op": "append", "log": "ledger", "stream": "s0", "events": [{"type": "T"}], "expected": "any"},
	{"op": "append", "log": "ledger", "stream": "s1", "events": [{"type": "T"}], "expected": "any"}]')});
is(notifications(), 1, 'one for a batch');
$primary->safe_psql('postgres', q{SELECT docstore.set_properties('ledger', 's0', '{}', -1); SELECT docstore.erase('ledger', 's0', '{1}')});
is(notifications(), 0, 'none when nothing is appended');
$listener->quit;

# The server does not prepare transactions that have sent any.
like(($primary->psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 'prepared', '[{"type": "T"}]'); PREPARE TRANSACTION 'order 7'}))[2],
	qr/cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY/, 'with NOTIFY no transaction can be prepared');
$primary->safe_psql('postgres', 'DROP TRIGGER docstore_notify ON ledger');

# --- Prepared transactions, crash -------------------------------------------------------------------------------------

$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('ledger', 'prepared', '[{"type": "T"}]'); PREPARE TRANSACTION 'order 7'});
$primary->safe_psql('postgres', q{SELECT docstore.append('ledger', 's1', '[{"type": "T"}]')});
poll_all($reader, $primary);
is($primary->safe_psql('postgres', q{SELECT waiting_events, blocked_by_pid, blocked_by_prepared, blocked_by_role = current_user, blocked_since < now() FROM docstore.log_status('ledger')}),
	'1||order 7|t|t', 'the status names a prepared transaction');

my $unfinished = $primary->background_psql('postgres', on_error_die => 1);
$unfinished->query_safe(q{BEGIN; SELECT docstore.append('ledger', 's2', '[{"type": "T"}]')});
$primary->safe_psql('postgres', q{SELECT docstore.append('ledger', 's3', '[{"type": "T"}]')});
$primary->stop('immediate');
$unfinished->{run}->finish;
$primary->start;
is(poll($reader, $primary, 10), 0, 'after a crash readers wait for what was prepared');
is($primary->safe_psql('postgres', q{SELECT blocked_by_prepared FROM docstore.log_status('ledger')}), 'order 7', 'which is still named');
$primary->safe_psql('postgres', q{COMMIT PREPARED 'order 7'});
poll_all($reader, $primary);
is_exact($reader, $primary, 'after a crash');
is_exact_wanted($few, $primary, 'after a crash');
# What a crash has ended while older transactions were prepared a standby learns with the next checkpoint, or in a few seconds.
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->wait_for_catchup($standby);
poll_all($afar, $standby);
poll_all($traveller, $standby);
is_deeply($afar->{seen}, $reader->{seen}, 'after a crash: the standby has the same order');
$committed = write_at_random($primary, 60, sub { poll($reader, $primary, 3); });
poll_all($reader, $primary);
is_exact($reader, $primary, 'after a crash, with new events');

# J14: a backlog is there after a restart, without anybody appending
my $late = copy_of($afar);
$primary->restart;
poll_all($late, $primary);
is_exact($late, $primary, 'J14: a backlog after a restart');

# --- Dump and restore -------------------------------------------------------------------------------------------------

# Readers go on in a restored log from where they were: in the middle, and at the end.
sub go_on_from_dump
{
	my ($from, $from_database, $to, $database, $text) = @_;
	my $dump = $from->basedir . "/dump_$database";
	$from->command_ok(['pg_dump', '-h', $from->host, '-p', $from->port, '-Fc', '-f', $dump, $from_database], "$text: dump");
	$to->safe_psql('postgres', "CREATE DATABASE $database");
	$to->command_ok(['pg_restore', '--exit-on-error', '-d', $database, $dump], "$text: restore");

	my $begin = new_reader();
	my $middle = new_reader();
	poll($middle, $from, 30, $from_database);
	my $end = new_reader();
	my $wanted = new_reader();
	poll_wanted($wanted, $from, 20, $from_database);
	poll_all($end, $from, $from_database);
	is_exact($end, $from, "$text: before", $from_database);
	my $consumed = copy_of($middle);
	$from->safe_psql($from_database, qq{SELECT docstore.commit_cursor('ledger', 'mail', '$middle->{cursor}', -1)});

	# a page before anybody has appended there
	is(poll($begin, $to, 7, $database), 7, "$text: reading from the beginning");
	is(poll($middle, $to, 7, $database), 7, "$text: an old cursor goes on");
	is(poll($end, $to, 7, $database), 0, "$text: and one at the end waits");
	is($to->safe_psql($database, q{SELECT waiting_events, safe_end = '} . $end->{cursor} . q{' FROM docstore.log_status('ledger')}), '0|t', "$text: the status");
	my $count = write_at_random($to, 120, sub { poll($_, $to, 3, $database) for $begin, $middle, $end; }, $database);
	for my $reader ($begin, $middle, $end)
	{
		poll_all($reader, $to, $database);
		is_exact($reader, $to, "$text: after", $database);
	}
	is_exact_wanted($wanted, $to, "$text: after", $database);
	is_deeply($middle->{seen}, $begin->{seen}, "$text: the same order from every cursor");
	cmp_ok($count, '>', 10, "$text: new events were written");
	return;
}

# A new cluster, whose transaction ids begin in some epoch.
sub new_cluster
{
	my ($name, $epoch) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', $settings);
	command_ok(['pg_resetwal', '-e', $epoch, $node->data_dir], "$name: epoch $epoch") if $epoch;
	$node->start;
	return $node;
}

go_on_from_dump($primary, 'postgres', $primary, 'copy', 'the same cluster');
my $ahead = new_cluster('ahead', 7);
go_on_from_dump($primary, 'postgres', $ahead, 'first', 'a cluster far ahead');
my $behind = new_cluster('behind', 0);
go_on_from_dump($ahead, 'first', $behind, 'second', 'a cluster far behind');
go_on_from_dump($behind, 'second', $ahead, 'third', 'back where it came from');
is($ahead->safe_psql('third', 'SELECT count(DISTINCT generation) FROM ledger'), '4', 'each cluster has begun a generation');
$_->stop for $ahead, $behind;

# --- Logical replication ----------------------------------------------------------------------------------------------

my $subscriber = new_cluster('subscriber', 0);
$subscriber->safe_psql('postgres', q{CREATE EXTENSION docstore; SELECT docstore.create_log('ledger')});
$primary->safe_psql('postgres', 'CREATE PUBLICATION ledger FOR TABLE ledger, ledger_streams, ledger_consumers');
$subscriber->safe_psql('postgres', sprintf(q{CREATE SUBSCRIPTION ledger CONNECTION '%s dbname=postgres' PUBLICATION ledger}, $primary->connstr));
$subscriber->wait_for_subscription_sync($primary, 'ledger');
my $remote = new_reader();
write_at_random($primary, 200, sub { poll($remote, $subscriber, 5); });
$primary->wait_for_catchup('ledger');
poll_all($remote, $subscriber);
is_exact($remote, $subscriber, 'subscriber');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM ledger'), $primary->safe_psql('postgres', 'SELECT count(*) FROM ledger'), 'subscriber: all events are there');
# the orders differ, so that cursors are no good on the other one: that is said
poll_all($reader, $primary);
my ($status, $out, $err) = $subscriber->psql('postgres', qq{\\set VERBOSITY verbose\nSELECT docstore.read_log('ledger', '$reader->{cursor}')});
like($err, qr/ERROR:  22023: after is not a cursor of log "public\.ledger"/, 'subscriber: a cursor of the publisher is refused');
# erase is replicated, and moves nothing
$primary->safe_psql('postgres', q{SELECT docstore.erase('ledger', 's1')});
$primary->wait_for_catchup('ledger');
is(poll($remote, $subscriber, 5), 0, 'subscriber: what was erased does not come again');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM docstore.read_stream('ledger', 's1') WHERE data <> '{}'}), '0', 'subscriber: but is blank');
# What is applied had its transaction id before the event that is before it in its stream: it gets that one's. So it is when another transaction,
# which is newer, has stored an event while the transaction that is applied waited for the stream.
$_->safe_psql('postgres', q{SELECT docstore.create_log('single')}) for $primary, $subscriber;
$primary->safe_psql('postgres', q{SELECT docstore.append('single', 's', '[{"type": "T"}]', 0); ALTER PUBLICATION ledger ADD TABLE single, single_streams});
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION ledger REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($primary, 'ledger');
$subscriber->safe_psql('postgres', q{BEGIN; SELECT FROM single_streams FOR UPDATE; PREPARE TRANSACTION 'held'});
$primary->safe_psql('postgres', q{BEGIN; SELECT docstore.append('single', 'before', '[{"type": "T"}]', 0); SELECT docstore.append('single', 's', '[{"type": "T"}]', 1); COMMIT});
$subscriber->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)}) or die 'nobody waits';
$subscriber->safe_psql('postgres', 'UPDATE single SET transaction_id = pg_current_xact_id()');
$subscriber->safe_psql('postgres', q{COMMIT PREPARED 'held'});
$primary->wait_for_catchup('ledger');
is($subscriber->safe_psql('postgres', q{SELECT count(*), count(DISTINCT transaction_id) FROM single WHERE stream = 's'}), '2|1',
	'subscriber: an event of an older transaction comes after the one before it');
# the subscriber takes over
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION ledger');
$subscriber->safe_psql('postgres', q{SELECT setval(pg_get_serial_sequence('ledger', 'log_position'), (SELECT max(log_position) FROM ledger))});
write_at_random($subscriber, 100, sub { poll($remote, $subscriber, 5); });
poll_all($remote, $subscriber);
is_exact($remote, $subscriber, 'subscriber that took over');
$subscriber->stop;

# --- The standby takes over -------------------------------------------------------------------------------------------

$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
write_at_random($standby, 100, sub { poll($reader, $standby, 3); });
poll_all($_, $standby) for $reader, $afar, $traveller;
is_exact($_, $standby, 'promoted standby') for $reader, $afar, $traveller;
is_exact_wanted($_, $standby, 'promoted standby') for $few, $few_afar;
$standby->stop;

done_testing();

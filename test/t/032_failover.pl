# A failover to a synchronous standby loses nothing that was acknowledged, and what was not is sent again with its request_id or event ids and is
# there once, even if it had been executed.  An asynchronous one loses what was acknowledged; how clients notice.  All of it is counted.
use strict;
use warnings FATAL => 'all';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# More calls than anybody waits for, and so many after the failover.
my ($CLIENTS, $CALLS, $MORE) = (4, 20000, 40);

my $primary = PostgreSQL::Test::Cluster->new('first');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', 'autovacuum = off');
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('counts'), docstore.create_log('ledger')});

# A standby of its own, which the primary waits for when it is synchronous.
sub new_standby
{
	my ($name, $is_synchronous) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$primary->backup($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	# what the primary had is in the backup
	$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''\nsynchronous_commit = on");
	$standby->start;
	return $standby if !$is_synchronous;
	$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
	$primary->reload;
	$primary->poll_query_until('postgres', q{SELECT every(sync_state = 'sync') FROM pg_stat_replication}) or die 'no synchronous standby';
	return $standby;
}

# --- What the clients send ------------------------------------------------------------------------------------------------

# A call counts each time it is executed: a document that is written whatever its version, and an event. Some have a document or a stream of their
# own, some share it. The client without ids is there to be seen.
sub call
{
	my ($round, $client, $number) = @_;
	return q{SELECT docstore.upsert('counts', 'unknown', '{}', -1);} if $client eq 'unknown';
	my $id = sprintf "'%08d-0000-0000-%04d-%012d'", $round, $client, $number;
	my $own = $number % 4 < 2 ? $client : 'all';
	return $number % 2
	  ? qq{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "counts", "id": "$round-$own", "data": {}, "expected": "any"}]', $id);}
	  : qq{SELECT version FROM docstore.append('ledger', '$round-$own', format('[{"type": "T", "event_id": "%s"}]', $id)::jsonb);};
}

# A psql for each client, which sends so many calls, from a number on, one after the other and says how far it is, until it is through or the connection is lost.
sub start_clients
{
	my ($round, $count, @from) = @_;
	my @clients;
	for my $client (0 .. $CLIENTS - 1)
	{
		# files, since nobody is there to fill or to empty a pipe
		my $file = PostgreSQL::Test::Utils::tempdir() . "/client$client";
		unlink "$file.sql";
		append_to_file("$file.sql", join '', map { call($round, $client, $_) . "\n\\echo acknowledged $_\n" } $from[$client] .. $from[$client] + $count - 1);
		push @clients, { file => $file, run => IPC::Run::start([ 'psql', '-XqAtv', 'ON_ERROR_STOP=1', '-d', $primary->connstr('postgres'), '-f', "$file.sql" ], '>', "$file.out", '2>', "$file.err") };
	}
	return @clients;
}

# The calls of each client that were acknowledged.
sub acknowledged
{
	my (@clients) = @_;
	$_->{run}->finish for @clients;
	return map { my $told = () = slurp_file("$_->{file}.out") =~ /^acknowledged \d+$/mg; $told } @clients;
}

# kill -9 for a whole server, at one moment: nobody can go on, nor tidy up.
sub kill_all
{
	my ($node) = @_;
	my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	kill 'STOP', $pid;
	my @children = grep { (eval { slurp_file("/proc/$_/stat") } // '') =~ /^\d+ \(.*\) \S $pid /s } map { m{(\d+)$} } glob '/proc/[0-9]*';
	die 'a server without children' if !@children;
	kill 'KILL', @children;
	$node->kill9;
	return;
}

sub answer { my ($sql) = @_; return $primary->safe_psql('postgres', $sql); }
# How many calls of a round were executed: what the documents and what the streams count.
sub executed
{
	my ($round) = @_;
	return split /\|/, answer(qq{SELECT (SELECT COALESCE(sum(version), 0) FROM counts WHERE id LIKE '$round-%'), (SELECT count(*) FROM ledger WHERE stream LIKE '$round-%'),
		(SELECT count(DISTINCT event_id) FROM ledger WHERE stream LIKE '$round-%')});
}

# --- A synchronous standby, killed under load ------------------------------------------------------------------------------

for my $round (1, 2)
{
	my $standby = new_standby("standby$round", 1);
	my @clients = start_clients($round, $CALLS, (0) x $CLIENTS);
	$primary->poll_query_until('postgres', qq{SELECT count(*) = $CLIENTS + 1 AND min(version) >= 10 FROM counts WHERE id LIKE '$round-%'}) or die 'the clients do not work';
	my $unknown;
	if ($round == 2)
	{
		# calls that are executed, and are on the standby, and are not acknowledged; others wait for these
		$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
		$primary->append_conf('postgresql.conf', 'synchronous_commit = remote_apply');
		$primary->reload;
		$unknown = $primary->background_psql('postgres', on_error_stop => 0);
		$unknown->query_until(qr/sending/, "\\echo sending\n" . call($round, 'unknown', 0) . "\n");
		$primary->poll_query_until('postgres', qq{SELECT count(*) = $CLIENTS + 1 AND count(*) FILTER (WHERE wait_event = 'SyncRep') >= 2
				AND (SELECT every(flush_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication)
			FROM pg_stat_activity WHERE wait_event = 'SyncRep' OR wait_event_type = 'Lock'}) or die 'the clients do not wait';
	}
	kill_all($primary);
	my @told = acknowledged(@clients);
	$unknown->{run}->finish if $unknown;
	note("round $round: acknowledged @told");
	is(scalar(grep { /server closed the connection|connection to server was lost/ } map { slurp_file("$_->{file}.err") } @clients), $CLIENTS, "synchronous, $round: all clients have lost their connection");
	cmp_ok($_, '<', $CALLS, "synchronous, $round: a client was not through") for @told;

	$standby->promote;
	$primary = $standby;
	my ($documents, $events, $distinct) = executed($round);
	my $acknowledged = 0;
	$acknowledged += $_ for @told;
	cmp_ok($documents + $events, '>=', $acknowledged, "synchronous, $round: what was acknowledged is there");
	cmp_ok($documents + $events, '<=', $acknowledged + $CLIENTS, "synchronous, $round: and at most a call of each client that was not");
	# call by call
	my $lost = 0;
	for my $client (0 .. $CLIENTS - 1)
	{
		my @ids = map { (call($round, $client, $_) =~ /('\d{8}-0000-0000-\d{4}-\d{12}')/)[0] } 0 .. $told[$client] - 1;
		$lost += @ids - answer(sprintf 'SELECT count(*) FROM unnest(ARRAY[%s]::uuid[]) id WHERE id IN (SELECT event_id FROM ledger) OR id IN (SELECT request_id FROM docstore.requests)',
			join ',', @ids) if @ids;
	}
	is($lost, 0, "synchronous, $round: 0 lost");
	if ($round == 2)
	{
		cmp_ok($documents + $events, '>', $acknowledged, 'synchronous, 2: some calls were executed and not acknowledged');
		is(answer(q{SELECT version FROM counts WHERE id = 'unknown'}), '1', 'synchronous, 2: also one that has no request_id');
	}

	@clients = start_clients($round, $MORE, @told);
	my @again = acknowledged(@clients);
	is("@again", join(' ', ($MORE) x $CLIENTS), "synchronous, $round: all that was not acknowledged is sent again, and more")
	  or diag(map { slurp_file("$_->{file}.err") } @clients);
	my ($saves, $appends) = (0, 0);
	($saves += int(($_ + $MORE) / 2), $appends += int(($_ + $MORE + 1) / 2)) for @told;
	is(join(' ', executed($round)), "$saves $appends $appends", "synchronous, $round: 0 lost, 0 twice");
	is(answer(qq{SELECT count(*) FROM (SELECT version, row_number() OVER (PARTITION BY stream ORDER BY version) n FROM ledger WHERE stream LIKE '$round-%') e WHERE version <> n}), '0',
		"synchronous, $round: streams have no gaps");
}
answer(call(2, 'unknown', 0));
is(answer(q{SELECT version FROM counts WHERE id = 'unknown'}), '2', 'without a request_id, what is sent again is executed twice');

# --- A standby that is away ------------------------------------------------------------------------------------------------

# Who waits in COMMIT for the standby can be terminated: that is committed here, and is nowhere else. When it is sent again, it is not
# acknowledged before the standby has it.
my $away = new_standby('away', 1);
my %once = (
	save => q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "counts", "id": "away", "data": {}, "expected": "any"}]', '00000000-0000-0000-0001-000000000000')},
	append => q{SELECT version FROM docstore.append('ledger', 'away', '[{"type": "T", "event_id": "00000000-0000-0000-0001-000000000001"}]')},
	batch => q{SELECT version FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "batch", "events": [{"type": "T", "event_id": "00000000-0000-0000-0001-000000000002"}]}]')});
my $waiting = q{FROM pg_stat_activity WHERE wait_event = 'SyncRep'};
for my $call (sort keys %once)
{
	$away->stop;
	my @sent;
	for my $time (1, 2)
	{
		push @sent, $primary->background_psql('postgres', on_error_stop => 0);
		$sent[-1]->query_until(qr/sending/, "\\echo sending\n$once{$call};\n");
		$primary->poll_query_until('postgres', "SELECT count(*) = 1 $waiting") or die "$call: it does not wait";
		last if $time == 2;
		answer("SELECT pg_terminate_backend(pid) $waiting");
		$sent[-1]->{run}->finish;
		$primary->poll_query_until('postgres', "SELECT count(*) = 0 $waiting") or die "$call: it is not gone";
	}
	$away->start;
	is($sent[1]->query_safe('SELECT 1') =~ s/\s//gr, '11', "$call: sent again, it is acknowledged when the standby has it");
	$sent[1]->quit;
}
is($away->safe_psql('postgres', q{SELECT (SELECT version FROM counts WHERE id = 'away'), (SELECT count(*) FROM ledger WHERE event_id::text LIKE '00000000-0000-0000-0001-%')}), '1|2', 'each once');
$primary->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$primary->reload;
$away->stop;

# --- An asynchronous standby ----------------------------------------------------------------------------------------------

my $standby = new_standby('lagging');
my $save = q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "counts", "id": "order", "data": {"by": "ann"}, "expected": "any"}]', '00000000-0000-0000-0000-000000000001')};
answer(q{SELECT docstore.upsert('counts', 'page', '{"n": 1}')});
sub timeline { return answer('SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)'); }
my $kept = answer(q{SELECT docstore.log_end('ledger')});
$primary->wait_for_catchup($standby);
$standby->stop;
my $before = timeline();
is(answer($save), '1', 'asynchronous: a request is acknowledged');
is(answer(q{SELECT docstore.upsert('counts', 'page', '{"n": 2, "by": "ann"}', 1)}), '2', 'asynchronous: a version');
is(answer(q{SELECT version FROM docstore.append('ledger', 'lost', '[{"type": "T"}]')}), '1', 'asynchronous: and an event');
my $cursor = answer(q{SELECT docstore.log_end('ledger')});
kill_all($primary);
$standby->start;
$standby->promote;
$primary = $standby;
is(answer(q{SELECT count(*) FROM counts WHERE id = 'order'}), '0', 'asynchronous: the request is lost');
is(answer(q{SELECT version FROM docstore.load('counts', 'page')}), '1', 'asynchronous: the version');
is(answer(q{SELECT count(*) FROM ledger WHERE stream = 'lost'}), '0', 'asynchronous: and the event');
isnt(timeline(), $before, 'noticed: the timeline is another one');
like(($primary->psql('postgres', qq{SELECT docstore.read_log('ledger', '$cursor')}))[2], qr/after points to an event that log "public\.ledger" does not have/, 'noticed: the cursor is refused');
is(answer(qq{SELECT count(*) FROM docstore.read_log('ledger', '$kept')}), '0', 'noticed: one from before is not');
is(answer(q{SELECT count(*) FROM docstore.requests WHERE request_id = '00000000-0000-0000-0000-000000000001'}), '0', 'noticed: the request is unknown');
is(answer($save), '1', 'sent again, it is executed');
is(answer($save), '1', 'once');
like(($primary->psql('postgres', q{SELECT docstore.upsert('counts', 'page', '{"n": 3, "by": "ann"}', 2)}))[2], qr/"reason": "stale", "expected": 2, "actual": 1/,
	'noticed: a version that was lost is a conflict, as long as nobody saves');
is(answer(q{SELECT docstore.upsert('counts', 'page', '{"n": 2, "by": "ben"}', 1)}), '2', 'not noticed: somebody saves, and gets the same version');
is(answer(q{SELECT docstore.upsert('counts', 'page', '{"n": 3, "by": "ann"}', 2)}), '3', 'not noticed: who has the lost one overwrites it');

$primary->stop;
done_testing();

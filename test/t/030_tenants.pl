# The example of tenants on several servers: PL/Proxy sends each call to the server of its tenant. Conflicts arrive whole, a call is atomic on its server,
# and nothing is beyond that.
use strict;
use warnings FATAL => 'all';
use Cwd qw(realpath);
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($share) = PostgreSQL::Test::Utils::run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'PL/Proxy is not installed for this server' if !-f "$share/extension/plproxy.control";
my $example = realpath(dirname(__FILE__) . '/../../examples/tenants');

# psql runs a script of the example, or a text.
sub run_script
{
	my ($node, $script, @arguments) = @_;
	my $is_text = $script =~ /\n/;
	my ($output, $error) = ('', '');
	my $done = IPC::Run::run([ 'psql', '-XqAtv', 'ON_ERROR_STOP=1', @arguments, '-d', $node->connstr('postgres'), '-f', $is_text ? '-' : "$example/$script" ],
		'<', \($is_text ? $script : ''), '>', \$output, '2>', \$error);
	return $done ? '' : $error;
}

my %node;
for my $name ('proxy', 'one', 'two')
{
	$node{$name} = PostgreSQL::Test::Cluster->new($name);
	$node{$name}->init;
	$node{$name}->append_conf('postgresql.conf', 'restart_after_crash = on');
	$node{$name}->start;
	$node{$name}->safe_psql('postgres', 'CREATE ROLE app LOGIN');
	is(run_script($node{$name}, $name eq 'proxy' ? 'proxy.sql' : 'server.sql'), '', "$name: the example's script");
}
my $proxy = $node{proxy};
# the servers as the example has them, where they are
my $servers = slurp_file("$example/servers.sql");
for my $name ('one', 'two')
{
	my $place = sprintf 'host=%s port=%d dbname=postgres', $node{$name}->host, $node{$name}->port;
	$servers =~ s/host=$name\.example\.org dbname=documents/$place/ or die "the example has no server $name";
}
is(run_script($proxy, $servers), '', 'servers.sql');
is(run_script($node{ $_->[1] }, 'tenant.sql', '-v', "tenant=$_->[0]"), '', "tenant.sql: $_->[0]") for [ 'ann', 'one' ], [ 'ben', 'two' ], [ 'Cid & Co', 'two' ];

my @app = (extra_params => [ '-U', 'app' ]);
sub value { my ($sql) = @_; return $proxy->safe_psql('postgres', $sql, @app); }
sub error { my ($where, $sql) = @_; return ($where->psql('postgres', "\\set VERBOSITY verbose\n$sql", @app))[2]; }

# --- Calls go to the tenant's server -------------------------------------------------------------------------------------

is(value(q{SELECT tenants.upsert('ann', 'shops', 'a', '{"n": 1}')}), '1', 'upsert');
is(value(q{SELECT tenants.upsert('ben', 'shops', 'a', '{"n": 2}', 0)}), '1', 'the same document of another tenant');
is(value(q{SELECT tenants.upsert('Cid & Co', 'shops', 'a', '{"n": 3}')}), '1', 'of one with a name that has to be quoted');
is($node{one}->safe_psql('postgres', 'SELECT id, version, data FROM ann.shops'), 'a|1|{"n": 1}', 'is on one server');
is($node{two}->safe_psql('postgres', 'SELECT id, version, data FROM ben.shops'), 'a|1|{"n": 2}', 'and on the other');
is(value(q{SELECT version, data FROM tenants.load('ann', 'shops', 'a')}), '1|{"n": 1}', 'load');
is(value(q{SELECT count(*) FROM tenants.load('ann', 'shops', 'x')}), '0', 'of nothing');
my $request = q{SELECT * FROM tenants.save('ann', '[{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 4}, "expected": 1},
	{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "t"}]}]', '00000000-0000-0000-0000-000000000001')};
is(value($request), "1|upsert|ann.shops|a|2\n2|append|ann.ledger|s|1", 'save');
is(value($request), "1|upsert|ann.shops|a|2\n2|append|ann.ledger|s|1", 'with its request_id again');
is(value(q{SELECT * FROM tenants.append('ann', 'ledger', 's', '[{"type": "t"}, {"type": "u"}]', 1)}), "2|2\n3|3", 'append');
is($node{two}->safe_psql('postgres', 'SELECT count(*) FROM ben.ledger'), '0', 'to the log of that tenant');

# --- Errors are what the server has sent ---------------------------------------------------------------------------------

# An error without what says where it was raised, and without empty fields.
sub essence { my ($error) = @_; return $error =~ s/^psql:[^ ]* //r =~ s/^(?:CONTEXT|LOCATION):  .*?(?=^[A-Z ]+:  |\z)//gmsr =~ s/^[A-Z ]+:  \n//gmr; }
my %arguments = (
	'a conflict' => [ 'upsert', q{'ann', 'shops', 'a', '{}', 1} ],
	'a conflict of a tenant that has to be quoted' => [ 'upsert', q{'Cid & Co', 'shops', 'a', '{}', 9} ],
	'a conflict of a batch' => [ 'save', q{'ann', '[{"op": "delete", "collection": "shops", "id": "a", "expected": 9}, {"op": "assert", "collection": "shops", "id": "x", "expected": 1}]', NULL} ],
	'one in several tables' => [ 'save', q{'ann', '[{"op": "delete", "collection": "shops", "id": "a", "expected": 9}, {"op": "append", "log": "ledger", "stream": "s", "expected": 9, "events": [{"type": "t"}]}]', NULL} ],
	'a conflict of a stream' => [ 'append', q{'ann', 'ledger', 's', '[{"type": "t"}]', 1, NULL} ],
	'a conflict of a scope' => [ 'append', q{'ann', 'ledger', 's', '[{"type": "t"}]', -1, '{"types": ["u"], "expected": "none"}'} ],
	'one of many violations' => [ 'save', "'ann', (SELECT jsonb_agg(jsonb_build_object('op', 'delete', 'collection', 'shops', 'id', n::text, 'expected', n)) FROM generate_series(1, 99) n), NULL" ],
	'a mistake' => [ 'save', q{'ann', '[{"op": "what"}]', NULL} ],
	'a name in vain' => [ 'upsert', q{'ann', 'ben.shops', 'a', '{}', NULL} ],
	'a tenant who is elsewhere' => [ 'load', q{'dan', 'shops', 'a'} ]);
$proxy->safe_psql('postgres', q{INSERT INTO tenants.servers VALUES ('dan', 'one')});
for my $case (sort keys %arguments)
{
	my ($function, $arguments) = @{ $arguments{$case} };
	my $sent = error($arguments =~ /Cid & Co/ ? $node{two} : $node{one}, "SELECT * FROM tenants.$function($arguments)");
	like(essence($sent), qr/^ERROR:  [A-Z0-9]{5}: ./, "$case: an error");
	is(essence(error($proxy, "SELECT * FROM tenants.$function($arguments)")), essence($sent), "$case: the same from the proxy");
}
like(error($proxy, q{SELECT tenants.upsert('ann', 'shops', 'a', '{}', 1)}), qr/ERROR:  PT409: version conflict.*DETAIL:  \{"total": 1, .*SCHEMA NAME:  ann\nTABLE NAME:  shops\nCONSTRAINT NAME:  docstore_expected_version/s,
	'what a conflict has');
like(error($proxy, q{SELECT tenants.upsert('eve', 'shops', 'a', '{}', 1)}), qr/ERROR:  3F000: there is no tenant "eve"/, 'a tenant who is nowhere');
# what PL/Proxy makes of it by itself
my $bare = error($proxy, q{SELECT tenants.send_upsert('ann', 'shops', 'a', '{}', 1)});
like($bare, qr/ERROR:  PT409: tenants\.send_upsert\(5\): \[postgres\] REMOTE ERROR: version conflict.*DETAIL:  Remote detail: \{.*HINT:  Remote hint: /s, 'PL/Proxy itself passes SQLSTATE, DETAIL and HINT on');
unlike($bare, qr/CONSTRAINT NAME|TABLE NAME/, 'and no names');
# the application has violations from the DETAIL, as without the proxy
my ($detail) = error($proxy, q{SELECT tenants.upsert('ann', 'shops', 'a', '{}', 1)}) =~ /DETAIL:  (.*)/;
is($node{one}->safe_psql('postgres', "SELECT id, reason, actual FROM docstore.violations(\$\$$detail\$\$)"), 'a|stale|2', 'violations() reads the DETAIL');

# --- What is atomic ------------------------------------------------------------------------------------------------------

like(error($proxy, q{SELECT * FROM tenants.save('ann', '[{"op": "upsert", "collection": "shops", "id": "half", "data": {}}, {"op": "assert", "collection": "shops", "id": "a", "expected": 9}]')}),
	qr/version conflict/, 'a call with a conflict');
is(value(q{SELECT count(*) FROM tenants.load('ann', 'shops', 'half')}), '0', 'writes nothing');
value(q{BEGIN; SELECT tenants.upsert('ann', 'shops', 'kept', '{}'); SELECT tenants.upsert('ben', 'shops', 'kept', '{}'); ROLLBACK});
is(value(qq{SELECT count(*) FROM tenants.load('$_', 'shops', 'kept')}), '1', "what a call has written stays, whatever becomes of the transaction around it: $_") for 'ann', 'ben';
is(value(q{SET docstore.conflicts = 'deferred'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenants.load('ann', 'shops', 'new');
	SELECT tenants.upsert('ann', 'shops', 'new', '{}'); SELECT count(*) FROM tenants.load('ann', 'shops', 'new'); COMMIT}), "0\n1\n1", 'nor does its isolation level mean anything');
like(error($proxy, q{SET docstore.conflicts = 'deferred'; SELECT tenants.upsert('ann', 'shops', 'a', '{}', 1)}), qr/version conflict/, 'nor its settings');

# the server is gone in the middle of a call
my $holder = $node{two}->background_psql('postgres', on_error_stop => 0);
$holder->query_safe(q{BEGIN; SELECT FROM ben.shops WHERE id = 'a' FOR UPDATE});
my $caller = $proxy->background_psql('postgres', on_error_stop => 0, @app);
$caller->query_until(qr/calling/, "\\set VERBOSITY verbose\n\\echo calling\nSELECT tenants.upsert('ben', 'shops', 'a', '{}', 1);\n");
my $waiting = q{FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'};
$node{two}->poll_query_until('postgres', "SELECT count(*) = 1 $waiting") or die 'the call does not wait';
kill 'KILL', $node{two}->safe_psql('postgres', "SELECT pid $waiting");
$_->{run}->finish for $holder;
$caller->quit;
like($caller->{stderr}, qr/ERROR:  08006: PL\/Proxy function tenants\.send_upsert.*HINT:  The call may have been executed, or not/s, 'a server that is gone in the middle of a call');
$node{two}->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
is(value(q{SELECT version FROM tenants.load('ben', 'shops', 'a')}), '1', 'is found again');

# or before it
$node{two}->stop;
like(error($proxy, q{SELECT tenants.upsert('ben', 'shops', 'a', '{}', 1)}), qr/ERROR:  08006: PL\/Proxy function tenants\.send_upsert.*HINT:  The call may have been executed, or not/s, 'a server that is down');
is(value(q{SELECT tenants.upsert('ann', 'shops', 'a', '{}', 2)}), '3', 'is not missed by the tenants of another');
$node{two}->start;
is(value(q{SELECT tenants.upsert('ben', 'shops', 'a', '{}', 1)}), '2', 'and is found again, too');

# --- A tenant moves ------------------------------------------------------------------------------------------------------

$node{one}->safe_psql('postgres', q{SELECT docstore.delete('ann.shops', 'kept', 1)});
my $last = $node{one}->safe_psql('postgres', q{SELECT docstore.log_end('ann.ledger')});
$node{one}->safe_psql('postgres', qq{SELECT docstore.commit_cursor('ann.ledger', 'mail', '$last', 0)});
# who is at it is waited for, who comes later is refused
my $writer = $node{one}->background_psql('postgres', on_error_stop => 0);
$writer->query_safe(q{BEGIN; SELECT tenants.upsert('ann', 'shops', 'late', '{}', 0)});
my $mover = $node{one}->background_psql('postgres', on_error_stop => 0);
$mover->query_until(qr/closing/, "\\echo closing\nSELECT tenants.close('ann');\n");
$node{one}->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'nobody waits';
my $late = $node{one}->background_psql('postgres', on_error_stop => 0);
$late->query_until(qr/calling/, "\\echo calling\nSELECT tenants.upsert('ann', 'shops', 'later', '{}', 0);\n");
$node{one}->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'nobody waits';
$writer->query_safe('COMMIT');
$_->quit for $writer, $mover, $late;
like($late->{stderr}, qr/tenant "ann" is not on this server/, 'closed: a call that was waiting meanwhile');
is($node{one}->safe_psql('postgres', q{SELECT string_agg(id, ' ' ORDER BY id) FROM ann.shops}), 'a late new', 'closed: what was under way is there, and nothing after it');

my $dump = $node{one}->basedir . '/ann.sql';
command_ok([ 'pg_dump', '-d', $node{one}->connstr('postgres'), '-n', 'ann', '-f', $dump ], 'the tenant is dumped');
command_ok([ 'psql', '-Xqv', 'ON_ERROR_STOP=1', '-1', '-d', $node{two}->connstr('postgres'), '-f', $dump ], 'and restored');
like(error($proxy, q{SELECT tenants.upsert('ann', 'shops', 'a', '{}', 3)}), qr/ERROR:  3F000: tenant "ann" is not on this server/, 'no server answers for it meanwhile');
$node{two}->safe_psql('postgres', q{SELECT tenants.open('ann')});
$proxy->safe_psql('postgres', q{UPDATE tenants.servers SET server = 'two' WHERE tenant = 'ann'});
is(value(q{SELECT tenants.upsert('ann', 'shops', 'a', '{}', 3)}), '4', 'moved: a version that was read before saves after');
like(error($proxy, q{SELECT tenants.upsert('ann', 'shops', 'a', '{}', 3)}), qr/"reason": "stale", "expected": 3, "actual": 4/, 'moved: once');
is(value(q{SELECT tenants.upsert('ann', 'shops', 'kept', '{}')}), '2', 'moved: a document that was deleted begins above its version');
is(value(q{SELECT * FROM tenants.append('ann', 'ledger', 's', '[{"type": "t"}]', 3)}), '4|4', 'moved: streams go on');
is($node{two}->safe_psql('postgres', q{SELECT consumer, behind, state FROM docstore.consumers('ann.ledger')}), 'mail|1|good', 'moved: consumers, too');
is($node{two}->safe_psql('postgres', qq{SELECT stream, version FROM docstore.read_log('ann.ledger', '$last')}), 's|4', 'moved: and other readers go on');

$_->stop for values %node;
done_testing();

# Tables that Citus has distributed. Citus is not here: its catalogue is a stand-in, made where a superuser may make one, so this shows what
# docstore does with a table that is named there, and nothing of what Citus does.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'allow_system_table_mods = on');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION docstore;
	SELECT docstore.create_collection('docs'), docstore.create_collection('near'), docstore.create_log('log'), docstore.create_log('far_heads');
	CREATE TABLE by_hand (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
	SELECT docstore.upsert('docs', 'a', '{}'), docstore.upsert('by_hand', 'a', '{}');
	SELECT docstore.append('log', 's', '[{"type": "t"}]'), docstore.append('far_heads', 's', '[{"type": "t"}]');
});

# in a session that has used the tables before, as the callbacks of Citus tell it to look again
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('\set VERBOSITY verbose');
$session->query_safe(q{SELECT docstore.upsert('docs', 'a', '{}', 1); SELECT docstore.append('log', 's', '[{"type": "t"}]', 1)});

$node->safe_psql('postgres', q{
	CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, partmethod "char" NOT NULL);
	INSERT INTO pg_catalog.pg_dist_partition VALUES ('docs', 'h'), ('by_hand', 'n'), ('log', 'n'), ('far_heads_streams', 'n');
	UPDATE pg_class SET relname = relname WHERE oid IN (SELECT logicalrelid FROM pg_catalog.pg_dist_partition);
});

# What a statement says: its SQLSTATE and message, or its result.
sub says
{
	my $statement = shift;
	$session->{stderr} = '';
	my $result = $session->query($statement);
	return $session->{stderr} =~ /ERROR:  (.*)/ ? $1 : $result;
}

# single calls go on, by SQL
is(says(q{SELECT docstore.upsert('docs', 'a', '{"n": 1}', 2)}), '3', 'an upsert');
is(says(q{SELECT docstore.patch('docs', 'a', '{"m": 2}', 3)}), '4', 'a patch');
is(says(q{SELECT docstore.upsert('docs', 'b', '{}')}), '1', 'a create');
is(says(q{SELECT docstore.delete('docs', 'b', 1)}), '1', 'a delete');
is(says(q{SELECT docstore.upsert('docs', 'b', '{}')}), '2', 'the floor');
is(says(q{SELECT version, data FROM docstore.load('docs', 'a')}), '4|{"m": 2, "n": 1}', 'a load');
is(says(q{SELECT id, version FROM docstore.load_many('docs', '{b,a}')}), "b|2\na|4", 'a load of many');
like(says(q{SELECT docstore.upsert('docs', 'a', '{}', 1)}), qr/^PT409: /, 'a conflict');
my $plans = q{SELECT count(*) > 0 FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE 'UPDATE ONLY public.docs%'};
is(says($plans), 't', 'they are planned');

# and so do batches, document by document
is(says(q{SELECT docstore.upsert_many('docs', '{a,b}', '{"{}","{}"}', '{4,2}')}), '{5,3}', 'arrays');
is(says(q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "near", "id": "x", "data": {}}, {"op": "delete", "collection": "docs", "id": "b", "expected": 3}]')}),
	"1\n3", 'batches, also with what is near');
is(says(q{SELECT reason FROM docstore.try_save('[{"op": "assert", "collection": "docs", "id": "a", "expected": 4}]')}), 'stale', 'and those that only ask');

# what cannot be promised is refused
like(says(q{SELECT docstore.append('log', 's', '[{"type": "t"}]')}), qr/^0A000: log "public.log" is distributed$/, 'appends');
like(says(q{SELECT docstore.append('far_heads', 's', '[{"type": "t"}]')}), qr/^0A000: log "public.far_heads" is distributed$/, 'appends to a log of whose tables one is');
like(says(qq{SELECT docstore.$_}), qr/^0A000: log "public.log" is distributed$/, $_)
  for q{create_stream('log', 'new')}, q{set_properties('log', 's', '{}', 1)}, q{close_stream('log', 's', 2)};
like(says(q{SELECT * FROM docstore.save('[{"op": "assert", "log": "log", "scope": {"source": "s", "expected": 9}}]')}), qr/^0A000: item 1: log/, 'scopes');
like(says(qq{SELECT docstore.$_}), qr/^0A000: log "public.log" is distributed$/, $_)
  for q{mark('log')}, q{log_end('log')}, q{stream('log', 's')}, q{commit_cursor('log', 'c', '1-1-1', 0)};
like(says(qq{SELECT * FROM docstore.$_}), qr/^0A000: log "public.log" is distributed$/, $_)
  for q{read_log('log')}, q{read_stream('log', 's')}, q{read_scope('log', '{"source": "s"}')}, q{consumers('log')};
is(says(q{SELECT count(*) FROM log}), '2', 'nothing was written');
like(says(q{SELECT * FROM docstore.save('[{"op": "upsert", "collection": "near", "id": "y", "data": {}}, {"op": "append", "log": "log", "stream": "s", "events": [{"type": "t"}]}]')}), qr/^0A000: item 2: log/, 'a batch with a log');
is(says(q{SELECT count(*) FROM near}), '1', 'nor elsewhere');

# floors are made also after a table was distributed
is(says(q{SELECT docstore.upsert('by_hand', 'a', '{}', 1)}), '2', 'a table without a floor');
is(says(q{SELECT docstore.delete('by_hand', 'a', 2)}), '2', 'gets one');
is(says(q{SELECT docstore.upsert('by_hand', 'a', '{}')}), '3', 'above which new documents start');

# on another node than the coordinator, which cannot be asked here, nothing is created or deleted
$node->safe_psql('postgres', q{CREATE TABLE pg_catalog.pg_dist_local_group (groupid int NOT NULL); INSERT INTO pg_catalog.pg_dist_local_group VALUES (1);
	UPDATE pg_class SET relname = relname WHERE relname = 'by_hand'});
like(says(q{SELECT docstore.delete('by_hand', 'a', 3)}), qr/^0A000: the floor of the versions of collection "public.by_hand" cannot be seen from here$/, 'a delete elsewhere');
like(says(q{SELECT docstore.upsert_many('by_hand', '{b,c}', '{"{}","{}"}', NULL)}), qr/^0A000: the floor/, 'creates');
like(says(q{SELECT docstore_internal.next_version('by_hand', 0)}), qr/^0A000: the floor/, 'and nobody asks in circles');
is(says(q{SELECT docstore.upsert('by_hand', 'a', '{}', 3)}), '4', 'a change');
is(says(q{SELECT version FROM docstore.save('[]', '00000000-0000-0000-0000-000000000001')}), '', 'a request');
like($session->{stderr}, qr/NOTICE:  00000: request 00000000-0000-0000-0000-000000000001 is remembered by this node only$/m, 'is the own of this node');
is(says(q{SELECT version FROM docstore.save('[]', '00000000-0000-0000-0000-000000000001')}), '', 'and when it is sent again');
unlike($session->{stderr}, qr/NOTICE/, 'it was found');
is(says(q{SELECT id, version FROM by_hand}), 'a|4', 'all that was written');
$node->safe_psql('postgres', q{UPDATE pg_catalog.pg_dist_local_group SET groupid = 0; UPDATE pg_class SET relname = relname WHERE relname = 'by_hand'});
is(says(q{SELECT docstore.delete('by_hand', 'a', 4)}), '4', 'a delete on the coordinator');
is(says(q{SELECT version FROM docstore.save('[]', '00000000-0000-0000-0000-000000000002')}), '', 'a request there');
unlike($session->{stderr}, qr/NOTICE/, 'says nothing');

like(says(q{SELECT docstore.guard('docs')}), qr/^0A000: table "public.docs" is distributed$/, 'guard()');

# the view
is(says(q{SELECT string_agg(name, ' ' ORDER BY name) FROM docstore.collections WHERE options @> '{"distributed": true}'}), 'public.by_hand public.docs', 'the view tells');

# all is as before when Citus gives a table back
$node->safe_psql('postgres', q{DROP TABLE pg_catalog.pg_dist_partition; UPDATE pg_class SET relname = relname WHERE relname IN ('docs', 'log')});
is(says(q{SELECT docstore.upsert_many('docs', '{a,b}', '{"{}","{}"}', '{5,0}')}), '{6,4}', 'undistributed');
is(says(q{SELECT version FROM docstore.append('log', 's', '[{"type": "t"}]', 2)}), '3', 'and a log');

$session->quit;
$node->stop;
done_testing();

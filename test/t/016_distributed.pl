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

# what cannot be promised is refused
like(says(q{SELECT docstore.upsert_many('docs', '{a,b}', '{"{}","{}"}', '{4,2}')}), qr/^0A000: collection "public.docs" is distributed$/, 'arrays');
like(says(q{SELECT * FROM docstore.save('[{"op": "upsert", "collection": "near", "id": "x", "data": {}}, {"op": "delete", "collection": "docs", "id": "a", "expected": 4}]')}),
	qr/^0A000: collection "public.docs" is distributed$/, 'batches');
like(says(q{SELECT * FROM docstore.try_save('[{"op": "assert", "collection": "docs", "id": "a", "expected": 4}]')}), qr/^0A000: /, 'and those that only ask');
like(says(q{SELECT docstore.append('log', 's', '[{"type": "t"}]')}), qr/^0A000: log "public.log" is distributed$/, 'appends');
like(says(q{SELECT docstore.append('far_heads', 's', '[{"type": "t"}]')}), qr/^0A000: log "public.far_heads" is distributed$/, 'appends to a log of whose tables one is');
like(says(qq{SELECT docstore.$_}), qr/^0A000: log "public.log" is distributed$/, $_)
  for q{create_stream('log', 'new')}, q{set_properties('log', 's', '{}', 1)}, q{close_stream('log', 's', 2)};
like(says(q{SELECT * FROM docstore.save('[{"op": "assert", "log": "log", "scope": {"source": "s", "expected": 9}}]')}), qr/^0A000: log/, 'scopes');
is(says(q{SELECT count(*) FROM log}), '2', 'nothing was written');
is(says(q{SELECT count(*) FROM near}), '0', 'nor elsewhere');

# floors are made before a table is distributed
is(says(q{SELECT docstore.upsert('by_hand', 'a', '{}', 1)}), '2', 'a table without a floor');
like(says(q{SELECT docstore.delete('by_hand', 'a', 2)}), qr/^0A000: collection "public.by_hand" is distributed$/, 'gets none any more');
is(says(q{SELECT version FROM by_hand}), '2', 'so that nothing is deleted');
like(says(q{SELECT docstore.guard('docs')}), qr/^0A000: table "public.docs" is distributed$/, 'guard()');

# the view
is(says(q{SELECT string_agg(name, ' ' ORDER BY name) FROM docstore.collections WHERE options @> '{"distributed": true}'}), 'public.by_hand public.docs', 'the view tells');

# all is as before when Citus gives a table back
$node->safe_psql('postgres', q{DROP TABLE pg_catalog.pg_dist_partition; UPDATE pg_class SET relname = relname WHERE relname IN ('docs', 'log')});
is(says(q{SELECT docstore.upsert_many('docs', '{a,b}', '{"{}","{}"}', '{4,2}')}), '{5,3}', 'undistributed');
is(says(q{SELECT version FROM docstore.append('log', 's', '[{"type": "t"}]', 2)}), '3', 'and a log');

$session->quit;
$node->stop;
done_testing();

# ALTER EXTENSION docstore UPDATE leads from every older version to the same catalogue as CREATE EXTENSION, and loses nothing on the way.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

my $newest = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'docstore'});
my @older = split /\n/, $node->safe_psql('postgres', qq{SELECT version FROM pg_available_extension_versions
	WHERE name = 'docstore' AND version <> '$newest' ORDER BY string_to_array(version, '.')::int[]});
cmp_ok(scalar @older, '>', 0, 'there are older versions');
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION docstore');
my @fresh = catalogue('fresh');
cmp_ok(scalar @fresh, '>', 100, 'the catalogue of a fresh install is read');

# Where the functions of triggers are, and which they are.
my $functions = q{SELECT pronamespace::regnamespace || ' ' || string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid
	WHERE tgname ^@ 'docstore' GROUP BY pronamespace};

for my $version (@older)
{
	my $database = "from_$version" =~ s/\W/_/gr;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, qq{
		CREATE EXTENSION docstore VERSION '$version';
		SELECT docstore.create_collection('shops');
		CREATE TABLE by_hand (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
	});
	# A session that stays: its plans and what it knows of the collection are those of the old version.
	my $session = $node->background_psql($database, on_error_die => 1);
	is($session->query_safe(q{SELECT docstore.upsert('shops', 'a', '{"n": 1}')}), '1', "$version is used");
	is($session->query_safe(q{SELECT docstore.upsert_many('shops', '{a, b}', ARRAY['{"n": 2}', '{}']::jsonb[], '{1, 0}')}), '{2,1}', "$version: a batch");
	is($session->query_safe(q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "by_hand", "id": "1", "data": {}}]')}), '1', "$version: save()");

	my ($status, $out, $err);
	# Up to 0.5.0 the triggers' functions are in docstore until the update, whoever makes a schema of the later one's name.
	my $visible = $version =~ /^0\.[45]\./;
	$node->safe_psql($database, q{
		CREATE SCHEMA docstore_internal;
		CREATE FUNCTION docstore_internal.guard_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not of docstore''; END';
	}) if $visible;
	$node->safe_psql($database, q{SELECT docstore.guard('by_hand'), docstore.create_log('ledger', notify => true)});
	is($node->safe_psql($database, $functions), ($visible ? 'docstore' : 'docstore_internal') . ' guard_delete guard_row guard_truncate notify_log replicate_event', "$version: guards and logs can be made");
	if ($visible)
	{
		# Whoever owns the extension can make a schema of his own a member of it: that is not docstore's either.
		$node->safe_psql($database, q{
			ALTER EXTENSION docstore ADD SCHEMA docstore_internal;
			CREATE TABLE of_others (nr int, version int);
			SELECT docstore.guard('of_others');
			INSERT INTO of_others VALUES (1);
			DROP TABLE of_others;
			ALTER EXTENSION docstore DROP SCHEMA docstore_internal;
		});
	}
	is($node->safe_psql($database, 'SELECT name FROM docstore.guarded UNION ALL SELECT name FROM docstore.logs'), "public.by_hand\npublic.ledger", "$version: the views show them");
	if ($visible)
	{
		($status, $out, $err) = $node->psql($database, 'ALTER EXTENSION docstore UPDATE');
		like($err, qr/ERROR:  schema "docstore_internal" already exists/, "$version: the update takes no schema over");
		$node->safe_psql($database, 'DROP SCHEMA docstore_internal CASCADE');
	}

	# A dump names the functions of triggers where they were, so it is restored beside the old version, as the README says.
	my $dump = "$PostgreSQL::Test::Utils::tmp_check/$database.sql";
	$node->safe_psql('postgres', "CREATE DATABASE restored_$database");
	$node->safe_psql("restored_$database", sprintf q{CREATE EXTENSION docstore VERSION '%s'}, $visible ? '0.5.0' : $version);
	$node->command_ok(['pg_dump', '-f', $dump, $node->connstr($database)], "$version is dumped");
	$node->command_ok(['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr("restored_$database")], "$version is restored");
	is($node->safe_psql("restored_$database", "ALTER EXTENSION docstore UPDATE; $functions"),
		'docstore_internal guard_delete guard_row guard_truncate notify_log replicate_event', "$version restored is updated");
	$node->safe_psql($database, 'CREATE VIEW read AS SELECT * FROM docstore.consumers($$ledger$$)');
	($status, $out, $err) = $node->psql($database, 'ALTER EXTENSION docstore UPDATE');
	if ($version eq '0.4.0')
	{
		like($err, qr/cannot drop function docstore\.consumers\(regclass\)/, "$version: a view on consumers() keeps the old one from being dropped, as the README says");
		like(($node->psql($database, 'SELECT docstore.item_data(1)'))[2], qr/no longer does anything/, "$version: what is gone says so");
		$node->safe_psql($database, 'DROP VIEW read');
		($status, $out, $err) = $node->psql($database, 'ALTER EXTENSION docstore UPDATE');
	}
	is($status, 0, "$version is updated") or do { diag $err; next };
	is($node->safe_psql($database, q{SELECT extversion FROM pg_extension WHERE extname = 'docstore'}), $newest, "$version is $newest now");
	my @differences = differences(\@fresh, [ catalogue($database) ]);
	is(scalar @differences, 0, "$version updated is $newest installed afresh")
		or diag join("\n", "-: only in the fresh install, +: only in the updated one", splice(@differences, 0, 60));

	is($session->query_safe(q{SELECT docstore.upsert('shops', 'a', '{"n": 3}', 2)}), '3', "$version: the session goes on, a version that was read before saves");
	is($session->query_safe(q{SELECT version FROM docstore.save('[{"op": "upsert", "collection": "by_hand", "id": "1", "data": {}, "expected": 1}]')}),
		'2', "$version: save() goes on, too");
	is($session->query_safe(q{SELECT version FROM docstore.append('ledger', 's', '[{"type": "T"}]')}), '1', "$version: so does a log");
	$session->quit;
	is($node->safe_psql($database, $functions), 'docstore_internal guard_delete guard_row guard_truncate notify_log replicate_event', "$version: triggers go on");
	is($node->safe_psql($database, q{SELECT name, options -> 'fault' FROM docstore.guarded UNION ALL SELECT name, options -> 'fault' FROM docstore.logs}),
		"public.by_hand|null\npublic.ledger|null", "$version: the views know them");
	like(($node->psql($database, 'UPDATE by_hand SET version = 7'))[2], qr/ERROR:  version conflict/, "$version: a guard guards");
	is($node->safe_psql($database, q{SELECT docstore.guard('by_hand', strict => true); SELECT name, strict FROM docstore.guarded}), "\npublic.by_hand|t", "$version: and becomes strict");
	like(($node->psql($database, 'UPDATE by_hand SET data = data'))[2], qr/ERROR:  UPDATE of table "public.by_hand" does not set its version column/, "$version: so that it guards that, too");
	is($node->safe_psql($database, q{SELECT docstore.upsert('shops', 'a', '{"n": 4}', 3)}), '4', "$version: and so does a new one");
	is($node->safe_psql($database, 'SELECT id, version, data FROM shops ORDER BY id'), qq(a|4|{"n": 4}\nb|1|{}), "$version: no document is lost");
	is($node->safe_psql($database, q{SELECT docstore.delete('by_hand', '1', 2); SELECT docstore.upsert('by_hand', '1', '{}')}), "2\n3",
		"$version: its collections get their floor with the first delete");
	like(($node->psql($database, q{SELECT docstore.upsert('shops', 'a', '{}', 3)}))[2], qr/ERROR:  version conflict/, "$version: a stale version conflicts");
}

$node->stop;
done_testing();

# The lines that only one of the two has.
sub differences
{
	my ($fresh, $updated) = @_;
	my %count;
	$count{$_}++ for @$fresh;
	$count{$_}-- for @$updated;
	return map { ($count{$_} > 0 ? '- ' : '+ ') . $_ } sort grep { $count{$_} } keys %count;
}

# All that the catalogue knows of the extension and its members, as lines without any oid, in which the objects have their names.
sub catalogue
{
	my ($database) = @_;
	return split /\n/, $node->safe_psql($database, <<'END');
SET search_path = '';
CREATE TEMP TABLE member AS
	SELECT d.classid, d.objid, o.type || ' ' || o.identity AS name
	FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'docstore');
-- its relations, and their indexes
CREATE TEMP TABLE relation AS
	SELECT c.oid, c.oid::regclass::text AS name FROM pg_class c
	WHERE EXISTS (SELECT FROM member WHERE classid = 'pg_class'::regclass
		AND objid IN (c.oid, (SELECT indrelid FROM pg_index WHERE indexrelid = c.oid)));
-- every object that is described: the members, and what they consist of
CREATE TEMP TABLE part AS
	SELECT classid, objid, name FROM member
	UNION SELECT 'pg_extension'::regclass, oid, 'extension' FROM pg_extension WHERE extname = 'docstore'
	UNION SELECT 'pg_class'::regclass, oid, 'index ' || name FROM relation WHERE oid NOT IN (SELECT objid FROM member)
	UNION SELECT 'pg_constraint'::regclass, c.oid, format('constraint %s of %s', conname, name) FROM pg_constraint c JOIN relation r ON r.oid = conrelid
	UNION SELECT 'pg_trigger'::regclass, t.oid, format('trigger %s of %s', tgname, name) FROM pg_trigger t JOIN relation r ON r.oid = tgrelid WHERE NOT tgisinternal
	UNION SELECT 'pg_policy'::regclass, p.oid, format('policy %s of %s', polname, name) FROM pg_policy p JOIN relation r ON r.oid = polrelid;

CREATE TEMP TABLE fact (name text, fact jsonb);
INSERT INTO fact SELECT 'extension', jsonb_build_object('version', extversion, 'relocatable', extrelocatable, 'schema', extnamespace::regnamespace, 'owner', extowner::regrole,
		'dumped', (SELECT jsonb_object_agg(c::regclass, condition) FROM unnest(extconfig, extcondition) AS u (c, condition)))
	FROM pg_extension WHERE extname = 'docstore';
INSERT INTO fact SELECT name, jsonb_build_object('member', true) FROM member;
INSERT INTO fact SELECT name, jsonb_build_object('comment' || COALESCE(' on column ' || NULLIF(objsubid, 0), ''), description)
	FROM part JOIN pg_description ON (classoid, objoid) = (classid, objid);
INSERT INTO fact SELECT name, jsonb_build_object('privileges made by the script' || COALESCE(' on column ' || NULLIF(objsubid, 0), ''), initprivs)
	FROM part JOIN pg_init_privs ON (classoid, objoid) = (classid, objid);
INSERT INTO fact SELECT name, jsonb_build_object('depends on ' || pg_describe_object(refclassid, refobjid, refobjsubid), deptype)
	FROM part JOIN pg_depend USING (classid, objid) WHERE refclassid <> 'pg_extension'::regclass;
INSERT INTO fact SELECT name, to_jsonb(n) - '{oid, nspowner}'::text[] || jsonb_build_object('owner', nspowner::regrole)
	FROM member JOIN pg_namespace n ON classid = 'pg_namespace'::regclass AND objid = n.oid;
INSERT INTO fact SELECT name, to_jsonb(p) - '{oid, pronamespace, proowner, provariadic, prorettype, proargtypes, proallargtypes, proargdefaults, prosqlbody}'::text[]
		|| jsonb_build_object('owner', proowner::regrole, 'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid),
			'body', pg_get_function_sqlbody(p.oid))
	FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid;
INSERT INTO fact SELECT r.name, to_jsonb(c) - '{oid, relnamespace, reltype, reloftype, relowner, relam, relfilenode, reltablespace, relpages, reltuples,
			relallvisible, relallfrozen, reltoastrelid, relrewrite, relfrozenxid, relminmxid, relpartbound, relnatts}'::text[]
		|| jsonb_build_object('owner', relowner::regrole, 'method', (SELECT amname FROM pg_am a WHERE a.oid = relam),
			'index', (SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid = c.oid),
			'view', CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
			'columns', (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))
	FROM relation r JOIN pg_class c USING (oid);
INSERT INTO fact SELECT r.name || '.' || attname, to_jsonb(a) - '{attrelid, atttypid, attnum, attcacheoff, attcollation, atthasmissing, attmissingval, attoptions}'::text[]
		|| jsonb_build_object('type', format_type(atttypid, atttypmod), 'collation', attcollation::regcollation,
			-- The server's own options begin so, and may be numbered.
			'options', (SELECT array_agg(o ORDER BY o) FROM unnest(attoptions) o WHERE o !~ '^pg_'),
			'default', (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE (adrelid, adnum) = (attrelid, attnum)))
	FROM relation r JOIN pg_attribute a ON attrelid = r.oid AND attnum > 0 AND NOT attisdropped;
INSERT INTO fact SELECT r.name, to_jsonb(s) - '{seqrelid, seqtypid}'::text[] || jsonb_build_object('type', seqtypid::regtype)
	FROM relation r JOIN pg_sequence s ON seqrelid = r.oid;
INSERT INTO fact SELECT p.name, jsonb_build_object('definition', pg_get_constraintdef(c.oid), 'validated', convalidated)
	FROM part p JOIN pg_constraint c ON classid = 'pg_constraint'::regclass AND objid = c.oid;
INSERT INTO fact SELECT p.name, jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', tgenabled)
	FROM part p JOIN pg_trigger t ON classid = 'pg_trigger'::regclass AND objid = t.oid;
INSERT INTO fact SELECT p.name, jsonb_build_object('for', polcmd, 'permissive', polpermissive, 'using', pg_get_expr(polqual, polrelid),
		'check', pg_get_expr(polwithcheck, polrelid),
		'roles', (SELECT array_agg(CASE r WHEN 0 THEN 'public' ELSE r::regrole::text END ORDER BY r) FROM unnest(polroles) r))
	FROM part p JOIN pg_policy l ON classid = 'pg_policy'::regclass AND objid = l.oid;
INSERT INTO fact SELECT name, jsonb_build_object('kind', typtype, 'of', format_type(typbasetype, typtypmod), 'not null', typnotnull, 'default', typdefault,
		'privileges', typacl, 'owner', typowner::regrole, 'labels', (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
	FROM member JOIN pg_type t ON classid = 'pg_type'::regclass AND objid = t.oid;
-- what is in its tables, sequences and views, but for the views that list the tables of the database
SELECT format('INSERT INTO fact SELECT %L, jsonb_build_object(''holds'', to_jsonb(t) - ''log_cnt''::text) FROM (SELECT * FROM %s) t', name, name)
	FROM relation JOIN pg_class USING (oid) WHERE relkind IN ('r', 'S', 'v') AND name !~ '\.(collections|logs|guarded)$' \gexec

SELECT name || ', ' || key || ': ' || replace(COALESCE(value, 'NULL'), E'\n', '\n') FROM fact, jsonb_each_text(fact);
END
}

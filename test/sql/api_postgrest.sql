-- PostgREST's rules, without PostgREST: functions found by the names of their arguments, called with one JSON body, answered in JSON, PTxyz as the status
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- the functions that are for users
CREATE VIEW pg_temp.functions AS
SELECT p.oid, p.proname AS name, p.provolatile AS volatility, p.proretset AS is_set, p.prorettype AS result, p.pronargs, p.pronargdefaults,
	p.proargnames[1:p.pronargs] AS names, p.proargtypes AS types, p.provariadic
FROM pg_proc p WHERE p.pronamespace = 'docstore'::regnamespace;
-- all their arguments have names, and no two of them have the same name: PostgREST does not look at types
SELECT oid::regprocedure AS without_names FROM pg_temp.functions WHERE pronargs > 0 AND COALESCE(cardinality(array_remove(names, '')), 0) < pronargs;
SELECT name AS overloaded FROM pg_temp.functions GROUP BY name HAVING count(*) > 1;

-- What PostgREST 14 does with a request for a function: a transaction with the role, the search_path and the claims of the caller, read-only for GET and
-- for functions that are not volatile, and in it one query of this shape. It shows the status and the body of the answer.
CREATE TABLE pg_temp.called (name text);
CREATE FUNCTION pg_temp.query(method text, schema text, function text, body json, OUT query text, OUT read_only boolean) LANGUAGE plpgsql AS $$
DECLARE
	keys text[] := ARRAY(SELECT json_object_keys(body));
	found pg_proc;
	parameters text[];
	columns text;
	arguments text;
	scalar boolean;
BEGIN
	-- every key is an argument, and every argument without a default a key
	BEGIN
		SELECT p.* INTO STRICT found FROM pg_proc p WHERE p.pronamespace = schema::regnamespace AND p.proname = function
			AND keys <@ COALESCE(p.proargnames[1:p.pronargs], '{}') AND COALESCE(p.proargnames[1:p.pronargs - p.pronargdefaults], '{}') <@ keys;
	EXCEPTION
		WHEN no_data_found THEN RAISE EXCEPTION USING ERRCODE = 'PT404', MESSAGE = 'Could not find the function';
		WHEN too_many_rows THEN RAISE EXCEPTION USING ERRCODE = 'PT300', MESSAGE = 'Could not choose the best candidate function';
	END;
	scalar := found.prorettype <> 'record'::regtype;
	SELECT array_agg(quote_ident(name)), string_agg(format('%I %s', name, format_type(type, NULL)), ', '),
		string_agg(CASE method WHEN 'GET' THEN format('%I := %L::%s', name, body ->> name, format_type(type, NULL)) ELSE format('%I := pgrst_body.%1$I', name) END, ', ')
	INTO parameters, columns, arguments
	FROM unnest(found.proargnames[1:found.pronargs], found.proargtypes::oid[]) AS a(name, type) WHERE name = ANY (keys);
	query := format(CASE WHEN scalar THEN '(SELECT %I.%I(%s) pgrst_scalar) pgrst_call' ELSE '%I.%I(%s) pgrst_call' END, schema, function, arguments);
	IF method = 'POST' AND parameters IS NOT NULL THEN
		query := format('(SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT %s FROM json_to_record(pgrst_payload.json_data) AS _(%s) LIMIT 1) pgrst_body, LATERAL %s',
			array_to_string(parameters, ', '), columns, query);
	END IF;
	query := format('WITH pgrst_source AS (SELECT %s FROM %s) SELECT %s AS body FROM (SELECT pgrst_source.* FROM pgrst_source) _postgrest_t',
		CASE WHEN scalar THEN 'pgrst_call.pgrst_scalar' ELSE 'pgrst_call.*' END, query,
		CASE WHEN scalar AND found.proretset THEN $x$coalesce(json_agg(_postgrest_t.pgrst_scalar), '[]')$x$
			WHEN scalar THEN $x$coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null')$x$
			ELSE $x$coalesce(json_agg(_postgrest_t), '[]')$x$ END);
	read_only := method = 'GET' OR found.provolatile <> 'v';
END
$$;
CREATE PROCEDURE pg_temp.request(method text, path text, body json DEFAULT '{}', role text DEFAULT 'regress_docstore_web') LANGUAGE plpgsql AS $$
DECLARE
	schema text := COALESCE(substring(path FROM '(.*)/'), 'docstore');
	call record;
	answer text;
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	INSERT INTO pg_temp.called VALUES (path);
	BEGIN
		SELECT * INTO call FROM pg_temp.query(method, schema, substring(path FROM '[^/]*$'), body);
		PERFORM set_config('search_path', format('%I, public', schema), true), set_config('role', role, true),
			set_config('request.jwt.claims', json_build_object('role', role, 'sub', 'ann')::text, true), set_config('request.method', method, true),
			set_config('request.path', '/rpc/' || path, true), set_config('request.headers', '{"if-match": "\"1\""}', true);
		PERFORM set_config('transaction_read_only', 'on', true) WHERE call.read_only;
		EXECUTE call.query INTO answer USING body;
		code := '200';
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		answer := json_build_object('code', code, 'message', message, 'details', NULLIF(detail, ''), 'hint', NULLIF(hint, ''));
		-- the message becomes the reason phrase of the status line
		code := CASE WHEN code ~ '^PT' THEN substr(code, 3) || ' ' || CASE WHEN message ~ '^[ -~]+$' THEN message ELSE 'not fit for HTTP' END
			WHEN code = '42501' THEN '403' WHEN code = '42P01' THEN '404' WHEN code = '25006' THEN '405' WHEN code IN ('23503', '23505') THEN '409'
			WHEN code ~ '^(25|39|40|54|55|57|XX)' THEN '500' ELSE '400' END;
	END;
	COMMIT;
	-- times and cursors differ from run to run
	RAISE INFO '% %', code, regexp_replace(regexp_replace(regexp_replace(answer, '^"[0-9]+(-[0-9,]*){9}"$', '"(mark)"'), '"\d{4}-\d\d-\d\dT[^"]*"', '"(time)"', 'g'), '"(cursor|safe_end|lag)" ?: ?"[^"]*"', '"\1":"..."', 'g');
END
$$;

CREATE ROLE regress_docstore_web;
CREATE ROLE regress_docstore_anon;
CREATE SCHEMA data AUTHORIZATION regress_docstore_web;
GRANT USAGE ON SCHEMA data TO regress_docstore_anon;

-- documents
CALL pg_temp.request('POST', 'create_collection', '{"name": "data.shops"}');
CALL pg_temp.request('POST', 'create_collection', '{"name": "data.orders", "id_type": "bigint"}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": {"name": "Mozart''s"}}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": {"name": "M."}, "expected_version": 1}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.orders", "id": 7, "data": {}, "expected_version": "-1"}');
CALL pg_temp.request('POST', 'patch', '{"collection": "data.shops", "id": "a", "patch": {"opens": 8, "name": null}, "expected_version": -2}');
CALL pg_temp.request('POST', 'merge_patch', '{"target": {"a": 1}, "patch": {"b": 2}}');
CALL pg_temp.request('POST', 'merge', '{"collection": "data.orders", "id": 70, "mine": {}, "expected_version": null}');
CALL pg_temp.request('POST', 'merge', '{"collection": "data.orders", "id": 70, "mine": {"n": 1, "m": 1}, "expected_version": 1}');
CALL pg_temp.request('POST', 'merge', '{"collection": "data.orders", "id": 70, "mine": {"n": 1}, "expected_version": 1, "base": {}, "rules": {"/n": "atomic"}}');
CALL pg_temp.request('POST', 'preview_merge', '{"collection": "data.orders", "id": 70, "mine": {"n": 2}, "base": {"n": 3}}');
CALL pg_temp.request('POST', 'merge3', '{"base": {"a": 1, "b": 1}, "mine": {"a": 2, "b": 1}, "theirs": {"a": 1, "b": 2}}');
CALL pg_temp.request('POST', 'merge3', '{"base": {"a": 1}, "mine": {"a": 2}, "theirs": {}, "rules": {"/b": "set"}}');
CALL pg_temp.request('POST', 'parse', '{"json": "{\"a\": [1, 2.50]}"}');
CALL pg_temp.request('POST', 'parse_many', '{"json": ["1", null]}');
CALL pg_temp.request('GET', 'load', '{"collection": "data.shops", "id": "a"}');
CALL pg_temp.request('POST', 'load', '{"collection": "data.shops", "id": "a", "unless_version": 3}');
CALL pg_temp.request('GET', 'load_many', '{"collection": "data.shops", "ids": "{a,b}"}');
CALL pg_temp.request('POST', 'load_many', '{"collection": "data.shops", "ids": ["a", "b"]}');
CALL pg_temp.request('GET', 'get', '{"collection": "data.shops", "id": "a"}');
CALL pg_temp.request('GET', 'get', '{"collection": "data.shops", "id": "x"}');
CALL pg_temp.request('POST', 'put', '{"document": {"opens": 7, "@metadata": {"collection": "data.shops", "id": "a", "version": 3}}}');
CALL pg_temp.request('POST', 'upsert_many', '{"collection": "data.shops", "ids": ["a", "b", "\"{,}\\"], "data": [{"n": "{\"}"}, {"n": [1, {}]}, {}], "expected_versions": [4, null, 0]}');
CALL pg_temp.request('POST', 'upsert_many', '{"collection": "data.shops", "ids": ["c"], "data": [{}], "expected_versions": null}');
CALL pg_temp.request('POST', 'load_many', '{"collection": "data.shops", "ids": ["b", "\"{,}\\"]}');
CALL pg_temp.request('POST', 'delete', '{"collection": "data.shops", "id": "c", "expected_version": 1}');
CALL pg_temp.request('POST', 'delete', '{"collection": "data.shops", "id": "c", "expected_version": -1}');
CALL pg_temp.request('POST', 'save', '{"changes": [{"op": "upsert", "collection": "data.shops", "id": "d", "data": {}}, {"op": "delete", "collection": "data.orders", "id": 7, "expected": 1}],
	"request_id": "5d8f9f4e-6a4c-4f0e-9f5a-0c5f7a4f0a01"}');
CALL pg_temp.request('POST', 'save', '{"changes": [{"op": "upsert", "collection": "data.shops", "id": "d", "data": {}}, {"op": "delete", "collection": "data.orders", "id": 7, "expected": 1}],
	"request_id": "5d8f9f4e-6a4c-4f0e-9f5a-0c5f7a4f0a01"}');
CALL pg_temp.request('POST', 'try_save', '{"changes": [{"op": "assert", "collection": "data.shops", "id": "d", "expected": 9}]}');
CALL pg_temp.request('POST', 'forget_requests', '{"older_than": "7 days"}');
CALL pg_temp.request('POST', 'check_conflicts');
CALL pg_temp.request('GET', 'no_version');
CALL pg_temp.request('GET', 'any_version');
CALL pg_temp.request('POST', 'some_version');

-- conflicts are 409, with all there is to know
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": {"secret": 1}, "expected_version": 1}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": {}, "expected_version": null}');
CALL pg_temp.request('POST', 'save', '{"changes": [{"op": "upsert", "collection": "data.shops", "id": "a", "data": {}, "expected": 5},
	{"op": "patch", "collection": "data.shops", "id": "b", "data": {}, "expected": 7}, {"op": "delete", "collection": "data.orders", "id": 8, "expected": "exists"}]}');
CALL pg_temp.request('GET', 'violations', '{"detail": "{\"total\": 1, \"violations\": [{\"item\": 1, \"op\": \"upsert\", \"kind\": \"document\", \"collection\": \"data.shops\", \"id\": \"a\", \"reason\": \"stale\", \"expected\": 1, \"actual\": 5}]}"}');

-- other errors are no 409, but those of a unique index
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.none", "id": "a", "data": {}}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "docstore.requests", "id": "a", "data": {}}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": {}, "expected_version": "any"}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": "{\"encoded\": \"twice\"}", "expected_version": 5}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": null, "data": {}}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "document": {}}');
CALL pg_temp.request('POST', 'patch', '{"collection": "data.shops", "id": "a", "patch": {}}');
CALL pg_temp.request('GET', 'upsert', '{"collection": "data.shops", "id": "a", "data": {}, "expected_version": 5}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.shops", "id": "a", "data": {}, "expected_version": 5}', 'regress_docstore_anon');
CALL pg_temp.request('GET', 'load', '{"collection": "data.shops", "id": "a"}', 'regress_docstore_anon');

-- logs
CALL pg_temp.request('POST', 'create_log', '{"name": "data.ledger", "notify": true}');
CALL pg_temp.request('POST', 'repair_log', '{"log": "data.ledger", "notify": true}');
CALL pg_temp.request('POST', 'append', '{"log": "data.ledger", "stream": "s", "events": [{"type": "T", "data": {"n": 1}}, {"type": "U"}], "expected_version": 0}');
CALL pg_temp.request('POST', 'append', '{"log": "data.ledger", "stream": "s", "events": [{"type": "T"}], "scopes": [{"types": ["U"], "expected": 2}]}');
CALL pg_temp.request('POST', 'append', '{"log": "data.ledger", "stream": "s", "events": [{"type": "T"}], "scopes": {"types": ["T"], "expected": 1}}');
CALL pg_temp.request('POST', 'create_stream', '{"log": "data.ledger", "stream": "empty", "properties": {"a": 1}}');
CALL pg_temp.request('POST', 'set_properties', '{"log": "data.ledger", "stream": "empty", "properties": {}, "expected_revision": 1}');
CALL pg_temp.request('POST', 'close_stream', '{"log": "data.ledger", "stream": "empty", "expected_version": 0}');
CALL pg_temp.request('POST', 'close_stream', '{"log": "data.ledger", "stream": "empty", "expected_version": -1}');
CALL pg_temp.request('POST', 'append_to_log', '{"log": "data.ledger", "events": [{"type": "L"}], "scopes": [{"types": ["L"], "expected": "none"}]}');
CALL pg_temp.request('GET', 'stream', '{"log": "data.ledger", "stream": "s"}');
CALL pg_temp.request('POST', 'erase', '{"log": "data.ledger", "stream": "s", "versions": [1, 9]}');
CALL pg_temp.request('GET', 'read_stream', '{"log": "data.ledger", "stream": "s", "from_version": null, "max_count": 1, "backwards": "true"}');
CALL pg_temp.settle();
CALL pg_temp.request('POST', 'read_log', '{"log": "data.ledger", "scope": {"types": ["U"]}, "max_count": null}');
CALL pg_temp.request('POST', 'create_log', '{"name": "data.empty"}');
CALL pg_temp.request('GET', 'log_end', '{"log": "data.empty"}');
SELECT format('{"log": "data.ledger", "scope": [{"types": ["None"]}, {"source": "s", "types": ["U"]}], "until": "%s"}', docstore.log_end('data.ledger')) AS body \gset
CALL pg_temp.request('POST', 'read_log', :'body');
CALL pg_temp.request('POST', 'read_scope', '{"log": "data.ledger", "scopes": {"types": ["U"]}, "after": 0, "max_count": 1}');
CALL pg_temp.request('GET', 'tail', '{"log": "data.ledger", "scope": "{\"source\": \"s\"}"}');
CALL pg_temp.request('GET', 'log_status', '{"log": "data.ledger"}');
-- a mark differs, too
CALL pg_temp.request('GET', 'mark', '{"log": "data.ledger"}');
CREATE TEMP TABLE cursor AS SELECT max(cursor) AS cursor FROM docstore.read_log('data.ledger');
SELECT format('{"log": "data.ledger", "consumer": "c", "cursor": "%s", "expected": 0}', cursor) AS body FROM cursor \gset
CALL pg_temp.request('POST', 'commit_cursor', :'body');
CALL pg_temp.request('POST', 'commit_cursor', :'body');
CALL pg_temp.request('GET', 'consumers', '{"log": "data.ledger"}');

-- following a collection
CALL pg_temp.request('POST', 'create_collection', '{"name": "data.followed"}');
CALL pg_temp.request('POST', 'track', '{"collection": "data.followed", "max_rows": null, "notify": true}');
CALL pg_temp.request('POST', 'create_consumers', '{"collection": "data.followed"}');
CALL pg_temp.request('GET', 'changes_end', '{"collection": "data.followed"}');
CALL pg_temp.request('GET', 'changes_status', '{"collection": "data.followed"}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.followed", "id": "a", "data": {"n": 1}}');
CALL pg_temp.request('POST', 'upsert', '{"collection": "data.followed", "id": "a", "data": {"n": 2}, "expected_version": 1}');
CALL pg_temp.settle();
SELECT id, version FROM docstore.read_changes('data.followed');
CALL pg_temp.request('POST', 'read_changes', '{"collection": "data.followed", "after": "0-0-0", "max_count": 0, "each": "document"}');
CALL pg_temp.request('GET', 'read_changes', '{"collection": "data.followed", "after": "x"}');
CALL pg_temp.request('POST', 'commit_cursor', '{"log": "data.followed", "consumer": "c", "cursor": "0-0-0", "expected": 0}');
CALL pg_temp.request('GET', 'consumers', '{"log": "data.none"}');

-- and its history
CALL pg_temp.request('POST', 'load_version', '{"collection": "data.followed", "id": "a", "version": 7}');
CALL pg_temp.request('GET', 'load_at', '{"collection": "data.followed", "id": "a", "at": "2001-01-01T00:00:00Z"}');
CALL pg_temp.request('GET', 'history', '{"collection": "data.followed", "id": "b"}');
CALL pg_temp.request('POST', 'revert', '{"collection": "data.followed", "id": "a", "to_version": 1, "expected_version": 2}');
CALL pg_temp.request('POST', 'revert', '{"collection": "data.followed", "id": "a", "to_version": 9, "expected_version": 3}');
CALL pg_temp.request('POST', 'prune_history', '{"collection": "data.followed", "older_than": "90 days"}');
CALL pg_temp.request('POST', 'erase_history', '{"collection": "data.followed", "id": "a", "versions": [1]}');
CALL pg_temp.request('POST', 'untrack', '{"collection": "data.followed"}');

-- guarded tables, and the shape in which PostgREST writes tables
SET ROLE regress_docstore_web;
CREATE TABLE data.rows (id int PRIMARY KEY, version int, n int);
INSERT INTO data.rows VALUES (1, 1, 0), (2, 1, 0);
RESET ROLE;
CALL pg_temp.request('POST', 'guard', '{"table_name": "data.rows", "version_column": "version"}');
CREATE PROCEDURE pg_temp.write(statement text, body json) LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	code text;
	detail text;
BEGIN
	BEGIN
		EXECUTE format('WITH pgrst_source AS (%s) SELECT coalesce(json_agg(_postgrest_t), ''[]'') FROM (SELECT "rows".* FROM pgrst_source AS "rows") _postgrest_t', statement)
		INTO answer USING body;
		code := 200;
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, answer = PG_EXCEPTION_DETAIL;
	END;
	RAISE INFO '% %', code, answer;
END
$$;
\set source 'FROM (SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT "n", "version" FROM json_to_record(pgrst_payload.json_data) AS _("n" int, "version" int) LIMIT 1) pgrst_body'
\set set_both 'UPDATE "data"."rows" SET "n" = "pgrst_body"."n", "version" = "pgrst_body"."version" ' :source ' WHERE "data"."rows"."id" = 1 RETURNING "data"."rows".*'
CALL pg_temp.write(:'set_both', '{"n": 1, "version": 1}');
CALL pg_temp.write(:'set_both', '{"n": 2, "version": 1}');
CALL pg_temp.write(:'set_both', '{"n": 2, "version": 2}');
\set merge 'INSERT INTO "data"."rows"("id", "n", "version") SELECT "pgrst_body"."id", "pgrst_body"."n", "pgrst_body"."version" FROM (SELECT $1 AS json_data) pgrst_payload, LATERAL (SELECT "id", "n", "version" FROM json_to_recordset(pgrst_payload.json_data) AS _("id" int, "n" int, "version" int)) pgrst_body ON CONFLICT("id") DO UPDATE SET "id" = EXCLUDED."id", "n" = EXCLUDED."n", "version" = EXCLUDED."version" RETURNING "data"."rows".*'
CALL pg_temp.write(:'merge', '[{"id": 1, "n": 5, "version": 3}, {"id": 3, "n": 5, "version": 1}]');
CALL pg_temp.write(:'merge', '[{"id": 2, "n": 6, "version": 1}, {"id": 1, "n": 6, "version": 3}]');
CALL pg_temp.request('POST', 'unguard', '{"table_name": "data.rows"}');

-- every function was called
SELECT name AS not_called FROM pg_temp.functions WHERE name NOT IN (SELECT name FROM pg_temp.called);

-- wrappers in a schema that is exposed, with the version in If-Match
CREATE SCHEMA api;
CREATE FUNCTION api.shop(id text) RETURNS TABLE (version bigint, data jsonb) LANGUAGE sql STABLE
AS $$ SELECT version, data FROM docstore.load('data.shops', id) $$;
CREATE FUNCTION api.save_shop(id text, data jsonb, version bigint DEFAULT NULL) RETURNS bigint LANGUAGE sql
AS $$ SELECT docstore.upsert('data.shops', id, data, version) $$;
CREATE FUNCTION api.save_if_match(id text, data jsonb) RETURNS bigint LANGUAGE sql
AS $$ SELECT docstore.upsert('data.shops', id, data, btrim(current_setting('request.headers')::json ->> 'if-match', '"')::bigint) $$;
GRANT USAGE ON SCHEMA api TO regress_docstore_web, regress_docstore_anon;
CALL pg_temp.request('GET', 'api/shop', '{"id": "d"}');
CALL pg_temp.request('POST', 'api/save_shop', '{"id": "d", "data": {"n": 1}, "version": 1}');
CALL pg_temp.request('POST', 'api/save_if_match', '{"id": "d", "data": {"n": 1}}');
CALL pg_temp.request('POST', 'api/save_shop', '{"id": "e", "data": {}}', 'regress_docstore_anon');
-- row security goes by the claims; versions would be of the clock, were anything deleted
SELECT setval(pg_get_serial_sequence('data.shops', 'version'), 0);
GRANT SELECT, INSERT, UPDATE ON data.shops TO regress_docstore_anon;
ALTER TABLE data.shops ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON data.shops TO regress_docstore_anon USING (data ->> 'owner' = current_setting('request.jwt.claims')::json ->> 'sub');
CALL pg_temp.request('POST', 'api/save_shop', '{"id": "e", "data": {"owner": "ann"}}', 'regress_docstore_anon');
CALL pg_temp.request('POST', 'api/save_shop', '{"id": "f", "data": {"owner": "ben"}}', 'regress_docstore_anon');
CALL pg_temp.request('POST', 'api/save_shop', '{"id": "d", "data": {"owner": "ann"}, "version": 2}', 'regress_docstore_anon');
CALL pg_temp.request('GET', 'api/shop', '{"id": "d"}', 'regress_docstore_anon');
CALL pg_temp.request('GET', 'api/shop', '{"id": "e"}', 'regress_docstore_anon');

-- the setting that chooses another status
SET docstore.conflict_sqlstate = 'PT412';
CALL pg_temp.request('POST', 'api/save_shop', '{"id": "d", "data": {"n": 1}, "version": 1}');
RESET docstore.conflict_sqlstate;

DROP SCHEMA api, data CASCADE;
DELETE FROM docstore.requests WHERE role = 'regress_docstore_web'::regrole;
DROP ROLE regress_docstore_web, regress_docstore_anon;

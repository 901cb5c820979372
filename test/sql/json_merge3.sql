-- docstore.merge3(): two edits of one value, merged; the oracle is in test/stress/merge3.py
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- each row is merged both ways round: the other one has the same result, but for the names of the sides
CREATE FUNCTION pg_temp.other_way(conflicts jsonb) RETURNS jsonb RETURN (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
	'path', c->'path', 'kind', CASE c->>'kind' WHEN 'edit/delete' THEN 'delete/edit' WHEN 'delete/edit' THEN 'edit/delete' ELSE c->>'kind' END))
	|| CASE WHEN c ? 'base' THEN jsonb_build_object('base', c->'base') ELSE '{}' END
	|| CASE WHEN c ? 'mine' THEN jsonb_build_object('theirs', c->'mine') ELSE '{}' END
	|| CASE WHEN c ? 'theirs' THEN jsonb_build_object('mine', c->'theirs') ELSE '{}' END) FROM jsonb_array_elements(conflicts) c);
-- and what was merged is merged with mine once more: the same again, byte for byte
CREATE FUNCTION pg_temp.merged(base jsonb, mine jsonb, theirs jsonb, rules jsonb DEFAULT '{}')
	RETURNS TABLE (merged jsonb, conflicts jsonb, other_way bool, again bool) BEGIN ATOMIC
	SELECT m.*, (o.merged, pg_temp.other_way(o.conflicts)) IS NOT DISTINCT FROM (m.merged, m.conflicts),
		CASE WHEN m.conflicts IS NULL THEN a.conflicts IS NULL AND a.merged::text IS NOT DISTINCT FROM m.merged::text END
	FROM docstore.merge3(base, mine, theirs, rules) m, docstore.merge3(base, theirs, mine, rules) o, docstore.merge3(base, mine, m.merged, rules) a;
END;
CREATE FUNCTION pg_temp.show(cases text, rules jsonb DEFAULT '{}')
	RETURNS TABLE (base jsonb, mine jsonb, theirs jsonb, merged jsonb, conflicts text, other_way bool, again bool) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT v.b::jsonb, v.m::jsonb, v.t::jsonb, r.merged, '
		'(SELECT string_agg(concat_ws('' '', c->>''path'', c->>''kind''), '', '' ORDER BY n) FROM jsonb_array_elements(r.conflicts) WITH ORDINALITY c(c, n)), '
		'r.other_way, r.again FROM (VALUES %s) v(b, m, t), pg_temp.merged(v.b::jsonb, v.m::jsonb, v.t::jsonb, $1) r', cases) USING rules;
END
$$;

-- one side has changed something, or both alike; what changes is told by jsonb's =
SELECT * FROM pg_temp.show($$
	('{"a": 1, "b": 2}', '{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
	('{"a": 1, "b": 2}', '{"a": 3, "b": 2}', '{"a": 1, "b": 4}'),
	('{"a": 1, "b": 2}', '{"a": 3, "b": 2}', '{"a": 3, "b": 4}'),
	('{"a": 1}', '{"a": 1, "b": 2}', '{"a": 1, "c": 3}'),
	('{"a": 1, "b": 2, "c": 3}', '{"a": 1, "c": 3}', '{"a": 1, "b": 2}'),
	('{"a": 1.0}', '{"a": 1.00}', '{"a": 2}'),
	('{"a": "x", "b": "xy"}', '{"a": "xy", "b": "xy"}', '{"a": "x", "b": "x"}'),
	('{"a": {"b": 1, "c": 2}}', '{"a": {"c": 2, "b": 3}}', '{"a": {"c": 4, "b": 1}}'),
	('{"a": {"b": {"c": {"d": 1}}}}', '{"a": {"b": {"c": {"d": 1}}, "x": 1}}', '{"a": {"b": {"c": {"d": 2}}}}'),
	('{}', '{"a": 1}', '{}'), ('{"a": 1}', '{}', '{"a": 1}'), ('{}', '{}', '{}') $$);
-- both have, in two ways
SELECT * FROM pg_temp.show($$
	('{"a": 1}', '{"a": 2}', '{"a": 3}'),
	('{"a": "x"}', '{"a": true}', '{"a": null}'),
	('{"a": {"b": 1, "c": 1}}', '{"a": {"b": 2, "c": 2}}', '{"a": {"b": 3, "c": 3}}') $$);
-- deletes: against an edit, against another delete, and within what the other one edits
SELECT * FROM pg_temp.show($$
	('{"a": 1}', '{"a": 2}', '{}'),
	('{"a": 1}', '{}', '{"a": 2}'),
	('{"a": 1, "b": 2}', '{"b": 2}', '{"b": 3}'),
	('{"a": {"b": 1}}', '{}', '{"a": {"b": 2}}'),
	('{"a": {"b": 1}}', '{"a": {}}', '{}'),
	('{"a": {"b": 1, "c": 1}}', '{"a": {"b": 1}}', '{"a": {"c": 1}}') $$);
-- null is a value
SELECT * FROM pg_temp.show($$
	('{"a": 1}', '{"a": null}', '{"a": 1}'),
	('{"a": 1}', '{"a": null}', '{}'),
	('{"a": null}', '{}', '{"a": null}'),
	('{"a": null}', '{}', '{"a": 1}'),
	('{}', '{"a": null}', '{}'),
	('{}', '{"a": null}', '{"a": 1}') $$);
-- both have added: equal, two objects, anything else
SELECT * FROM pg_temp.show($$
	('{}', '{"a": 1}', '{"a": 1}'),
	('{}', '{"a": {"b": 1}}', '{"a": {"c": 2}}'),
	('{}', '{"a": {"b": {"x": 1}, "c": 1}}', '{"a": {"b": {"y": 2}, "c": 2}}'),
	('{}', '{"a": 1}', '{"a": 2}'),
	('{}', '{"a": {"b": 1}}', '{"a": [1]}'),
	('{}', '{"a": [1, 2]}', '{"a": [1, 3]}') $$);
-- another type is one collision, whatever the other one has changed within
SELECT * FROM pg_temp.show($$
	('{"a": {"b": 1, "c": 1}}', '{"a": 7}', '{"a": {"b": 2, "c": 3}}'),
	('{"a": {"b": 1, "c": 1}}', '{"a": [7]}', '{"a": {"b": 2}}'),
	('{"a": 1}', '{"a": {"b": 1}}', '{"a": {"c": 1}}'),
	('{"a": [1]}', '{"a": "1"}', '{"a": [1, 2]}'),
	('{"a": {"b": 1}}', '{"a": 7}', '{"a": {"b": 1}}') $$);
-- arrays as a whole
SELECT * FROM pg_temp.show($$
	('{"a": [1, 2]}', '{"a": [1, 2, 3]}', '{"a": [1, 2]}'),
	('{"a": [1, 2]}', '{"a": [1, 2, 3]}', '{"a": [1, 2, 3.0]}'),
	('{"a": [1, 2]}', '{"a": [1, 2, 3]}', '{"a": [0, 1, 2]}'),
	('{"a": [{"b": 1}]}', '{"a": [{"b": 1, "c": 1}]}', '{"a": [{"b": 1, "d": 1}]}') $$);

-- all conflicts, by path, with what was there
SELECT merged, jsonb_pretty(conflicts) FROM docstore.merge3(
	'{"b": {"d": 1, "c": 1}, "a/b": 1, "m~n": 1, "": 1, "x": [1], "z": null, "same": 1}',
	'{"b": {"d": 2, "c": 2}, "a/b": 2, "m~n": 2, "": 2, "x": [2], "new": 1, "same": 2}',
	'{"b": {"d": 3, "c": 3}, "a/b": 3, "x": {"y": 1}, "": 3, "z": 1, "new": null, "same": 1}');
-- bytes, not the letters of a language
SELECT c->>'path' AS path FROM docstore.merge3('{"a": 1, "B": 1, "a-b": 1, "ab": {"c": 1}, "é": 1}', '{"a": 2, "B": 2, "a-b": 2, "ab": {"c": 2}, "é": 2}',
	'{"a": 3, "B": 3, "a-b": 3, "ab": {"c": 3}, "é": 3}'), jsonb_array_elements(conflicts) c;

-- the whole value: scalars, arrays, SQL's NULL is a value that is missing
SELECT * FROM pg_temp.show($$
	('1', '1', '2'), ('1', '2', '3'), ('[1]', '[1, 2]', '[1]'), ('null', '{}', 'null'), ('{"a": 1}', '[1]', '{"a": 2}'),
	(NULL, '{"a": 1}', '{"b": 1}'), (NULL, '{"a": 1}', NULL), (NULL, '1', '2'), ('{}', NULL, '{}'), ('{}', NULL, NULL), ('{}', NULL, '{"a": 1}'), (NULL, NULL, NULL) $$);

-- rules by path: a sum counts what each has changed, equal changes too; numbers only
SELECT * FROM pg_temp.show($$
	('{"n": 10}', '{"n": 7}', '{"n": 12}'),
	('{"n": 10}', '{"n": 9}', '{"n": 9}'),
	('{"n": 10}', '{"n": 10.0}', '{"n": 12}'),
	('{"n": 0.1}', '{"n": 0.30}', '{"n": -1e3}'),
	('{"n": 10}', '{"n": "7"}', '{"n": 12}'),
	('{"n": 10}', '{"n": "7"}', '{"n": "7"}'),
	('{"n": 10}', '{"n": null}', '{"n": 11}'),
	('{"n": 10}', '{}', '{"n": 11}'),
	('{"n": 10}', '{}', '{}'),
	('{}', '{"n": 1}', '{"n": 2}'),
	('{}', '{"n": 1}', '{"n": 1}') $$, '{"/n": "sum"}');
-- as a whole
SELECT * FROM pg_temp.show($$
	('{"a": {"x": 1, "y": 1}}', '{"a": {"x": 2, "y": 1}}', '{"a": {"x": 1, "y": 2}}'),
	('{"a": {"x": 1, "y": 1}}', '{"a": {"x": 2, "y": 1}}', '{"a": {"x": 1, "y": 1}}'),
	('{"a": {"x": 1, "y": 1}}', '{"a": {"x": 2, "y": 1}}', '{"a": {"x": 2, "y": 1}}'),
	('{}', '{"a": {"x": 2}}', '{"a": {"y": 1}}') $$, '{"/a": "atomic"}');
SELECT * FROM pg_temp.show($$ ('{"a": 1, "b": 1}', '{"a": 2, "b": 1}', '{"a": 1, "b": 2}'), ('{"a": 1}', '{"a": 2}', '{"a": 1}') $$, '{"": "atomic"}');
-- sets: order and repetition do not matter, and stay where one of the arrays is the result
SELECT * FROM pg_temp.show($$
	('{"a": ["x", "y"]}', '{"a": ["x", "y", "m"]}', '{"a": ["t", "x", "y"]}'),
	('{"a": ["x", "y"]}', '{"a": ["y"]}', '{"a": ["y", "x", "t"]}'),
	('{"a": ["x", "y"]}', '{"a": ["y"]}', '{"a": ["x"]}'),
	('{"a": ["x", "y"]}', '{"a": ["y", "x"]}', '{"a": ["x", "y", "t"]}'),
	('{"a": ["x", "y", "z"]}', '{"a": ["y", "x", "z"]}', '{"a": ["z", "y", "x"]}'),
	('{"a": ["x"]}', '{"a": ["x", "m", "m"]}', '{"a": ["x", "x"]}'),
	('{"a": ["x"]}', '{"a": ["x", "c", "b", "a", "a"]}', '{"a": ["x", "t"]}'),
	('{"a": ["x", "y", "x"]}', '{"a": ["x", "y", "m"]}', '{"a": ["x", "y", "t"]}'),
	('{"a": ["x"]}', '{"a": ["x", "m", "b"]}', '{"a": ["x", "b", "m"]}'),
	('{"a": [1, null, true, {"k": 1}, [1]]}', '{"a": [1.0, null, {"k": 1}, [1], "1"]}', '{"a": [null, true, {"k": 1.0}, [1], [], {}]}'),
	('{}', '{"a": ["x", "m"]}', '{"a": ["t", "x"]}'),
	('{"a": ["x"]}', '{"a": "x"}', '{"a": ["x", "t"]}'),
	('{"a": ["x"]}', '{}', '{"a": ["x", "t"]}'),
	('{"a": ["x"]}', '{"a": []}', '{"a": ["t"]}') $$, '{"/a": "set"}');
-- arrays whose elements have a key: each by itself, whatever its index
SELECT * FROM pg_temp.show($$
	('[{"k": 1, "n": 1}, {"k": 2, "n": 1}]', '[{"k": 1, "n": 2}, {"k": 2, "n": 1}]', '[{"k": 1, "n": 1}, {"k": 2, "n": 3}]'),
	('[{"k": 1, "n": 1}, {"k": 2, "n": 1}]', '[{"k": 1, "n": 2}, {"k": 2, "n": 2}]', '[{"k": 1, "n": 3}]'),
	('[{"k": 1, "n": 1}, {"k": 2, "n": 1}]', '[{"k": 2, "n": 1}]', '[{"k": 1, "n": 1}]'),
	('[{"k": 1}, {"k": 2}]', '[{"k": 2}, {"k": 1}]', '[{"k": 1}, {"k": 2, "n": 1}]'),
	('[{"k": "1"}, {"k": 1}]', '[{"k": "1", "n": 1}, {"k": 1}]', '[{"k": "1"}, {"k": 1.0, "n": 2}]'),
	('[{"k": 1, "x": {"a": 1, "b": 1}}]', '[{"k": 1, "x": {"a": 2, "b": 1}}]', '[{"k": 1, "x": {"a": 1, "b": 2}}]') $$, '{"": {"key": "k"}}');
-- what was inserted keeps its predecessor, also where that has moved or is gone; two at one place come by their keys
SELECT * FROM pg_temp.show($$
	('[{"k": 1}, {"k": 2}]', '[{"k": 1}, {"k": 15}, {"k": 2}]', '[{"k": 1}, {"k": 2}, {"k": 3}]'),
	('[{"k": 1}, {"k": 2}]', '[{"k": 1}, {"k": 2}, {"k": 5}, {"k": 4}]', '[{"k": 1}, {"k": 2}, {"k": 3}, {"k": 6}]'),
	('[{"k": 1}, {"k": 2}, {"k": 3}]', '[{"k": 1}, {"k": 15}, {"k": 2}, {"k": 3}]', '[{"k": 3}, {"k": 2}, {"k": 1}]'),
	('[{"k": 1}, {"k": 2}]', '[{"k": 1}, {"k": 2}, {"k": 25}]', '[{"k": 0}, {"k": 1}]'),
	('[{"k": 1}]', '[{"k": 1}, {"k": 2}]', '[]'),
	('[{"k": 1}]', '[{"k": 1}, {"k": 3, "n": 1}]', '[{"k": 1}, {"k": 2}, {"k": 3, "n": 1}]'),
	('[{"k": 1}, {"k": 5}]', '[{"k": 1}, {"k": 5}, {"k": 2}]', '[{"k": 1}, {"k": 3}]'),
	('[]', '[{"k": 1, "a": 1}, {"k": 2}]', '[{"k": 1, "b": 1}, {"k": 3}]'),
	(NULL, '[{"k": 1}]', '[{"k": 2}]') $$, '{"": {"key": "k"}}');
-- an element that both have added has no index of its own: it collides as a whole
SELECT * FROM docstore.merge3('{"l": []}', '{"l": [{"k": 1, "a": 1, "b": 1}, {"k": 2, "a": 1}]}', '{"l": [{"k": 1, "a": 2, "b": 2}, {"k": 2, "a": 2}]}', '{"/l": {"key": "k"}}');
-- two different reorderings; a different place of what both have added
SELECT * FROM pg_temp.show($$
	('[{"k": 1}, {"k": 2}, {"k": 3}]', '[{"k": 2}, {"k": 1}, {"k": 3}]', '[{"k": 1}, {"k": 3}, {"k": 2}]'),
	('[{"k": 1}, {"k": 2}, {"k": 3}]', '[{"k": 2}, {"k": 1}, {"k": 3}]', '[{"k": 2}, {"k": 1}, {"k": 3}, {"k": 4}]'),
	('[{"k": 1}, {"k": 2}, {"k": 3}]', '[{"k": 2}, {"k": 1}, {"k": 3}]', '[{"k": 3}, {"k": 2}]'),
	('[{"k": 1}, {"k": 2, "n": 1}, {"k": 3}]', '[{"k": 2, "n": 2}, {"k": 1}, {"k": 3}]', '[{"k": 1}, {"k": 3}, {"k": 2, "n": 3}]'),
	('[{"k": 1}]', '[{"k": 1}, {"k": 2}]', '[{"k": 2}, {"k": 1}]'),
	('[]', '[{"k": 1}, {"k": 2}]', '[{"k": 2}, {"k": 1}]') $$, '{"": {"key": "k"}}');
-- an element without a key, or with that of another: the whole array, unless only one side has changed it
SELECT * FROM pg_temp.show($$
	('[{"k": 1}]', '[{"k": 1}, {"k": 1}]', '[{"k": 1}, {"k": 2}]'),
	('[{"k": 1}]', '[{"k": 1}, {"k": 1.0}]', '[{"k": 1}]'),
	('[{"k": 1}, {"k": 1}]', '[{"k": 1}]', '[{"k": 1}, {"k": 2}]'),
	('[{"k": 1}]', '[{"k": 1}, {"n": 1}]', '[{"k": 1}, {"k": 2}]'),
	('[{"k": 1}]', '[{"k": 1}, {"k": null}]', '[{"k": 1}, {"k": 2}]'),
	('[{"k": 1}]', '[{"k": 1}, 7]', '[{"k": 1}, {"k": 2}]'),
	('[{"k": 1}]', '{"k": 1}', '[{"k": 1}, {"k": 2}]') $$, '{"": {"key": "k"}}');
-- but where both have the same, that is taken, sums within or not
SELECT * FROM pg_temp.show($$ ('[{"k": 1, "n": 1}]', '[{"k": 1, "n": 2}, {"k": 1}]', '[{"k": 1, "n": 2}, {"k": 1}]') $$, '{"": {"key": "k"}, "/*/n": "sum"}');
-- within elements: an asterisk, which elsewhere is a key like any other
SELECT * FROM pg_temp.show($$
	('{"l": [{"k": 1, "n": 5, "t": []}]}', '{"l": [{"k": 1, "n": 6, "t": ["a"]}]}', '{"l": [{"k": 1, "n": 7, "t": ["b"]}, {"k": 0}]}') $$,
	'{"/l": {"key": "k"}, "/l/*/n": "sum", "/l/*/t": "set"}');
SELECT * FROM pg_temp.show($$
	('{"l": [{"k": 1, "i": [{"j": 1, "a": 1, "b": 1}]}]}', '{"l": [{"k": 1, "i": [{"j": 1, "a": 2, "b": 1}]}]}', '{"l": [{"k": 1, "i": [{"j": 1, "a": 1, "b": 2}]}]}'),
	('{"l": [{"k": 1, "i": [{"j": 1, "a": 1}]}]}', '{"l": [{"k": 1, "i": [{"j": 1, "a": 2}]}]}', '{"l": [{"k": 1, "i": [{"j": 1, "a": 3}]}]}') $$,
	'{"/l": {"key": "k"}, "/l/*/i": {"key": "j"}}');
SELECT * FROM pg_temp.show($$ ('{"l": [{"k": 1, "a": 1}]}', '{"l": [{"k": 1, "a": 2}]}', '{"l": [{"k": 1, "b": 1, "a": 1}]}') $$, '{"/l": {"key": "k"}, "/l/*": "atomic"}');
SELECT * FROM pg_temp.show($$ ('{"*": {"a/b": {"~": 1}}}', '{"*": {"a/b": {"~": 2}}}', '{"*": {"a/b": {"~": 3}}}') $$, '{"/*/a~1b/~0": "sum"}');
-- a rule for what is not there, or is of another type, does not matter
SELECT * FROM pg_temp.show($$ ('{"a": {"x": 1, "y": 1}}', '{"a": {"x": 2, "y": 1}}', '{"a": {"x": 1, "y": 2}}') $$, '{"/b": "set", "/a/x": {"key": "k"}}');
SELECT * FROM pg_temp.show($$ ('{"a": {"x": 1, "y": 1}}', '{"a": {"x": 2, "y": 1}}', '{"a": {"x": 1, "y": 2}}') $$, '{"/a": "set"}');

-- rules that are none
CREATE FUNCTION pg_temp.refused(rules text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	CALL pg_temp.try(format('SELECT docstore.merge3(NULL, NULL, NULL, %L)', rules));
END
$$;
SELECT pg_temp.refused(rules) FROM unnest(ARRAY['[]', '7', '"{}"', '{"lines": "set"}', '{"/a~": "set"}', '{"/a~2": "set"}', '{"/a": "sets"}', '{"/a": null}', '{"/a": {}}',
	'{"/a": {"key": 1}}', '{"/a": {"key": "k", "order": 1}}', '{"/a": ["set"]}', '{"/a": "atomic", "/a/b": "set"}', '{"": "atomic", "/a": "set"}',
	'{"/a": {"key": "k"}, "/a/0/b": "sum"}', '{"/a": {"key": "k"}, "/a/b": "sum"}', '{"/a": {"key": "k"}, "/a/*b": "sum"}', format('{%s: "sets"}', to_json('/' || repeat('long', 100)))]) rules;
SELECT merged FROM docstore.merge3('{"a": 1}', '{"a": 2}', '{"a": 1}', NULL);
-- a sum that is no number any more
CALL pg_temp.try($$ SELECT docstore.merge3('{"n": 0}', ('{"n": 9' || repeat('9', 131071) || '}')::jsonb, '{"n": 1}', '{"/n": "sum"}') $$);

-- large: 20,000 members and elements, half of them changed
CREATE FUNCTION pg_temp.numbers(changed int) RETURNS jsonb RETURN (SELECT jsonb_build_object('members', jsonb_object_agg('k' || i, CASE WHEN i % 4 = changed THEN -i ELSE i END),
	'elements', jsonb_agg(jsonb_build_object('k', i, 'n', CASE WHEN i % 4 = changed THEN -i ELSE i END)), 'set', jsonb_agg(CASE WHEN i % 4 = changed THEN i + 0.5 ELSE i END)) FROM generate_series(1, 20000) i);
SELECT conflicts, (SELECT count(*) FROM jsonb_each_text(merged->'members') WHERE value::int < 0) AS members, jsonb_array_length(jsonb_path_query_array(merged, '$.elements[*] ? (@.n < 0)')) AS elements,
	jsonb_array_length(merged->'set') AS in_set FROM docstore.merge3(pg_temp.numbers(-1), pg_temp.numbers(1), pg_temp.numbers(2), '{"/elements": {"key": "k"}, "/set": "set"}');
SELECT merged, jsonb_array_length(conflicts) AS conflicts FROM docstore.merge3(pg_temp.numbers(-1), pg_temp.numbers(1), pg_temp.numbers(1) || '{"members": {}, "set": []}', '{"/elements": {"key": "k"}}');

-- nested 1,000 deep, and deeper than a small stack allows
CREATE FUNCTION pg_temp.nested(depth int, inner_json text) RETURNS jsonb RETURN (repeat('{"a":', depth) || inner_json || repeat('}', depth))::jsonb;
SELECT merged = pg_temp.nested(1000, '{"b": 2, "c": 2}') AS merged, conflicts FROM docstore.merge3(pg_temp.nested(1000, '{"b": 1, "c": 1}'), pg_temp.nested(1000, '{"b": 2, "c": 1}'), pg_temp.nested(1000, '{"b": 1, "c": 2}'));
SELECT length(conflicts->0->>'path') FROM docstore.merge3(pg_temp.nested(1000, '{"b": 1}'), pg_temp.nested(1000, '{"b": 2}'), pg_temp.nested(1000, '{"b": 3}'));
CREATE TEMP TABLE deep AS SELECT pg_temp.nested(3000, '1') AS b, pg_temp.nested(3000, '2') AS m, pg_temp.nested(3000, '3') AS t;
SET max_stack_depth = '100kB';
SELECT docstore.merge3(b, m, t) FROM deep;
\echo :LAST_ERROR_SQLSTATE
RESET max_stack_depth;

DROP TABLE deep;

-- docstore.merge_patch(): JSON merge patches, by RFC 7396
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- the examples of the RFC's appendix A, in its order
SELECT nr, original, patch, docstore.merge_patch(original, patch) AS result, docstore.merge_patch(original, patch) = wanted AS ok FROM (VALUES
	(1, '{"a": "b"}'::jsonb, '{"a": "c"}'::jsonb, '{"a": "c"}'::jsonb),
	(2, '{"a": "b"}', '{"b": "c"}', '{"a": "b", "b": "c"}'),
	(3, '{"a": "b"}', '{"a": null}', '{}'),
	(4, '{"a": "b", "b": "c"}', '{"a": null}', '{"b": "c"}'),
	(5, '{"a": ["b"]}', '{"a": "c"}', '{"a": "c"}'),
	(6, '{"a": "c"}', '{"a": ["b"]}', '{"a": ["b"]}'),
	(7, '{"a": {"b": "c"}}', '{"a": {"b": "d", "c": null}}', '{"a": {"b": "d"}}'),
	(8, '{"a": [{"b": "c"}]}', '{"a": [1]}', '{"a": [1]}'),
	(9, '["a", "b"]', '["c", "d"]', '["c", "d"]'),
	(10, '{"a": "b"}', '["c"]', '["c"]'),
	(11, '{"a": "foo"}', 'null', 'null'),
	(12, '{"a": "foo"}', '"bar"', '"bar"'),
	(13, '{"e": null}', '{"a": 1}', '{"e": null, "a": 1}'),
	(14, '[1, 2]', '{"a": "b", "c": null}', '{"a": "b"}'),
	(15, '{}', '{"a": {"bb": {"ccc": null}}}', '{"a": {"bb": {}}}')) appendix_a(nr, original, patch, wanted) ORDER BY nr;

-- the example of the RFC's section 3
SELECT docstore.merge_patch('{"title": "Goodbye!", "author": {"givenName": "John", "familyName": "Doe"}, "tags": ["example", "sample"], "content": "This will be unchanged"}',
	'{"title": "Hello!", "phoneNumber": "+01-123-456-7890", "author": {"familyName": null}, "tags": ["example"]}');

-- SQL's NULL: a target counts as {}, a patch says nothing
SELECT docstore.merge_patch(NULL, '{"a": 1, "b": null}'), docstore.merge_patch('{"a": 1}', NULL) IS NULL AS patch, docstore.merge_patch(NULL, NULL) IS NULL AS both;

-- nothing to do, scalars, the empty key, nulls inside of arrays, empty objects
SELECT nr, docstore.merge_patch(original, patch) AS result FROM (VALUES
	(1, '{"a": {"b": 1}}'::jsonb, '{}'::jsonb), (2, '{"a": {"b": 1}}', '{"a": {}}'), (3, '7', '{"a": 1}'), (4, '"a"', '"b"'), (5, '{"a": 1}', 'false'),
	(6, '{"": 1, " ": 2}', '{"": null}'), (7, '{}', '{"": {"": {"": null}}}'), (8, '{"a": 1}', '{"a": [null, {"b": null}]}'), (9, '{"a": 1}', '{"a": {"b": [null]}}'),
	(10, '{"a": null}', '{"a": {"b": null, "c": 1}}'), (11, '{"a": [1, 2]}', '{"a": {"b": null}}'), (12, '{"a": 1, "b": 2}', '{"a": null, "b": null, "c": null}'),
	(13, '["a", {"b": 1}]', '{"a": {"b": null}}'), (14, 'null', '{}'), (15, '{"a": {"b": {"c": {"d": 1, "e": 2}}}}', '{"a": {"b": {"c": {"e": null}, "f": {"g": null}}}}'))
	v(nr, original, patch) ORDER BY nr;

-- order and repetition of keys do not matter, the last of several counts; numbers and characters stay as they are
SELECT docstore.merge_patch('{"long key": 1, "b": 2, "a": 3}', '{"b": 0, "zz": 1, "b": null, "a": 1, "a": 4}') AS keys;
SELECT docstore.merge_patch('{"a": 1.10, "b": 123456789012345678901234567890, "c": 1e-20}', '{"d": -0.00, "e": 1e30, "f": 9223372036854775808}') AS numbers;
SELECT docstore.merge_patch(U&'{"k\00e4se": "\6f22\5b57", "\+01f600": {"a": 1}}', U&'{"\+01f600": {"a": "\00e9\\"\\\\"}, "ka\0308se": 2}')
	= U&'{"k\00e4se": "\6f22\5b57", "\+01f600": {"a": "\00e9\\"\\\\"}, "ka\0308se": 2}'::jsonb AS characters;

-- large: 10,000 members each, half of them in both
WITH big AS (
	SELECT jsonb_object_agg('k' || i, i) AS target, jsonb_object_agg('k' || (i + 5000), CASE i % 3 WHEN 0 THEN NULL ELSE -i END) AS patch
	FROM generate_series(1, 10000) i), merged AS (SELECT docstore.merge_patch(target, patch) AS result FROM big)
SELECT count(*), count(*) FILTER (WHERE value::int < 0) AS patched, count(*) FILTER (WHERE key = 'k' || value) AS kept
FROM merged, jsonb_each_text(result);
-- and larger than a page, compressed and not
CREATE TEMP TABLE stored AS SELECT jsonb_build_object('text', string_agg(md5(i::text), ''), 'more', jsonb_build_object('text', repeat('x', 100000), 'n', 1)) AS data
FROM generate_series(1, 5000) i;
SELECT docstore.merge_patch(data, '{"more": {"n": 2}}') = jsonb_set(data, '{more,n}', '2') AS equal FROM stored;

-- nested 3,000 deep: both walks go down all the way
CREATE FUNCTION pg_temp.nested(depth int, inner_json text) RETURNS jsonb RETURN (repeat('{"a":', depth) || inner_json || repeat('}', depth))::jsonb;
SELECT docstore.merge_patch(pg_temp.nested(3000, '{"b": 1, "c": 2}'), pg_temp.nested(3000, '{"c": null, "d": 3}')) = pg_temp.nested(3000, '{"b": 1, "d": 3}') AS both,
	docstore.merge_patch('{}', pg_temp.nested(3000, '{"c": null}')) = pg_temp.nested(3000, '{}') AS patch;
-- nested deeper than a small stack allows: refused, and the session lives
CREATE TEMP TABLE deep AS SELECT pg_temp.nested(3000, '1') AS data;
SET max_stack_depth = '100kB';
SELECT count(docstore.merge_patch(data, data)) FROM deep;
\echo :LAST_ERROR_SQLSTATE
RESET max_stack_depth;

-- random JSON against the RFC's pseudocode
CREATE FUNCTION pg_temp.rfc(target jsonb, patch jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	member record;
BEGIN
	IF jsonb_typeof(patch) <> 'object' THEN
		RETURN patch;
	END IF;
	IF target IS NULL OR jsonb_typeof(target) <> 'object' THEN
		target := '{}';
	END IF;
	FOR member IN SELECT * FROM jsonb_each(patch) LOOP
		IF member.value = 'null' THEN
			target := target - member.key;
		ELSE
			target := target || jsonb_build_object(member.key, pg_temp.rfc(target -> member.key, member.value));
		END IF;
	END LOOP;
	RETURN target;
END
$$;
CREATE FUNCTION pg_temp.random_json(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE floor(random() * CASE depth WHEN 0 THEN 4 ELSE 12 END)
		WHEN 0 THEN 'null' WHEN 1 THEN to_jsonb(floor(random() * 100)) WHEN 2 THEN to_jsonb(md5(random()::text)) WHEN 3 THEN 'true'
		WHEN 4 THEN (SELECT COALESCE(jsonb_agg(pg_temp.random_json(depth - 1)), '[]') FROM generate_series(1, floor(random() * 3)::int))
		ELSE (SELECT COALESCE(jsonb_object_agg((ARRAY['a', 'b', 'c', 'long key', ''])[1 + floor(random() * 5)], pg_temp.random_json(depth - 1)), '{}')
			FROM generate_series(1, floor(random() * 6)::int)) END;
END
$$;
SELECT setseed(0.5) \gset
CREATE TEMP TABLE random_pairs AS SELECT pg_temp.random_json(4) AS target, pg_temp.random_json(4) AS patch FROM generate_series(1, 3000);
SELECT count(*) FILTER (WHERE docstore.merge_patch(target, patch) IS DISTINCT FROM pg_temp.rfc(target, patch)) AS differences,
	count(*) FILTER (WHERE docstore.merge_patch(target, patch) NOT IN (target, patch)) > 1000 AS many_merged FROM random_pairs;

DROP TABLE stored, deep, random_pairs;

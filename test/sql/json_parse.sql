-- docstore.parse() is json::jsonb: the same bytes, or the same error. See also test/stress/parse and test/fuzz.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- What a conversion makes of a text: the stored bytes, which the operator *= compares, or all of the error but where it came from.
CREATE FUNCTION pg_temp.answer(conversion text, given text, OUT made record, OUT error text) LANGUAGE plpgsql AS $$
DECLARE
	message text; detail text; hint text; context text;
BEGIN
	EXECUTE format('SELECT %s AS json', conversion) INTO made USING given;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	error := concat_ws(' | ', SQLSTATE, message, detail, hint, substring(context FROM '^JSON data[^\n]*'));
END $$;

CREATE TABLE texts (kind text, json text);

INSERT INTO texts SELECT 'numbers', unnest(ARRAY['0', '-0', '-0.0', '0.0', '0.00', '1', '-1', '10', '100', '1000', '9999', '10000', '10001', '99999999', '100000000',
	'1.10', '100.00', '5000.5000', '0.1', '0.01', '0.001', '0.0001', '0.00001', '0.00010', '-0.00012345678', '9999.9999', '10000.0001', '120000.00034',
	'9223372036854775807', '9223372036854775808', '-9223372036854775809', '12345678901234567890.123456789', '1e5', '1E-5', '1.5e+10', '0e0', '-1e-3', '0.1e-400', '1e131071',
	'1e131072', '1e-16383', '1e-16384', '1e-20000', '1e2147483647', '1e99999999999999999999', '01', '-', '--1', '+1', '.5', '1.', '1.e5', '1e', '1e+', '0x10', '1_000', '1a', '-a', 'NaN', 'Infinity', '1 2']);
INSERT INTO texts SELECT 'digits', sign || repeat(digit, n) || fraction FROM unnest(ARRAY['', '-']) AS sign, unnest('{1,9}'::text[]) AS digit,
	unnest('{1,2,3,4,5,7,8,9,16,17,57,58,59,60,61,62,63,64,65,255,256,257,400}'::int[]) AS n, unnest('{"",.0,.1,.00001,.123456789}'::text[]) AS fraction;
INSERT INTO texts SELECT 'fractions', '0.' || repeat('0', n) || rest FROM unnest('{0,1,2,3,4,5,55,56,57,58,59,60,61,62,63,64,65,255,256}'::int[]) AS n, unnest('{"",1,10,10000,99999}'::text[]) AS rest;

INSERT INTO texts SELECT 'strings', unnest(ARRAY['""', '"a"', '"é"', '"€"', '"😀"', '"\""', '"\\"', '"\/"', '"\b\f\n\r\t"', '"\u0041"', '"\u00e9"', '"\u20AC"', '"\ud83d\ude00"', '"\uD83D\uDE00"', '"\udbff\udfff"',
	'"\u0001"', '"\u007f"', '"\u0080"', '"\u07ff"', '"\u0800"', '"\uffff"', '"\u0000"', '"\u000"', '"\u00g0"', '"\u"', '"\x"', '"\', '"', '"a', '"a\"', '"\ud83d"', '"\ude00"', '"\ud83d\ud83d"', '"\ud83d\u0041"', '"\ud83d\n"', '"\ud83da"',
	'"\ud83d', '"\ud83d\', '"\ud83d\u', '"\ud83d\ude0', '''a''', '"a" "b"', E'"\n"', E'"\t"', E'"\x01"', E'"\x1f"', E'"\x7f"', E'"\\n\x01n"', E'"\\n\x1f\\"', '"a"b', U&'\FEFF"bom"', U&'"\FEFF"', '"{}[],:"']);
-- A special byte at each place of the steps in which strings are scanned.
INSERT INTO texts SELECT 'places', '["' || repeat('x', n) || special || repeat('y', after) || '"' || rest
	FROM generate_series(0, 50) AS n, unnest(ARRAY['', '\n', '\u00e9', '"', E'\x1f', '\']) AS special, unnest('{0,1,20}'::int[]) AS after, unnest('{"","]","                    ]"}'::text[]) AS rest;

INSERT INTO texts SELECT 'words', unnest(ARRAY['true', 'false', 'null', 'True', 'tru', 'truer', 'nul', 'nullé', 'trué', 'true,', '[true,false,null]', '[truefalse]', '', ' ', E' \t\n\r', E' \t\n\rnull\r\n\t ', E'\fnull', E'\vnull', U&'\00A0null', 'null null']);
INSERT INTO texts SELECT 'containers', unnest(ARRAY['[]', '{}', ' [ ] ', ' { } ', '[[]]', '[{}]', '{"a":{}}', '{"a":[]}', '[[],[],{}]', '[1,]', '[,1]', '[1 2]', '[', ']', '{', '}', '[1', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a" 1}', '{a:1}', '{1:1}', '{"a":1 "b":2}',
	'[1}', '{"a":1]', '[]]', '{}}', '{}{}', '[] []', '{"a":1}x', '[1],', '{,}', '{"a"::1}', '{"":""}', '{"a":{"b":{"c":[{"d":[1,{"e":null}]}]}}}']);
INSERT INTO texts SELECT 'keys', unnest(ARRAY['{"a":1,"a":2}', '{"a":1,"b":2,"a":3}', '{"b":1,"a":2,"aa":3,"":4,"b":5}', '{"\u0061":1,"a":2}', '{"a":2,"\u0061":1}', '{"a":{"x":1},"a":[1,2],"a":"last"}', '{"a":1e200000,"a":1}', '{"a":1,"a":1e200000}', '{"a":1e5,"a":1}']);
-- Keys that are alike in their first bytes, as they are and with an escape, up to the end of the text.
INSERT INTO texts SELECT 'keys', replace('{"@b":1,"@a":"c","@":3,"@b":"","@":{"@":"@"}}', '@', first || repeat('k', n))
	FROM generate_series(0, 40) AS n, unnest(ARRAY['', '\u006b']) AS first;
INSERT INTO texts SELECT 'members', '{' || string_agg(format('"%s":%s', repeat('k', i), i), ',' ORDER BY i % 7, i) || '}' FROM unnest('{1,2,15,16,17,31,32,33,63,64,65,70}'::int[]) AS n, generate_series(1, n) AS i GROUP BY n;
INSERT INTO texts SELECT 'members', '{' || string_agg(format('"k%s":"%s"', i % m, repeat('v', i % 50)), ',' ORDER BY i) || '}' FROM unnest('{1,7,64,128}'::int[]) AS m, generate_series(1, 128) AS i GROUP BY m;
INSERT INTO texts SELECT 'members', '{' || string_agg(format('"key %s":%s', i * 7919 % 65536, i), ', ' ORDER BY i) || '}' FROM generate_series(1, 65536) AS i;
-- Each 32nd entry holds where its value ends.
INSERT INTO texts SELECT 'elements', '[' || string_agg(CASE i % 5 WHEN 0 THEN i::text WHEN 1 THEN format('"%s"', repeat('s', i % 40)) WHEN 2 THEN format('[%s.5]', i) WHEN 3 THEN '{"a":[null]}' ELSE 'true' END, ',' ORDER BY i) || ']'
	FROM unnest('{1,2,30,31,32,33,34,63,64,65,96,97,1000}'::int[]) AS n, generate_series(1, n) AS i GROUP BY n;
INSERT INTO texts SELECT 'depths', repeat('[', n) || repeat(']', n) FROM unnest('{1,2,62,63,64,65,66,100,1000,5000,10000}'::int[]) AS n;
INSERT INTO texts SELECT 'depths', repeat('{"a":', n) || '[1, "é"]' || repeat('}', n) FROM unnest('{1,2,62,63,64,65,66,100,1000,5000,10000}'::int[]) AS n;
INSERT INTO texts SELECT 'depths', repeat('[', n) FROM unnest('{1,63,64,65,1000,1000000}'::int[]) AS n;

-- Of each kind: how many texts, how many of them are JSON, and which are not answered alike.
SELECT kind, count(*) AS texts, count(*) FILTER (WHERE s.error IS NULL) AS valid,
	count(*) FILTER (WHERE p.error IS DISTINCT FROM s.error) AS other_errors,
	count(*) FILTER (WHERE p.error IS NULL AND s.error IS NULL AND NOT p.made *= s.made) AS other_bytes
FROM texts, pg_temp.answer('docstore.parse($1)', json) AS p, pg_temp.answer('$1::jsonb', json) AS s
GROUP BY kind ORDER BY kind;
SELECT DISTINCT left(error, 5) AS sqlstate FROM texts, pg_temp.answer('docstore.parse($1)', json) ORDER BY 1;

-- The context is the server's as well.
\set SHOW_CONTEXT errors
SELECT docstore.parse('{"a": [1, 2');
\set SHOW_CONTEXT never
SELECT docstore.parse(NULL) IS NULL AS null_for_null;

-- Arrays keep their form.
SELECT docstore.parse_many(ARRAY['1', NULL, '{"a": [2, {"b": null}]}']), docstore.parse_many('{}'), docstore.parse_many(NULL);
SELECT docstore.parse_many('[0:1][2:3]={{1,2},{3,NULL}}'), docstore.parse_many('{{"[]"},{"{}"}}');
SELECT docstore.parse_many('{1,"[1"}');

-- It serves any SQL, and may be used where functions must be immutable.
CREATE TABLE documents (data jsonb, CHECK (data @> docstore.parse('{"checked": true}')));
INSERT INTO documents VALUES (docstore.parse('{"checked": true, "n": 1}'));
CREATE INDEX ON documents ((docstore.parse(data::text)));
SELECT data FROM documents WHERE docstore.parse(data::text) = '{"n": 1, "checked": true}';

SELECT docstore.create_collection('shops');
SELECT version FROM docstore.save(docstore.parse('[{"op": "upsert", "collection": "shops", "id": "a", "data": {"name": "Mozart''s"}}]'));
SELECT docstore.upsert('shops', 'a', docstore.parse('{"name": "Central"}'), 1);
SELECT docstore.upsert_many('shops', '{a,b}', docstore.parse_many('{"{\"name\": \"Hawelka\"}", "{}"}'), '{2,0}');
SELECT id, version, data FROM shops ORDER BY id;

DROP TABLE shops, documents, texts;

-- Any JSON at all: each combination of odd values for an item's keys is saved, refused with a code of the contract, or a conflict
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'integer'), docstore.create_collection('guests', 'uuid');
SELECT docstore.upsert('shops', 'a', '{}'), docstore.upsert('orders', '1', '{}');
CREATE TEMP TABLE plain (id text);

-- NULL leaves the key out
CREATE TEMP TABLE odd AS SELECT * FROM (VALUES
	('op', ARRAY[NULL, '"upsert"', '"patch"', '"put"', '"delete"', '"assert"', '"upsert\n"', '1']),
	('collection', ARRAY[NULL, '"shops"', '"public.orders"', '"guests"', '" guests "', '"pg_class"', '"shops_pkey"', '"plain"', '""', '"."', '".."',
		'"\""', '"\"\""', '"shops."', '"pg_toast.x"', '"\u00e4"', 'null', '["shops"]']),
	('id', ARRAY[NULL, '"a"', '1', '"1"', '""', 'null', '-0', '1e400', '1.0', '"\n"', '[1]', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"']),
	('data', ARRAY[NULL, '{}', '{"a": {"b": [1, {"c": null}]}, "@metadata": {"collection": "shops", "id": "a", "version": 1}}', '[]', 'null', '"{}"']),
	('expected', ARRAY[NULL, '1', '0', '"any"', '"exists"', '-5', '1.5', '1e500', '["any"]'])) v(key, given);
CREATE TEMP TABLE items AS
SELECT row_number() OVER () AS nr, format('[{%s}]', concat_ws(',', '"op":' || op, '"collection":' || collection, '"id":' || id, '"data":' || data,
	'"expected":' || expected)) AS item
FROM (SELECT unnest(given) AS op FROM odd WHERE key = 'op') o, (SELECT unnest(given) AS collection FROM odd WHERE key = 'collection') c,
	(SELECT unnest(given) AS id FROM odd WHERE key = 'id') i, (SELECT unnest(given) AS data FROM odd WHERE key = 'data') d,
	(SELECT unnest(given) AS expected FROM odd WHERE key = 'expected') e;
CREATE TEMP TABLE answers AS
SELECT item, pg_temp.verdict(format('SELECT count(*) FROM docstore.%s(%L)', CASE nr % 2 WHEN 0 THEN 'save' ELSE 'try_save' END, item)) AS answer
FROM items;

SELECT count(*) > 60000 AS many FROM answers;
SELECT DISTINCT answer COLLATE "C" AS answer FROM answers ORDER BY 1;
SELECT item, answer FROM answers WHERE answer NOT IN ('1', 'exists', 'missing', 'stale', '22023', '22P02', '42809', '42P01');
-- only what is whole is ever saved
SELECT count(*) FROM answers WHERE answer = '1'
	AND item !~ '^\[\{"op":"(upsert|patch|delete|assert)","collection":"( guests |guests|shops|public.orders)",.*\}\]$'
	AND item !~ '^\[\{"op":"put","data":\{.*"@metadata": \{"collection": "shops", .*\}\}\]$';

-- the same values in a document's "@metadata": put by itself, and as an item
CREATE TEMP TABLE documents AS
SELECT row_number() OVER () AS nr, format('{"n":1,"@metadata":%s}', metadata) AS document
FROM (SELECT format('{%s}', concat_ws(',', '"collection":' || collection, '"id":' || id, '"version":' || expected)) AS metadata
	FROM (SELECT unnest(given) AS collection FROM odd WHERE key = 'collection') c, (SELECT unnest(given) AS id FROM odd WHERE key = 'id') i,
		(SELECT unnest(given) AS expected FROM odd WHERE key = 'expected') e
	UNION ALL SELECT unnest(given) FROM odd WHERE key = 'data' AND given IS NOT NULL UNION ALL SELECT '{"collection":"shops","more":1}') m;
CREATE TEMP TABLE both_ways AS
SELECT document, pg_temp.verdict(format('SELECT count(docstore.put(%L))', document)) AS alone,
	pg_temp.verdict(format('SELECT count(*) FROM docstore.save(%L)', '[{"op":"put","data":' || document || '}]')) AS item FROM documents;
SELECT count(*) > 1900 AS many, count(*) FILTER (WHERE alone <> item) AS differing FROM both_ways;
SELECT DISTINCT alone COLLATE "C" AS answer FROM both_ways ORDER BY 1;
SELECT count(*) FROM both_ways WHERE alone = '1' AND document !~ '"@metadata":\{"collection":"( guests |guests|shops|public.orders)"';

DROP TABLE shops, orders, guests, plain, odd, items, answers, documents, both_ways;

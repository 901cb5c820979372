-- A batch of one document, which is written without being locked first, answers as any other: what the server would refuse to write
-- is refused only where there is something to write
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('nobodys'), docstore.create_collection('chosen');
SELECT docstore.upsert(collection, 'a', '{"n": 1}') FROM unnest('{shops,nobodys,chosen}'::regclass[]) collection;

-- How items of one call each stand, by reason, or the SQLSTATE of their calls.
CREATE FUNCTION pg_temp.stand(collection regclass) RETURNS TABLE (item text, verdict text) LANGUAGE sql AS $$
	SELECT concat_ws(' ', op, id, expected), pg_temp.verdict(format('SELECT CASE WHEN version IS NOT NULL THEN ''written'' ELSE COALESCE(reason, ''nothing'') END FROM docstore.try_save(%L)',
		jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('op', op, 'collection', collection, 'id', id, 'expected', expected,
			'data', CASE WHEN op <> 'delete' THEN jsonb '{}' END)))))
	FROM (VALUES (1, 'upsert', 'b', 'none'), (2, 'upsert', 'b', 'any'), (3, 'upsert', 'b', '1'), (4, 'upsert', 'a', '7'), (5, 'upsert', 'a', 'any'),
		(6, 'patch', 'b', 'exists'), (7, 'patch', 'b', 'any'), (8, 'patch', 'a', '7'), (9, 'patch', 'a', '1'),
		(10, 'delete', 'b', 'any'), (11, 'delete', 'b', '1'), (12, 'delete', 'a', '7'), (13, 'delete', 'a', 'any')) i (nr, op, id, expected)
	ORDER BY nr $$;

SELECT * FROM pg_temp.stand('shops');

-- published, without a replica identity, or with too little of one
ALTER TABLE nobodys REPLICA IDENTITY NOTHING;
SET client_min_messages = error;
CREATE PUBLICATION docstore_one_document FOR TABLE nobodys, chosen WHERE (data->>'n' = '1');
RESET client_min_messages;
SELECT n.item, n.verdict AS without, c.verdict AS with_too_little FROM pg_temp.stand('nobodys') n JOIN pg_temp.stand('chosen') c USING (item)
	ORDER BY split_part(n.item, ' ', 1) DESC, n.item COLLATE "C";
ALTER PUBLICATION docstore_one_document SET (publish = 'insert');
SELECT * FROM pg_temp.stand('nobodys') EXCEPT SELECT * FROM pg_temp.stand('shops');
DROP PUBLICATION docstore_one_document;

-- without the privilege to delete
CREATE ROLE regress_docstore_writer;
GRANT SELECT, INSERT, UPDATE ON shops TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
SELECT * FROM pg_temp.stand('shops') WHERE item LIKE 'delete%';
RESET ROLE;

DROP TABLE shops, nobodys, chosen;
DROP ROLE regress_docstore_writer;

-- What each of the two sessions of dev/demo does: load 100 documents, count one edit in each, save them all with the
-- versions that were loaded.
SELECT jsonb_agg(jsonb_build_object(
           'op', 'upsert', 'collection', 'places', 'id', id, 'expected', version,
           'data', data || jsonb_build_object('edits', coalesce((data ->> 'edits')::int, 0) + 1))) AS changes
FROM docstore.load_many('places', :'ids') \gset

SELECT count(*) AS saved FROM docstore.save(:'changes') \gset

\if :ERROR
    \echo refused :SQLSTATE
\else
    \echo saved :saved
\endif

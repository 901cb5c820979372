-- docstore.set_properties(): properties and revisions of a stream. G08 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT docstore.create_stream('ledger', 's');

-- G08: set properties {} with the current token: the token changes, the version does not
SELECT docstore.set_properties('ledger', 's', '{}', 1);
SELECT version, revision, properties FROM docstore.stream('ledger', 's');
-- G10: replaced as a whole
SELECT docstore.set_properties('ledger', 's', '{"p1": 1, "p2": 2}', 2);
SELECT docstore.set_properties('ledger', 's', '{"p1": "new"}', 3);
SELECT version, revision, properties FROM docstore.stream('ledger', 's');
-- what is the same is a change, too
SELECT docstore.set_properties('ledger', 's', '{"p1": "new"}', docstore.any_version()), docstore.set_properties('ledger', 's', '{"p1": "new"}', docstore.some_version());
SELECT version, revision, properties FROM docstore.stream('ledger', 's');

-- a stale revision, one that was never, and one that is ahead
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '{"p1": "lost"}', 5) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '{"p1": "lost"}', 7) $$);
-- G11: no such stream: a violation, and no stream is made
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 'transient', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 'transient', '{}', docstore.some_version()) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 'transient', '{}', docstore.any_version()) $$);
SELECT count(*) FROM ledger_streams;

-- G13: a and b opened; a only sets properties; b appends with the version it knows: success
SELECT version, revision FROM docstore.stream('ledger', 's');
SELECT docstore.set_properties('ledger', 's', '{"p1": "a"}', 6);
SELECT version, log_position FROM docstore.append('ledger', 's', '[{"type": "B"}]', 0);
-- with the revision it knew, too: a conflict; with the current one: success
SELECT version, revision FROM docstore.stream('ledger', 's');
SELECT docstore.set_properties('ledger', 's', '{"p1": "a"}', 8);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "B"}], "expected": 1, "expected_revision": 8}]') $$);
SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "B"}], "expected": 1, "expected_revision": 9}]');
-- both stale: the version is told
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "B"}], "expected": 1, "expected_revision": 9}]') $$);
-- the other way round: an append makes a revision old
SELECT version, revision FROM docstore.stream('ledger', 's');
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '{}', 9) $$);

-- G14: an append keeps the properties; one append is one revision, however many events it has
SELECT version FROM docstore.append('ledger', 's', '[{"type": "C"}, {"type": "D"}, {"type": "E"}]');
SELECT version, revision, properties FROM docstore.stream('ledger', 's');
-- properties of a stream that came into being with an append
SELECT version FROM docstore.append('ledger', 'u', '[{"type": "A"}]');
SELECT docstore.set_properties('ledger', 'u', '{"owner": "ann"}', 1);
SELECT version, revision, properties FROM docstore.stream('ledger', 'u');

-- G16: properties that are no object, and other bad arguments
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '[]', 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '"{}"', 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', 'null', 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', NULL, 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', NULL, '{}', 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', '', '{}', 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties(NULL, 's', '{}', 10) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger_consumers', 's', '{}', 10) $$);
-- a stream without a revision is none: absence cannot be expected, and NULL never switches the check off
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '{}', 0) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '{}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 's', '{}', -3) $$);
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 'transient', '{}', 0) $$);
SELECT version, revision, properties FROM docstore.stream('ledger', 's');

-- unicode, and large ones
SELECT docstore.set_properties('ledger', 'u', jsonb_build_object(U&'\00fc\+01F600', repeat('x', 1000000)), 2);
SELECT length(properties ->> U&'\00fc\+01F600') FROM docstore.stream('ledger', 'u');
SELECT version FROM docstore.append('ledger', 'u', '[{"type": "B"}]', 1);
SELECT length(properties ->> U&'\00fc\+01F600'), version, revision FROM docstore.stream('ledger', 'u');

-- docstore.checks = off: any revision; an absent stream is still missing
SET docstore.checks = off;
SELECT docstore.set_properties('ledger', 'u', '{}', 99);
SELECT pg_temp.verdict($$ SELECT docstore.set_properties('ledger', 'transient', '{}', 99) $$),
	pg_temp.verdict($$ SELECT docstore.set_properties('ledger', 'u', '{}', 0) $$);
RESET docstore.checks;
SELECT version, revision, properties FROM docstore.stream('ledger', 'u');

-- deferred
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.set_properties('ledger', 'u', '{"lost": 1}', 1), docstore.set_properties('ledger', 'u', '{"kept": 1}', 5),
	docstore.set_properties('ledger', 'transient', '{"lost": 1}', 1);
SELECT properties FROM docstore.stream('ledger', 'u');
COMMIT;
SELECT properties FROM docstore.stream('ledger', 'u');

-- a revision has an end
UPDATE ledger_streams SET revision = 9223372036854775807 WHERE stream = 'u';
CALL pg_temp.try($$ SELECT docstore.set_properties('ledger', 'u', '{}', -1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'u', '[{"type": "A"}]') $$);

DROP TABLE ledger, ledger_streams, ledger_consumers;

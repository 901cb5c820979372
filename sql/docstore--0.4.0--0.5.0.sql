/* docstore 0.4.0 to 0.5.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.5.0'" to load this file. \quit

-- What calls cost, in calls of a cheap operator such as @>, so that the planner evaluates that first; and how many rows they return.
-- Most read or write one row by its key.
ALTER FUNCTION docstore.merge_patch(jsonb, jsonb) COST 20;
ALTER FUNCTION docstore.violations(text) COST 100;

ALTER FUNCTION docstore.get(regclass, text) COST 300;
ALTER FUNCTION docstore.load(regclass, text, bigint) COST 300;
ALTER FUNCTION docstore.load_many(regclass, text[]) COST 500;
ALTER FUNCTION docstore.stream(regclass, text) COST 300;
ALTER FUNCTION docstore.tail(regclass, jsonb) COST 300;
ALTER FUNCTION docstore.read_stream(regclass, text, bigint, int, boolean) COST 500;
ALTER FUNCTION docstore.read_log(regclass, text, int, jsonb) COST 1000;
ALTER FUNCTION docstore.consumers(regclass) COST 500;
ALTER FUNCTION docstore.log_status(regclass) COST 1000;
ALTER FUNCTION docstore.log_tables(regclass) COST 500;

ALTER FUNCTION docstore.upsert(regclass, text, jsonb, bigint) COST 500;
ALTER FUNCTION docstore.put(jsonb) COST 500;
ALTER FUNCTION docstore.patch(regclass, text, jsonb, bigint) COST 500;
ALTER FUNCTION docstore.delete(regclass, text, bigint) COST 500;
ALTER FUNCTION docstore.append(regclass, text, jsonb, bigint, jsonb) COST 500 ROWS 2;
ALTER FUNCTION docstore.create_stream(regclass, text, jsonb) COST 500;
ALTER FUNCTION docstore.set_properties(regclass, text, jsonb, bigint) COST 500;
ALTER FUNCTION docstore.close_stream(regclass, text, bigint) COST 500;
ALTER FUNCTION docstore.commit_cursor(regclass, text, text, bigint) COST 500;

ALTER FUNCTION docstore.upsert_many(regclass, text[], jsonb[], bigint[]) COST 2000;
ALTER FUNCTION docstore.save(jsonb, uuid) COST 2000 ROWS 10;
ALTER FUNCTION docstore.try_save(jsonb) COST 2000 ROWS 10;
ALTER FUNCTION docstore.erase(regclass, text, bigint[]) COST 2000;
ALTER FUNCTION docstore.forget_requests(interval) COST 2000;

ALTER FUNCTION docstore.create_collection(text, regtype) COST 50000;
ALTER FUNCTION docstore.create_log(text, boolean) COST 50000;
ALTER FUNCTION docstore.guard(regclass, name) COST 50000;
ALTER FUNCTION docstore.unguard(regclass) COST 50000;

/* docstore 0.5.0 to 0.6.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.6.0'" to load this file. \quit

--
-- Functions that only docstore itself calls leave the sight of its users.
-- Triggers and views go on: they know their functions by number.
--

CREATE SCHEMA docstore_internal;

COMMENT ON SCHEMA docstore_internal IS 'what docstore itself calls: functions for its triggers, its views and the planner';

GRANT USAGE ON SCHEMA docstore_internal TO PUBLIC;

ALTER FUNCTION docstore.load_many_support(internal) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.guard_row() SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.guard_delete() SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.guard_truncate() SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.notify_log() SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.replicate_event() SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.is_collection(regclass) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.collection_options(regclass) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.log_tables(regclass) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.estimated_rows(regclass) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.table_size(regclass) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.trigger_state("char") SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.trigger_fault(regclass) SET SCHEMA docstore_internal;
ALTER FUNCTION docstore.conflict_sqlstate() SET SCHEMA docstore_internal;

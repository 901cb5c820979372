-- A new tenant: run by an administrator in the database of the tenant's server, as psql -v tenant='...'. The role app is the application's.
SELECT format('%I', :'tenant') AS schema \gset
-- begin README
SELECT tenants.open(:'tenant');
SELECT docstore.create_collection(:'schema' || '.shops'), docstore.create_log(:'schema' || '.ledger');
GRANT USAGE ON SCHEMA :schema TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :schema TO app;
GRANT SELECT, UPDATE, USAGE ON ALL SEQUENCES IN SCHEMA :schema TO app;
-- end README

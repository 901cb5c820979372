-- For each server that has tenants: what proxy.sql calls. A tenant is a schema, with its collections and logs.
--
-- A role that may call these functions needs USAGE on the schemas tenants and docstore, the privileges on a tenant's tables that the calls
-- need, and none to create anything. Each call is a transaction of its own here, and ends in one of these functions.
CREATE EXTENSION IF NOT EXISTS docstore;
CREATE SCHEMA tenants;

CREATE TABLE tenants.here (tenant text PRIMARY KEY);
COMMENT ON TABLE tenants.here IS 'the tenants that this server answers for';
GRANT USAGE ON SCHEMA tenants TO PUBLIC;
GRANT SELECT ON tenants.here TO PUBLIC;

-- Names in a call are those of the tenant's schema, and nothing else can be reached by them. The lock is for close().
CREATE FUNCTION tenants.enter(tenant text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('tenants.here'), hashtext(enter.tenant));
    IF NOT EXISTS (SELECT FROM tenants.here WHERE here.tenant = enter.tenant) THEN
        RAISE EXCEPTION 'tenant "%" is not on this server', tenant
            USING ERRCODE = '3F000', HINT = 'It has moved, or is just being moved: ask the proxy again.';
    END IF;
    PERFORM set_config('search_path', quote_ident(tenant), true);
END
$$;

-- Makes a tenant known, and its schema unless a restore has made it.
CREATE FUNCTION tenants.open(tenant text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', tenant);
    INSERT INTO tenants.here VALUES (tenant);
END
$$;

-- Waits for the calls that are under way; those that come later are refused. Then the tenant can be dumped, and restored elsewhere.
CREATE FUNCTION tenants.close(tenant text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tenants.here'), hashtext(close.tenant));
    DELETE FROM tenants.here WHERE here.tenant = close.tenant;
END
$$;
REVOKE EXECUTE ON FUNCTION tenants.open, tenants.close FROM PUBLIC;

CREATE FUNCTION tenants.upsert(tenant text, collection text, id text, data jsonb, expected_version bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenants.enter(tenant);
    RETURN docstore.upsert(collection::regclass, id, data, expected_version);
END
$$;

CREATE FUNCTION tenants.save(tenant text, changes jsonb, request_id uuid)
RETURNS TABLE (item int, op text, target text, id text, version bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenants.enter(tenant);
    RETURN QUERY SELECT * FROM docstore.save(changes, request_id);
END
$$;

CREATE FUNCTION tenants.append(tenant text, log text, stream text, events jsonb, expected_version bigint, scopes jsonb)
RETURNS TABLE (version bigint, log_position bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenants.enter(tenant);
    RETURN QUERY SELECT * FROM docstore.append(log::regclass, stream, events, expected_version, scopes);
END
$$;

CREATE FUNCTION tenants.load(tenant text, collection text, id text)
RETURNS TABLE (version bigint, data jsonb, created_at timestamptz, updated_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenants.enter(tenant);
    RETURN QUERY SELECT l.version, l.data, l.created_at, l.updated_at FROM docstore.load(collection::regclass, id) l;
END
$$;

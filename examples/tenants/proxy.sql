-- For the database that applications connect to: it has no documents, and sends each call to the server of its tenant, with PL/Proxy. It
-- does not need docstore.
--
-- Each server of tenants is a foreign server with one partition, p0, so that servers can be added one by one and a tenant can be moved by
-- itself: see docs/operations/tenants.md.
CREATE EXTENSION plproxy;
CREATE SCHEMA tenants;

CREATE TABLE tenants.servers (tenant text PRIMARY KEY, server text NOT NULL);
COMMENT ON TABLE tenants.servers IS 'which foreign server has which tenant';
GRANT USAGE ON SCHEMA tenants TO PUBLIC;
GRANT SELECT ON tenants.servers TO PUBLIC;

CREATE FUNCTION tenants.server_of(tenant text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_server text;
BEGIN
    SELECT server INTO found_server FROM tenants.servers WHERE servers.tenant = server_of.tenant;
    IF found_server IS NULL THEN
        RAISE EXCEPTION 'there is no tenant "%"', tenant USING ERRCODE = '3F000', HINT = 'Insert it into tenants.servers.';
    END IF;
    RETURN found_server;
END
$$;

-- PL/Proxy passes the SQLSTATE on, and puts words of its own before message, DETAIL and HINT. It drops the names of constraint, table and
-- schema. With this an error is again what the server has sent: the names are in the DETAIL of a conflict. Fields that the server has left
-- out are empty. Where a conflict does not list all of its violations, so are the names of table and schema.
CREATE FUNCTION tenants.raise_again(code text, message text, detail text, hint text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    is_remote bool := message ~ '^[^\n]*\(\d+\): \[[^]]*\] REMOTE \w+: ';
    conflict_table text[];
BEGIN
    IF NOT is_remote AND message LIKE 'PL/Proxy function %' THEN
        RAISE EXCEPTION USING ERRCODE = '08006', MESSAGE = message,
            HINT = 'The call may have been executed, or not: send it again with the same request_id or event ids, or load what it was to write.';
    ELSIF NOT is_remote THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail, HINT = hint;
    END IF;
    message := regexp_replace(message, '^[^\n]*?\(\d+\): \[[^]]*\] REMOTE \w+: ', '');
    detail := regexp_replace(detail, '^Remote detail: ', '');
    hint := regexp_replace(hint, '^Remote hint: ', '');
    IF detail NOT LIKE '{"total": %, "violations": [%' THEN
        RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail, HINT = hint;
    END IF;
    SELECT CASE WHEN count(DISTINCT named) = 1 THEN parse_ident(min(named)) END INTO conflict_table
        FROM jsonb_array_elements(detail::jsonb -> 'violations') v, COALESCE(v ->> 'collection', v ->> 'log', v ->> 'table') named
        HAVING count(*) = (detail::jsonb ->> 'total')::bigint;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail, HINT = hint, CONSTRAINT = 'docstore_expected_version',
        SCHEMA = COALESCE(conflict_table[1], ''), TABLE = COALESCE(conflict_table[2], '');
END
$$;

-- What goes to the server, and the same for the application.
-- begin upsert
CREATE FUNCTION tenants.send_upsert(tenant text, collection text, id text, data jsonb, expected_version bigint) RETURNS bigint LANGUAGE plproxy AS $$
    CLUSTER tenants.server_of(tenant); RUN ON 0; TARGET tenants.upsert;
$$;
CREATE FUNCTION tenants.upsert(tenant text, collection text, id text, data jsonb, expected_version bigint DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    RETURN tenants.send_upsert(tenant, collection, id, data, expected_version);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    PERFORM tenants.raise_again(SQLSTATE, message, detail, hint);
END
$$;
-- end upsert

CREATE FUNCTION tenants.send_save(tenant text, changes jsonb, request_id uuid)
RETURNS TABLE (item int, op text, target text, id text, version bigint) LANGUAGE plproxy AS $$
    CLUSTER tenants.server_of(tenant); RUN ON 0; TARGET tenants.save;
$$;
CREATE FUNCTION tenants.save(tenant text, changes jsonb, request_id uuid DEFAULT NULL)
RETURNS TABLE (item int, op text, target text, id text, version bigint) LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    RETURN QUERY SELECT * FROM tenants.send_save(tenant, changes, request_id);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    PERFORM tenants.raise_again(SQLSTATE, message, detail, hint);
END
$$;

-- -1 expects any version.
CREATE FUNCTION tenants.send_append(tenant text, log text, stream text, events jsonb, expected_version bigint, scopes jsonb)
RETURNS TABLE (version bigint, log_position bigint) LANGUAGE plproxy AS $$
    CLUSTER tenants.server_of(tenant); RUN ON 0; TARGET tenants.append;
$$;
CREATE FUNCTION tenants.append(tenant text, log text, stream text, events jsonb, expected_version bigint DEFAULT -1, scopes jsonb DEFAULT NULL)
RETURNS TABLE (version bigint, log_position bigint) LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    RETURN QUERY SELECT * FROM tenants.send_append(tenant, log, stream, events, expected_version, scopes);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    PERFORM tenants.raise_again(SQLSTATE, message, detail, hint);
END
$$;

CREATE FUNCTION tenants.send_load(tenant text, collection text, id text)
RETURNS TABLE (version bigint, data jsonb, created_at timestamptz, updated_at timestamptz) LANGUAGE plproxy AS $$
    CLUSTER tenants.server_of(tenant); RUN ON 0; TARGET tenants.load;
$$;
CREATE FUNCTION tenants.load(tenant text, collection text, id text)
RETURNS TABLE (version bigint, data jsonb, created_at timestamptz, updated_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    RETURN QUERY SELECT * FROM tenants.send_load(tenant, collection, id);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    PERFORM tenants.raise_again(SQLSTATE, message, detail, hint);
END
$$;

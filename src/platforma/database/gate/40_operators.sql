-- Operators: their sign-in, and their one way into a tenant's rows.

CREATE OR REPLACE FUNCTION gate.create_operator(email text, name text, new_salt bytea, new_verifier bytea) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    operator uuid := gen_random_uuid();
BEGIN
    INSERT INTO public.operators (id, email, name) VALUES (operator, email, name);
    INSERT INTO gate.operator_credentials (operator_id, salt, verifier) VALUES (operator, new_salt, new_verifier);
    RETURN operator;
END
$$;

CREATE OR REPLACE FUNCTION gate.begin_operator_sign_in(
    account text, source text,
    source_capacity double precision, source_refill double precision, account_capacity double precision, account_refill double precision)
RETURNS TABLE (salt bytea, retry_after double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    decoy bytea := substr(gate.hmac(convert_to('operator salt|' || account, 'UTF8')), 1, 16);
BEGIN
    RETURN QUERY SELECT coalesce(
        (SELECT c.salt FROM public.operators o JOIN gate.operator_credentials c ON c.operator_id = o.id
         WHERE o.email = account), decoy),
        gate.spend_attempts('operator|' || source, account,
                            source_capacity, source_refill, account_capacity, account_refill);
END
$$;

CREATE OR REPLACE FUNCTION gate.operator_sign_in(
    account text, stretched bytea, token text, previous_token text, user_agent text, address text,
    idle_seconds integer, lifetime_seconds integer)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    operator uuid := (
        SELECT o.id FROM public.operators o JOIN gate.operator_credentials c ON c.operator_id = o.id
        WHERE o.email = account AND c.verifier = sha256(stretched) AND o.status = 'active');
BEGIN
    IF operator IS NULL OR octet_length(token) < 43 THEN
        RETURN false;
    END IF;
    PERFORM gate.close_operator_session(previous_token);
    INSERT INTO gate.operator_sessions (token_hash, operator_id, user_agent, address, idle_seconds, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), operator, left(user_agent, 512), left(address, 64),
            least(idle_seconds, 86400), now() + make_interval(secs => least(lifetime_seconds, 86400)));
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION gate.open_operator_session(token text)
RETURNS TABLE (operator_id uuid, email text, name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    hash bytea := sha256(convert_to(token, 'UTF8'));
BEGIN
    UPDATE gate.operator_sessions s SET last_seen_at = now()
    WHERE s.token_hash = hash AND s.last_seen_at < now() - interval '1 minute'
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
    RETURN QUERY
    SELECT o.id, o.email, o.name
    FROM gate.operator_sessions s JOIN public.operators o ON o.id = s.operator_id
    WHERE s.token_hash = hash AND s.expires_at > now() AND o.status = 'active'
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now();
END
$$;

CREATE OR REPLACE FUNCTION gate.close_operator_session(token text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM gate.operator_sessions s WHERE s.token_hash = sha256(convert_to(token, 'UTF8'));
    RETURN FOUND;
END
$$;

-- Binds an operator's transaction to a tenant. Who did it and why is written, in the same transaction, to the
-- operators' audit log and to the tenant's own. Who looks at the same again within the hour, for the same reason, is
-- written down once; whatever may change something is written down each time.
CREATE OR REPLACE FUNCTION gate.open_tenant(
    tenant uuid, actor text, action text, reason text, target text DEFAULT NULL)
RETURNS TABLE (tenant_id uuid, portal_id uuid, tenant_name text, tenant_status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    IF coalesce(btrim(reason), '') = '' OR coalesce(btrim(actor), '') = '' THEN
        RAISE EXCEPTION 'An operator''s access to a tenant needs an actor and a reason.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT t.id, t.portal_id, t.name, t.status INTO found FROM public.tenants t WHERE t.id = tenant;
    IF found.id IS NULL THEN
        RETURN;
    END IF;
    IF NOT (open_tenant.action ~ '[.](list|read)$' AND EXISTS (
        SELECT FROM public.operator_audit a
        WHERE a.tenant_id = tenant AND a.actor = open_tenant.actor AND a.action = open_tenant.action
          AND a.reason = open_tenant.reason AND a.details ->> 'target' IS NOT DISTINCT FROM target
          AND a.at > now() - interval '1 hour')) THEN
        INSERT INTO public.operator_audit (actor, action, tenant_id, reason, details)
        VALUES (actor, action, tenant, reason, jsonb_strip_nulls(jsonb_build_object('target', target)));
        INSERT INTO public.audit_events (tenant_id, id, actor, action, target, details)
        VALUES (tenant, gen_random_uuid(), 'operator ' || actor, action, target, jsonb_build_object('reason', reason));
    END IF;
    PERFORM gate.bind(found.id);
    RETURN QUERY SELECT found.id, found.portal_id, found.name, found.status;
END
$$;

-- How far the operators' own acts on a tenant have come, and how many members it has: nothing of what the tenant has,
-- so that it takes no reason and leaves no line.
CREATE OR REPLACE FUNCTION gate.find_standing(tenant uuid)
RETURNS TABLE (members bigint, id uuid, action text, resource_kind text, resource_id uuid, resource_name text,
               requested_by text, status text, progress integer, step text, error jsonb,
               created_at timestamptz, updated_at timestamptz, finished_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT count(*) FROM public.members m WHERE m.tenant_id = tenant),
           o.id, o.action, o.resource_kind, o.resource_id, o.resource_name, o.requested_by, o.status, o.progress,
           o.step, o.error, o.created_at, o.updated_at, o.finished_at
    FROM (SELECT) one LEFT JOIN LATERAL (
        SELECT * FROM public.operations p WHERE p.tenant_id = tenant AND p.plane = 'platform'
        ORDER BY p.id DESC LIMIT 1) o ON true
$$;

-- The reason for which the operator of this session has opened a tenant since signing in, or NULL.
CREATE OR REPLACE FUNCTION gate.find_reason(token text, tenant uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.reason
    FROM gate.operator_sessions s
    JOIN public.operators o ON o.id = s.operator_id
    JOIN public.operator_audit a ON a.actor = o.email AND a.tenant_id = tenant
                                AND a.action = 'tenant.open' AND a.at >= s.created_at
    WHERE s.token_hash = sha256(convert_to(token, 'UTF8'))
    ORDER BY a.at DESC LIMIT 1
$$;

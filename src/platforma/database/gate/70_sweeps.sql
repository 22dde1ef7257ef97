-- The sweep: workers' turns at tenants' projects, and what operators see of the findings.

CREATE OR REPLACE FUNCTION gate.add_sweeps() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH made AS (
        INSERT INTO public.sweeps (tenant_id, id)
        SELECT t.id, gen_random_uuid() FROM public.tenants t
        WHERE t.status = 'active' AND NOT EXISTS (SELECT FROM public.sweeps s WHERE s.tenant_id = t.id)
        ON CONFLICT DO NOTHING
        RETURNING 1)
    SELECT count(*)::integer FROM made
$$;

-- Takes the turn at a project that is due, and binds the transaction to its tenant. No worker names a tenant. A turn
-- that never ends, because its worker died, is taken again when the lease is over, and later each time.
CREATE OR REPLACE FUNCTION gate.take_sweep(lease_seconds double precision)
RETURNS TABLE (tenant_id uuid, lease uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    due record;
    token uuid := gen_random_uuid();
BEGIN
    SELECT s.tenant_id, s.id, s.attempts INTO due
    FROM public.sweeps s JOIN public.tenants t ON t.id = s.tenant_id
    WHERE s.wake_at <= clock_timestamp() AND t.status IN ('active', 'suspended')
    ORDER BY s.wake_at LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
    IF due.tenant_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE public.sweeps s
    SET lease = token, attempts = due.attempts + 1,
        wake_at = clock_timestamp() + make_interval(secs => lease_seconds * power(2, least(due.attempts, 4)))
    WHERE s.tenant_id = due.tenant_id AND s.id = due.id;
    PERFORM gate.bind(due.tenant_id);
    RETURN QUERY SELECT due.tenant_id, token;
END
$$;

-- Binds the transaction to the tenant at whose project the caller has the turn.
CREATE OR REPLACE FUNCTION gate.open_sweep(turn uuid) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found uuid;
BEGIN
    SELECT s.tenant_id INTO found FROM public.sweeps s WHERE s.lease = turn FOR UPDATE;
    IF found IS NULL THEN
        RETURN;
    END IF;
    PERFORM gate.bind(found);
    RETURN QUERY SELECT found;
END
$$;

-- Has the provisioner take away from the bound tenant's security groups what only an administrator of the cloud can: the
-- rules of other projects. A tenant's worker can ask for nothing else of the platform's plane, and for this only while
-- a sweep's finding of such a rule stays although it is being mended.
CREATE OR REPLACE FUNCTION gate.request_eviction() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := gate.current_tenant();
    operation uuid := gen_random_uuid();
BEGIN
    INSERT INTO public.operations (
        tenant_id, id, plane, action, resource_kind, resource_id, resource_name, requested_by)
    SELECT t.id, operation, 'platform', 'tenant.evict', 'tenant', t.id, t.name, 'platforma'
    FROM public.tenants t
    WHERE t.id = tenant AND t.status = 'active'
      AND EXISTS (
        SELECT FROM public.sweep_findings f
        WHERE f.tenant_id = t.id AND f.kind = 'rule-added' AND f.status = 'mending')
      AND NOT EXISTS (
        SELECT FROM public.operations o
        WHERE o.tenant_id = t.id AND o.plane = 'platform' AND o.status IN ('queued', 'running'));
    IF FOUND THEN
        PERFORM gate.add_job(tenant, 'platform', operation, gate.lock_of(tenant, tenant), 0);
    END IF;
END
$$;

-- Has every project looked at now.
CREATE OR REPLACE FUNCTION gate.request_sweeps() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH due AS (UPDATE public.sweeps SET wake_at = now() WHERE wake_at > now() RETURNING 1)
    SELECT count(*)::integer FROM due
$$;

-- What the sweeps have found in all tenants, the newest first: security evidence, and nothing else of the tenants.
CREATE OR REPLACE FUNCTION gate.sweep_findings(is_open boolean, most integer) RETURNS TABLE (findings jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.last_seen_at DESC, f.id), '[]') FROM (
        SELECT s.id, s.tenant_id, t.name AS tenant_name, p.name AS portal, s.kind, s.subject, s.evidence, s.status,
               s.first_seen_at, s.last_seen_at, s.ended_at
        FROM public.sweep_findings s JOIN public.tenants t ON t.id = s.tenant_id JOIN public.portals p ON p.id = t.portal_id
        WHERE (s.status IN ('open', 'mending')) = is_open
        ORDER BY s.last_seen_at DESC, s.id LIMIT least(most, 1000)) f
$$;

-- How the sweeps go.
CREATE OR REPLACE FUNCTION gate.sweep_state() RETURNS TABLE (state jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'projects', count(*), 'oldest_finished_at', min(s.finished_at),
        'never_finished', count(*) FILTER (WHERE s.finished_at IS NULL),
        'troubles', coalesce(jsonb_agg(DISTINCT s.trouble) FILTER (WHERE s.trouble IS NOT NULL), '[]'))
    FROM public.sweeps s JOIN public.tenants t ON t.id = s.tenant_id
    WHERE t.status IN ('active', 'suspended')
$$;

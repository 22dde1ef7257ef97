-- Operations: how a job gets bound to its tenant, and how an operation becomes a job.

-- Which plane a process may work on, by the role that it signed in with.
CREATE OR REPLACE FUNCTION gate.own_plane() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE session_user WHEN 'platforma_worker' THEN 'tenant' WHEN 'platforma_provisioner' THEN 'platform' END
$$;

-- Binds the transaction to the tenant whose operation this is. The operation's row was written under
-- row-level security, so the chain from the person's session is unbroken. The worker opens the tenants' own
-- operations, the provisioner those that need the administrator's rights; neither can open the other's.
-- Keys are by tenant, so that two tenants can have an operation of the same id, if somebody has learned another's
-- and speaks SQL as the portal. The elder is meant: its time of birth is the transaction's, by a policy.
CREATE OR REPLACE FUNCTION gate.open_operation(operation uuid)
RETURNS TABLE (tenant_id uuid, portal_id uuid, tenant_name text, tenant_status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    SELECT t.id, t.portal_id, t.name, t.status INTO found
    FROM public.operations o JOIN public.tenants t ON t.id = o.tenant_id
    WHERE o.id = operation AND o.plane = gate.own_plane()
    ORDER BY o.created_at LIMIT 1;
    IF found.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM gate.bind(found.id);
    RETURN QUERY SELECT found.id, found.portal_id, found.name, found.status;
END
$$;

-- Queues the job of an operation of the bound tenant. Callers name nothing but the operation: neither task,
-- nor queue, nor arguments. Jobs of one resource run one after another (gate.lock_of); an operation
-- waits in the queue at most once. What waits for its time on the same resource is woken when there is
-- something to do at once, because it would be in the way.
CREATE OR REPLACE FUNCTION gate.defer_operation(operation uuid, delay_seconds double precision DEFAULT 0) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, jobs, pg_temp
AS $$
DECLARE
    wanted public.operations;
    wanted_lock text;
BEGIN
    SELECT * INTO wanted FROM public.operations o
    WHERE o.id = operation AND o.tenant_id = gate.current_tenant()
      AND o.plane = CASE session_user WHEN 'platforma_portal' THEN 'tenant' ELSE o.plane END;
    IF wanted.id IS NULL THEN
        RAISE EXCEPTION 'There is no such operation in the bound tenant.' USING ERRCODE = 'no_data_found';
    END IF;
    wanted_lock := gate.lock_of(wanted.tenant_id, wanted.resource_id);
    IF delay_seconds <= 0 THEN
        UPDATE jobs.procrastinate_jobs j SET scheduled_at = NULL
        WHERE j.lock = wanted_lock AND j.status = 'todo' AND j.scheduled_at > clock_timestamp();
    END IF;
    PERFORM gate.add_job(wanted.tenant_id, wanted.plane, wanted.id, wanted_lock, delay_seconds);
END
$$;

-- Writes a job, unless the operation has one waiting. The more a tenant has under way, the later its next job is
-- taken: who asks for a hundred things does not keep others waiting who ask for one. Granted to no role.
CREATE OR REPLACE FUNCTION gate.add_job(
    tenant uuid, plane text, operation uuid, lock text, delay_seconds double precision) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, jobs, pg_temp
AS $$
DECLARE
    under_way integer := (
        SELECT count(*) FROM public.operations o
        WHERE o.tenant_id = tenant AND o.plane = add_job.plane AND o.status IN ('queued', 'running'));
BEGIN
    PERFORM jobs.procrastinate_defer_jobs_v1(ARRAY[ROW(
        gate.queue_of(plane), 'reconcile', -under_way, lock, gate.queueing_lock(tenant, operation),
        jsonb_build_object('operation_id', operation),
        CASE WHEN delay_seconds > 0 THEN clock_timestamp() + make_interval(secs => least(delay_seconds, 3600)) END
    )]::jobs.procrastinate_job_to_defer_v1[]);
EXCEPTION WHEN unique_violation THEN
    NULL; -- it waits in the queue already
END
$$;

-- An operation's place in the queue: a tenant's own, whatever ids another tenant gives to operations of its.
CREATE OR REPLACE FUNCTION gate.queueing_lock(tenant uuid, operation uuid) RETURNS text
LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'operation:' || operation || ':' || tenant
$$;

-- The lock under which the jobs of a resource run: the tenant is part of it, so that no id of another tenant's
-- resource holds that tenant's jobs up.
CREATE OR REPLACE FUNCTION gate.lock_of(tenant uuid, resource uuid) RETURNS text
LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT tenant || ':' || resource
$$;

CREATE OR REPLACE FUNCTION gate.queue_of(plane text) RETURNS text
LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE plane WHEN 'tenant' THEN 'resources' WHEN 'platform' THEN 'provisioning' END
$$;

-- Queues again what dead workers of the caller's own plane have left behind: the jobs that a worker was doing
-- when its heartbeat ended, and unfinished operations that have no job at all. The claim of such an operation
-- ends here, so that a worker that was only frozen records nothing when it thaws. A job that is queued again
-- is a new row: the frozen worker still knows the old one, and would delete it on its return.
CREATE OR REPLACE FUNCTION gate.reap_jobs(stalled_after_seconds double precision, quiet_seconds double precision)
RETURNS TABLE (abandoned integer, stranded integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, jobs, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    own_plane text := gate.own_plane();
    dead record;
BEGIN
    abandoned := 0;
    stranded := 0;
    FOR dead IN
        SELECT j.id, o.id AS operation, o.tenant_id, gate.lock_of(o.tenant_id, o.resource_id) AS lock
        FROM jobs.procrastinate_jobs j
        LEFT JOIN jobs.procrastinate_workers w ON w.id = j.worker_id
        LEFT JOIN public.operations o ON o.id = (j.args ->> 'operation_id')::uuid AND o.plane = own_plane
        WHERE j.status = 'doing' AND j.queue_name = gate.queue_of(own_plane)
          AND (w.id IS NULL OR w.last_heartbeat < clock_timestamp() - make_interval(secs => stalled_after_seconds))
        ORDER BY j.id
        FOR UPDATE OF j SKIP LOCKED
    LOOP
        DELETE FROM jobs.procrastinate_jobs j WHERE j.id = dead.id;
        abandoned := abandoned + 1;
        IF dead.operation IS NOT NULL THEN
            UPDATE public.operations o SET claim = NULL
            WHERE o.tenant_id = dead.tenant_id AND o.id = dead.operation;
            PERFORM gate.add_job(dead.tenant_id, own_plane, dead.operation, dead.lock, 0);
        END IF;
    END LOOP;
    FOR dead IN
        SELECT o.id AS operation, o.tenant_id, gate.lock_of(o.tenant_id, o.resource_id) AS lock
        FROM public.operations o
        WHERE o.plane = own_plane AND o.status IN ('queued', 'running')
          AND o.updated_at < clock_timestamp() - make_interval(secs => quiet_seconds)
          AND NOT EXISTS (
              SELECT FROM jobs.procrastinate_jobs j WHERE j.queueing_lock = gate.queueing_lock(o.tenant_id, o.id) AND j.status = 'todo')
          AND NOT EXISTS (
              SELECT FROM jobs.procrastinate_jobs j
              WHERE j.lock = gate.lock_of(o.tenant_id, o.resource_id) AND j.queueing_lock = gate.queueing_lock(o.tenant_id, o.id) AND j.status = 'doing')
        ORDER BY o.id
        FOR UPDATE OF o SKIP LOCKED
    LOOP
        UPDATE public.operations o SET claim = NULL, updated_at = clock_timestamp()
        WHERE o.tenant_id = dead.tenant_id AND o.id = dead.operation;
        PERFORM gate.add_job(dead.tenant_id, own_plane, dead.operation, dead.lock, 0);
        stranded := stranded + 1;
    END LOOP;
    RETURN NEXT;
END
$$;

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
    WHERE o.id = operation AND o.plane = gate.own_plane();
    IF found.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM gate.bind(found.id);
    RETURN QUERY SELECT found.id, found.portal_id, found.name, found.status;
END
$$;

-- Queues the job of an operation of the bound tenant. Callers name nothing but the operation: neither task,
-- nor queue, nor arguments. Jobs of one resource run one after another (its id is the lock); an operation
-- waits in the queue at most once.
CREATE OR REPLACE FUNCTION gate.defer_operation(operation uuid, delay_seconds double precision DEFAULT 0) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = gate, jobs, pg_catalog, pg_temp
AS $$
DECLARE
    wanted public.operations;
BEGIN
    SELECT * INTO wanted FROM public.operations o
    WHERE o.id = operation AND o.tenant_id = gate.current_tenant()
      AND o.plane = CASE session_user WHEN 'platforma_portal' THEN 'tenant' ELSE o.plane END;
    IF wanted.id IS NULL THEN
        RAISE EXCEPTION 'There is no such operation in the bound tenant.' USING ERRCODE = 'no_data_found';
    END IF;
    BEGIN
        PERFORM jobs.procrastinate_defer_jobs_v1(ARRAY[ROW(
            CASE wanted.plane WHEN 'tenant' THEN 'resources' ELSE 'provisioning' END, 'reconcile', 0,
            wanted.resource_id::text, 'operation:' || wanted.id, jsonb_build_object('operation_id', wanted.id),
            CASE WHEN delay_seconds > 0 THEN clock_timestamp() + make_interval(secs => delay_seconds) END
        )]::jobs.procrastinate_job_to_defer_v1[]);
    EXCEPTION WHEN unique_violation THEN
        NULL; -- it waits in the queue already
    END;
END
$$;

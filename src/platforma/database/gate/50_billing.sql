-- Billing: what the rows of tenants use, written down by the transaction that changes it, and what it costs.

-- The trigger of every metered table (`Meter`). Its arguments are the item and the quantity, as SQL over the row.
-- An event says how many units of an item a resource uses from a moment on, 0 being the end. The moments of one
-- resource only ever grow, whatever the clock does: the row is locked while this runs.
CREATE OR REPLACE FUNCTION gate.meter() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expression text := format('SELECT (%s)::text AS item, (%s)::bigint AS quantity FROM (SELECT ($1).*) r',
                              TG_ARGV[0], TG_ARGV[1]);
    subject record;
    before record;
    present record;
    moment timestamptz;
BEGIN
    EXECUTE expression INTO before USING CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
    EXECUTE expression INTO present USING CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    IF TG_OP = 'INSERT' OR before.item IS NULL OR coalesce(before.quantity, 0) <= 0 THEN
        before.item := NULL;
        before.quantity := 0;
    END IF;
    IF TG_OP = 'DELETE' OR present.item IS NULL OR coalesce(present.quantity, 0) <= 0 THEN
        present.item := NULL;
        present.quantity := 0;
    END IF;
    IF before.item IS NOT DISTINCT FROM present.item AND before.quantity = present.quantity THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        subject := OLD;
    ELSE
        subject := NEW;
    END IF;
    SELECT greatest(clock_timestamp(), max(e.at) + interval '1 microsecond') INTO moment
    FROM public.usage_events e WHERE e.tenant_id = subject.tenant_id AND e.resource_id = subject.id;
    INSERT INTO public.usage_events (tenant_id, id, resource_kind, resource_id, resource_name, item, quantity, at)
    SELECT subject.tenant_id, gen_random_uuid(), TG_TABLE_NAME, subject.id, subject.name, change.item, change.quantity, moment
    FROM (VALUES (CASE WHEN before.item IS DISTINCT FROM present.item THEN before.item END, 0::bigint),
                 (present.item, present.quantity)) change (item, quantity)
    WHERE change.item IS NOT NULL;
    RETURN NULL;
END
$$;

-- The price books of the bound tenant's portal, and of no other, the oldest first. Numbers are text, to stay exact.
CREATE OR REPLACE FUNCTION gate.own_prices() RETURNS TABLE (books jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'begins', b.effective_from,
        'currency', b.currency,
        'prices', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'item', p.item, 'label', p.label, 'unit', p.unit,
            'amount', p.amount::text, 'free_units', p.free_units::text) ORDER BY p.item), '[]')
            FROM public.prices p WHERE p.book_id = b.id)
        ) ORDER BY b.effective_from), '[]')
    FROM public.price_books b JOIN public.tenants t ON t.portal_id = b.portal_id
    WHERE t.id = gate.current_tenant()
$$;

-- What the tenants of a portal used between two moments, by tenant and item, in units times microseconds. For operators,
-- who try new prices on it.
CREATE OR REPLACE FUNCTION gate.portal_usage(portal uuid, first timestamptz, last timestamptz) RETURNS TABLE (uses jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH lived AS (
        SELECT e.tenant_id, e.item, e.quantity, e.at,
               lead(e.at) OVER (PARTITION BY e.tenant_id, e.resource_id, e.item ORDER BY e.at, e.id) AS until
        FROM public.usage_events e JOIN public.tenants t ON t.id = e.tenant_id
        WHERE t.portal_id = portal AND e.at < last
    ), used AS (
        SELECT l.tenant_id, l.item, l.quantity * extract(epoch FROM
                   least(coalesce(l.until, last), last) - greatest(l.at, first)) * 1000000 AS units
        FROM lived l
        WHERE l.quantity > 0 AND coalesce(l.until, last) > first
        UNION ALL
        SELECT c.tenant_id, c.item, c.unit_seconds::numeric * 1000000
        FROM public.usage_corrections c JOIN public.tenants t ON t.id = c.tenant_id
        WHERE t.portal_id = portal AND c.at >= first AND c.at < last
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('tenant_id', s.tenant_id, 'tenant_name', s.name, 'item', s.item,
                                                 'units', s.units::text) ORDER BY s.tenant_id, s.item), '[]')
    FROM (SELECT u.tenant_id, t.name, u.item, trunc(sum(u.units)) AS units
          FROM used u JOIN public.tenants t ON t.id = u.tenant_id GROUP BY 1, 2, 3) s
$$;

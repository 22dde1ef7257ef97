-- Invoices: accounts, turns of workers at them, terms of portals, numbers.

-- Makes the billing account of every tenant that has none: its usage is invoiced from the month on in which it began.
CREATE OR REPLACE FUNCTION gate.add_billing_accounts() RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH made AS (
        INSERT INTO public.billing_accounts (tenant_id, id, billed_until)
        SELECT t.id, gen_random_uuid(), date_trunc('month', least(now(), (
            SELECT min(e.at) FROM public.usage_events e WHERE e.tenant_id = t.id)), 'UTC')
        FROM public.tenants t
        WHERE NOT EXISTS (SELECT FROM public.billing_accounts a WHERE a.tenant_id = t.id)
        ON CONFLICT DO NOTHING
        RETURNING 1)
    SELECT count(*)::integer FROM made
$$;

-- Takes the turn at an account that is due, and binds the transaction to its tenant. No worker names a tenant: which
-- one it gets is decided here. A turn that never ends, because its worker died, is taken again when the lease is over,
-- and later each time.
CREATE OR REPLACE FUNCTION gate.take_billing_turn(lease_seconds double precision)
RETURNS TABLE (tenant_id uuid, lease uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    due record;
    token uuid := gen_random_uuid();
BEGIN
    SELECT a.tenant_id, a.id, a.attempts INTO due FROM public.billing_accounts a
    WHERE a.wake_at <= clock_timestamp() ORDER BY a.wake_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF due.tenant_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE public.billing_accounts a
    SET lease = token, attempts = due.attempts + 1,
        wake_at = clock_timestamp() + make_interval(secs => lease_seconds * power(2, least(due.attempts, 8)))
    WHERE a.tenant_id = due.tenant_id AND a.id = due.id;
    PERFORM gate.bind(due.tenant_id);
    RETURN QUERY SELECT due.tenant_id, token;
END
$$;

-- Binds the transaction to the tenant at whose account the caller has the turn, and locks the account.
CREATE OR REPLACE FUNCTION gate.open_billing_turn(turn uuid) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found uuid;
BEGIN
    SELECT a.tenant_id INTO found FROM public.billing_accounts a WHERE a.lease = turn FOR UPDATE;
    IF found IS NULL THEN
        RETURN;
    END IF;
    PERFORM gate.bind(found);
    RETURN QUERY SELECT found;
END
$$;

-- Who issues the invoices of the bound tenant's portal, and the portal's tax rates. No other portal's.
CREATE OR REPLACE FUNCTION gate.own_terms() RETURNS TABLE (terms jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'seller', (SELECT to_jsonb(s) FROM public.sellers s WHERE s.portal_id = t.portal_id),
        'rates', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'country', r.country, 'effective_from', r.effective_from, 'label', r.label, 'percent', r.percent::text,
            'business_percent', r.business_percent::text, 'business_note', r.business_note)
            ORDER BY r.effective_from, r.country), '[]') FROM public.tax_rates r WHERE r.portal_id = t.portal_id))
    FROM public.tenants t WHERE t.id = gate.current_tenant()
$$;

-- The next number of a document of the bound tenant's portal. Its row is locked until the transaction ends, so that a
-- number is used by the next document if this one does not come about: there are no gaps.
CREATE OR REPLACE FUNCTION gate.next_document_number(document text) RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO gate.invoice_series AS s (portal_id, kind, last)
    SELECT t.portal_id, document, 1 FROM public.tenants t
    WHERE t.id = gate.current_tenant() AND document IN ('invoice', 'credit_note')
    ON CONFLICT (portal_id, kind) DO UPDATE SET last = s.last + 1
    RETURNING s.last
$$;

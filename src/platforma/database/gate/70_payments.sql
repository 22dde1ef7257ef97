-- Payments: whose customer is whose, what Stripe tells us, and holding a tenant that does not pay.

-- Says which customer of Stripe the bound tenant is. Once: neither can be bound again, to nobody, by nobody.
CREATE OR REPLACE FUNCTION gate.bind_customer(customer text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bound text;
BEGIN
    IF gate.current_tenant() IS NULL OR coalesce(customer, '') = '' THEN
        RAISE EXCEPTION 'A customer is bound to the tenant of the transaction.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT c.customer_id INTO bound FROM gate.stripe_customers c WHERE c.tenant_id = gate.current_tenant();
    IF bound IS DISTINCT FROM customer THEN
        INSERT INTO gate.stripe_customers (customer_id, tenant_id) VALUES (customer, gate.current_tenant());
    END IF;
    RETURN customer;
END
$$;

-- The customer that the bound tenant is, or null.
CREATE OR REPLACE FUNCTION gate.own_customer() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.customer_id FROM gate.stripe_customers c WHERE c.tenant_id = gate.current_tenant()
$$;

-- Keeps what a verified webhook says for the tenant whose customer it names, once, and lets a worker look. The tenant
-- is derived from the customer and from nothing else. Says whether there is such a customer. Who calls this with a lie
-- has a worker ask Stripe for the truth, and no more.
CREATE OR REPLACE FUNCTION gate.receive_stripe_event(event text, event_type text, customer text, object text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := (SELECT c.tenant_id FROM gate.stripe_customers c WHERE c.customer_id = customer);
BEGIN
    IF tenant IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO public.stripe_events (tenant_id, id, event_id, type, object_id)
    VALUES (tenant, gen_random_uuid(), left(event, 255), left(event_type, 255), left(object, 255))
    ON CONFLICT (tenant_id, event_id) DO NOTHING;
    IF FOUND THEN
        UPDATE public.billing_accounts a SET wake_at = least(a.wake_at, now()) WHERE a.tenant_id = tenant;
    END IF;
    RETURN true;
END
$$;

-- Lets the bound tenant's members change nothing but what helps to pay, or everything again.
CREATE OR REPLACE FUNCTION gate.hold_tenant(hold boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.tenants t SET is_on_hold = hold, updated_at = now()
    WHERE t.id = gate.current_tenant() AND t.is_on_hold <> hold;
    RETURN FOUND;
END
$$;

-- What a portal has earned, by month of issue and currency, and which of its invoices could not be collected, the newest
-- first. For operators: sums, numbers and reasons, and nothing of a card.
CREATE OR REPLACE FUNCTION gate.portal_revenue(portal uuid) RETURNS TABLE (months jsonb, failures jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        (SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.month DESC, m.currency), '[]') FROM (
            SELECT to_char(i.issued_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, i.currency,
                   count(*) FILTER (WHERE i.kind = 'invoice') AS invoices,
                   coalesce(sum(i.net) FILTER (WHERE i.kind = 'invoice'), 0)
                     - coalesce(sum(i.net) FILTER (WHERE i.kind = 'credit_note'), 0) AS net,
                   coalesce(sum(i.tax) FILTER (WHERE i.kind = 'invoice'), 0)
                     - coalesce(sum(i.tax) FILTER (WHERE i.kind = 'credit_note'), 0) AS tax,
                   coalesce(sum(i.paid), 0) AS paid,
                   coalesce(sum(i.total - i.paid - i.credited) FILTER (WHERE i.status = 'open'), 0) AS owed
            FROM public.invoices i JOIN public.tenants t ON t.id = i.tenant_id
            WHERE t.portal_id = portal
            GROUP BY 1, 2 ORDER BY 1 DESC LIMIT 36) m),
        (SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.at DESC), '[]') FROM (
            SELECT t.id AS tenant_id, t.name AS tenant_name, i.number, p.amount, p.currency, p.failure, p.updated_at AS at
            FROM public.payments p
            JOIN public.invoices i ON i.tenant_id = p.tenant_id AND i.id = p.invoice_id
            JOIN public.tenants t ON t.id = p.tenant_id
            WHERE t.portal_id = portal AND p.status = 'failed' AND i.status = 'open'
            ORDER BY p.updated_at DESC LIMIT 100) f)
$$;

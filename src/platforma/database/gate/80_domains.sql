-- Domains of portals: which host leads where, and the proof that it may. Nobody below the operators can write one; the
-- provisioner says what it saw in the DNS, and the rules are here.

-- Another portal's domain that stands in the way of this host: one above or below it that was proven, and has not been
-- free for as long as a released one is held.
CREATE OR REPLACE FUNCTION gate.domain_in_the_way(wanted text, portal uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.host FROM public.domains d
    WHERE d.portal_id <> portal AND d.proven_at IS NOT NULL AND (d.held_until IS NULL OR d.held_until > now())
      AND (right(d.host, length(wanted) + 1) = '.' || wanted OR right(wanted, length(d.host) + 1) = '.' || d.host)
    ORDER BY d.host LIMIT 1
$$;

-- One at a time claims a host or has it proven, so that no two see the way free.
CREATE OR REPLACE FUNCTION gate.lock_domains() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('platforma.domains', 0))
$$;

-- Takes a domain whose record is due to be looked at. Whoever dies with it loses it when the lease is over.
CREATE OR REPLACE FUNCTION gate.take_domain(lease_seconds double precision) RETURNS TABLE (host text, token text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE public.domains d SET wake_at = clock_timestamp() + make_interval(secs => lease_seconds)
    WHERE d.host = (
        SELECT due.host FROM public.domains due
        WHERE due.wake_at <= clock_timestamp() AND due.held_until IS NULL
        ORDER BY due.wake_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING d.host, d.proof_token
$$;

-- Notes what was seen of a domain's record, and returns what changed by it: 'proven', 'lost', 'withdrawn' or NULL. A
-- look for a token that is not the domain's any more changes nothing.
CREATE OR REPLACE FUNCTION gate.note_domain(
    seen_host text, seen_token text, is_found boolean, unanswered text,
    every_seconds double precision, grace_seconds double precision) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    domain record;
    blocker text;
    change text;
    pause double precision;
BEGIN
    PERFORM gate.lock_domains();
    SELECT d.* INTO domain FROM public.domains d
    WHERE d.host = seen_host AND d.proof_token = seen_token AND d.held_until IS NULL AND d.wake_at IS NOT NULL FOR UPDATE;
    IF domain.host IS NULL THEN
        RETURN NULL;
    END IF;
    IF unanswered IS NOT NULL THEN
        NULL;
    ELSIF is_found THEN
        blocker := gate.domain_in_the_way(domain.host, domain.portal_id);
        IF domain.is_proven THEN
            domain.withdraws_at := NULL;
        ELSIF blocker IS NOT NULL THEN
            unanswered := 'The record is there, but ' || blocker || ' is another portal''s.';
        ELSE
            change := 'proven';
            domain.withdraws_at := NULL;
        END IF;
    ELSE
        unanswered := 'There is no such record yet.';
        IF domain.is_proven THEN
            unanswered := 'The record has gone.';
            IF domain.withdraws_at IS NULL THEN
                change := 'lost';
                domain.withdraws_at := clock_timestamp() + make_interval(secs => grace_seconds);
            END IF;
            IF domain.withdraws_at <= clock_timestamp() THEN
                change := 'withdrawn';
                domain.withdraws_at := NULL;
            END IF;
        END IF;
    END IF;
    -- What is to be proven is looked at often at first, and what may be lost more often than what is well.
    pause := CASE WHEN change IS NOT DISTINCT FROM 'proven' OR (domain.is_proven AND unanswered IS NULL) THEN every_seconds
                  WHEN domain.is_proven THEN least(every_seconds, 600)
                  ELSE least(every_seconds, greatest(20, extract(epoch FROM now() - domain.created_at) / 20)) END;
    UPDATE public.domains d
    SET is_proven = CASE change WHEN 'proven' THEN true WHEN 'withdrawn' THEN false ELSE d.is_proven END,
        proven_at = CASE WHEN change = 'proven' THEN now() ELSE d.proven_at END,
        withdraws_at = domain.withdraws_at, checked_at = clock_timestamp(), trouble = unanswered,
        wake_at = clock_timestamp() + make_interval(secs => pause)
    WHERE d.host = domain.host;
    IF change IS NOT NULL THEN
        INSERT INTO public.operator_audit (actor, action, reason, details)
        SELECT 'platforma', 'domain.' || change, 'What the DNS says.',
               jsonb_build_object('portal', p.name, 'host', domain.host)
        FROM public.portals p WHERE p.id = domain.portal_id;
    END IF;
    RETURN change;
END
$$;

-- Whether a certificate may be asked for: a proven host of a portal that is open.
CREATE OR REPLACE FUNCTION gate.is_certifiable(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM public.domains d JOIN public.portals p ON p.id = d.portal_id
                   WHERE d.host = wanted AND d.is_proven AND p.status = 'active')
$$;

-- A picture of the brand of the open portal behind a host, by the digest of its content.
CREATE OR REPLACE FUNCTION gate.find_brand_file(host text, wanted text) RETURNS TABLE (media_type text, content bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT f.media_type, f.content
    FROM gate.find_portal(find_brand_file.host) p JOIN public.brand_files f ON f.portal_id = p.portal_id
    WHERE f.digest = wanted LIMIT 1
$$;

-- Signing in, and opening a session: the only ways in which a portal process gets bound to a tenant.

-- The host that links to a portal are made with: the canonical one, or else the first that was proven.
CREATE OR REPLACE FUNCTION gate.canonical_host(portal uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.host FROM public.domains d WHERE d.portal_id = portal AND d.is_proven
    ORDER BY d.is_canonical DESC, d.created_at, d.host LIMIT 1
$$;

-- The active portal behind a host, for its brand before anybody has signed in, and whether there is any Kubernetes
-- cluster, which its navigation goes by. No row for an unknown host, none for one that is not proven, and none for a
-- suspended portal's.
CREATE OR REPLACE FUNCTION gate.find_portal(host text)
RETURNS TABLE (portal_id uuid, name text, title text, brand jsonb, canonical_host text, has_kubernetes boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.id, p.name, p.title,
           p.brand || jsonb_build_object('files', (
               SELECT coalesce(jsonb_object_agg(f.kind, f.digest), '{}') FROM public.brand_files f WHERE f.portal_id = p.id)),
           gate.canonical_host(p.id),
           EXISTS (SELECT FROM public.clusters)
    FROM public.domains d JOIN public.portals p ON p.id = d.portal_id
    WHERE d.is_proven AND d.host = find_portal.host AND p.status = 'active'
$$;

-- Spends one attempt from a token bucket and says how many seconds to wait, or 0. The number of buckets is
-- fixed: half of them are for sources, half for accounts, and their places are keyed, so that nobody can aim at
-- another's. Whoever shares a bucket waits no longer than it takes to refill by one attempt.
CREATE OR REPLACE FUNCTION gate.spend_attempt(
    is_account boolean, subject text, capacity double precision, refill_per_second double precision)
RETURNS double precision
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    digest bytea := gate.hmac(convert_to('attempt|' || subject, 'UTF8'));
    bucket integer := ((get_byte(digest, 0) << 8 | get_byte(digest, 1)) & 8191) + CASE WHEN is_account THEN 8192 ELSE 0 END;
    level double precision;
BEGIN
    IF NOT (capacity >= 1 AND refill_per_second > 0) THEN
        RAISE EXCEPTION 'A limit admits at least one attempt, and grows back.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT greatest(0, least(b.spent, capacity)
                       - refill_per_second * greatest(0, extract(epoch FROM clock_timestamp() - b.at)))
    INTO level FROM gate.sign_in_buckets b WHERE b.id = bucket FOR UPDATE;
    IF level + 1 > capacity THEN
        RETURN greatest(1, (level + 1 - capacity) / refill_per_second);
    END IF;
    UPDATE gate.sign_in_buckets b SET spent = level + 1, at = clock_timestamp() WHERE b.id = bucket;
    RETURN 0;
END
$$;

-- Spends from the source and, only if that is allowed, from the source at the account: so one source cannot fill
-- the buckets of accounts. Never from the account alone, or anybody could lock its owner out.
CREATE OR REPLACE FUNCTION gate.spend_attempts(
    source text, account text,
    source_capacity double precision, source_refill double precision,
    account_capacity double precision, account_refill double precision) RETURNS double precision
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wait double precision := gate.spend_attempt(false, 'source|' || source, source_capacity, source_refill);
BEGIN
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    RETURN gate.spend_attempt(true, 'account|' || source || '|' || account, account_capacity, account_refill);
END
$$;

-- First half of signing in: the salt to stretch the password with. An e-mail without an account gets a salt
-- too, always the same one, so that the answer does not tell.
CREATE OR REPLACE FUNCTION gate.begin_sign_in(
    host text, account text, source text,
    source_capacity double precision, source_refill double precision, account_capacity double precision, account_refill double precision)
RETURNS TABLE (salt bytea, retry_after double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    portal uuid := (SELECT p.portal_id FROM gate.find_portal(begin_sign_in.host) p);
    -- Made whether it is needed or not, so that both answers take the same time.
    decoy bytea := substr(gate.hmac(convert_to('salt|' || coalesce(portal::text, '') || '|' || account, 'UTF8')), 1, 16);
BEGIN
    IF portal IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT coalesce(
        (SELECT c.salt FROM gate.credentials c WHERE c.portal_id = portal AND c.email = account), decoy),
        gate.spend_attempts(source, portal || '|' || account,
                            source_capacity, source_refill, account_capacity, account_refill);
END
$$;

-- Second half: the stretched password is checked here, and a session is made. `stretched` never reaches a
-- table: its SHA-256 is compared. The session that the browser had before, if any, ends: a token never
-- outlives a sign-in (OWASP ASVS 7.2.4). No row when the sign-in failed, whatever the reason.
CREATE OR REPLACE FUNCTION gate.sign_in(
    host text, account text, stretched bytea, token text, previous_token text,
    user_agent text, address text, idle_seconds integer, lifetime_seconds integer, new_session_id uuid)
RETURNS TABLE (session_id uuid, member_id uuid, tenant_id uuid, portal_id uuid, role text, email text, name text,
               tenant_name text, tenant_status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    SELECT m.tenant_id, m.id AS member_id, p.portal_id INTO found
    FROM gate.find_portal(sign_in.host) p
    JOIN gate.credentials c ON c.portal_id = p.portal_id AND c.email = account
    JOIN public.members m ON m.tenant_id = c.tenant_id AND m.id = c.member_id
    JOIN public.tenants t ON t.id = m.tenant_id AND t.portal_id = p.portal_id
    WHERE c.verifier = sha256(stretched)
      AND m.status = 'active' AND t.status IN ('onboarding', 'active', 'offboarding')
    FOR SHARE OF c; -- a password that is being changed signs nobody in any more
    IF found.member_id IS NULL THEN
        PERFORM gate.note_refusal(sign_in.host, sign_in.account, sign_in.address);
        RETURN;
    END IF;
    IF previous_token IS NOT NULL THEN
        PERFORM gate.close_session(previous_token, sign_in.host);
    END IF;
    PERFORM gate.start_session(found.tenant_id, found.member_id, found.portal_id, token, user_agent, address,
                               idle_seconds, lifetime_seconds, sign_in.new_session_id);
    RETURN QUERY SELECT * FROM gate.open_session(token, sign_in.host);
END
$$;

-- Writes down in the tenant's audit log that a member was not let in. One row an hour for each member, which counts:
-- nobody fills the log from outside, and an e-mail without an account leaves no row. Either way one row is
-- changed and the commit waits for no disk, so that the time does not tell. Granted to no role.
CREATE OR REPLACE FUNCTION gate.note_refusal(host text, account text, address text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known record;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT c.tenant_id, c.email INTO known
    FROM gate.find_portal(note_refusal.host) p
    JOIN gate.credentials c ON c.portal_id = p.portal_id AND c.email = note_refusal.account;
    IF known.tenant_id IS NULL THEN
        UPDATE gate.sign_in_buckets b SET at = b.at
        WHERE b.id = 8192 + (get_byte(sha256(convert_to(note_refusal.account, 'UTF8')), 0));
        RETURN;
    END IF;
    UPDATE public.audit_events e
    SET details = jsonb_build_object(
        'attempts', (e.details ->> 'attempts')::integer + 1, 'address', left(note_refusal.address, 64))
    WHERE e.tenant_id = known.tenant_id AND e.at > now() - interval '1 hour'
      AND e.action = 'session.refuse' AND e.actor = known.email;
    IF NOT FOUND THEN
        INSERT INTO public.audit_events (tenant_id, id, actor, action, details)
        VALUES (known.tenant_id, gen_random_uuid(), known.email, 'session.refuse',
                jsonb_build_object('attempts', 1, 'address', left(note_refusal.address, 64)));
    END IF;
END
$$;

-- Writes down what a member did to the own way in. Granted to no role.
CREATE OR REPLACE FUNCTION gate.note_act(tenant uuid, member uuid, action text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO public.audit_events (tenant_id, id, actor, action)
    SELECT m.tenant_id, gen_random_uuid(), m.email, note_act.action
    FROM public.members m WHERE m.tenant_id = tenant AND m.id = member
$$;

-- Writes a session and the hash of its token. Granted to no role.
CREATE OR REPLACE FUNCTION gate.start_session(
    tenant uuid, member uuid, portal uuid, token text, user_agent text, address text,
    idle_seconds integer, lifetime_seconds integer, session uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF octet_length(token) < 43 THEN
        RAISE EXCEPTION 'A session token needs 256 bits.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO public.sessions (tenant_id, id, member_id, portal_id, user_agent, address, idle_seconds, expires_at)
    VALUES (tenant, session, member, portal, left(user_agent, 512), left(address, 64),
            least(idle_seconds, 86400), now() + make_interval(secs => least(lifetime_seconds, 30 * 86400)));
    INSERT INTO gate.session_tokens (token_hash, tenant_id, session_id)
    VALUES (sha256(convert_to(token, 'UTF8')), tenant, session);
END
$$;

-- Authenticates a request and binds its transaction to the tenant, in one call. Its rows are looked up one after
-- another, each by its key (a LIMIT keeps the order): the planner knows nothing of tenants' values, and would else go
-- through all the sessions of a tenant, which takes the longer the more there are. No row unless the session is
-- live, belongs to this host's portal, and session, member, tenant and portal are all active. The time of last
-- use is written at most once a minute, so that a busy session does not become a busy row.
CREATE OR REPLACE FUNCTION gate.open_session(token text, host text)
RETURNS TABLE (session_id uuid, member_id uuid, tenant_id uuid, portal_id uuid, role text, email text, name text,
               tenant_name text, tenant_status text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    found record;
BEGIN
    SELECT s.id AS session_id, m.id AS member_id, t.id AS tenant_id, p.id AS portal_id,
           m.role, m.email, m.name, t.name AS tenant_name,
           CASE WHEN t.is_on_hold THEN 'on_hold' ELSE t.status END AS tenant_status, s.last_seen_at
    INTO found
    FROM (SELECT tenant_id, session_id FROM gate.session_tokens
          WHERE token_hash = sha256(convert_to(open_session.token, 'UTF8')) LIMIT 1) k
    CROSS JOIN LATERAL (SELECT id, tenant_id, member_id, portal_id, revoked_at, expires_at, last_seen_at, idle_seconds
                        FROM public.sessions WHERE tenant_id = k.tenant_id AND id = k.session_id LIMIT 1) s
    CROSS JOIN LATERAL (SELECT id, role, email, name, status
                        FROM public.members WHERE tenant_id = s.tenant_id AND id = s.member_id LIMIT 1) m
    CROSS JOIN LATERAL (SELECT id, name, status, is_on_hold FROM public.tenants
                        WHERE id = s.tenant_id AND portal_id = s.portal_id LIMIT 1) t
    CROSS JOIN LATERAL (SELECT id, status FROM public.portals WHERE id = s.portal_id LIMIT 1) p
    WHERE EXISTS (SELECT FROM public.domains d
                  WHERE d.host = open_session.host AND d.portal_id = s.portal_id AND d.is_proven)
      AND s.revoked_at IS NULL AND s.expires_at > now()
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now()
      AND p.status = 'active' AND m.status = 'active' AND t.status IN ('onboarding', 'active', 'offboarding');
    IF found.session_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM gate.bind(found.tenant_id);
    IF found.last_seen_at < now() - interval '1 minute' THEN
        UPDATE public.sessions SET last_seen_at = now()
        WHERE (tenant_id, id) IN (
            SELECT s.tenant_id, s.id FROM public.sessions s
            WHERE s.tenant_id = found.tenant_id AND s.id = found.session_id
            FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN QUERY SELECT found.session_id, found.member_id, found.tenant_id, found.portal_id, found.role,
                        found.email, found.name, found.tenant_name, found.tenant_status;
END
$$;

-- Why a session of this host's portal has ended, for whoever holds its token. NULL for any other token, and while it lives.
CREATE OR REPLACE FUNCTION gate.find_end(token text, host text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN m.status <> 'active' OR t.status NOT IN ('onboarding', 'active', 'offboarding') THEN 'suspended'
        WHEN s.revoked_at IS NOT NULL THEN 'revoked'
        WHEN s.expires_at <= now() THEN 'expired'
        WHEN s.last_seen_at + make_interval(secs => s.idle_seconds) <= now() THEN 'idle' END
    FROM gate.session_tokens k
    JOIN public.sessions s ON s.tenant_id = k.tenant_id AND s.id = k.session_id
    JOIN public.members m ON m.tenant_id = s.tenant_id AND m.id = s.member_id
    JOIN public.tenants t ON t.id = s.tenant_id
    JOIN public.portals p ON p.id = s.portal_id AND p.status = 'active'
    JOIN public.domains d ON d.portal_id = s.portal_id AND d.host = find_end.host AND d.is_proven
    WHERE k.token_hash = sha256(convert_to(find_end.token, 'UTF8'))
$$;

-- Signs out: whoever holds the token may end its session, at the session's own portal.
CREATE OR REPLACE FUNCTION gate.close_session(token text, host text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    closed record;
BEGIN
    UPDATE public.sessions s SET revoked_at = now()
    FROM gate.session_tokens k, public.domains d
    WHERE k.token_hash = sha256(convert_to(token, 'UTF8'))
      AND s.tenant_id = k.tenant_id AND s.id = k.session_id AND s.revoked_at IS NULL
      AND d.host = close_session.host AND d.portal_id = s.portal_id AND d.is_proven
    RETURNING s.tenant_id, s.member_id INTO closed;
    IF closed.member_id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM gate.note_act(closed.tenant_id, closed.member_id, 'session.end');
    RETURN true;
END
$$;

-- First half of changing a password: the salt that the signed-in member's present one was stretched with. Spends an
-- attempt of the member's own, or whoever has stolen a session could try passwords without end; signing in has
-- attempts of its own, so that the member is not locked out by that. No row without a live session.
CREATE OR REPLACE FUNCTION gate.begin_password_change(
    token text, host text, capacity double precision, refill double precision)
RETURNS TABLE (salt bytea, retry_after double precision)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.salt, gate.spend_attempt(true, 'password|' || o.tenant_id || '|' || o.member_id, capacity, refill)
    FROM gate.open_session(token, host) o
    JOIN gate.credentials c ON c.tenant_id = o.tenant_id AND c.member_id = o.member_id
$$;

-- Whether this is the signed-in member's present password: a guess is not worth the stretching of a new one.
CREATE OR REPLACE FUNCTION gate.is_present_password(token text, host text, stretched bytea) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM gate.open_session(token, host) o
        JOIN gate.credentials c ON c.tenant_id = o.tenant_id AND c.member_id = o.member_id
        WHERE c.verifier = sha256(stretched))
$$;

-- Changes the password of the signed-in member who knows the present one. All sessions of the member end,
-- and the caller's goes on under a new token. False when the present password is wrong.
CREATE OR REPLACE FUNCTION gate.change_password(
    token text, host text, stretched bytea, new_salt bytea, new_verifier bytea, new_token text, new_session_id uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    opened record;
    former public.sessions;
BEGIN
    SELECT * INTO opened FROM gate.open_session(token, host);
    IF opened.session_id IS NULL THEN
        RETURN false;
    END IF;
    UPDATE gate.credentials SET salt = new_salt, verifier = new_verifier, updated_at = now()
    WHERE tenant_id = opened.tenant_id AND member_id = opened.member_id AND verifier = sha256(stretched);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT * INTO former FROM public.sessions WHERE tenant_id = opened.tenant_id AND id = opened.session_id;
    UPDATE public.sessions SET revoked_at = now()
    WHERE tenant_id = opened.tenant_id AND member_id = opened.member_id AND revoked_at IS NULL;
    PERFORM gate.start_session(
        opened.tenant_id, opened.member_id, opened.portal_id, new_token, former.user_agent, former.address,
        former.idle_seconds, greatest(1, extract(epoch FROM former.expires_at - now()))::integer, new_session_id);
    PERFORM gate.note_act(opened.tenant_id, opened.member_id, 'password.change');
    RETURN true;
END
$$;

-- Invites a member of the bound tenant: reserves the sign-in name at the tenant's portal and keeps the hash
-- of the invitation's token. Raises unique_violation when the portal knows the e-mail already; only
-- operators may call this, and only they learn it.
CREATE OR REPLACE FUNCTION gate.create_invitation(member uuid, token text, lifetime_seconds integer) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tenant uuid := gate.current_tenant();
    invited record;
BEGIN
    SELECT m.email, t.portal_id INTO invited
    FROM public.members m JOIN public.tenants t ON t.id = m.tenant_id
    WHERE m.tenant_id = tenant AND m.id = member;
    IF invited.portal_id IS NULL THEN
        RAISE EXCEPTION 'There is no such member in the bound tenant.' USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO gate.credentials (portal_id, email, tenant_id, member_id)
    SELECT invited.portal_id, invited.email, tenant, member
    WHERE NOT EXISTS (
        SELECT FROM gate.credentials c WHERE c.tenant_id = tenant AND c.member_id = member);
    DELETE FROM gate.invitations i WHERE i.tenant_id = tenant AND i.member_id = member;
    INSERT INTO gate.invitations (token_hash, tenant_id, member_id, expires_at)
    VALUES (sha256(convert_to(token, 'UTF8')), tenant, member,
            now() + make_interval(secs => least(lifetime_seconds, 30 * 86400)));
END
$$;

-- Whom an invitation is for, at the host of its own portal only.
CREATE OR REPLACE FUNCTION gate.find_invitation(token text, host text)
RETURNS TABLE (email text, name text, tenant_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.email, m.name, t.name
    FROM gate.invitations i
    JOIN public.members m ON m.tenant_id = i.tenant_id AND m.id = i.member_id
    JOIN public.tenants t ON t.id = i.tenant_id AND t.status IN ('onboarding', 'active')
    JOIN gate.find_portal(find_invitation.host) p ON p.portal_id = t.portal_id
    WHERE i.token_hash = sha256(convert_to(find_invitation.token, 'UTF8'))
      AND i.expires_at > now() AND m.status <> 'suspended'
$$;

-- Uses an invitation up: the member gets a password and is active. Sessions from before end. The e-mail, or NULL.
CREATE OR REPLACE FUNCTION gate.accept_invitation(token text, host text, new_salt bytea, new_verifier bytea) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    invitation gate.invitations;
    email text := (SELECT f.email FROM gate.find_invitation(accept_invitation.token, accept_invitation.host) f);
BEGIN
    IF email IS NULL THEN
        RETURN NULL;
    END IF;
    DELETE FROM gate.invitations i WHERE i.token_hash = sha256(convert_to(accept_invitation.token, 'UTF8'))
    RETURNING * INTO invitation;
    IF invitation.member_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE gate.credentials c SET salt = new_salt, verifier = new_verifier, updated_at = now()
    WHERE c.tenant_id = invitation.tenant_id AND c.member_id = invitation.member_id;
    UPDATE public.members m SET status = 'active', updated_at = now()
    WHERE m.tenant_id = invitation.tenant_id AND m.id = invitation.member_id;
    UPDATE public.sessions s SET revoked_at = now()
    WHERE s.tenant_id = invitation.tenant_id AND s.member_id = invitation.member_id AND s.revoked_at IS NULL;
    PERFORM gate.note_act(invitation.tenant_id, invitation.member_id, 'invitation.accept');
    RETURN email;
END
$$;

-- The signed binding of a transaction to a tenant (DESIGN, section 3).
--
-- `platforma.binding` holds '<tenant uuid>:<signature>'. The signature is an HMAC-SHA256 (RFC 2104) over the
-- tenant, the backend's pid and the transaction's start, under a key that only this schema can read. So a
-- binding that was made up, copied from another transaction or kept on a pooled connection binds nothing.

CREATE OR REPLACE FUNCTION gate.hmac(message bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sha256(outer_block || sha256(inner_block || message))
    FROM gate.signing_keys ORDER BY id DESC LIMIT 1
$$;

CREATE OR REPLACE FUNCTION gate.signature(tenant text) RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT encode(gate.hmac(convert_to(
        'binding|' || tenant || '|' || pg_backend_pid() || '|'
        || (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint, 'UTF8')), 'hex')
$$;

-- The tenant that this transaction is bound to, or NULL. Both sides are hashed before they are compared, so
-- that the time of the comparison says nothing about the signature.
CREATE OR REPLACE FUNCTION gate.current_tenant() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    binding text := nullif(current_setting('platforma.binding', true), '');
BEGIN
    IF binding IS NULL OR octet_length(binding) <> 101 THEN
        RETURN NULL;
    END IF;
    IF sha256(convert_to(substr(binding, 38), 'UTF8'))
       IS DISTINCT FROM sha256(convert_to(gate.signature(left(binding, 36)), 'UTF8')) THEN
        RETURN NULL;
    END IF;
    RETURN left(binding, 36)::uuid;
END
$$;

-- Binds this transaction. Granted to no role: only the gate's own functions call it.
CREATE OR REPLACE FUNCTION gate.bind(tenant uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT set_config('platforma.binding', tenant::text || ':' || gate.signature(tenant::text), true)
$$;

-- Makes the first signing key, or one more to rotate; the newest signs and verifies. Bindings live no longer
-- than a transaction, so nothing else has to change.
CREATE OR REPLACE FUNCTION gate.add_signing_key() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                     || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    padded bytea := key || decode(repeat('00', 32), 'hex');
    inner_block bytea := padded;
    outer_block bytea := padded;
BEGIN
    FOR i IN 0..63 LOOP
        inner_block := set_byte(inner_block, i, get_byte(padded, i) # 54);
        outer_block := set_byte(outer_block, i, get_byte(padded, i) # 92);
    END LOOP;
    INSERT INTO gate.signing_keys (inner_block, outer_block) VALUES (inner_block, outer_block);
END
$$;

-- Evidence: records that are only added, each with a hash over it and over all before it.

-- The trigger of a chained table. Number and hashes are made here, whatever the statement says, and one after another.
CREATE OR REPLACE FUNCTION gate.chain() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(TG_RELID::text || NEW.tenant_id::text, 0));
    EXECUTE format('SELECT c.sequence, c.hash FROM %I.%I c WHERE c.tenant_id = $1 ORDER BY c.sequence DESC LIMIT 1',
                   TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO last USING NEW.tenant_id;
    NEW.sequence := coalesce(last.sequence, 0) + 1;
    NEW.previous_hash := coalesce(last.hash, '');
    NEW.hash := encode(sha256(convert_to(NEW.sequence || '|' || NEW.previous_hash || '|' || NEW.content, 'UTF8')), 'hex');
    RETURN NEW;
END
$$;

-- The other triggers of a chained table: nothing in it is ever changed or removed, by nobody.
CREATE OR REPLACE FUNCTION gate.keep() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'Records of % are added, and never changed or removed.', TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;

-- Recovery of masked values inside PostgreSQL: functions over pgcrypto and PL/pgSQL, no C extension.
--
--     sluice.unmask(token, context, reason)  the value of a token            role sluice_reader
--     sluice.tokens(context, value)          its tokens under every key      role sluice_searcher
--     sluice.rewrap(context, token, kid)     the same value under a key      role sluice_rotator
--
-- For PostgreSQL 11 and later.  Run it in the database that shall recover, as a superuser or as a
-- role that may create roles and owns schema sluice; run it again whenever it is newer.  It is one
-- transaction.  The keys come apart from it: sluice sql recovery-keys.
--
-- To remove it, as the same role:
--     DROP OWNED BY sluice_owner, sluice_reader, sluice_searcher, sluice_rotator;
--     DROP ROLE sluice_owner, sluice_reader, sluice_searcher, sluice_rotator;
BEGIN;
SET LOCAL client_min_messages = warning;

-- ---- what it stands on --------------------------------------------------------------------------

DO $$
BEGIN
    PERFORM pg_advisory_xact_lock(126939412849509); -- "sluice": IF NOT EXISTS races
END $$;

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public; -- where it is already, it stays

CREATE SCHEMA IF NOT EXISTS sluice;

-- Not the owner's of the functions, which thus can add to it and never take anything away.
CREATE TABLE IF NOT EXISTS sluice.unmask_audit (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    os_user  text        NOT NULL,
    db_user  text        NOT NULL DEFAULT session_user,
    pipeline text        NOT NULL,
    contexts text[]      NOT NULL,
    n        bigint      NOT NULL,
    how      text        NOT NULL,
    reason   text        NOT NULL CHECK (reason <> '')
);

DO $$
DECLARE
    name text;
    crypto name := (SELECT n.nspname FROM pg_catalog.pg_extension e
                      JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
                     WHERE e.extname = 'pgcrypto');
BEGIN
    FOREACH name IN ARRAY ARRAY['sluice_owner', 'sluice_reader', 'sluice_searcher', 'sluice_rotator']
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- roles are the cluster's: another database was faster
        END;
    END LOOP;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles
                WHERE rolname = 'sluice_owner' AND (rolcanlogin OR rolsuper)) THEN
        RAISE EXCEPTION 'role sluice_owner can log in or is a superuser: it must be neither';
    END IF;
    IF has_schema_privilege('public', 'sluice', 'CREATE') THEN
        RAISE EXCEPTION 'everybody may create objects in schema sluice'
              USING HINT = 'REVOKE CREATE ON SCHEMA sluice FROM PUBLIC';
    END IF;
    -- Who is no superuser must be a member of a role to give it objects.
    IF NOT pg_has_role('sluice_owner', CASE WHEN current_setting('server_version_num')::int >= 160000
                                            THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT sluice_owner TO %I', current_user);
    END IF;
    IF NOT has_schema_privilege('sluice_owner', crypto::text, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO sluice_owner', crypto);
    END IF;
END $$;

GRANT USAGE, CREATE ON SCHEMA sluice TO sluice_owner;
GRANT USAGE ON SCHEMA sluice TO sluice_reader, sluice_searcher, sluice_rotator;
GRANT INSERT ON sluice.unmask_audit TO sluice_owner;

SET LOCAL ROLE sluice_owner; -- until the end: all that follows is its own

-- ---- keys ---------------------------------------------------------------------------------------

-- Derived keys, never a master: each opens one context under one key id.
CREATE TABLE IF NOT EXISTS sluice.field_key (
    kid     text  COLLATE "C" NOT NULL CHECK (kid ~ '^[a-z0-9]{1,8}$'),
    context text  COLLATE "C" NOT NULL CHECK (context ~ '^[ -~]{1,64}$'),
    k_mac   bytea NOT NULL CHECK (length(k_mac) = 32),
    k_enc   bytea NOT NULL CHECK (length(k_enc) = 32),
    iv      bytea NOT NULL, -- S2V of the associated data xor CMAC's first subkey; by a trigger
    PRIMARY KEY (kid, context)
);
REVOKE ALL ON sluice.field_key FROM PUBLIC;

-- ---- AES-SIV out of CBC and ECB -----------------------------------------------------------------
--
-- These have no search_path of their own: one on each would drop all cached plans on each call.
-- Nobody but the owner may call them; the three functions at the end set the path, once.

-- pgcrypto may be in any schema.  Every argument has its type, so that no overload that somebody
-- puts there fits better.
DO $do$
DECLARE
    crypto name := (SELECT n.nspname FROM pg_catalog.pg_extension e
                      JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
                     WHERE e.extname = 'pgcrypto');
BEGIN
    EXECUTE format($$
        CREATE OR REPLACE FUNCTION sluice.siv_ecb(key bytea, blocks bytea) RETURNS bytea
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
        'SELECT %1$I.encrypt(blocks, key, ''aes-ecb/pad:none''::text)';
        CREATE OR REPLACE FUNCTION sluice.siv_cbc(key bytea, iv bytea, blocks bytea) RETURNS bytea
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
        'SELECT %1$I.encrypt_iv(blocks, key, iv, ''aes-cbc/pad:none''::text)'
        $$, crypto);
END $do$;

CREATE OR REPLACE FUNCTION sluice.siv_xor(a bytea, b bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT substr(varbit_send(('x' || encode(a, 'hex'))::varbit
                            # ('x' || encode(b, 'hex'))::varbit), 5)
$$;

-- Doubling in GF(2^128).
CREATE OR REPLACE FUNCTION sluice.siv_double(block bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT substr(varbit_send(((v << 1) # CASE WHEN get_bit(v, 0) = 1 THEN 135::bit(128)
                                               ELSE 0::bit(128) END)::varbit), 5)
      FROM (SELECT ('x' || encode(block, 'hex'))::bit(128) AS v) AS x
$$;

-- What depends on the key and the associated data alone.
CREATE OR REPLACE FUNCTION sluice.siv_iv(k_mac bytea, aad bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    zero bytea := decode(repeat('00', 16), 'hex');
    sub1 bytea := sluice.siv_double(sluice.siv_ecb(k_mac, zero));
    sub2 bytea := sluice.siv_double(sub1);
    whole int := (length(aad) - 1) / 16 * 16; -- bytes before the last block
    last bytea := substr(aad, whole + 1);
    mac bytea;
BEGIN
    IF length(last) = 16 THEN
        last := sluice.siv_xor(last, sub1);
    ELSE
        last := sluice.siv_xor(last || '\x80'::bytea || substr(zero, 1, 15 - length(last)), sub2);
    END IF;
    mac := sluice.siv_cbc(k_mac, zero, substr(aad, 1, whole) || last);
    RETURN sluice.siv_xor(sluice.siv_xor(sluice.siv_double(sluice.siv_ecb(k_mac, sub1)),
                                         substr(mac, whole + 1)), sub1);
END $$;

-- The synthetic IV of a padded value: CBC's own xor does that of S2V, its chain is CMAC's.
CREATE OR REPLACE FUNCTION sluice.siv_tag(k_mac bytea, iv bytea, padded bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n int := length(padded);
BEGIN
    IF n = 16 THEN
        RETURN sluice.siv_cbc(k_mac, iv, padded);
    END IF;
    RETURN substr(sluice.siv_cbc(k_mac, decode(repeat('00', 16), 'hex'),
                                 substr(padded, 1, n - 16)
                                 || sluice.siv_xor(substr(padded, n - 15), iv)), n - 15);
END $$;

-- CTR, which pgcrypto has not: the counters under ECB.
CREATE OR REPLACE FUNCTION sluice.siv_ctr(k_enc bytea, tag bytea, bytes bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    q bytea := set_byte(set_byte(tag, 8, get_byte(tag, 8) & 127), 12, get_byte(tag, 12) & 127);
    counters bytea := q;
    c bigint;
BEGIN
    IF length(bytes) > 16 THEN
        c := ('x' || encode(substr(q, 13), 'hex'))::bit(32)::bigint;
        FOR i IN 1 .. length(bytes) / 16 - 1 LOOP
            counters := counters || substr(q, 1, 12) || substr(int8send(c + i), 5);
        END LOOP;
    END IF;
    RETURN sluice.siv_xor(bytes, sluice.siv_ecb(k_enc, counters));
END $$;

CREATE OR REPLACE FUNCTION sluice.base64url_encode(bytes bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT rtrim(translate(encode(bytes, 'base64'), E'+/\n', '-_'), '=')
$$;

CREATE OR REPLACE FUNCTION sluice.base64url_decode(body text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT decode(translate(body, '-_', '+/') || repeat('=', (4 - length(body) % 4) % 4), 'base64')
$$;

-- ---- tokens -------------------------------------------------------------------------------------
--
-- No text of an error has a value in it, nor a context: arguments get mixed up.

CREATE OR REPLACE FUNCTION sluice.siv_seal(context text, value bytea, kid text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    mac bytea;
    enc bytea;
    iv bytea;
    padded bytea;
    tag bytea;
BEGIN
    SELECT k.k_mac, k.k_enc, k.iv INTO mac, enc, iv FROM sluice.field_key k
     WHERE k.kid = siv_seal.kid AND k.context = siv_seal.context;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no key is loaded for this key id and context' USING ERRCODE = '22023';
    END IF;
    IF length(value) = 0 THEN
        RETURN '';
    END IF;
    IF length(value) > 159 THEN
        RAISE EXCEPTION 'value has more than 159 bytes: it cannot have been masked'
              USING ERRCODE = '22023';
    END IF;
    padded := value || '\x80'::bytea || decode(repeat('00', 15 - length(value) % 16), 'hex');
    tag := sluice.siv_tag(mac, iv, padded);
    RETURN 'v1.' || kid || '.' || sluice.base64url_encode(tag || sluice.siv_ctr(enc, tag, padded));
END $$;

CREATE OR REPLACE FUNCTION sluice.siv_open(context text, token text) RETURNS bytea
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    body text := split_part(token, '.', 3);
    raw bytea;
    mac bytea;
    enc bytea;
    iv bytea;
    padded bytea;
    hex text;
    n int;
BEGIN
    IF token = '' THEN
        RETURN ''::bytea;
    END IF;
    IF token COLLATE "C" !~ '^v1\.[a-z0-9]{1,8}\.[A-Za-z0-9_-]+$' OR length(body) > 235
       OR length(body) % 4 = 1 THEN
        RAISE EXCEPTION 'not a token of the form v1.<key id>.<base64url>' USING ERRCODE = '22023';
    END IF;
    raw := sluice.base64url_decode(body);
    n := length(raw);
    -- Encoded again, because the last character has unused bits and one spelling only may be valid.
    IF n < 32 OR n % 16 <> 0 OR sluice.base64url_encode(raw) <> body THEN
        RAISE EXCEPTION 'not a token of the form v1.<key id>.<base64url>' USING ERRCODE = '22023';
    END IF;
    SELECT k.k_mac, k.k_enc, k.iv INTO mac, enc, iv FROM sluice.field_key k
     WHERE k.kid = split_part(token, '.', 2) AND k.context = siv_open.context;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no key is loaded for this key id and context' USING ERRCODE = '22023';
    END IF;
    padded := sluice.siv_ctr(enc, substr(raw, 1, 16), substr(raw, 17));
    IF sluice.siv_tag(mac, iv, padded) <> substr(raw, 1, 16) THEN
        RAISE EXCEPTION 'token is not genuine: altered, or of another context'
              USING ERRCODE = '22023';
    END IF;
    hex := encode(padded, 'hex');
    n := length(substring(hex FROM '80(?:00){0,15}$')); -- at a whole byte, since it ends at one
    IF n IS NULL OR n = length(hex) THEN
        RAISE EXCEPTION 'token is genuine but its padding is not' USING ERRCODE = '22023';
    END IF;
    RETURN substr(padded, 1, (length(hex) - n) / 2);
END $$;

-- PostgreSQL's own error would show the bytes that are no text.
CREATE OR REPLACE FUNCTION sluice.value_text(value bytea) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN convert_from(value, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RAISE EXCEPTION 'value is no text that this database can hold: it has a zero byte, or is not '
                    'in its encoding' USING ERRCODE = '22021';
END $$;

-- ---- what is loaded -----------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION sluice.field_key_fill() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.iv := sluice.siv_iv(NEW.k_mac,
                            convert_to('v1.' || NEW.kid || '.' || NEW.context, 'UTF8'));
    RETURN NEW;
END $$;

DROP TRIGGER IF EXISTS fill ON sluice.field_key;
CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON sluice.field_key
    FOR EACH ROW EXECUTE FUNCTION sluice.field_key_fill();

-- ---- on record ----------------------------------------------------------------------------------

-- One line in the server's log, which no ROLLBACK takes back.  A warning where those are logged:
-- with a line of level LOG the server also writes the statement, and any value that stands in it.
-- The callers set client_min_messages, so that the line is the server's alone.
CREATE OR REPLACE FUNCTION sluice.log_use(what text, context text, token text, reason text)
RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    line text := what || ' ' || json_strip_nulls(json_build_object(
        'db_user', session_user, 'application', current_setting('application_name'),
        'address', host(inet_client_addr()), 'context', context, 'token', token,
        'reason', reason));
BEGIN
    IF current_setting('log_min_messages') ~ '^(debug[1-5]|info|notice|warning)$' THEN
        RAISE WARNING '%', line;
    ELSIF token IS NOT NULL THEN
        -- The server adds the statement: of a search, that would be the value.
        RAISE LOG '%', line;
    END IF;
END $$;

-- ---- what may be called -------------------------------------------------------------------------

-- A row of the audit, a line of the log, then the value.  The log comes first: it stays.
CREATE OR REPLACE FUNCTION sluice.unmask(token text, context text, reason text) RETURNS text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
BEGIN
    IF reason IS NULL OR reason !~ '[^[:space:]]' THEN
        RAISE EXCEPTION 'a reason is required' USING ERRCODE = '22023';
    END IF;
    IF token IS NULL OR token = '' THEN
        RETURN token; -- there was no value
    END IF;
    PERFORM sluice.log_use('sluice.unmask', context, token, reason);
    INSERT INTO sluice.unmask_audit (os_user, db_user, pipeline, contexts, n, how, reason)
    VALUES (format('unknown (%s from %s)',
                   coalesce(nullif(current_setting('application_name'), ''), 'no name'),
                   coalesce(host(inet_client_addr()), 'a local socket')),
            session_user, '', ARRAY[context], 1, 'sql', reason);
    RETURN sluice.value_text(sluice.siv_open(context, token));
END $$;

-- STABLE, so that it is asked once and an index is used:
--     SELECT ... WHERE masked_ip = ANY (sluice.tokens('ip', $1))
-- It tells whether a value is there: whoever may call it can try them all.
CREATE OR REPLACE FUNCTION sluice.tokens(context text, value text) RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS $$
DECLARE
    kids text[] := ARRAY(SELECT k.kid FROM sluice.field_key k WHERE k.context = tokens.context
                          ORDER BY k.kid);
BEGIN
    IF cardinality(kids) = 0 THEN
        RAISE EXCEPTION 'no key is loaded for this context' USING ERRCODE = '22023';
    END IF;
    IF value IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM sluice.log_use('sluice.tokens', context, NULL, NULL);
    RETURN ARRAY(SELECT sluice.siv_seal(context, convert_to(value, 'UTF8'), kid)
                   FROM unnest(kids) AS kid);
END $$;

-- Shows no value: nothing is recorded.
CREATE OR REPLACE FUNCTION sluice.rewrap(context text, token text, kid text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF token IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN sluice.siv_seal(context, sluice.siv_open(context, token), kid);
END $$;

-- ---- rights -------------------------------------------------------------------------------------

DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p
              WHERE p.pronamespace = 'sluice'::regnamespace
                AND p.proowner = 'sluice_owner'::regrole LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION sluice.unmask(text, text, text) TO sluice_reader;
GRANT EXECUTE ON FUNCTION sluice.tokens(text, text) TO sluice_searcher;
GRANT EXECUTE ON FUNCTION sluice.rewrap(text, text, text) TO sluice_rotator;

COMMENT ON FUNCTION sluice.unmask(text, text, text) IS
    'The value of a token; needs a reason, and is on record in sluice.unmask_audit and the log.';
COMMENT ON FUNCTION sluice.tokens(text, text) IS
    'The tokens of a value under every key loaded, for = ANY (...); bind the value.';
COMMENT ON FUNCTION sluice.rewrap(text, text, text) IS
    'The token of the same value under another key id.';
COMMENT ON TABLE sluice.field_key IS
    'Derived keys for recovery in this database. Whoever reads it can unmask without a record.';
COMMIT;

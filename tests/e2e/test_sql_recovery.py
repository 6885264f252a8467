"""test_sql_recovery.py - values come back inside PostgreSQL, for those who may, and on record.

Tokens are made and opened a second time with Python's `cryptography`; the six known ways in which
recovery in SQL goes wrong have a test each, named trap_1 to trap_6.
"""
import base64
import contextlib
import io
import json
import os
import random
import re
import statistics
import subprocess
import time

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

import tokens

pytestmark = pytest.mark.since(11)

MASTERS = {"k1": tokens.MASTER, "k2": bytes(range(100, 132)), "k3": bytes(range(50, 82))}
KNOWN = "v1.k1.F0htGjCivSZeRv3G_6zOgOS2ygCcJmYQ34YS70DCRuE"  # 1.2.3.4 as an ip under k1
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
BULK = 100_000

REFUSED = psycopg2.errors.InvalidParameterValue
FORBIDDEN = psycopg2.errors.InsufficientPrivilege


class Recovery:
    """One database that can recover, and the key file of its keys."""

    def __init__(self, sluice, db):
        self.sluice = sluice
        self.db = db
        self.keys = MASTERS
        self.write_keys(k1="decrypt", k2="active", k3="retired")

    def write_keys(self, **states):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.sluice.keys)
        with open(os.open(self.sluice.keys, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.writelines(tokens.key_line(k, MASTERS[k], s) for k, s in states.items())

    @property
    def sql(self):
        return self.sluice.good("sql", "recovery").text

    def keys_for(self, *contexts):
        return self.sluice.good("sql", "recovery-keys", "-c", self.sluice.write(),
                                "--contexts", ",".join(contexts)).text

    def load(self, *contexts):
        self.db.psql(self.keys_for(*contexts))

    def loaded(self):
        return self.db.rows("SELECT kid, context FROM sluice.field_key ORDER BY 2, 1")

    def audit(self):
        return self.db.rows("SELECT os_user, db_user, pipeline, contexts, n, how, reason"
                            " FROM sluice.unmask_audit ORDER BY id")

    @contextlib.contextmanager
    def session(self, user="postgres", **more):
        c = self.db.cluster
        connection = psycopg2.connect(host=c.dir, port=c.port, user=user, dbname=self.db.name,
                                      application_name="test", **more)
        connection.autocommit = True
        with contextlib.closing(connection):
            yield connection

    @contextlib.contextmanager
    def login(self, role):
        """A session of somebody who has this one role."""
        name = "a_" + role
        self.db.execute(f"""DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
                CREATE ROLE {name} LOGIN;
            END IF; END $$""")
        if role != "stranger":
            self.db.execute(f"GRANT sluice_{role} TO {name}")
        with self.session(name) as c:
            yield c


def ask(connection, query, *values):
    """The first column of the first row."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchone()[0]


def run(connection, statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def unmask(connection, token, context="ip", reason="ticket 4711"):
    return ask(connection, "SELECT sluice.unmask(%s, %s, %s)", token, context, reason)


@pytest.fixture
def recovery(sluice, db):
    r = Recovery(sluice, db)
    db.psql(r.sql)
    r.load("ip", "device_id")
    return r


def value_at(n, source):
    """Addresses, ids, and anything of 1 to 159 bytes."""
    if n % 4 < 2:
        return ".".join(str(source.randrange(256)) for _ in range(4))
    if n % 4 == 2:
        return str(source.randrange(10 ** source.randrange(1, 40)))
    text = "".join(source.choice("aZ09 .:-_/'\"é\u4e2d\U0001f600\\\t") for _ in range(40))
    return text.encode()[:source.randrange(1, 160)].decode("utf-8", "ignore") or "x"


def bulk_values():
    source = random.Random(3)
    return [value_at(n, source) for n in range(BULK)]


def copy_in(connection, table, rows):
    """Rows of text through COPY."""
    def escaped(text):
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")

    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} FROM stdin", io.StringIO(
            "".join("\t".join(map(escaped, row)) + "\n" for row in rows)))


# What it computes

def test_known_answers(recovery):
    with recovery.session() as c:
        assert unmask(c, KNOWN) == "1.2.3.4"
        assert unmask(c, "v1.k1.VBzKnNsjWQiWnAa2fDw15jG9chu8LPV3bmgLhNvkOKc",
                      "device_id") == "593-47-5928"
        assert ask(c, "SELECT sluice.tokens('ip', %s)", "1.2.3.4") == [
            KNOWN, tokens.mask(MASTERS, "ip", "1.2.3.4", "k2")]


def test_every_length_and_alignment_of_the_context(recovery):
    contexts = ["c" * n for n in (1, 2, 9, 10, 11, 12, 25, 26, 27, 63, 64)]
    recovery.load(*contexts)
    with recovery.session() as c:
        for context in contexts:
            for n in (1, 15, 16, 17, 31, 32, 159):
                token = tokens.mask(MASTERS, context, "v" * n)
                assert unmask(c, token, context) == "v" * n, (context, n)
                assert token in ask(c, "SELECT sluice.tokens(%s, %s)", context, "v" * n)


def test_the_programs_tokens_open_in_sql(recovery):
    values = bulk_values()
    made = recovery.sluice.good("mask", "--keys", recovery.sluice.keys, "--context", "ip",
                                stdin="".join(v + "\n" for v in values).encode()).text
    made = made.split("\n")[:-1]
    assert len(made) == BULK
    with recovery.session() as c:
        run(c, "CREATE TEMP TABLE made (value text, token text)")
        copy_in(c, "made", zip(values, made))
        wrong = ask(c, "SELECT count(*) FROM made WHERE sluice.siv_open('ip', token)"
                       " IS DISTINCT FROM convert_to(value, 'UTF8')")
        assert ask(c, "SELECT count(*) FROM made") == BULK and wrong == 0
        for value, token in list(zip(values, made))[:1000]:
            assert unmask(c, token) == value


def test_tokens_made_in_sql_open_elsewhere(recovery):
    values = bulk_values()
    sivs = {kid: tokens.siv(MASTERS[kid], kid, "ip") for kid in ("k1", "k2")}
    with recovery.session() as c, c.cursor() as cursor:
        run(c, "CREATE TEMP TABLE made (n int, value text)")
        copy_in(c, "made", ((str(n), v) for n, v in enumerate(values)))
        cursor.execute("SELECT n, sluice.siv_seal('ip', convert_to(value, 'UTF8'),"
                       " CASE n % 2 WHEN 0 THEN 'k1' ELSE 'k2' END) FROM made")
        for n, token in cursor:
            version, kid, encoded = token.split(".")
            sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            padded = sivs[kid].decrypt(sealed, [f"v1.{kid}.ip".encode()])
            assert version == "v1" and tokens.unpad(padded).decode() == values[n]
        assert cursor.rowcount == BULK


def test_null_stays_null_and_empty_stays_empty(recovery):
    with recovery.session() as c:
        assert unmask(c, None) is None and unmask(c, "") == ""
        assert ask(c, "SELECT sluice.tokens('ip', NULL)") is None
        assert ask(c, "SELECT sluice.tokens('ip', '')") == ["", ""]
        assert ask(c, "SELECT sluice.rewrap('ip', NULL, 'k2')") is None
        assert ask(c, "SELECT sluice.rewrap('ip', '', 'k2')") == ""
    assert recovery.audit() == [], "no value was recovered"


def test_rewrap_moves_a_value_to_another_key(recovery):
    with recovery.session() as c:
        for value in ("192.0.2.1", "x" * 159):
            old = tokens.mask(MASTERS, "ip", value, "k1")
            assert ask(c, "SELECT sluice.rewrap('ip', %s, 'k2')",
                       old) == tokens.mask(MASTERS, "ip", value, "k2")
        for context, kid in (("device_id", "k2"), ("ip", "k3"), ("ip", None)):
            with pytest.raises(REFUSED):
                ask(c, "SELECT sluice.rewrap(%s, %s, %s)", context, KNOWN, kid)


def test_a_value_that_is_no_text_is_refused_without_showing_it(recovery):
    siv = tokens.siv(MASTERS["k1"], "k1", "ip")
    with recovery.session() as c:
        for value in (b"secret\0more", b"secret\xff\xfe", b"secret\xe2\x82"):
            sealed = siv.encrypt(tokens.pad(value), [b"v1.k1.ip"])
            token = "v1.k1." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")
            with pytest.raises(psycopg2.errors.CharacterNotInRepertoire) as refused:
                unmask(c, token)
            assert "no text" in str(refused.value) and "0x" not in str(refused.value)
            moved = ask(c, "SELECT sluice.rewrap('ip', %s, 'k2')", token)
            assert moved.startswith("v1.k2."), "bytes can be moved all the same"


# What it refuses

def changed(token, characters):
    for at, old in enumerate(token):
        for new in characters:
            if new != old:
                yield token[:at] + new + token[at + 1:]


def accepted(connection, altered):
    """Those of these tokens that open; all others must be refused in the one proper way."""
    run(connection, "CREATE TEMP TABLE IF NOT EXISTS altered (token text)")
    run(connection, "TRUNCATE altered")
    copy_in(connection, "altered", ((t,) for t in altered))
    run(connection, """
        CREATE OR REPLACE FUNCTION pg_temp.opens(token text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM sluice.siv_open('ip', token);
            RETURN true;
        EXCEPTION WHEN invalid_parameter_value THEN
            RETURN false;
        END $$""")
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM altered WHERE pg_temp.opens(token)")
        return [t for t, in cursor]


def test_no_one_character_change_is_accepted(recovery):
    with recovery.session() as c:
        for n in (7, 16, 40):  # base64url with 4, 2 and 0 unused bits
            token = tokens.mask(MASTERS, "ip", "4" * n)
            altered = list(changed(token, ALPHABET + "=+/. \n"))
            assert len(altered) > 3000 and accepted(c, [token]) == [token]
            assert accepted(c, altered) == []


def test_no_shortened_or_lengthened_token_is_accepted(recovery):
    token = tokens.mask(MASTERS, "ip", "4" * 40)
    padding = token + "=" * (-len(token.split(".")[2]) % 4)
    altered = [token[:n] for n in range(1, len(token))]
    altered += [token + c for c in ALPHABET + "=.\n "] + [token[:-16], token + "A" * 64]
    altered += [" " + token, token + "=", padding + "=", token.upper(), "v1." + token, "v1.k1.",
                token.replace("v1.", "v2."), token.replace(".k1.", ".k2."), "h1" + token[2:],
                token.replace(".k1.", "..", 1), token.replace(".k1.", ".k12345678.")]
    with recovery.session() as c:
        assert accepted(c, altered) == []


def test_a_genuine_token_with_wrong_padding_is_refused(recovery):
    siv = tokens.siv(MASTERS["k1"], "k1", "ip")
    wrong = [bytes(16), b"x" * 16, b"\x80" + bytes(15), b"x" * 15 + b"\x81",
             b"x" * 15 + b"\x80" + bytes(16), b"\x08" + bytes(15)]
    with recovery.session() as c:
        for padded in wrong:
            sealed = siv.encrypt(padded, [b"v1.k1.ip"])
            token = "v1.k1." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")
            with pytest.raises(REFUSED, match="padding"):
                unmask(c, token)


def test_a_token_of_another_context_or_key_is_refused(recovery):
    with recovery.session() as c:
        for token, context in ((KNOWN, "device_id"), (KNOWN, "IP"), (KNOWN, "ip "), (KNOWN, None),
                               (KNOWN, "unknown"), (KNOWN.replace("k1", "k2"), "ip"),
                               (tokens.mask(MASTERS, "ip", "1.2.3.4", "k3"), "ip"),
                               ("1.2.3.4", "ip")):
            with pytest.raises(REFUSED) as refused:
                unmask(c, token, context)
            assert "1.2.3.4" not in str(refused.value)


def test_too_long_a_value_and_an_unknown_context_have_no_tokens(recovery):
    with recovery.session() as c:
        for context, value in (("ip", "x" * 160), ("unknown", "1.2.3.4"), (None, "1.2.3.4"),
                               ("1.2.3.4", "ip")):
            with pytest.raises(REFUSED) as refused:
                ask(c, "SELECT sluice.tokens(%s, %s)", context, value)
            assert not re.search("xxx|1.2.3.4", str(refused.value))


def test_no_value_without_a_reason(recovery):
    with recovery.login("reader") as c:
        for reason in (None, "", " ", "\t\n"):
            for token in (KNOWN, "", None):
                with pytest.raises(REFUSED, match="reason"):
                    unmask(c, token, reason=reason)
    assert recovery.audit() == []


# The six traps

def test_trap_1_base64url_has_one_spelling(recovery):
    """The last character of a short token has unused bits: other spellings decode to the same."""
    def decode(token):
        return base64.urlsafe_b64decode(token.split(".")[2] + "=")

    twins = [KNOWN[:-1] + c for c in ALPHABET if decode(KNOWN[:-1] + c) == decode(KNOWN)]
    assert len(twins) == 4, "43 characters have 258 bits, 2 more than 32 bytes"
    with recovery.session() as c:
        for twin in twins:
            if twin != KNOWN:
                with pytest.raises(REFUSED):
                    unmask(c, twin)
        assert unmask(c, KNOWN) == "1.2.3.4"


def test_trap_2_the_search_path_is_set_once(recovery):
    """Set again on an inner function, it makes PL/pgSQL plan everything anew on every call."""
    def microseconds(c):
        taken = []
        for _ in range(5):
            began = time.monotonic()
            ask(c, "SELECT count(sluice.rewrap('ip', %s, 'k2')) FROM generate_series(1, 200)",
                KNOWN)
            taken.append((time.monotonic() - began) / 200 * 1e6)
        return statistics.median(taken)

    assert recovery.db.rows(
        "SELECT proname, proconfig[1], prosecdef FROM pg_proc"
        " WHERE pronamespace = 'sluice'::regnamespace AND (proconfig IS NOT NULL OR prosecdef)"
        " ORDER BY 1") == [
            ("field_key_fill", "search_path=pg_catalog, pg_temp", False),
            ("rewrap", "search_path=pg_catalog, pg_temp", True),
            ("tokens", "search_path=pg_catalog, pg_temp", True),
            ("unmask", "search_path=pg_catalog, pg_temp", True)]
    with recovery.session() as c:
        good = microseconds(c)
        run(c, "ALTER FUNCTION sluice.siv_open(text, text)"
               " SET search_path = pg_catalog, public")
        bad = microseconds(c)
    assert bad > 2 * good, f"{good:.0f} us, and {bad:.0f} us with the trap"


def uses(log, what):
    """The lines of the server's log that say who did this."""
    return [json.loads(found) for found in re.findall(rf" {what} (\{{.*\}})$", log, re.MULTILINE)]


def test_trap_3_the_log_line_survives_a_rollback(recovery, cluster):
    position = cluster.log_position()
    with recovery.login("reader") as c:
        c.autocommit = False
        assert unmask(c, KNOWN, reason="to be\nrolled back") == "1.2.3.4"
        c.rollback()
    assert recovery.audit() == [], "the row is gone with the transaction"
    assert uses(cluster.log_since(position), "sluice.unmask") == [
        {"db_user": "a_reader", "application": "test", "context": "ip", "token": KNOWN,
         "reason": "to be\nrolled back"}]


@pytest.mark.parametrize("level", ["debug1", "notice", "warning", "error", "log"])
def test_the_log_line_is_written_at_every_level_and_to_the_server_alone(recovery, cluster, level):
    recovery.db.execute(f"ALTER DATABASE {recovery.db.name} SET log_min_messages = {level}")
    with recovery.login("reader") as c:
        run(c, "SET client_min_messages = debug1")
        position = cluster.log_position()
        assert unmask(c, KNOWN) == "1.2.3.4"
        assert [u["db_user"] for u in uses(cluster.log_since(position), "sluice.unmask")] == [
            "a_reader"]
        assert not re.search("WARNING|LOG", " ".join(c.notices))
        with pytest.raises(FORBIDDEN):
            run(c, "SET log_min_messages = fatal")


def test_trap_4_a_search_uses_the_index(recovery):
    def plan(c):
        with c.cursor() as cursor:
            cursor.execute("EXPLAIN SELECT * FROM logins"
                           " WHERE masked_ip = ANY (sluice.tokens('ip', '1.2.3.4'))")
            return " ".join(line for line, in cursor)

    with recovery.session() as c:
        run(c, "CREATE TABLE logins AS SELECT 'v1.k1.' || md5(g::text) AS masked_ip"
               " FROM generate_series(1, 20000) AS g")
        run(c, "INSERT INTO logins VALUES (%s), (%s)", KNOWN,
            tokens.mask(MASTERS, "ip", "1.2.3.4", "k2"))
        run(c, "CREATE INDEX ON logins (masked_ip)")
        run(c, "ANALYZE logins")
        assert re.search("Index|Bitmap", plan(c)) and "Seq Scan" not in plan(c)
        assert ask(c, "SELECT count(*) FROM logins"
                      " WHERE masked_ip = ANY (sluice.tokens('ip', %s))", "1.2.3.4") == 2
        run(c, "ALTER FUNCTION sluice.tokens(text, text) VOLATILE")
        assert "Seq Scan" in plan(c), "the trap is there"


def test_trap_5_searching_is_a_right_of_its_own_and_on_record(recovery, cluster):
    with recovery.login("reader") as c, pytest.raises(FORBIDDEN):
        ask(c, "SELECT sluice.tokens('ip', '1.2.3.4')")
    with recovery.login("searcher") as c:
        position = cluster.log_position()
        assert KNOWN in ask(c, "SELECT sluice.tokens('ip', %s)", "1.2.3.4")
        assert {(u["db_user"], u["context"]) for u in
                uses(cluster.log_since(position), "sluice.tokens")} == {("a_searcher", "ip")}


def bind(db, script, value):
    """Run a statement with :value as a parameter of the protocol; psycopg2 would write it in."""
    c = db.cluster
    return subprocess.run(
        [f"{c.clients}/pgbench", "-n", "-t", "1", "-M", "extended", "-D", f"value={value}", "-f",
         "/dev/stdin", "-h", c.dir, "-p", str(c.port), "-U", "postgres", db.name],
        input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


CANARY = "198.51.100.203"


def test_trap_6_our_own_log_line_does_not_repeat_the_statement(recovery, cluster):
    """At level LOG the server would add the statement, and the value that stands in it."""
    position = cluster.log_position()
    with recovery.login("searcher") as c:
        ask(c, f"SELECT sluice.tokens('ip', '{CANARY}')")
    token = tokens.mask(MASTERS, "ip", CANARY)
    with recovery.login("reader") as c:
        assert ask(c, f"SELECT sluice.unmask('{token}', 'ip', 'r')"
                      f" WHERE '{CANARY}' <> ''") == CANARY
    log = cluster.log_since(position)
    assert uses(log, "sluice.tokens") and uses(log, "sluice.unmask") and CANARY not in log


@pytest.mark.since(13)
def test_trap_6_a_bound_value_is_not_logged(recovery, cluster):
    name = recovery.db.name
    position = cluster.log_position()
    assert bind(recovery.db, "SELECT sluice.tokens('ip', :value);", CANARY).returncode == 0
    assert bind(recovery.db, "SELECT sluice.tokens('no', :value);", CANARY).returncode != 0
    log = cluster.log_since(position)
    assert "no key is loaded" in log and "sluice.tokens('no', $1)" in log and CANARY not in log

    recovery.db.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
    for length, is_logged in (("-1", True), ("0", False)):  # the first is how it ships
        recovery.db.execute(f"ALTER DATABASE {name} SET log_parameter_max_length = {length}")
        position = cluster.log_position()
        assert bind(recovery.db, "SELECT sluice.tokens('ip', :value);", CANARY).returncode == 0
        assert (CANARY in cluster.log_since(position)) == is_logged


def test_trap_6_keys_are_in_no_statement(recovery, cluster):
    """Whatever is logged; also where the keys are refused."""
    secrets = {tokens.derive(MASTERS[k], f"sluice/v1/siv/{k}/ip", 64).hex() for k in ("k1", "k2")}
    text = recovery.keys_for("ip")
    assert all(s[:64] in text and s[64:] in text for s in secrets)
    name = recovery.db.name
    settings = ["log_statement = 'all'", "log_min_duration_statement = 0",
                "log_min_messages = debug2"]
    if cluster.version >= 13:  # before, it logs them always
        settings.append("log_parameter_max_length = -1")
    for setting in settings:
        recovery.db.execute(f"ALTER DATABASE {name} SET {setting}")
    position = cluster.log_position()
    recovery.db.psql(text)
    assert "COPY sluice.field_key" in cluster.log_since(position)
    recovery.db.execute("DROP TABLE sluice.field_key")
    with pytest.raises(AssertionError, match="field_key"):
        recovery.db.psql(text)
    log = cluster.log_since(position)
    assert not any(s[at:at + 16] in log for s in secrets for at in range(0, 128, 16))


def test_no_master_gets_into_the_database(recovery):
    dump = recovery.db.dump()
    for kid, master in MASTERS.items():
        assert base64.b64encode(master) not in dump and master.hex().encode() not in dump
        assert (tokens.derive(master, f"sluice/v1/siv/{kid}/ip", 64)[:32].hex().encode()
                in dump) == (kid != "k3")


# Who may do what

STATEMENTS = {
    "reader": "SELECT sluice.unmask(%(token)s, 'ip', 'ticket 4711')",
    "searcher": "SELECT sluice.tokens('ip', '1.2.3.4')",
    "rotator": "SELECT sluice.rewrap('ip', %(token)s, 'k2')",
}
FORBIDDEN_STATEMENTS = [
    "SELECT * FROM sluice.field_key", "SELECT count(*) FROM sluice.field_key",
    "INSERT INTO sluice.field_key (kid, context, k_mac, k_enc) VALUES ('k9', 'ip', '', '')",
    "UPDATE sluice.field_key SET kid = 'k9'", "DELETE FROM sluice.field_key",
    "SELECT k FROM sluice.field_key AS k",
    "SELECT * FROM sluice.unmask_audit", "DELETE FROM sluice.unmask_audit",
    "UPDATE sluice.unmask_audit SET reason = 'x'", "TRUNCATE sluice.unmask_audit",
    "INSERT INTO sluice.unmask_audit (os_user, pipeline, contexts, n, how, reason)"
    " VALUES ('x', '', '{ip}', 1, 'sql', 'x')",
    "SELECT sluice.siv_open('ip', 'v1.k1.x')", "SELECT sluice.siv_seal('ip', 'x', 'k1')",
    "SELECT sluice.siv_ecb('0123456789abcdef', '0123456789abcdef')",
    "SELECT sluice.log_use('sluice.unmask', 'ip', '', 'x')",
    "SET ROLE sluice_owner", "CREATE TABLE sluice.mine ()",
    "CREATE FUNCTION sluice.siv_open(text, varchar) RETURNS text LANGUAGE sql AS 'SELECT $1'",
    "DROP FUNCTION sluice.unmask(text, text, text)",
]


@pytest.mark.parametrize("role", ["reader", "searcher", "rotator", "stranger"])
def test_each_role_may_do_one_thing(recovery, role):
    with recovery.login(role) as c, c.cursor() as cursor:
        for who, statement in STATEMENTS.items():
            if who == role:
                cursor.execute(statement, {"token": KNOWN})
                assert cursor.fetchone()[0]
            else:
                with pytest.raises(FORBIDDEN):
                    cursor.execute(statement, {"token": KNOWN})
        for statement in FORBIDDEN_STATEMENTS:
            try:
                cursor.execute(statement)
            except FORBIDDEN:
                continue
            pytest.fail(f"{role} may {statement}")
        cursor.execute("SELECT proname FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace"
                       " AND has_function_privilege(oid, 'EXECUTE')")
        theirs = {"reader": ["unmask"], "searcher": ["tokens"], "rotator": ["rewrap"]}
        assert [name for name, in cursor] == theirs.get(role, [])


def test_the_owner_adds_to_the_audit_and_takes_nothing_away(recovery):
    with recovery.session() as c:
        unmask(c, KNOWN)
        run(c, "SET ROLE sluice_owner")
        for statement in ("DELETE FROM sluice.unmask_audit", "TRUNCATE sluice.unmask_audit",
                          "UPDATE sluice.unmask_audit SET reason = 'x'"):
            with pytest.raises(FORBIDDEN):
                run(c, statement)
    assert len(recovery.audit()) == 1


def test_the_audit_names_who_logged_in(recovery):
    with recovery.login("reader") as c:
        run(c, "SET ROLE sluice_reader")
        assert unmask(c, KNOWN, reason="ticket 1") == "1.2.3.4"
        run(c, "SET application_name = ''")
        assert unmask(c, KNOWN, reason="ticket 2") == "1.2.3.4"
        for _ in range(2):
            with pytest.raises(REFUSED):
                unmask(c, KNOWN, "device_id")
    assert recovery.audit() == [
        (f"unknown ({name} from a local socket)", "a_reader", "", ["ip"], 1, "sql", reason)
        for name, reason in (("test", "ticket 1"), ("no name", "ticket 2"))]


def test_names_of_ones_own_do_not_get_in_the_way(recovery):
    """A reader plants functions, operators and tables that come first in every path of hers."""
    with recovery.login("reader") as c:
        recovery.db.execute("CREATE SCHEMA AUTHORIZATION a_reader")
        run(c, """
            GRANT USAGE ON SCHEMA a_reader TO PUBLIC;
            SET search_path = a_reader, pg_temp, pg_catalog;
            CREATE FUNCTION stolen() RETURNS text LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
            CREATE FUNCTION encode(bytea, text) RETURNS text LANGUAGE sql AS 'SELECT stolen()';
            CREATE FUNCTION substr(bytea, int, int) RETURNS bytea LANGUAGE sql AS
                'SELECT stolen()::bytea';
            CREATE FUNCTION cat(bytea, bytea) RETURNS bytea LANGUAGE sql AS
                'SELECT stolen()::bytea';
            CREATE OPERATOR || (FUNCTION = cat, LEFTARG = bytea, RIGHTARG = bytea);
            CREATE TEMP TABLE field_key (kid text);""")
        assert unmask(c, KNOWN) == "1.2.3.4"


def test_a_server_that_only_reads_unmasks_nothing(recovery):
    with recovery.login("reader") as c:
        run(c, "SET default_transaction_read_only = on")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            unmask(c, KNOWN)


# Installing it

def psql_as(user, db, text):
    c = db.cluster
    done = subprocess.run([f"{c.clients}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", c.dir, "-p",
                           str(c.port), "-U", user, "-d", db.name], input=text,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_installing_again_keeps_keys_and_rights(recovery):
    for _ in range(2):
        recovery.db.psql(recovery.sql)
    assert recovery.loaded() == [("k1", "device_id"), ("k2", "device_id"), ("k1", "ip"),
                                 ("k2", "ip")]
    with recovery.login("reader") as c:
        assert unmask(c, KNOWN) == "1.2.3.4"
    recovery.sluice.run("--until-empty")
    assert recovery.db.has("sluice.ledger"), "the schema serves both"


def test_loading_again_replaces_the_keys_of_these_contexts_only(recovery):
    recovery.load("device_id", "device_id")
    recovery.write_keys(k1="retired", k2="active", k3="decrypt")
    recovery.load("ip")
    assert recovery.loaded() == [("k1", "device_id"), ("k2", "device_id"), ("k2", "ip"),
                                 ("k3", "ip")]


def test_contexts_of_any_printable_character(recovery):
    contexts = ["it's", "a\\b", "\\.", ":name", "two words", "E'", '"', "~" * 64, "$$", "%s"]
    recovery.load(*contexts)
    recovery.load(*contexts)
    with recovery.session() as c:
        for context in contexts:
            assert unmask(c, tokens.mask(MASTERS, context, "v"), context) == "v"


@pytest.mark.parametrize("contexts", ["dead_letter", "ip,vault", "", "x" * 65, "caf\u00e9"])
def test_contexts_that_are_refused(recovery, contexts):
    result = recovery.sluice.call("sql", "recovery-keys", "-c", recovery.sluice.write(),
                                  "--contexts", contexts)
    assert result.rc != 0 and result.out == b"", result


def test_who_owns_the_database_may_install_it_without_being_superuser(sluice, db):
    """As on managed servers: a role that may create roles and no more."""
    r = Recovery(sluice, db)
    for role in ("sluice_owner", "sluice_reader", "sluice_searcher", "sluice_rotator", "a_dba"):
        db.execute(f"DROP ROLE IF EXISTS {role}")
    db.execute("CREATE ROLE a_dba LOGIN CREATEROLE")
    db.execute(f"ALTER DATABASE {db.name} OWNER TO a_dba")
    if r.db.one("SHOW server_version_num") < "130000":  # there, pgcrypto asks for a superuser
        db.execute("CREATE EXTENSION pgcrypto")
    for _ in range(2):
        psql_as("a_dba", db, r.sql)
        psql_as("a_dba", db, r.keys_for("ip"))
    assert r.loaded() == [("k1", "ip"), ("k2", "ip")]
    with r.login("reader") as c:
        assert unmask(c, KNOWN) == "1.2.3.4"


def test_pgcrypto_may_live_anywhere(sluice, db):
    r = Recovery(sluice, db)
    db.execute('CREATE SCHEMA "Ext ensions"')
    db.execute('CREATE EXTENSION pgcrypto WITH SCHEMA "Ext ensions"')
    db.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    db.psql(r.sql)
    r.load("ip")
    with r.login("reader") as c:
        assert unmask(c, KNOWN) == "1.2.3.4"


def test_a_schema_open_to_everybody_is_refused_whole(sluice, db):
    r = Recovery(sluice, db)
    db.execute("CREATE SCHEMA sluice")
    db.execute("GRANT CREATE ON SCHEMA sluice TO PUBLIC")
    with pytest.raises(AssertionError, match="everybody may create"):
        db.psql(r.sql)
    assert not db.has("sluice.unmask_audit") and not db.has("sluice.field_key")


def test_removing_it_leaves_the_audit(recovery):
    with recovery.session() as c:
        unmask(c, KNOWN)
    recovery.db.psql("\n".join(re.findall(r"^--     (DROP .*;)$", recovery.sql, re.MULTILINE)))
    assert recovery.db.rows("SELECT rolname FROM pg_roles WHERE rolname ~ '^sluice_'") == []
    assert recovery.db.rows(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace") == []
    assert not recovery.db.has("sluice.field_key") and len(recovery.audit()) == 1

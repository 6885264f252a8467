"""test_erase.py - `sluice erase` deletes all of one value, nobody else's, whole and on record."""
import contextlib
import json
import os
import pty
import re
import resource
import subprocess

import pytest

import tokens
from events import LOGIN_TABLE, login, logins
from wait import eventually

KEY_1 = tokens.MASTER
KEY_2 = bytes(range(100, 132))
IP = "192.0.2.177"
DEVICE = "777-77-7777"
REASON = ("--reason", "request 4711")


def put_keys(sluice, *lines):
    with open(sluice.keys, "w", encoding="ascii") as f:
        f.writelines(lines)
    os.chmod(sluice.keys, 0o600)


def one_key(sluice):
    put_keys(sluice, tokens.key_line("k1", KEY_1))


def two_keys(sluice, first="decrypt"):
    put_keys(sluice, tokens.key_line("k1", KEY_1, first), tokens.key_line("k2", KEY_2))


def call(sluice, *arguments, value=IP, **more):
    """Run it; the value is in none of its output."""
    stdin = value if isinstance(value, bytes) else value.encode() + b"\n"
    result = sluice.call("erase", "-c", sluice.write(), *arguments, *REASON, stdin=stdin, **more)
    if len(stdin.strip()) > 3:
        assert stdin.strip() not in result.out + result.err.encode(), result
    return result


def erase(sluice, *arguments, rc=0, value=IP):
    """Erase without asking: (rows, originals, dead letters) erased."""
    result = call(sluice, *arguments, "--yes", value=value)
    assert result.rc == rc, result
    return tuple(int(n) for n in re.search(
        r"erased (\d+) rows?, (\d+) originals?, (\d+) dead letters?; recorded", result.text).groups())


def users(db):
    return [u for u, in db.rows("SELECT user_id FROM user_logins ORDER BY user_id")]


def audit(db):
    return db.rows("SELECT pipeline, contexts, n, how, reason, db_user FROM sluice.unmask_audit"
                   " ORDER BY id")


def bodies(sluice, db):
    """The bodies of all dead letters that are left."""
    keys = tokens.read_keys(sluice.keys)
    return [tokens.open_body(keys, m, s).decode() for m, s in db.rows(
        "SELECT message_id, sealed_body FROM sluice.dead_letter ORDER BY id")]


def spoil(body):
    """A login that is refused: its version is no version."""
    return json.dumps({**json.loads(body), "app_version": "none"})


# Rows

def test_rows_under_every_key_go_and_nobody_elses(sluice, queue, db, cluster):
    one_key(sluice)
    queue.send([login(1, ip=IP), login(2), login(3, ip=IP + "0")])
    sluice.drain()
    two_keys(sluice)
    queue.send([login(11, ip=IP), login(12)])
    sluice.drain()
    position = cluster.log_position()
    result = call(sluice, "--context", "ip", "--yes", "--log-level", "debug")
    assert result.rc == 0 and "erased 2 rows, 0 originals, 0 dead letters" in result.text, result
    assert "backups" in result.text
    assert users(db) == ["user-0002", "user-0003", "user-0012"]
    assert audit(db) == [("public.user_logins", ["ip"], 2, "erase", "request 4711", "postgres")]
    assert IP not in cluster.log_since(position) and IP.encode() not in db.dump()
    assert db.count("sluice.ledger") == 5, "the ledger is left alone"
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 0 and "erased 0 rows" in result.text, "to erase again does no harm"


def test_a_value_is_of_its_context_only(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP), login(2, device_id=IP)])
    sluice.drain()
    assert erase(sluice, "--context", "device_id") == (1, 0, 0)
    assert users(db) == ["user-0001"]


@pytest.mark.parametrize("which", [("--context", "ip"), ("--columns", "last"),
                                   ("--columns", "masked_ip")])
def test_every_column_of_the_context_is_searched(sluice, queue, db, which):
    one_key(sluice)
    sluice.settings["columns"] += [
        {"name": "last", "from": "last_ip", "type": "varchar(256)", "mask": "siv", "context": "ip"},
        {"name": "once", "from": "once_ip", "type": "inet", "mask": "ip", "context": "ip"},
        {"name": "apart", "from": "apart_ip", "type": "text", "mask": "siv"},
    ]
    other = {"last_ip": "198.51.100.1", "once_ip": "198.51.100.1", "apart_ip": "198.51.100.1"}
    queue.send([login(1, **{**other, "ip": IP}), login(2, **{**other, "last_ip": IP}),
                login(3, **{**other, "once_ip": IP}), login(4, **{**other, "apart_ip": IP}),
                login(5, **other), spoil(login(6, **{**other, "last_ip": IP})),
                spoil(login(7, **{**other, "apart_ip": IP}))])
    sluice.drain()
    result = call(sluice, *which, "--dry-run")
    assert "3 rows (masked_ip 1, last 1, once 1)" in result.text, result
    assert erase(sluice, *which) == (3, 0, 1)
    assert users(db) == ["user-0004", "user-0005"]


def test_columns_without_context_share_their_method_and_key(sluice, queue, db):
    one_key(sluice)
    key = {"key": "00" * 32, "iv": "11" * 16}
    sluice.settings["columns"] = [
        {"name": "user_id", "from": "user_id", "type": "text"},
        {"name": "a", "from": "ip", "type": "text", "mask": "aes-cbc", **key},
        {"name": "b", "from": "b", "type": "text", "mask": "aes-cbc", **key},
        {"name": "c", "from": "c", "type": "text", "mask": "aes-cbc", **key, "iv": "22" * 16},
        {"name": "d", "from": "d", "type": "text", "mask": "sha256"},
        {"name": "e", "from": "e", "type": "text", "mask": "fpe", "format": "ddd.d.d.ddd"},
    ]
    queue.send([login(1, ip=IP), login(2, b=IP), login(3, c=IP), login(4, d=IP),
                login(5, e=IP)])
    sluice.drain()
    assert erase(sluice, "--columns", "a") == (2, 0, 0)
    assert users(db) == ["user-0003", "user-0004", "user-0005"]
    assert erase(sluice, "--columns", "d, c") == (2, 0, 0)
    assert erase(sluice, "--columns", "e") == (1, 0, 0)
    assert [a[1] for a in audit(db)] == [["a", "b"], ["d", "c"], ["e"]]


def test_equal_spellings_are_one_value(sluice, queue, db):
    one_key(sluice)
    for column in sluice.settings["columns"]:
        if column["name"] == "masked_ip":
            column["normalize"] = "ip"
    queue.send([login(1, ip="2001:db8::a"), login(2, ip="2001:0DB8:0:0::A"), login(3),
                spoil(login(4, ip="2001:DB8::000A")), spoil(login(5))])
    sluice.drain()
    assert erase(sluice, "--context", "ip", value="2001:db8:0::a") == (2, 0, 1)
    assert users(db) == ["user-0003"]


def test_tokens_of_a_retired_key_are_said_to_stay(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    two_keys(sluice, "retired")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 0 and "k1 is retired" in result.err and db.count() == 1


def test_an_old_copy_of_the_keys_does_not_say_that_all_is_erased(sluice, queue, db):
    two_keys(sluice)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    one_key(sluice)
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 1 and "key k2 is known to the database and not to the key file" in result.err
    assert db.count() == 1


# Dead letters

def test_dead_letters_of_that_person_go_and_nobody_elses(sluice, queue, db):
    one_key(sluice)
    theirs = [
        spoil(login(1, ip=IP)),
        login(2, ip=IP)[:-1],                            # cut off
        json.dumps({"foo": "x", "text": f"seen {IP}."}),  # without the field
        json.dumps({"foo": {"bar": [IP]}}),
        f"{IP} logged in", IP, f'"{IP}"',
        login(3, ip=[IP]), login(4, ip={"v4": [IP]}),    # of another type
        '{"ip": "%s", "ip": "%s"}' % (IP, IP),
        json.dumps({"ip": None, "text": IP}),
    ]
    others = [
        spoil(login(11)),
        spoil(login(12, ip=IP + "0")),
        spoil(login(13, ip="1" + IP)),
        spoil(login(14, device_id=IP)),                  # the same text, another field
        spoil(login(15, note=IP)),                       # it has the field, with another's
        f"{IP}0 logged in", f"1{IP} logged in", f"{IP}.5", f"x-{IP}",
        json.dumps({"foo": IP + "9"}), login(16, ip=[IP + "1"]), "", "not json",
    ]
    queue.send([b for b in theirs + others if b])
    sluice.drain()
    assert sorted(bodies(sluice, db)) == sorted(b for b in theirs + others if b)
    assert erase(sluice, "--context", "ip") == (0, 0, len(theirs))
    assert sorted(bodies(sluice, db)) == sorted(b for b in others if b)
    assert audit(db)[0][2] == 0


@pytest.mark.parametrize("body", [
    login(1, ip="Jürgen")[:-1], login(1, ip='O"Brien')[:-1],       # cut off
    json.dumps({"text": "seen\nJürgen\tagain"}),
    json.dumps(json.dumps({"who": ["😀", "Jürgen O\"Brien"]})),     # JSON in a string
])
def test_escapes_of_json_hide_no_value(sluice, queue, db, body):
    one_key(sluice)
    queue.send([body, "Jürgens", 'O\\"Briens', "\\", "\\u00", "\\ud83d\\u"])
    sluice.drain()
    erased = [erase(sluice, "--context", "ip", value=value)[2] for value in ('O"Brien', "Jürgen")]
    assert sum(erased) == 1 and db.count("sluice.dead_letter") == 5


def test_what_a_retry_makes_a_row_meanwhile_goes_too(sluice, queue, db):
    one_key(sluice)
    db.execute(LOGIN_TABLE + ")")
    queue.send([login(1, ip=IP), login(2, ip=IP, device_type=...)])
    sluice.drain()
    sluice.settings["columns"][1]["required"] = False
    with contextlib.closing(db.connect()) as c, c.cursor() as cursor:
        c.autocommit = False
        cursor.execute("SELECT FROM user_logins FOR UPDATE")
        erasing = sluice.start("erase", "-c", sluice.write(), "--context", "ip", "--yes", *REASON,
                               stdin=IP.encode())
        eventually(db.waiting_for_locks, what="it waits for the row")
        retrying = sluice.start("dead", "retry", "-c", sluice.path)
        eventually(lambda: not retrying.is_alive() or db.waiting_for_locks() > 1,
                   what="the retry is done, or waits")
        c.rollback()
    assert erasing.wait().rc == 0 and retrying.wait().rc in (0, 1), retrying.result()
    assert db.count() == db.count("sluice.dead_letter") == 0


def test_numbers_and_nested_fields_are_values_too(sluice, queue, db):
    one_key(sluice)
    sluice.settings["columns"][2:4] = [
        {"name": "masked_ip", "from": "who.ids[1]", "type": "text", "mask": "siv",
         "convert": "text", "context": "id"}]
    queue.send([spoil(login(1, who={"ids": [0, 4711]})), spoil(login(2, who={"ids": [4711, 0]})),
                spoil(login(3, who={"ids": ["x", "4711"]})), spoil(login(4, who={"ids": [1, 47110]})),
                login(5, who={"ids": [0, 4711]})])
    sluice.drain()
    assert erase(sluice, "--context", "id", value="4711") == (1, 0, 2)
    assert sorted(json.loads(b)["user_id"] for b in bodies(sluice, db)) == ["user-0002", "user-0004"]


def test_a_value_that_cannot_be_masked_is_in_dead_letters_only(sluice, queue, db):
    one_key(sluice)
    long = "cAnArY" + "x" * 200
    queue.send([login(1, ip=long), login(2)])
    sluice.drain()
    result = call(sluice, "--context", "ip", "--dry-run", value=long)
    assert result.rc == 0 and "at most 159" in result.err, result
    assert erase(sluice, "--context", "ip", value=long) == (0, 0, 1)
    assert db.count() == 1


def test_other_pipelines_are_left_alone(sluice, queue, db):
    one_key(sluice)
    queue.send([spoil(login(1, ip=IP)), spoil(login(2, ip=IP))])
    sluice.drain()
    db.execute("UPDATE sluice.dead_letter SET pipeline = 'other' WHERE id = (SELECT min(id) FROM"
               " sluice.dead_letter)")
    db.execute(LOGIN_TABLE.replace("TABLE", "TABLE IF NOT EXISTS") + ")")
    assert erase(sluice, "--context", "ip") == (0, 0, 1)
    assert db.rows("SELECT pipeline FROM sluice.dead_letter") == [("other",)]


def test_dead_letters_that_do_not_open_are_said_and_stay(sluice, queue, db):
    one_key(sluice)
    queue.send([spoil(login(1, ip=IP)), login(2, ip=IP)])
    sluice.drain()
    two_keys(sluice)
    queue.send([spoil(login(3, ip=IP))])
    sluice.drain()
    two_keys(sluice, "retired")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 1 and "1 dead letter cannot be opened" in result.err, result
    assert "erased 0 rows, 0 originals, 1 dead letter;" in result.text
    assert db.count("sluice.dead_letter") == 1


def test_many_dead_letters_are_read_by_and_by(sluice, queue, db):
    one_key(sluice)
    queue.send([spoil(login(1))])
    sluice.drain()
    keys = tokens.read_keys(sluice.keys)
    siv = tokens.siv(keys["k1"], "k1", "dead_letter")
    with contextlib.closing(db.connect()) as c, c.cursor() as cursor:
        for i in range(200):
            body = json.dumps({"ip": IP if i % 10 == 3 else "192.0.2.1", "pad": "x" * 500_000})
            sealed = siv.encrypt(tokens.pad(body.encode()), [f"v1.k1.dead_letter.m{i}".encode()])
            cursor.execute("INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at,"
                           " received_at, stage, reason, sealed_body) SELECT pipeline, %s, sent_at,"
                           " received_at, stage, reason, %s FROM sluice.dead_letter LIMIT 1",
                           (f"m{i}", b"v1.k1." + sealed))
    has_limit = "san" not in sluice.binary  # a sanitizer takes more for itself
    done = subprocess.run(
        [sluice.binary, "erase", "-c", sluice.path, "--context", "ip", "--yes", *REASON],
        input=IP.encode(), env=sluice.env, capture_output=True, timeout=120,
        preexec_fn=lambda: has_limit and resource.setrlimit(
            resource.RLIMIT_DATA, (48 << 20, 48 << 20)))  # half of what the bodies have together
    assert done.returncode == 0 and b", 20 dead letters" in done.stdout, done


# The vault

@pytest.fixture
def vault(cluster):
    v = cluster.new_database()
    yield v
    v.drop()


def use_vault(sluice, vault):
    sluice.settings["vault"] = {"url": vault.url}
    sluice.settings["columns"] = [
        {"name": "user_id", "from": "user_id", "type": "varchar(128)"},
        {"name": "h", "from": "ip", "type": "text", "mask": "hmac"},
        {"name": "masked_ip", "from": "ip", "type": "text", "mask": "siv"},
        {"name": "s", "from": "device_id", "type": "text", "mask": "sha256"}]


def test_originals_in_the_vault_go_under_every_key(sluice, queue, db, vault):
    one_key(sluice)
    use_vault(sluice, vault)
    queue.send([login(1, ip=IP), login(2, device_id=DEVICE)])
    sluice.drain()
    two_keys(sluice)
    queue.send([login(3, ip=IP), login(4)])
    sluice.drain()
    assert vault.count("sluice_vault") == 8
    result = call(sluice, "--context", "ip", "--dry-run")
    assert "vault: 2 originals" in result.text and "2 rows (h 2, masked_ip 2)" in result.text, result
    assert erase(sluice, "--context", "ip") == (2, 2, 0)
    assert erase(sluice, "--columns", "s", value=DEVICE) == (1, 1, 0)
    assert vault.count("sluice_vault") == 5
    # Those of rows that are gone otherwise
    db.execute("TRUNCATE user_logins")
    device = json.loads(login(4))["device_id"]
    assert erase(sluice, "--columns", "s", value=device) == (0, 1, 0)


@pytest.fixture
def role(db):
    """A role that may do all but what a test takes away; connected as by its URL."""
    name = "eraser_" + db.name
    db.psql(f"CREATE ROLE {name} LOGIN;")
    yield name
    db.admin(f"ALTER DATABASE {db.name} OWNER TO postgres")
    db.psql(f"DROP OWNED BY {name};")
    db.psql(f"DROP ROLE {name};")


def grant(db, role):
    db.psql(f"""GRANT USAGE ON SCHEMA sluice TO {role};
                GRANT SELECT ON ALL TABLES IN SCHEMA sluice TO {role};
                GRANT SELECT, DELETE ON user_logins, sluice.dead_letter TO {role};
                GRANT INSERT ON sluice.unmask_audit TO {role};""")


@pytest.mark.parametrize("right", ["DELETE ON user_logins", "DELETE ON sluice.dead_letter",
                                   "INSERT ON sluice.unmask_audit", "SELECT ON user_logins",
                                   "SELECT ON sluice.dead_letter"])
def test_without_a_right_nothing_is_erased(sluice, queue, db, role, right):
    one_key(sluice)
    queue.send([login(1, ip=IP), spoil(login(2, ip=IP)), login(3)])
    sluice.drain()
    grant(db, role)
    sluice.postgres["url"] = db.url.replace("postgres@", role + "@")
    db.execute(f"REVOKE {right} FROM {role}")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 78 and "42501" in result.err, result
    assert "erased" not in result.text and ("nothing is erased" in result.err or "nothing is done" in result.err)
    assert "grant" in result.err or "recorded" in result.err
    assert db.count() == 2 and db.count("sluice.dead_letter") == 1 and audit(db) == []
    db.execute(f"GRANT {right} TO {role}")
    assert erase(sluice, "--context", "ip") == (1, 0, 1)
    assert audit(db)[0][5] == role


def test_what_row_level_security_hides_is_not_passed_over(sluice, queue, db, role):
    one_key(sluice)
    queue.send([login(1, ip=IP), spoil(login(2, ip=IP))])
    sluice.drain()
    grant(db, role)
    db.execute("ALTER TABLE user_logins ENABLE ROW LEVEL SECURITY")
    sluice.postgres["url"] = db.url.replace("postgres@", role + "@")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc != 0 and "row-level security" in result.err, result
    assert (db.count(), db.count("sluice.dead_letter"), len(audit(db))) == (1, 1, 0)


def test_rows_that_a_trigger_keeps_are_said(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    db.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
               " CREATE TRIGGER t BEFORE DELETE ON user_logins FOR EACH ROW EXECUTE PROCEDURE keep()")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 1 and "a trigger or a rule keeps it" in result.err, result
    assert "erased 0 rows" in result.text and db.count() == 1


def test_without_rights_on_the_vault_nothing_is_erased(sluice, queue, db, vault, role):
    one_key(sluice)
    use_vault(sluice, vault)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    vault.psql(f"GRANT SELECT ON sluice_vault TO {role}")
    sluice.settings["vault"]["url"] = vault.url.replace("postgres@", role + "@")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 78 and "nothing is erased" in result.err, result
    assert db.count() == 1 and vault.count("sluice_vault") == 2 and audit(db) == []
    vault.psql(f"DROP OWNED BY {role}")


def test_a_delete_that_fails_takes_everything_back(sluice, queue, db, vault):
    """The rows are deleted, the dead letters refuse: neither goes, nor do originals."""
    one_key(sluice)
    use_vault(sluice, vault)
    queue.send([login(1, ip=IP), login(2, ip=IP, user_id="u" * 129)])
    sluice.drain()
    db.psql("""CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'injected'; END $$;
               CREATE TRIGGER boom BEFORE DELETE ON sluice.dead_letter
               FOR EACH ROW EXECUTE PROCEDURE boom();""")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc != 0 and "P0001" in result.err and "injected" not in result.err, result
    assert db.count() == 1 and db.count("sluice.dead_letter") == 1 and audit(db) == []
    assert vault.count("sluice_vault") >= 2
    db.execute("DROP TRIGGER boom ON sluice.dead_letter")
    assert erase(sluice, "--context", "ip") == (1, 1, 1)


def test_when_the_record_cannot_be_committed_the_vault_keeps_its_originals(sluice, queue, db,
                                                                           vault):
    one_key(sluice)
    use_vault(sluice, vault)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    db.psql("""CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN RAISE EXCEPTION 'injected'; END $$;
               CREATE CONSTRAINT TRIGGER boom AFTER DELETE ON user_logins
               DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE boom();""")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc != 0 and "nothing is erased" in result.err, result
    assert db.count() == 1 and vault.count("sluice_vault") == 2 and audit(db) == []


def test_when_the_vault_fails_last_the_next_run_finishes(sluice, queue, db, vault):
    one_key(sluice)
    use_vault(sluice, vault)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    vault.psql("""CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
                  $$ BEGIN RAISE EXCEPTION 'injected'; END $$;
                  CREATE CONSTRAINT TRIGGER boom AFTER DELETE ON sluice_vault
                  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE boom();""")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc != 0 and "run it again" in result.err, result
    assert db.count() == 0 and vault.count("sluice_vault") == 2 and len(audit(db)) == 1
    vault.execute("DROP TRIGGER boom ON sluice_vault")
    assert erase(sluice, "--context", "ip") == (0, 1, 0)
    assert [a[2] for a in audit(db)] == [1, 0]


# Asking

def on_terminal(sluice, answers, *arguments, stdin=IP.encode() + b"\n"):
    """With a terminal to ask on; the value on stdin, or typed when stdin is None."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sluice.binary, "erase", "-c", sluice.write(), *arguments, *REASON], env=sluice.env,
        stdin=subprocess.PIPE if stdin is not None else slave, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(slave, 0x540E, 0))  # TIOCSCTTY
    os.close(slave)
    os.write(master, answers)
    out, err = process.communicate(stdin, timeout=60)
    os.close(master)
    return process.returncode, out.decode(), err.decode()


def test_it_asks_on_the_terminal(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP), login(2)])
    sluice.drain()
    for answer in (b"yes\n", b"\n", b"eras\n", b"\x04"):
        rc, out, err = on_terminal(sluice, answer, "--context", "ip")
        assert rc != 0 and "nothing was changed" in err and "1 row " in out, (answer, out, err)
        assert db.count() == 2 and audit(db) == []
    rc, out, err = on_terminal(sluice, b"erase\n", "--context", "ip")
    assert rc == 0 and "erased 1 row," in out and IP not in out + err, (out, err)
    assert users(db) == ["user-0002"]
    rc, out, err = on_terminal(sluice, b"", "--context", "ip")
    assert rc == 0 and "Type" not in err, "nothing to delete, nothing to ask"


def test_the_value_can_be_typed(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    rc, out, err = on_terminal(sluice, IP.encode() + b"\nerase\n", "--context", "ip", stdin=None)
    assert rc == 0 and "erased 1 row," in out, (out, err)


def test_without_a_terminal_it_needs_yes(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    done = subprocess.run([sluice.binary, "erase", "-c", sluice.write(), "--context", "ip", *REASON],
                          input=IP.encode(), env=sluice.env, capture_output=True, timeout=60,
                          start_new_session=True)
    assert done.returncode == 64 and b"--yes" in done.stderr
    assert db.count() == 1 and audit(db) == []


def test_a_dry_run_changes_nothing(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP), spoil(login(2, ip=IP))])
    sluice.drain()
    result = call(sluice, "--context", "ip", "--dry-run")
    assert result.rc == 0 and "1 row " in result.text and "dead letters: 1 of 1" in result.text
    assert db.count() == 1 and db.count("sluice.dead_letter") == 1 and audit(db) == []
    result = call(sluice, "--context", "ip", "--dry-run", "--yes")
    assert result.rc == 0 and db.count() == 1


def test_nothing_found_is_well_and_on_record(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(2))
    sluice.drain()
    assert erase(sluice, "--context", "ip") == (0, 0, 0)
    assert db.count() == 2 and [a[2:4] for a in audit(db)] == [(0, "erase")]


# What is refused

@pytest.mark.parametrize("stdin", [b"", b"\n", b"a\nb\n", IP.encode() + b"\n\n", b"a\0b\n",
                                   b"x" * 70000])
def test_one_value_and_nothing_else(sluice, stdin):
    one_key(sluice)
    result = call(sluice, "--context", "ip", "--yes", value=stdin)
    assert result.rc == 64, result


@pytest.mark.parametrize("arguments", [
    ("--context", "ip", IP), (), ("--context", "ip", "--columns", "masked_ip"),
    ("--context", "nothing"), ("--context", ""), ("--columns", "user_id"), ("--columns", "nothing"),
    ("--columns", ""), ("--columns", "masked_ip,nothing")])
def test_what_to_erase_must_be_said(sluice, arguments):
    one_key(sluice)
    result = call(sluice, *arguments, "--yes")
    assert result.rc == 64, result


@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", "  "),
                                    ("--reason", "x" * 1001)])
def test_a_reason_must_be_given(sluice, reason):
    one_key(sluice)
    result = sluice.call("erase", "-c", sluice.write(), "--context", "ip", "--yes", *reason,
                         stdin=IP.encode())
    assert result.rc == 64 and "--reason" in result.err, result


@pytest.mark.parametrize("mask", [
    {"mask": "fernet", "key": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="},
    {"mask": "keep", "keep": "first 3"}, {"mask": "null"}, {"mask": "fixed", "value": "x"}])
def test_what_cannot_be_searched_for_is_refused(sluice, mask):
    one_key(sluice)
    sluice.settings["columns"].append({"name": "f", "from": "ip", "type": "varchar(300)", **mask})
    result = call(sluice, "--columns", "f", "--yes")
    assert result.rc == 64 and f"mask: {mask['mask']}" in result.err, result
    assert "searched" in result.err


def test_a_database_that_was_never_loaded_is_said(sluice, db):
    one_key(sluice)
    db.execute(LOGIN_TABLE + ")")
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 78 and "no schema sluice" in result.err, result


def test_a_wrong_key_under_a_known_id_erases_nothing(sluice, queue, db):
    one_key(sluice)
    queue.send([login(1, ip=IP)])
    sluice.drain()
    put_keys(sluice, tokens.key_line("k1", KEY_2))
    result = call(sluice, "--context", "ip", "--yes")
    assert result.rc == 78 and "k1" in result.err and audit(db) == []


def test_help_says_what_it_cannot_reach(bare):
    text = bare.good("erase", "--help").text.lower()
    for word in ("backups", "ledger", "select and delete", "queue"):
        assert word in text


def test_a_value_that_normalizes_to_nothing_erases_nothing(sluice, queue, db):
    sluice.settings["columns"][2].update(normalize="trim", required=False)
    queue.send([login(1, ip=""), login(2, ip="  "), login(3)])
    sluice.drain()
    call(sluice, "--context", "ip", "--yes", value="  ")
    assert db.count() == 3


def test_a_line_may_end_as_on_windows(sluice, queue, db):
    queue.send([login(1, ip="9.9.9.9"), login(2)])
    sluice.drain()
    call(sluice, "--context", "ip", "--yes", value="9.9.9.9\r")
    assert db.count() == 1


def test_the_same_field_masked_in_another_way_goes_too(sluice, queue, db, cluster):
    vault = cluster.new_database()
    sluice.settings["vault"] = {"url": vault.url}
    sluice.settings["columns"].append({"name": "s", "from": "ip", "type": "varchar(64)",
                                       "mask": "sha256"})
    queue.send([login(1, ip="9.9.9.9")])
    sluice.drain()
    call(sluice, "--context", "ip", "--yes", value="9.9.9.9")
    left = vault.count("sluice_vault")
    vault.drop()
    assert (db.count(), left) == (0, 0)

"""test_rewrap.py - a key is rotated under load: everything comes under the new key, joins stay
right at each step, and nothing is lost when it is killed in the middle."""
import collections
import contextlib
import json
import os
import pty
import signal
import subprocess
import threading

import pytest

import tokens
from events import LOGIN_TABLE, login, logins
from wait import SLOWER, eventually

COLUMNS = {"masked_ip": "ip", "masked_device_id": "device_id"}
BAD = '{"user_id": "u", "ip": "192.0.2.1"'


def add_key(sluice, kid="k2"):
    sluice.good("keys", "add", sluice.keys, "--kid", kid)


def activate(sluice, kid="k2"):
    sluice.good("keys", "activate", sluice.keys, kid)


def rotate(sluice):
    add_key(sluice)
    activate(sluice)


def rewrap(sluice, *arguments, rc=0, **more):
    result = sluice.call("rewrap", "-c", sluice.write(), *arguments, **more)
    assert result.rc == rc, result
    return result


def kids(db, column="masked_ip", table="user_logins"):
    """{key id: tokens under it}"""
    return dict(db.rows(f"SELECT split_part({column}, '.', 2), count(*) FROM {table}"
                        f" WHERE {column} <> '' GROUP BY 1"))


def dead_kids(db):
    return collections.Counter(bytes(s).split(b".")[1].decode() for s, in db.rows(
        "SELECT sealed_body FROM sluice.dead_letter"))


def values(sluice, db, column, table="user_logins"):
    """{user id: value}, recovered by another implementation."""
    keys = tokens.read_keys(sluice.keys)
    return {user: tokens.unmask(keys, COLUMNS[column], token)
            for user, token in db.rows(f"SELECT user_id, {column} FROM {table}")}


def wanted(bodies, field):
    return {v["user_id"]: v[field] for v in map(json.loads, bodies)}


def counts_by_tokens(sluice, db, column, looked_for):
    """How many rows have each value, found as an analyst would: by the tokens under every key."""
    found = sluice.good("tokens", "-c", sluice.path, "--columns", column,
                        stdin="".join(v + "\n" for v in looked_for).encode()).text.splitlines()
    assert len(found) == len(looked_for), found
    return {value: db.one(f"SELECT count(*) FROM user_logins WHERE {column} = ANY (%s)", each)
            for value, each in zip(looked_for, found)}


def fill(sluice, queue, bodies):
    queue.send(bodies)
    return sluice.drain()


# The drill

def test_a_key_is_rotated_under_load(sluice, make_queue, db):
    """Equal values all the while: 12 addresses, so that every step has something to join."""
    queue = make_queue(VisibilityTimeout=30)
    sluice.use_queue(queue)
    bodies = [login(n, ip=f"192.0.2.{n % 12}") for n in range(240)]
    addresses = [f"192.0.2.{n}" for n in range(12)]
    part = [bodies[0:120], bodies[120:150], bodies[150:180], bodies[180:240]]
    sent = []

    def send(some, dead=0):
        queue.send(some + [BAD] * dead)
        sent.extend(some)
        eventually(lambda: db.count() == len(sent), within=30, what="all are loaded")

    def joins():
        have = counts_by_tokens(sluice, db, "masked_ip", addresses)
        want = collections.Counter(json.loads(b)["ip"] for b in sent)
        assert have == dict(want)

    running = sluice.begin()
    send(part[0], dead=3)
    eventually(lambda: len(db.dead()) == 3, what="dead letters")
    joins()

    # 1. k2 is known everywhere, and not used yet
    add_key(sluice)
    running.stop()
    running = sluice.begin()
    send(part[1])
    assert kids(db) == {"k1": 150}
    joins()

    # 2. k2 is active; both keys are in the table
    activate(sluice)
    running.stop()
    running = sluice.begin()
    send(part[2])
    assert kids(db) == {"k1": 150, "k2": 30}
    joins()
    refused = sluice.call("keys", "retire", sluice.keys, "k1", "-c", sluice.path)
    assert refused.rc == 78 and "303 values" in refused.err, refused

    # 3. rewrap, killed in the middle, while messages come
    sender = threading.Thread(target=queue.send, args=(part[3],))
    sender.start()
    doomed = sluice.start("rewrap", "-c", sluice.path, "--batch", "10", "--rate", "50")
    eventually(lambda: kids(db).get("k1", 0) <= 110, every=0.01, what="some are rewrapped")
    doomed.kill()
    sender.join()
    sent.extend(part[3])
    eventually(lambda: db.count() == len(sent), within=30, what="all are loaded")
    assert 0 < kids(db)["k1"] < 150, "it was not in the middle"
    joins()

    # 4. again, to the end
    result = rewrap(sluice, "--batch", "7")
    assert kids(db) == {"k2": 240} == kids(db, "masked_device_id")
    assert dead_kids(db) == {"k2": 3}
    assert "3 dead letters" in result.err_lines[-1]
    joins()
    for column, field in COLUMNS.items():
        assert values(sluice, db, column) == wanted(sent, field)
    assert "0 rows, 0 dead letters, 0 originals" in rewrap(sluice).err_lines[-1]

    # 5. k1 is not needed any more
    sluice.good("keys", "retire", sluice.keys, "k1", "-c", sluice.path)
    for i, in db.rows("SELECT id FROM sluice.dead_letter"):
        assert sluice.good("dead", "show", str(i), "-c", sluice.path).out == BAD.encode()
    joins()
    assert sorted(n for n, in db.rows("SELECT count(*) FROM user_logins GROUP BY masked_ip")) \
        == [20] * 12
    running.stop()


# What is where

def test_dry_run_counts_and_changes_nothing(sluice, queue, db):
    fill(sluice, queue, logins(9) + [BAD])
    rotate(sluice)
    fill(sluice, queue, logins(4, first=9))

    def rows():
        return [db.rows(f"SELECT t.xmin::text, t::text FROM {t} AS t ORDER BY t.ctid") for t in
                ("user_logins", "sluice.dead_letter", "sluice.key_check")]

    before = rows()
    lines = [line.split() for line in rewrap(sluice, "--dry-run").text.splitlines()]
    assert lines == [["what", "key", "values", "then"],
                     ["masked_ip", "k1", "9", "rewrap"], ["masked_ip", "k2", "4", "stays"],
                     ["masked_device_id", "k1", "9", "rewrap"],
                     ["masked_device_id", "k2", "4", "stays"],
                     ["(dead", "letters)", "k1", "1", "rewrap"]]
    assert rows() == before


def test_only_the_named_key_is_rewrapped(sluice, queue, db):
    for kid in ("k2", "k3"):
        fill(sluice, queue, logins(3, first=10 * int(kid[1])))
        add_key(sluice, kid)
        activate(sluice, kid)
    rewrap(sluice, "--kid", "k1")
    assert kids(db) == {"k2": 3, "k3": 3}
    rewrap(sluice)
    assert kids(db) == {"k3": 6} == kids(db, "masked_device_id")
    for kid, word in (("k3", "active"), ("k9", "not in the key ring")):
        assert word in rewrap(sluice, "--kid", kid, rc=78).err


@pytest.mark.since(11)
def test_every_partition_is_rewrapped(sluice, queue, db):
    """Also where the token decides the partition, and its row moves."""
    db.execute(LOGIN_TABLE + ") PARTITION BY LIST (device_type)")
    db.execute("CREATE TABLE p_ios PARTITION OF user_logins FOR VALUES IN ('ios')")
    db.execute("CREATE TABLE p_else PARTITION OF user_logins DEFAULT PARTITION BY HASH (masked_ip)")
    for i in range(3):
        db.execute(f"CREATE TABLE p_else_{i} PARTITION OF p_else"
                   f" FOR VALUES WITH (modulus 3, remainder {i})")
    bodies = logins(60)
    fill(sluice, queue, bodies)
    assert all(db.count(p) > 0 for p in ("p_ios", "p_else_0", "p_else_1", "p_else_2"))
    rotate(sluice)
    result = rewrap(sluice, "--batch", "4")
    assert result.err_lines[-1].startswith("rewrapped: 60 rows"), result
    assert kids(db) == {"k2": 60} == kids(db, "masked_device_id")
    for column, field in COLUMNS.items():
        assert values(sluice, db, column) == wanted(bodies, field)


def test_more_blocks_and_columns_than_one_statement_takes(sluice, queue, db):
    """Ten columns, and a table whose rows lie far apart."""
    names = [f"c{i}" for i in range(10)]
    sluice.settings["columns"] = [{"name": "user_id", "from": "user_id", "type": "text"}] + [
        {"name": n, "from": "ip", "type": "text", "mask": "siv", "context": n} for n in names]
    sluice.make_keys()
    keys = tokens.read_keys(sluice.keys)
    db.execute("CREATE TABLE user_logins (user_id text, " + ", ".join(n + " text" for n in names)
               + ", filler text) WITH (fillfactor = 10)")
    for user in range(3):
        row = ", ".join("NULL" if (user, n) == (1, "c3") else
                        "'" + tokens.mask(keys, n, f"value {user}") + "'" for n in names)
        db.execute(f"INSERT INTO user_logins SELECT '{user}', {row}, repeat('x', 1000)"
                   " FROM generate_series(1, 400)")
    assert db.one("SELECT pg_relation_size('user_logins')") > 3 * 128 * 8192
    rotate(sluice)
    result = rewrap(sluice)
    assert result.err_lines[-1].startswith("rewrapped: 2400 rows"), result
    keys = tokens.read_keys(sluice.keys)
    want = {n: {(str(u), None if (u, n) == (1, "c3") else tokens.mask(keys, n, f"value {u}", "k2"))
                for u in range(3)} for n in names}
    assert {n: set(db.rows(f"SELECT DISTINCT user_id, {n} FROM user_logins"))
            for n in names} == want


def test_the_vault_is_rewrapped_and_its_tokens_stay(sluice, queue, db, cluster):
    vault = cluster.new_database()
    try:
        sluice.settings["vault"] = {"url": vault.url}
        sluice.settings["columns"][2]["mask"] = "hmac"
        sluice.settings["columns"][3]["mask"] = "sha256"
        fill(sluice, queue, logins(5))
        before = db.rows("SELECT masked_ip, masked_device_id FROM user_logins ORDER BY user_id")
        rotate(sluice)
        lines = [line.split() for line in rewrap(sluice, "--dry-run").text.splitlines()]
        assert ["masked_ip", "k1", "5", "cannot,", "stays"] in lines
        assert ["(vault)", "k1", "10", "rewrap"] in lines
        result = rewrap(sluice, "--batch", "3")
        assert "10 originals" in result.err_lines[-1], result
        assert [log["sluice.column"] for log in result.logs if "one-way" in log["message"]] \
            == ["masked_ip", "masked_device_id"]
        assert db.rows("SELECT masked_ip, masked_device_id FROM user_logins ORDER BY user_id") \
            == before
        assert {bytes(s)[:6] for s, in vault.rows("SELECT sealed FROM sluice_vault")} == {b"v1.k2."}
        back = sluice.good("unmask", "-c", sluice.path, "--columns", "masked_device_id",
                           "--reason", "a test",
                           stdin="".join(t + "\n" for _, t in before).encode()).text.splitlines()
        assert back == [json.loads(b)["device_id"] for b in logins(5)]
        refused = sluice.call("keys", "retire", sluice.keys, "k1", "-c", sluice.path)
        assert refused.rc == 78 and "5 values" in refused.err, "tokens of mask: hmac name k1"
    finally:
        vault.drop()


def test_a_column_that_cannot_name_its_key_needs_it(sluice, queue, db):
    sluice.settings["columns"][2].update(mask="ip")
    fill(sluice, queue, logins(4))
    rotate(sluice)
    result = rewrap(sluice)
    assert [log["sluice.column"] for log in result.logs if "stay under the key" in log["message"]] \
        == ["masked_ip"]
    assert ["masked_ip", "k1", "4", "cannot,", "stays"] in [
        line.split() for line in rewrap(sluice, "--dry-run").text.splitlines()]
    refused = sluice.call("keys", "retire", sluice.keys, "k1", "-c", sluice.path)
    assert refused.rc == 78 and "4 values" in refused.err, refused
    sluice.settings["columns"][2].update(kid="k2")
    db.execute("DELETE FROM user_logins")
    fill(sluice, queue, logins(2))
    sluice.good("keys", "retire", sluice.keys, "k1", "-c", sluice.write())


# What is left

def test_a_token_that_does_not_open_is_counted_and_left(sluice, queue, db):
    fill(sluice, queue, logins(6) + [BAD])
    first = db.one("SELECT masked_ip FROM user_logins WHERE user_id = 'user-0000'")
    broken = first[:20] + ("A" if first[20] != "A" else "B") + first[21:]
    unknown = first.replace("v1.k1.", "v1.k9.")
    for user, token in ((0, broken), (1, unknown), (2, "v1.canary")):
        db.execute("UPDATE user_logins SET masked_ip = %s WHERE user_id = %s", token,
                   f"user-000{user}")
    db.execute("UPDATE sluice.dead_letter SET sealed_body = set_byte(sealed_body, 30,"
               " 255 - get_byte(sealed_body, 30))")
    rotate(sluice)
    result = rewrap(sluice, rc=1)
    assert "masked_ip: 3 do not open" in result.err, result
    assert "(dead letters): 1 do not open" in result.err, result
    for text in (broken[6:], unknown[6:], "canary"):
        assert text not in result.err + result.text
    assert [t for t, in db.rows("SELECT masked_ip FROM user_logins ORDER BY user_id LIMIT 3")] \
        == [broken, unknown, "v1.canary"]
    assert kids(db)["k2"] == 3
    assert kids(db, "masked_device_id") == {"k2": 6}, "the other column of those rows is opened"
    assert dead_kids(db) == {"k1": 1}


def test_what_the_table_refuses_is_found_row_by_row(sluice, queue, db):
    db.execute(LOGIN_TABLE + ")")
    bodies = logins(20)
    fill(sluice, queue, bodies)
    db.psql("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.user_id IN ('user-0003', 'user-0011') THEN
                RAISE EXCEPTION 'not this one: %', NEW.masked_ip; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON user_logins FOR EACH ROW
            EXECUTE PROCEDURE refuse();
    """)
    rotate(sluice)
    result = rewrap(sluice, rc=1)
    assert "the table refuses 2 rows" in result.err and "not this one" not in result.err, result
    assert kids(db) == {"k1": 2, "k2": 18}
    db.execute("DROP TRIGGER refuse ON user_logins")
    assert "2 rows" in rewrap(sluice).err_lines[-1]
    assert values(sluice, db, "masked_ip") == wanted(bodies, "ip")


def test_a_row_that_changes_meanwhile_keeps_its_change(sluice, queue, db):
    """It waits for the row's lock, and then sees another token than it had read."""
    fill(sluice, queue, logins(8))
    rotate(sluice)
    mine = tokens.mask(tokens.read_keys(sluice.keys), "ip", "198.51.100.9")
    with contextlib.closing(db.connect()) as c:
        c.autocommit = False
        c.cursor().execute("UPDATE user_logins SET masked_ip = %s WHERE user_id = 'user-0005'",
                           (mine,))
        running = sluice.start("rewrap", "-c", sluice.write())
        eventually(db.waiting_for_locks, what="it waits for the row")
        c.commit()
    result = running.wait()
    assert result.rc == 0, result
    assert kids(db) == {"k2": 8} == kids(db, "masked_device_id")
    assert values(sluice, db, "masked_ip")["user-0005"] == "198.51.100.9"


def test_empty_and_null_stay(sluice, queue, db):
    for column in sluice.settings["columns"][2:4]:
        column["required"] = False
    fill(sluice, queue, [login(1, ip=""), login(2, ip=None), login(3)])
    rotate(sluice)
    rewrap(sluice)
    assert [t if not t else t[:6] for t, in db.rows(
        "SELECT masked_ip FROM user_logins ORDER BY user_id")] == ["", None, "v1.k2."]


# Ending

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_two_batches(sluice, queue, db, number):
    fill(sluice, queue, logins(60))
    rotate(sluice)
    running = sluice.start("rewrap", "-c", sluice.write(), "--batch", "5", "--rate", "20")
    eventually(lambda: "k2" in kids(db), every=0.01, what="some are rewrapped")
    running.term(number)
    result = running.wait()
    assert result.rc == 0, result
    assert result.err_lines[-1].startswith("stopped, rewrapped so far: "), result
    n = kids(db)["k2"]
    assert f"{n} rows" in result.err_lines[-1] and n % 5 == 0 and n < 60
    assert f"{60 - n} rows" in rewrap(sluice).err_lines[-1]


def test_the_rate_is_kept(sluice, queue, db):
    fill(sluice, queue, logins(60))
    rotate(sluice)
    result = rewrap(sluice, "--batch", "10", "--rate", "40")
    seconds = float(result.err_lines[-1].split(" in ")[1].split(" s ")[0])
    assert seconds >= 60 / 40, result.err_lines[-1]


def test_an_outage_in_the_middle_is_waited_out(sluice, queue, db, cluster):
    fill(sluice, queue, logins(60))
    rotate(sluice)
    running = sluice.start("rewrap", "-c", sluice.write(), "--batch", "5", "--rate", "20")
    eventually(lambda: "k2" in kids(db), every=0.01, what="some are rewrapped")
    cluster.stop("immediate")
    eventually(lambda: "trying again" in running.err, what="it has noticed")
    cluster.start()
    result = running.wait()
    assert result.rc == 0, result
    assert kids(db) == {"k2": 60} == kids(db, "masked_device_id")


def test_a_terminal_has_a_bar(sluice, queue, db):
    fill(sluice, queue, logins(30))
    rotate(sluice)
    ours, theirs = pty.openpty()
    done = subprocess.Popen([sluice.binary, "rewrap", "-c", sluice.write(), "--batch", "5",
                             "--rate", "20"], env=sluice.env, stderr=theirs, cwd=sluice.folder)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):
        while True:
            more = os.read(ours, 4096)
            if not more:
                break
            seen += more
    os.close(ours)
    assert done.wait(30 * SLOWER) == 0, seen
    assert b"] pass 1, " in seen and b"rewrapped: 30 rows" in seen, seen


# Rights and keys

def test_it_says_what_to_grant(sluice, queue, db):
    fill(sluice, queue, logins(2))
    rotate(sluice)
    role = f"poor_{db.name}"
    db.execute(f"CREATE ROLE {role} LOGIN")
    try:
        db.execute(f"GRANT USAGE ON SCHEMA sluice TO {role};"
                   f"GRANT SELECT ON ALL TABLES IN SCHEMA sluice TO {role};"
                   f"GRANT INSERT ON sluice.key_check TO {role};"
                   f"GRANT SELECT ON user_logins TO {role}")
        sluice.postgres["url"] = db.url.replace("postgres@", role + "@")
        result = rewrap(sluice, rc=78)
        assert 'grant select, update on "public"."user_logins", "sluice"."dead_letter"' \
            in result.err, result
        assert kids(db) == {"k1": 2}
        db.execute(f"GRANT UPDATE ON user_logins, sluice.dead_letter TO {role}")
        rewrap(sluice)
        assert kids(db) == {"k2": 2}
    finally:
        db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_another_key_under_a_known_id_changes_nothing(sluice, queue, db):
    fill(sluice, queue, logins(2))
    sluice.keys += ".other"
    sluice.make_keys()
    sluice.settings["keys"]["file"] = sluice.keys
    rotate(sluice)
    assert "k1" in rewrap(sluice, rc=78).err
    assert kids(db) == {"k1": 2}


def test_who_started_it_is_in_the_log_and_no_value(sluice, queue, db, cluster):
    fill(sluice, queue, [login(1, ip="cAnArY7f3a")])
    rotate(sluice)
    position = cluster.log_position()
    result = rewrap(sluice, "--log-level", "debug")
    started = [log for log in result.logs
               if log["message"] == "bringing values under the active key"]
    assert len(started) == 1 and started[0]["user.id"] == os.getuid(), result
    assert started[0]["sluice.kid"] == "k2" and started[0]["user.name"]
    for text in (result.err, result.text, cluster.log_since(position)):
        assert "cAnArY" not in text


@pytest.mark.parametrize("arguments, word", [
    (["--batch", "0"], "1 to 10000"), (["--batch", "10001"], "1 to 10000"),
    (["--rate", "x"], "--rate"), (["--kid", "K1"], "key id"), (["k1"], "unexpected"), (["--loud"], "--loud"),
], ids=" ".join)
def test_a_wrong_command_line_exits_64(sluice, arguments, word):
    result = sluice.call("rewrap", "-c", sluice.write(), *arguments)
    assert result.rc == 64 and word in result.err, result


def test_a_missing_table_is_named(sluice):
    sluice.make_keys()
    assert "table user_logins does not exist" in rewrap(sluice, rc=78).err


def test_an_old_copy_of_the_keys_takes_nothing_back(sluice, queue, db):
    keys = [bytes([n]) * 32 for n in (1, 2)]

    def put(*states):
        with open(sluice.keys, "w", encoding="ascii") as f:
            f.writelines(tokens.key_line(f"k{n + 1}", keys[n], s) for n, s in enumerate(states))
        os.chmod(sluice.keys, 0o600)

    put("decrypt", "active")
    queue.send([login(1)])
    sluice.drain()
    put("active", "decrypt")
    result = sluice.call("rewrap", "-c", sluice.path)
    assert result.rc == 78 and "newest copy" in result.err, result
    assert db.one("SELECT masked_ip FROM user_logins").startswith("v1.k2.")
    sluice.good("rewrap", "-c", sluice.path, "--kid", "k2")
    assert db.one("SELECT masked_ip FROM user_logins").startswith("v1.k1.")


def test_a_table_that_is_not_there_says_nothing_of_a_key(sluice, queue, db):
    queue.send([login(1)])
    sluice.drain()
    sluice.good("keys", "add", sluice.keys)
    sluice.good("keys", "activate", sluice.keys, "k2")
    sluice.postgres["table"] = "user_login"
    result = sluice.call("keys", "retire", sluice.keys, "k1", "-c", sluice.write(), "--destroy",
                         "--yes")
    assert result.rc == 78 and "user_login" in result.err, result
    assert "k1" in tokens.read_keys(sluice.keys)

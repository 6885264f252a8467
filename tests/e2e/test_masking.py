"""test_masking.py - masked values stay comparable, can be recovered, and nothing else gets out."""
import base64
import collections
import json

import pytest

import tokens
from events import LOGIN_TABLE, login, logins
from monitor import Monitor, watched
from sluice import wait_for_text
from wait import eventually


def groups(db, column):
    return sorted(n for n, in db.rows(f"SELECT count(*) FROM user_logins GROUP BY {column}"
                                      " HAVING count(*) > 1"))


def test_group_by_finds_the_duplicates_of_the_input(sluice, queue, db):
    lines = sluice.good("generate", "--count", "80", "--seed", "3", "--duplicates", "0.4")
    bodies = lines.text.splitlines()
    for field, column in (("ip", "masked_ip"), ("device_id", "masked_device_id")):
        values = collections.Counter(json.loads(b)[field] for b in bodies)
        assert any(n > 1 for n in values.values()), "the input has no duplicates to find"
    queue.send(bodies)
    sluice.drain()
    for field, column in (("ip", "masked_ip"), ("device_id", "masked_device_id")):
        values = collections.Counter(json.loads(b)[field] for b in bodies)
        assert groups(db, column) == sorted(n for n in values.values() if n > 1)


def test_equal_values_get_equal_tokens_across_runs(sluice, queue, db):
    for _ in range(2):
        queue.send([login(1), login(2)])
        sluice.drain()
    assert groups(db, "masked_ip") == groups(db, "masked_device_id") == [2, 2]


def test_a_token_is_what_the_specification_says(sluice, queue, db):
    queue.send([login(1)])
    sluice.drain()
    keys = tokens.read_keys(sluice.keys)
    value = json.loads(login(1))
    assert db.rows("SELECT masked_ip, masked_device_id FROM user_logins") == [
        (tokens.mask(keys, "ip", value["ip"]), tokens.mask(keys, "device_id", value["device_id"]))]


def test_columns_join_when_they_share_a_context_and_only_then(sluice, queue, db):
    sluice.settings["columns"] = [
        {"name": "a", "from": "ip", "type": "text", "mask": "siv"},
        {"name": "b", "from": "last_ip", "type": "text", "mask": "siv", "context": "ip"},
        {"name": "c", "from": "last_ip", "type": "text", "mask": "siv"},
    ]
    queue.send([login(1, ip="192.0.2.1", last_ip="192.0.2.1")])
    sluice.drain()
    (a, b, c), = db.rows("SELECT a, b, c FROM user_logins")
    keys = tokens.read_keys(sluice.keys)
    assert a == b != c
    assert tokens.unmask(keys, "last_ip", c) == "192.0.2.1"


def test_mask_agrees_with_the_table(sluice, queue, db):
    queue.send(logins(5))
    sluice.drain()
    ips = [json.loads(b)["ip"] for b in logins(5)]
    masked = sluice.good("mask", "--keys", sluice.keys, "--context", "ip",
                         stdin="".join(i + "\n" for i in ips).encode()).text.splitlines()
    in_table = [t for t, in db.rows("SELECT masked_ip FROM user_logins ORDER BY user_id")]
    assert masked == in_table


# The canary: a value that stands nowhere else, looked for everywhere

CANARY = "cAnArY7f3a"


def canary_bodies():
    good = [login(n, ip=f"{CANARY}.ip.{n}", device_id=f"{CANARY}.dev.{n}") for n in range(6)]
    mark = {"ip": CANARY, "device_id": CANARY}
    bad = [
        login(10, app_version="1.2.3.4", **mark),
        login(11, user_id="u" * 129, **mark),
        login(12, user_id=..., **mark),
        login(13, ip=CANARY * 20, device_id=CANARY),            # too long to mask
        login(14, ip=[CANARY], device_id={"a": CANARY}),        # of another type
        login(15, user_id="refused by the table", **mark),
        login(16, user_id="nul \0", **mark),
        login(17, **mark)[:-1],                                 # cut off
        login(18, **mark) + CANARY,
        '{"ip": "%s", "ip": "%s"}' % (CANARY, CANARY),
        CANARY, '"%s"' % CANARY, '["%s"]' % CANARY,
        login(19, **{CANARY: CANARY, "ip": CANARY, "device_id": CANARY}, locale="x" * 300),
    ]
    return good, bad


def spellings(text):
    """As text, and as pg_dump prints bytea; base64 in all three alignments."""
    raw = text.encode()
    found = {raw, raw.hex().encode()}
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        found.add(encoded[4 if shift else 0:][:8])
    return found


def assert_no_canary(where, data):
    for spelling in spellings(CANARY):
        at = data.find(spelling)
        assert at < 0, f"{where} has the canary: {data[max(0, at - 120):at + 80]!r}"


def test_the_search_for_canaries_finds_them():
    for data in (CANARY.encode(), b"\\x00" + CANARY.encode().hex().encode(),
                 *(base64.b64encode(b"x" * n + CANARY.encode() + b"yz") for n in range(3))):
        with pytest.raises(AssertionError):
            assert_no_canary("this", data)


def test_no_canary_gets_out_of_a_run(sluice, queue, db, cluster, tmp_path):
    good, bad = canary_bodies()
    db.execute(LOGIN_TABLE + ", CHECK (user_id <> 'refused by the table'))")
    queue.send(good + bad)
    position = cluster.log_position()
    summary_file = tmp_path / "summary.json"
    running = watched(sluice).begin("--log-level", "debug", "--summary-json", str(summary_file))
    monitor = Monitor(running)
    eventually(lambda: db.count() == len(good) and len(db.dead()) == len(bad),
               what="all loaded or dead-lettered")
    for name in ("environ", "cmdline"):
        with open(f"/proc/{running.pid}/{name}", "rb") as f:
            assert_no_canary("/proc/PID/" + name, f.read())
    for path in ("/metrics", "/healthz", "/readyz"):
        assert_no_canary(path, monitor.ask(path)[2].encode())
    result = running.stop()
    assert result.summary.loaded == len(good)
    assert_no_canary("stderr", result.err.encode())
    assert_no_canary("stdout", result.out)
    assert_no_canary("the summary", summary_file.read_bytes())
    assert_no_canary("the database", db.dump())
    assert_no_canary("the server's log", cluster.log_since(position).encode())
    listing = sluice.good("dead", "list", "-c", sluice.path)
    assert_no_canary("dead list", listing.out + listing.err.encode())


def test_no_canary_gets_out_of_a_dry_run(sluice, queue):
    good, bad = canary_bodies()
    for bodies in (good[:4], bad[:6]):
        queue.send(bodies)
    result = sluice.run("--dry-run", "--log-level", "debug")
    assert result.rc == 0, result
    assert b"v1.k1." in result.out
    assert_no_canary("stdout", result.out)
    assert_no_canary("stderr", result.err.encode())


def test_no_canary_gets_out_when_the_database_breaks_the_load(sluice, queue, db, cluster):
    good, _ = canary_bodies()
    db.execute(LOGIN_TABLE + ")")
    db.psql("""
        CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'injected %', NEW USING ERRCODE = '40001'; END $$;
        CREATE TRIGGER boom BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE PROCEDURE boom();
    """)
    queue.send(good)
    position = cluster.log_position()
    running = sluice.begin("--log-level", "debug")
    eventually(lambda: "injected" in cluster.log_since(position), what="the trigger raised")
    wait_for_text(running, "40001")
    db.execute("DROP TRIGGER boom ON user_logins")
    eventually(lambda: db.count() == len(good), within=40)
    result = running.stop()
    assert "injected" not in result.err, "server messages quote rows and stay out of the log"
    assert_no_canary("stderr", result.err.encode())
    assert_no_canary("the server's log", cluster.log_since(position).encode())
    assert db.dead() == [], "an outage is not a bad record"

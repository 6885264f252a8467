"""test_dead.py - dead letters: found, tried again with today's configuration, edited, purged."""
import base64
import datetime
import glob
import json
import os
import pty
import signal
import subprocess

import pytest

import faults
import tokens
from events import BAD, LOGIN_TABLE, login, logins
from test_masking import CANARY, assert_no_canary
from wait import SLOWER, eventually

REASON = ("--reason", "ticket 4711")
MIB = 1 << 20


@pytest.fixture
def dead(sluice, db):
    """The program on a database with its tables, and no queue to go through."""
    with open(sluice.keys, "w", encoding="ascii") as f:
        f.write(tokens.key_line())
    os.chmod(sluice.keys, 0o600)
    db.execute(LOGIN_TABLE + ")")
    db.install(sluice.good("sql", "schema", "-c", sluice.write()).text)
    return sluice


def put(db, *bodies, first=1, reason="missing_field", field="user_id", age="1 hour",
        pipeline="public.user_logins", status="new"):
    """Dead letters sealed by another implementation; their ids."""
    keys = {"k1": tokens.MASTER}
    ids = []
    for n, body in enumerate(bodies, first):
        message_id = f"{pipeline}-message-{n}"
        sealed = tokens.seal_body(keys, message_id, body if isinstance(body, bytes) else body.encode())
        ids.append(str(db.one(
            "WITH made AS (INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at,"
            " received_at, stage, reason, field, sealed_body, status)"
            " VALUES (%s, %s, '2026-01-31T23:59:59.123Z', now() - %s::interval, 'decode', %s, %s, %s,"
            " %s) RETURNING id) SELECT id FROM made",
            pipeline, message_id, age, reason, field, sealed, status)))
    return ids


def call(dead, verb, *arguments, rc=0, **more):
    result = dead.call("dead", verb, "-c", dead.write(), *arguments, **more)
    assert result.rc == rc, result
    return result


def retry(dead, *arguments, **more):
    return call(dead, "retry", *arguments, **more)


def listed(dead, *arguments):
    """The ids that list shows, the newest first."""
    return [line.split()[0] for line in call(dead, "list", *arguments).text.splitlines()[1:]]


def letters(db):
    """{id: (status, reason, field, sqlstate, is done)}"""
    return {str(row[0]): row[1:] for row in db.rows(
        "SELECT id, status, reason, field, sqlstate, done_at IS NOT NULL FROM sluice.dead_letter")}


DONE = ("retried", "missing_field", "user_id", None, True)


def users(db):
    return [u for u, in db.rows("SELECT user_id FROM user_logins ORDER BY user_id")]


def nobody_is_connected(db):
    eventually(lambda: db.one("SELECT count(*) FROM pg_stat_activity WHERE datname ="
                              " current_database() AND application_name = 'sluice'") == 0,
               what="the server has noticed that its client is gone")


# Retry

def test_what_was_refused_loads_once_the_configuration_is_mended(sluice, queue, db):
    db.execute(LOGIN_TABLE + ")")
    bad = [login(n, app_version=...) for n in range(3)]
    queue.send([login(7), *bad, BAD])
    assert sluice.drain().dead_lettered == 4
    ledger = db.rows("SELECT * FROM sluice.ledger ORDER BY 1, 2, 3")
    sluice.settings["columns"][5]["required"] = False
    result = retry(sluice, rc=1)
    assert "retried 4 dead letters: 3 loaded, 1 still refused" in result.text, result
    keys = tokens.read_keys(sluice.keys)
    rows = db.rows("SELECT user_id, masked_ip, app_version, create_date FROM user_logins"
                   " WHERE app_version IS NULL ORDER BY user_id")
    today = db.one("SELECT max(sent_at AT TIME ZONE 'UTC')::date FROM sluice.ledger")
    assert rows == [(json.loads(b)["user_id"], tokens.mask(keys, "ip", json.loads(b)["ip"]), None,
                     today) for b in bad]
    states = sorted(letters(db).values())
    assert states == [("new", "missing_field", "user_id", None, False),
                      *[("retried", "missing_field", "app_version", None, True)] * 3]
    assert db.rows("SELECT * FROM sluice.ledger ORDER BY 1, 2, 3") == ledger
    assert "retried 1 dead letter: 0 loaded" in retry(sluice, rc=1).text
    assert db.count() == 4


def test_what_is_refused_again_is_named_and_has_its_new_reason(dead, db):
    ids = put(db, login(1), login(2, app_version="1.2.3.4"), "not json")
    text = retry(dead, rc=1).text
    assert f"{ids[1]}: still refused: bad_version, field app_version" in text.splitlines()
    assert f"{ids[2]}: still refused: not_json" in text.splitlines()
    assert letters(db) == {ids[0]: DONE, ids[1]: ("new", "bad_version", "app_version", None, False),
                           ids[2]: ("new", "not_json", None, None, False)}
    assert users(db) == ["user-0001"]


@pytest.mark.parametrize("kind", ["at once", "at the commit"])
def test_a_row_that_postgresql_refuses_fails_no_other(dead, db, kind):
    if kind == "at once":
        db.execute("ALTER TABLE user_logins ADD CHECK (user_id <> 'bad')")
    else:
        db.psql("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.user_id = 'bad' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514';
            END IF; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON user_logins
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE refuse();""")
    bodies = logins(20)
    bodies[4] = bodies[13] = login(0, user_id="bad")
    ids = put(db, *bodies)
    dry = retry(dead, "--dry-run", rc=1).text
    assert f"{ids[4]}: still refused: refused, SQLSTATE 23514" in dry.splitlines(), dry
    assert "dry run of 20 dead letters: 18 would load, 2 still refused; nothing is changed" in dry
    assert db.count() == 0 and set(letters(db).values()) == {
        ("new", "missing_field", "user_id", None, False)}
    assert "18 loaded, 2 still refused" in retry(dead, rc=1).text
    assert db.count() == 18 and len(set(users(db))) == 18
    found = letters(db)
    assert {found.pop(ids[4]), found.pop(ids[13])} == {("new", "refused", None, "23514", False)}
    assert set(found.values()) == {DONE}


def test_a_dry_run_says_what_would_become_of_each(dead, db):
    ids = put(db, login(1), "{}")
    before = db.rows("SELECT *, xmin FROM sluice.dead_letter ORDER BY id")
    text = retry(dead, "--dry-run", rc=1).text
    assert text.splitlines()[:2] == [f"{ids[0]}: loads",
                                     f"{ids[1]}: still refused: missing_field, field user_id"]
    assert db.count() == 0
    assert db.rows("SELECT *, xmin FROM sluice.dead_letter ORDER BY id") == before


def test_facts_are_those_of_the_message_as_far_as_they_are_kept(dead, db):
    db.execute("CREATE TABLE facts (id text, sent timestamptz, received timestamptz, n integer,"
               " who text)")
    dead.postgres["table"] = "facts"
    dead.settings["columns"] = [
        {"name": "id", "from": "$message_id", "type": "text"},
        {"name": "sent", "from": "$sent_at", "type": "timestamptz"},
        {"name": "received", "from": "$received_at", "type": "timestamptz"},
        {"name": "n", "from": "$receive_count", "type": "integer"},
        {"name": "who", "from": "$attribute.who", "type": "text"}]
    put(db, "{}", pipeline="public.facts")
    result = retry(dead)
    assert "column n: $receive_count is not kept" in result.err, result
    assert "column who: $attribute.who is not kept" in result.err
    (message, sent, received, n, who), = db.rows("SELECT * FROM facts")
    assert (message, n, who) == ("public.facts-message-1", None, None)
    assert sent == datetime.datetime(2026, 1, 31, 23, 59, 59, 123000, datetime.timezone.utc)
    assert abs((received - db.one("SELECT received_at FROM sluice.dead_letter"))
               .total_seconds()) <= 0.001
    dead.settings["columns"][3]["required"] = True
    put(db, "{}", first=2, pipeline="public.facts")
    result = retry(dead, rc=78)
    assert "column n is required, and $receive_count is not kept" in result.err, result
    assert sorted(s[:2] for s in letters(db).values()) == [("new", "missing_field"),
                                                           ("retried", "missing_field")]


@pytest.mark.parametrize("point", ["before_load", "in_copy", "before_commit", "commit_sent",
                                   "committed"])
def test_killed_at_a_point_each_is_loaded_once(dead, db, fault_binary, point):
    put(db, *logins(5), "{}")
    real, dead.binary = dead.binary, fault_binary
    dead.env["SLUICE_FAULT_AT"] = f"{point}:1:kill"
    retry(dead, rc=-signal.SIGKILL)
    dead.binary = real
    nobody_is_connected(db)
    loaded = db.count()
    assert loaded == [s[0] for s in letters(db).values()].count("retried")
    assert f"{5 - loaded} loaded, 1 still refused" in retry(dead, rc=1).text
    assert users(db) == ["user-%04d" % n for n in range(5)]


def test_killed_while_it_waits_for_the_table_each_is_loaded_once(dead, db):
    put(db, *logins(30))
    with db.locked():
        running = dead.start("dead", "retry", "-c", dead.write())
        eventually(db.waiting_for_locks, what="the retry waits for the table")
        running.kill()
    nobody_is_connected(db)
    assert db.count() == 0 and "retried" not in {s[0] for s in letters(db).values()}
    assert "30 loaded" in retry(dead).text
    assert users(db) == ["user-%04d" % n for n in range(30)]


def test_two_retries_at_once_load_each_once(dead, db):
    put(db, *logins(40))
    dead.write()
    with db.locked():
        both = [dead.start("dead", "retry", "-c", dead.path) for _ in range(2)]
        eventually(db.waiting_for_locks, what="one of them waits for the table")
        eventually(lambda: sum(not r.is_alive() for r in both) == 1, 30,
                   what="the other one finds all of them held, and ends")
    results = [r.wait() for r in both]
    assert [r.rc for r in results] == [0, 0], results
    assert sorted("40 loaded" in r.text for r in results) == [False, True], results
    assert any("0 loaded, 0 still refused, 40 left to another retry" in r.text for r in results)
    assert users(db) == ["user-%04d" % n for n in range(40)]


def test_many_are_loaded_in_batches_and_up_to_a_limit(dead, db):
    ids = put(db, *logins(1100))
    assert "700 loaded" in retry(dead, "--limit", "700").text
    assert {i for i, s in letters(db).items() if s[0] == "retried"} == set(ids[:700])
    assert "400 loaded" in retry(dead).text
    assert len(set(users(db))) == db.count() == 1100


def test_ids_choose_and_a_wrong_one_stops_all(dead, db):
    ids = put(db, *logins(3))
    other, = put(db, login(9), pipeline="public.others")
    result = retry(dead, ids[0], other, rc=1)
    assert f"no dead letter {other} of pipeline public.user_logins" in result.err, result
    assert db.count() == 0
    assert "1 loaded" in retry(dead, ids[1]).text and users(db) == ["user-0001"]
    text = retry(dead, *ids).text
    assert f"{ids[1]}: retried already" in text and "2 loaded" in text
    assert users(db) == ["user-0000", "user-0001", "user-0002"]
    assert letters(db)[other][0] == "new"


def test_filters_choose_what_is_retried(dead, db):
    put(db, login(1))
    put(db, login(2), first=2, reason="bad_version", field="app_version")
    assert "1 loaded" in retry(dead, "--code", "bad_version").text
    assert users(db) == ["user-0002"]


def test_a_body_of_another_key_is_named_and_stays(dead, db):
    ids = put(db, login(1), login(2))
    db.execute("UPDATE sluice.dead_letter SET sealed_body = overlay(sealed_body placing 'k9'::bytea"
               " from 4) WHERE id = %s", ids[0])
    text = retry(dead, rc=1).text
    assert f"{ids[0]}: cannot be opened" in text and "1 loaded, 0 still refused, 1 do not open" in text
    assert letters(db)[ids[0]] == ("new", "missing_field", "user_id", None, False)


def test_a_table_that_does_not_fit_is_said_before_anything_is_changed(dead, db):
    put(db, login(1))
    db.execute("ALTER TABLE user_logins DROP COLUMN locale")
    assert "column locale: the table has no such column" in retry(dead, rc=78).err
    assert [s[0] for s in letters(db).values()] == ["new"]


@pytest.mark.parametrize("dedup", ["field:user_id", "body"])
def test_what_another_message_has_brought_is_done_without_a_row(dead, queue, db, dedup):
    """By the same keys as a run's: whoever comes second is the duplicate."""
    dead.settings["dedup"] = dedup
    ids = put(db, login(1), login(1), login(2))
    text = retry(dead).text
    assert f"{ids[1]}: another message has brought it" in text
    assert "retried 3 dead letters: 2 loaded, 0 still refused, 1 known already" in text
    assert db.count() == 2 and set(letters(db).values()) == {DONE}
    queue.send([login(2), login(3)])
    summary = dead.drain()
    assert (summary.loaded, summary.duplicates) == (1, 1), summary.line
    put(db, login(3), first=9)
    assert "0 would load, 0 still refused, 1 known already" in retry(dead, "--dry-run").text
    assert [s[0] for s in letters(db).values()].count("new") == 1, "a dry run changes nothing"
    assert "0 loaded, 0 still refused, 1 known already" in retry(dead).text
    assert db.count() == 3 and set(letters(db).values()) == {DONE}


def test_a_row_refused_leaves_its_value_to_the_next_message(dead, queue, db):
    db.execute("ALTER TABLE user_logins ADD CHECK (locale <> 'xx')")
    dead.settings["dedup"] = "field:user_id"
    put(db, login(1, locale="xx"), login(2))
    assert "1 loaded, 1 still refused" in retry(dead, rc=1).text
    queue.send([login(1)])
    assert dead.drain().loaded == 1
    assert db.count() == 2


def test_originals_of_one_way_tokens_go_to_the_vault(dead, db, cluster):
    vault = cluster.new_database()
    dead.settings["vault"] = {"url": vault.url}
    dead.settings["columns"][2].update(mask="hmac")
    put(db, login(1))
    retry(dead, "--dry-run")
    assert not vault.has("sluice_vault")
    retry(dead)
    token = db.one("SELECT masked_ip FROM user_logins")
    assert [t for t, in vault.rows("SELECT token FROM sluice_vault")] == [token]
    vault.drop()


@pytest.mark.parametrize("body", [
    b"", bytes(range(256)), b"\xff\xfe" * 1000, b'{"user_id": "' + b"x" * MIB + b'"}',
    b"[" * 5000, b"\0" * MIB], ids=["empty", "bytes", "not utf-8", "1 MiB", "deep", "zeros"])
def test_a_body_of_any_kind_is_shown_and_tried_as_it_is(dead, db, body):
    ids = put(db, body, login(1))
    assert call(dead, "show", ids[0]).out == body
    assert "1 loaded, 1 still refused" in retry(dead, rc=1).text
    assert tokens.open_body({"k1": tokens.MASTER}, "public.user_logins-message-1",
                            db.one("SELECT sealed_body FROM sluice.dead_letter WHERE id = %s",
                                   ids[0])) == body


def test_large_bodies_load_a_few_at_a_time(dead, db):
    bodies = [login(n, note="x" * MIB) for n in range(40)]
    put(db, *bodies)
    assert "40 loaded" in retry(dead, within=120).text
    assert db.count() == 40


# Filters

def test_list_shows_what_the_filters_let_pass(dead, db):
    old, = put(db, "{}", age="3 days")
    version, = put(db, "{}", first=2, reason="bad_version", field="app_version")
    done, = put(db, "{}", first=3, status="retried")
    put(db, "{}", first=4, pipeline="public.others")
    assert listed(dead) == [version, old]
    assert listed(dead, "--status", "all") == [done, version, old]
    assert listed(dead, "--status", "retried") == [done]
    assert listed(dead, "--code", "bad_version") == [version]
    assert listed(dead, "--field", "user_id") == [old]
    assert listed(dead, "--field", "user_id", "--code", "bad_version") == []
    assert listed(dead, "--since", "2d") == [version]
    assert listed(dead, "--until", "2d") == [old]
    assert listed(dead, "--since", "99999999d") == [version, old]
    assert listed(dead, "--since", "2020-01-01", "--until", "2999-01-01T00:00:00Z") == [version, old]
    assert listed(dead, "--limit", "1") == [version]
    assert listed(dead, done, old) == [done, old]


@pytest.mark.parametrize("arguments, word", [
    (("list", "--code", "not_jason"), "--code takes the code of a reason"),
    (("list", "--since", "2"), "--since takes a moment"),
    (("list", "--since", "1700000000"), "--since takes a moment"),
    (("list", "--until", "yesterday"), "--until takes a moment"),
    (("list", "--status", "old"), "new, retried or all"),
    (("list", "--field", ""), "--field"), (("list", "--limit", "0"), "--limit"),
    (("list", "--reason", "not_json"), "--code chooses"),
    (("list", "x17"), "'x17' is no id"), (("list", "--all"), "list takes no --all"),
    (("show",), "id of one"), (("show", "1", "2"), "id of one"),
    (("retry", "--status", "all"), "only new ones"), (("retry", "--edit"), "id of one"),
    (("retry", "1", "--reason", "x"), "--edit"), (("retry", "--yes"), "retry takes no --yes"),
    (("purge",), "--all"), (("purge", "--yes"), "--all"), (("purge", "--all", "1"), "--all goes"),
    (("purge", "--all", "--code", "not_json"), "--all goes"),
    (("purge", "--older-than", "2026-01-01"), "takes an age"), (("bury",), "'purge'"), ((), "'list'"),
], ids=" ".join)
def test_a_wrong_command_line_says_what_is_right(bare, arguments, word):
    result = bare.call("dead", *arguments)
    assert result.rc == 64 and word in result.err, result


# Purge

def test_purge_deletes_what_it_was_asked_for(dead, db):
    old = put(db, "{}", "{}", age="40 days")
    kept = put(db, "{}", first=3) + put(db, "{}", first=4, pipeline="public.others", age="40 days")
    assert "no dead letter 999" in call(dead, "purge", "999", "--yes", rc=1).err
    text = call(dead, "purge", "--older-than", "30d", "--yes").text
    assert "dead letters: 2 new, 0 retried" in text and "purged 2 dead letters" in text, old
    assert sorted(letters(db)) == kept
    assert "purged" not in call(dead, "purge", "--older-than", "30d", "--yes").text
    assert "purged 1 " in call(dead, "purge", "--all", "--yes").text
    assert sorted(letters(db)) == kept[1:]


def test_purge_takes_more_than_one_transaction_holds(dead, db):
    put(db, "{}")
    db.execute("INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage,"
               " reason, sealed_body) SELECT pipeline, 'n' || n, sent_at, received_at, stage, reason,"
               " sealed_body FROM sluice.dead_letter, generate_series(1, 2500) AS n")
    assert "purged 2300 " in call(dead, "purge", "--status", "new", "--limit", "2300", "--yes").text
    assert "purged 201 " in call(dead, "purge", "--status", "new", "--yes").text


def test_purge_leaves_what_a_retry_holds(dead, db):
    ids = put(db, login(1), "{}")
    with db.locked():
        running = dead.start("dead", "retry", ids[0], "-c", dead.write())
        eventually(db.waiting_for_locks, what="the retry waits for the table")
        text = call(dead, "purge", "--all", "--yes", rc=1).text
        assert "purged 1 dead letter;" in text and "1 are gone already, or held" in text
    assert "1 loaded" in running.wait().text
    assert letters(db) == {ids[0]: DONE}


def test_a_purged_message_does_not_come_back(sluice, make_queue, db, proxy):
    """The queue delivers it again, for its delete was never heard."""
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    queue = make_queue(VisibilityTimeout=2)
    queue.send([login(1, app_version=...)])
    db.execute(LOGIN_TABLE + ")")
    running = sluice.through(proxy).use_queue(queue).begin()
    eventually(lambda: db.dead() and hold.held, what="dead-lettered, and the delete held")
    running.kill()
    hold.drop()
    proxy.clear()
    call(sluice, "purge", "--all", "--yes")
    sluice.settings["columns"][5]["required"] = False
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (0, 1), summary.line
    assert db.count() == 0 and db.dead() == []


def on_terminal(dead, answer, *arguments):
    """The command with a terminal of its own, on which the answer is typed."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [dead.binary, "dead", "purge", "-c", dead.write(), *arguments], env=dead.env, stdin=side,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(side, 0x540E, 0))  # TIOCSCTTY
    os.close(side)
    os.write(main, answer)
    out, err = process.communicate(timeout=60 * SLOWER)
    os.close(main)
    return process.returncode, out.decode(), err.decode()


def test_purge_asks_on_the_terminal(dead, db):
    put(db, "{}", "{}")
    for answer in (b"yes\n", b"\n", b"\x04"):
        rc, out, err = on_terminal(dead, answer, "--all")
        assert rc == 64 and "nothing was changed" in err and "2 new" in out, (answer, out, err)
        assert len(letters(db)) == 2
    rc, out, err = on_terminal(dead, b"purge\n", "--all")
    assert rc == 0 and "purged 2 " in out and letters(db) == {}, (out, err)


def test_purge_without_a_terminal_wants_yes(dead, db):
    put(db, "{}")
    process = subprocess.run([dead.binary, "dead", "purge", "--all", "-c", dead.write()],
                             env=dead.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             start_new_session=True, timeout=60 * SLOWER, check=False)
    assert process.returncode == 64 and "--yes" in process.stderr and len(letters(db)) == 1


# Export

def test_export_prints_them_whole_and_sealed(dead, db):
    bodies = [login(1, ip=CANARY), bytes(range(256)) * 4096, *logins(50)]
    ids = put(db, *bodies)
    put(db, "{}", first=90, status="retried")
    result = call(dead, "export")
    assert_no_canary("export", result.out)
    found = [json.loads(line) for line in result.text.splitlines()]
    assert [str(f["id"]) for f in found] == ids
    first = found[0]
    assert list(first) == ["id", "pipeline", "message_id", "sent_at", "received_at", "stage",
                           "reason", "field", "sqlstate", "status", "done_at", "sealed_body"]
    assert first["sent_at"] == "2026-01-31T23:59:59.123+00:00"
    assert (first["reason"], first["sqlstate"], first["status"]) == ("missing_field", None, "new")
    keys = {"k1": tokens.MASTER}
    for f, body in zip(found, bodies):
        opened = tokens.open_body(keys, f["message_id"], base64.b64decode(f["sealed_body"]))
        assert opened == (body if isinstance(body, bytes) else body.encode())
    some = call(dead, "export", "--status", "all", "--code", "missing_field", ids[3], ids[1]).text
    assert [json.loads(line)["id"] for line in some.splitlines()] == [int(ids[1]), int(ids[3])]


def test_export_says_when_its_reader_is_gone(dead, db):
    put(db, *[bytes(MIB)] * 4)
    with open("/dev/full", "wb") as full:
        process = subprocess.run([dead.binary, "dead", "export", "-c", dead.write()], env=dead.env,
                                 stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                                 timeout=60 * SLOWER)
    assert process.returncode == 74 and "stdout" in process.stderr, process


# Edit

def editor(dead, text):
    """A script as $EDITOR; it gets the file as its last argument."""
    path = f"{dead.folder}/editor"
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nset -e\nfor file; do :; done\nprintf %s \"$file\" > "
                f"{dead.folder}/where\n" + text + "\n")
    os.chmod(path, 0o755)
    dead.env["EDITOR"] = f"{path} -n"
    return path


def left_behind(dead):
    """What is still there of the directory that the editor was given."""
    with open(f"{dead.folder}/where", encoding="utf-8") as f:
        place = os.path.dirname(f.read())
    assert os.path.basename(place).startswith("sluice-"), place
    return glob.glob(place) + glob.glob(place + "/*")


def audit(db):
    return db.rows("SELECT how, reason, contexts, n FROM sluice.unmask_audit ORDER BY id")


def test_an_edited_body_is_loaded_on_record(dead, db):
    ids = put(db, login(1, app_version="1.2.3.4", ip=CANARY))
    editor(dead, f"stat -c '%a %U %T' \"$file\" \"$(dirname \"$file\")\" > {dead.folder}/modes\n"
                 f"stat -f -c %T \"$file\" >> {dead.folder}/modes\n"
                 "sed -i s/1.2.3.4/1.2.3/ \"$file\"")
    result = retry(dead, ids[0], "--edit", *REASON)
    assert "1 loaded" in result.text and letters(db) == {ids[0]: DONE}, result
    assert db.one("SELECT app_version FROM user_logins") == 1002003
    assert audit(db) == [("dead retry --edit", "ticket 4711", ["dead_letter"], 1)]
    with open(f"{dead.folder}/modes", encoding="ascii") as f:
        modes = f.read().split("\n")
    assert modes[0].startswith("600 ") and modes[1].startswith("700 ") and modes[2] == "tmpfs"
    assert left_behind(dead) == []
    assert json.loads(call(dead, "show", ids[0]).text)["app_version"] == "1.2.3.4", "as it came"


@pytest.mark.parametrize("text, word", [
    ("exit 3", "exit status 3"), ("kill -9 $$", "signal 9"), (":", "as it was"),
    ("echo >> \"$file\"", "as it was"), (": > \"$file\"", "empty"),
    ("echo '  ' > \"$file\"", "empty"), ("rm \"$file\"", "No such file"),
    ("rm \"$file\"; mkdir \"$file\"; rmdir \"$file\"; ln -s /etc/passwd \"$file\"", "editor left"),
], ids=["fails", "dies", "does nothing", "adds a line end", "empties", "blanks", "removes", "links"])
def test_an_editor_that_changes_nothing_changes_nothing(dead, db, text, word):
    ids = put(db, login(1, ip=CANARY))
    editor(dead, "printf swap > \"$(dirname \"$file\")/.body.swp\"\n" + text)
    result = dead.call("dead", "retry", ids[0], "--edit", "-c", dead.write(), "--log-level", "debug")
    assert result.rc in (1, 74) and word in result.err, result
    assert_no_canary("the output", result.out + result.err.encode())
    assert db.count() == 0 and letters(db)[ids[0]][0] == "new"
    assert left_behind(dead) == []


def test_an_editor_that_is_not_there_is_named(dead, db):
    ids = put(db, login(1))
    before = set(glob.glob("/dev/shm/sluice-*"))
    dead.env["EDITOR"] = "/nowhere/editor"
    result = retry(dead, ids[0], "--edit", rc=74)
    assert "/nowhere/editor" in result.err and set(glob.glob("/dev/shm/sluice-*")) <= before, result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("stays", [False, True], ids=["ends", "stays"])
def test_a_signal_while_it_is_edited_leaves_nothing(dead, db, number, stays):
    ids = put(db, login(1, ip=CANARY))
    editor(dead, ("trap '' TERM HUP\n" if stays else "") + "touch \"$file.ready\"\n"
           f"touch {dead.folder}/ready\nwhile :; do sleep 0.1; done")
    running = dead.start("dead", "retry", ids[0], "--edit", "-c", dead.write())
    eventually(lambda: os.path.exists(f"{dead.folder}/ready"), what="the editor runs")
    for name in ("cmdline", "environ"):
        with open(f"/proc/{running.pid}/{name}", "rb") as f:
            assert_no_canary(name, f.read())
    running.send(signal.SIGINT)  # is the editor's own affair
    running.term(number)
    result = running.wait()
    assert result.rc == 1 and f"signal {number}" in result.err, result
    assert left_behind(dead) == [] and letters(db)[ids[0]][0] == "new"


def test_an_edit_that_is_refused_still_says_so(dead, db):
    ids = put(db, login(1, app_version="1.2.3.4"))
    editor(dead, "sed -i s/1.2.3.4/1.2.x/ \"$file\"")
    text = retry(dead, ids[0], "--edit", rc=1).text
    assert f"{ids[0]}: still refused: bad_version" in text and "edited body is not kept" in text
    assert letters(db)[ids[0]][1:3] == ("missing_field", "user_id"), "of the body that is kept"


def test_what_cannot_be_recorded_is_not_opened_in_an_editor(dead, db):
    ids = put(db, login(1))
    editor(dead, f"touch {dead.folder}/ran")
    db.execute("DROP TABLE sluice.unmask_audit")
    result = retry(dead, ids[0], "--edit", rc=78)
    assert "recorded" in result.err and not os.path.exists(f"{dead.folder}/ran"), result


def test_a_runtime_directory_in_memory_is_preferred(dead, db):
    ids = put(db, login(1, app_version="1.2.3.4"))
    place = subprocess.run(["mktemp", "-d", "/dev/shm/runtime-XXXXXX"], check=True, text=True,
                           capture_output=True).stdout.strip()
    dead.env["XDG_RUNTIME_DIR"] = place
    editor(dead, "sed -i s/1.2.3.4/1.2.3/ \"$file\"")
    retry(dead, ids[0], "--edit")
    with open(f"{dead.folder}/where", encoding="utf-8") as f:
        assert f.read().startswith(place + "/")
    os.rmdir(place)  # it is empty


# Nothing gets out

def test_no_canary_gets_out_of_a_retry(dead, db, cluster):
    db.execute("ALTER TABLE user_logins ADD CHECK (user_id <> 'refused')")
    mark = {"ip": CANARY, "device_id": CANARY}
    bodies = [login(n, **mark) for n in range(5)] + [
        login(10, user_id="refused", **mark), login(11, **mark)[:-1], login(12, ip=[CANARY]),
        login(13, ip=CANARY * 20), '{"ip": "%s", "ip": 1}' % CANARY]
    ids = put(db, *bodies)
    position = cluster.log_position()
    for more in (("--dry-run",), (), (ids[-1],)):
        result = retry(dead, "--log-level", "debug", *more, rc=1)
        assert_no_canary("the output", result.out + result.err.encode())
    assert db.count() == 5
    for verb in ("list", "export"):
        assert_no_canary(verb, call(dead, verb, "--status", "all").out)
    assert_no_canary("the database", db.dump())
    assert_no_canary("the server's log", cluster.log_since(position).encode())

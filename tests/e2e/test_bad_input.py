"""test_bad_input.py - a bad record costs itself only, and can be read again by who has the keys."""
import hashlib
import json
import os

import pytest

import faults
import tokens
from events import BAD, LOGIN_TABLE, login, logins
from sluice import wait_for_text
from wait import eventually

MIB = 1 << 20


def dead_letters(db):
    return db.rows("SELECT id, message_id, reason, field, sqlstate, sealed_body"
                   " FROM sluice.dead_letter ORDER BY id")


# Dead letters can be read

def big_bad_body():
    body = '{"foo": "%s"}'
    return body % ("\u00e4" * ((MIB - len(body) + 2) // 2))


@pytest.mark.parametrize("body", [
    BAD, "", " ", "not json at all \n\t", '{"foo": "b\u00e4r \U0001f600"}\n', big_bad_body(),
], ids=["sample", "empty", "blank", "text", "unicode", "1 MiB"])
def test_dead_show_gives_the_body_byte_for_byte(sluice, queue, db, body):
    queue.send([body])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (0, 1), summary.line
    (number, message_id, _, _, _, sealed), = dead_letters(db)
    raw = body.encode()
    keys = tokens.read_keys(sluice.keys)
    assert tokens.open_body(keys, message_id, sealed) == raw
    shown = sluice.good("dead", "show", str(number), "-c", sluice.path).out
    assert shown in (raw, raw + b"\n") or shown.removesuffix(b"\n").endswith(b"\n" + raw)


def test_dead_list_says_why_and_not_what(sluice, queue, db):
    queue.send([BAD, login(1, locale="x" * 300), "[]"])
    sluice.drain()
    listing = sluice.good("dead", "list", "-c", sluice.path).text
    for number, message_id, reason, field, _, _ in dead_letters(db):
        line, = [line for line in listing.splitlines() if reason in line]
        assert str(number) in line.split() or str(number) in line
        assert (field or "") in line
    assert "oops" not in listing and "xxx" not in listing


def test_dead_show_needs_the_right_keys(sluice, queue, db):
    queue.send([BAD])
    sluice.drain()
    (number, *_), = dead_letters(db)
    other = os.path.join(sluice.folder, "other.keys")
    sluice.good("keys", "new", other, "--kid", "k2")
    result = sluice.call("dead", "show", str(number), "-c", sluice.path, "--keys", other)
    assert result.rc != 0 and b"oops" not in result.out, result


def test_dead_show_of_an_unknown_number_says_so(sluice, queue):
    queue.send([BAD])
    sluice.drain()
    result = sluice.call("dead", "show", "987654", "-c", sluice.path)
    assert result.rc != 0 and "987654" in result.err, result


def test_a_dead_letter_has_when_and_where(sluice, queue, db):
    ids = queue.send([BAD])
    sluice.drain()
    (message_id, pipeline, stage, sent, received), = db.rows(
        "SELECT message_id, pipeline, stage, sent_at, received_at FROM sluice.dead_letter")
    assert [message_id] == ids and pipeline == "public.user_logins" and stage == "decode"
    assert 0 <= (received - sent).total_seconds() < 60


# Rows that PostgreSQL refuses

REFUSALS = {
    "check": ("CHECK (user_id <> 'bad')", "23514", {"user_id": "bad"}),
    "not null": ("CHECK (true)", "23502", {"user_id": "bad"}),
    "trigger": ("CHECK (true)", "P0001", {"user_id": "bad"}),
    "unique": ("UNIQUE (user_id)", "23505", {"user_id": "user-0000"}),
    "program limit": ("CHECK (length(repeat(user_id, CASE user_id WHEN 'bad' THEN 500000000"
                      " ELSE 1 END)) > 0)", "54000", {"user_id": "bad"}),
}

TRIGGER = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.user_id = 'bad' THEN DO_IT; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE PROCEDURE refuse();
"""


@pytest.mark.fault("PostgreSQL refuses two rows of 20", "by a constraint or trigger")
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refused_row_is_a_dead_letter_and_its_neighbours_load(sluice, queue, db, kind):
    constraint, sqlstate, change = REFUSALS[kind]
    db.execute(LOGIN_TABLE + ", " + constraint + ")")
    if kind == "trigger":
        db.psql(TRIGGER.replace("DO_IT", "RAISE EXCEPTION 'no, not %', NEW"))
    if kind == "not null":
        db.psql(TRIGGER.replace("DO_IT", "NEW.user_id := NULL")
                + "ALTER TABLE user_logins ALTER user_id SET NOT NULL")
    bodies = logins(20)
    for n in (7, 15):
        bodies[n] = login(n, **change)
    ids = queue.send(bodies)
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (18, 2), summary.line
    letters = dead_letters(db)
    assert {m for _, m, *_ in letters} == {ids[7], ids[15]}
    assert {(reason, state) for _, _, reason, _, state, _ in letters} == {("refused", sqlstate)}
    assert db.count() == 18
    assert queue.is_empty()


def test_one_refused_row_alone_is_a_dead_letter(sluice, queue, db):
    db.execute(LOGIN_TABLE + ", CHECK (user_id <> 'bad'))")
    queue.send([login(1, user_id="bad")])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (0, 1), summary.line


def test_a_table_that_refuses_all_dead_letters_nothing_and_waits(sluice, queue, db):
    """Ten or more rows in a row that fail alike: the table's fault, not the rows'."""
    db.execute(LOGIN_TABLE + ", CONSTRAINT wrong CHECK (user_id = 'nobody'))")
    sluice.settings["linger"] = "1s"
    queue.send(logins(30))
    running = sluice.begin()
    wait_for_text(running, "(?i)refuse", within=20)
    assert len(db.dead()) <= 9 and db.count() == 0
    assert running.is_alive()
    db.execute("ALTER TABLE user_logins DROP CONSTRAINT wrong")
    eventually(lambda: db.count() + len(db.dead()) == 30, within=40)
    assert len(db.dead()) <= 9
    result = running.stop()
    assert result.summary.loaded >= 21, result
    eventually(queue.is_empty)


def test_a_table_that_is_dropped_and_made_again_is_waited_for(sluice, queue, db):
    """42P01 is never a row's fault."""
    db.execute(LOGIN_TABLE + ")")
    queue.send(logins(5))
    running = sluice.begin()
    eventually(lambda: db.count() == 5)
    db.execute("DROP TABLE user_logins")
    queue.send(logins(15, first=5))
    wait_for_text(running, "42P01|user_logins")
    db.execute(LOGIN_TABLE + ")")
    eventually(lambda: db.count() == 15, within=40)
    assert db.dead() == []
    running.stop()


# Bodies that are large, or not what the queue says they are

def test_a_body_of_1_mib_loads(sluice, queue, db):
    body = login(1, junk="")
    body = login(1, junk="j" * (MIB - len(body)))
    assert len(body) == MIB
    queue.send([body])
    assert sluice.drain().loaded == 1


def test_bodies_that_together_exceed_the_memory_setting_load(sluice, queue, db):
    sluice.settings["memory"] = "8MiB"
    sluice.in_parallel(2, 2)
    queue.send([login(n, junk="j" * 900_000) for n in range(20)])
    summary = sluice.drain(within=55)
    assert summary.loaded == 20, summary.line
    assert db.one("SELECT count(DISTINCT user_id) FROM user_logins") == 20


@pytest.mark.fault("a body does not match its MD5", "proxy in front of moto")
def test_a_body_that_does_not_match_its_md5_is_left_in_the_queue(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=5)
    ids = queue.send(logins(6))

    def spoil(value):
        for m in value.get("Messages", []):
            if m["MessageId"] == ids[3]:
                m["MD5OfBody"] = hashlib.md5(b"another").hexdigest()

    proxy.on("ReceiveMessage", faults.edit(spoil))
    sluice.with_message_id().use_queue(queue).through(proxy)
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (5, 0), summary.line
    assert summary.returned >= 1
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(
        ids[:3] + ids[4:])
    assert sum(queue.counts()) == 1
    deleted = [e["ReceiptHandle"] for c in proxy.seen("DeleteMessageBatch") for e in c.entries()]
    assert ids[3] not in {proxy.id_of_handle()[h] for h in deleted}


def test_a_server_that_leaves_out_the_md5_is_believed(sluice, queue, db, proxy):
    def strip(value):
        for m in value.get("Messages", []):
            m.pop("MD5OfBody", None)

    proxy.on("ReceiveMessage", faults.edit(strip))
    queue.send(logins(3))
    assert sluice.through(proxy).drain().loaded == 3


@pytest.mark.fault("a reply is not what it should be", "proxy in front of moto: no UTF-8")
def test_a_reply_that_is_not_utf8_loses_nothing(sluice, make_queue, db, proxy):
    """SQS never sends one, a broken server may: the reply or that one message is refused."""
    queue = make_queue(VisibilityTimeout=2)
    proxy.on("ReceiveMessage", faults.edit_bytes(lambda b: b.replace(b"user-0002", b"user-\xff02")),
             times=1)
    queue.send(logins(5))
    sluice.use_queue(queue).through(proxy).drain()
    assert db.count() + len(db.dead()) == 5
    assert queue.is_empty()


# What a message knows about itself

def test_message_facts_fill_columns(sluice, queue, db, moto):
    sluice.settings["columns"] = [
        {"name": "id", "from": "$message_id", "type": "text"},
        {"name": "sent", "from": "$sent_at", "type": "timestamptz"},
        {"name": "day", "from": "$sent_at", "type": "date"},
        {"name": "received", "from": "$received_at", "type": "timestamptz"},
        {"name": "times", "from": "$receive_count", "type": "integer"},
        {"name": "origin", "from": "$attribute.origin", "type": "text"},
        {"name": "other", "from": "$attribute.other", "type": "text"},
        {"name": "body", "from": "$body", "type": "jsonb"},
    ]
    ids = queue.send([BAD], {"origin": {"DataType": "String", "StringValue": "app \u00e4"}})
    sluice.drain()
    assert db.rows("SELECT id, times, origin, other, body FROM user_logins") == [
        (ids[0], 1, "app \u00e4", None, json.loads(BAD))]
    assert db.one("SELECT day = (sent AT TIME ZONE 'UTC')::date AND received >= sent"
                  " AND now() - sent < interval '1 minute' FROM user_logins")


def test_a_queue_that_says_seconds_gives_the_same_day(sluice, queue, db, proxy):
    """Old emulators send SentTimestamp in seconds."""
    def seconds(value):
        for m in value.get("Messages", []):
            m["Attributes"]["SentTimestamp"] = "1700000000"

    proxy.on("ReceiveMessage", faults.edit(seconds))
    queue.send(logins(2))
    sluice.through(proxy).drain()
    assert db.rows("SELECT DISTINCT create_date::text FROM user_logins") == [("2023-11-14",)]


def test_the_receive_count_is_counted(sluice, queue, db):
    sluice.settings["columns"] = [
        {"name": "times", "from": "$receive_count", "type": "integer"},
        {"name": "u", "from": "user_id", "type": "text"}]
    queue.send(logins(1))
    queue.hide(queue.receive(1)[0], 0)
    sluice.drain()
    assert db.rows("SELECT times FROM user_logins") == [(2,)]


@pytest.mark.parametrize("value", ["a\0b", "\ud800"], ids=["NUL", "lone surrogate"])
def test_jsonb_that_postgres_cannot_hold_is_a_dead_letter(sluice, queue, db, value):
    sluice.settings["columns"] = [{"name": "user_id", "from": "user_id", "type": "text"},
                                  {"name": "j", "from": "j", "type": "jsonb"}]
    queue.send([login(1, j={"a": value}), *(login(n, j={"a": 1}) for n in range(2, 6))])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (4, 1), summary.line

"""test_servers.py - what sluice needs of a queue, asked by sluice itself, of every server there is.

Our own server and moto speak JSON; moto speaks Query, too, and stands behind a front that answers
JSON with an HTTP 500, as LocalStack before 3.0 does.  `make conformance` adds fauxqs, in JSON, and
ElasticMQ, in both.
"""
import datetime
import hashlib
import json
import time

import pytest

import faults
import sluice as program
from events import BAD, LOGIN_TABLE, login, logins
from fakesqs import Fake
from other_servers import ELASTICMQ, FAUXQS, ElasticMq, Fauxqs
from sqs import TrustingMoto
from wait import eventually

OLD = faults.query_only(500, b"<!DOCTYPE HTML><title>500 Internal Server Error</title>")
SPEAKERS = (["fakesqs json", "moto json", "moto query", "moto auto"]
            + (["fauxqs json"] if FAUXQS else [])
            + (["elasticmq json", "elasticmq query"] if ELASTICMQ else []))


def start(kind, binary, log, folder):
    if kind == "fakesqs":
        return Fake(binary, log)
    if kind == "moto":
        return TrustingMoto(log)
    return Fauxqs(log) if kind == "fauxqs" else ElasticMq(log, folder)


@pytest.fixture(scope="module")
def servers(binary, tmp_path_factory):
    """One of a kind, started when it is asked for."""
    started = {}

    def get(kind):
        if kind not in started:
            folder = tmp_path_factory.mktemp(kind)
            with open(folder / "log", "wb") as log:
                started[kind] = start(kind, binary, log, folder)
        return started[kind]

    yield get
    for server in started.values():
        server.stop()


@pytest.fixture(params=SPEAKERS)
def speaker(request, servers):
    """(server, protocol)"""
    kind, protocol = request.param.split()
    return servers(kind), protocol


@pytest.fixture
def front(speaker):
    proxy = faults.SqsProxy(speaker[0].port)
    if speaker[1] == "auto":
        proxy.on("*", OLD)
    yield proxy
    proxy.stop()


@pytest.fixture
def make(speaker):
    return lambda suffix="", **attributes: speaker[0].new_queue(
        f"server-{time.monotonic_ns()}{suffix}", **attributes)


@pytest.fixture
def queue(make):
    return make(VisibilityTimeout=30)


@pytest.fixture
def sluice(binary, speaker, front, queue, db, tmp_path):
    server, protocol = speaker
    s = program.Sluice(binary, tmp_path, program.clean_environment(tmp_path, server))
    s.use(queue, db).with_message_id().through(front)
    s.sqs["protocol"] = protocol
    yield s
    s.stop_all()


def rows(db):
    return sorted(i for i, in db.rows("SELECT message_id FROM user_logins"))


def test_a_queue_is_drained_once_each(sluice, speaker, queue, db, front):
    days = {datetime.datetime.now(datetime.timezone.utc).date()}
    good = queue.send(logins(45))
    queue.send([BAD])
    summary = sluice.in_parallel(2, 2).drain()
    assert (summary.loaded, summary.dead_lettered) == (45, 1), summary.line
    days.add(datetime.datetime.now(datetime.timezone.utc).date())
    assert rows(db) == sorted(good) and queue.is_empty()
    assert {d for d, in db.rows("SELECT DISTINCT create_date FROM user_logins")} <= days
    assert any(not c.is_json for c in front.calls) == (speaker[1] != "json")


def test_what_is_in_a_message_comes_as_it_went(sluice, queue, db):
    names = ["a<b>&\"'", "h\u00e9llo \\ \t \uffe6", "]]>", "&amp;", " x + %41 "]
    sluice.settings["columns"] += [
        {"name": "tenant", "from": "$attribute.tenant", "type": "text"},
        {"name": "receives", "from": "$receive_count", "type": "integer"}]
    queue.send([login(i, user_id=name) for i, name in enumerate(names)],
               attributes={"tenant": {"DataType": "String", "StringValue": "t & <7>"}})
    assert sluice.drain().loaded == 5
    assert sorted(u for u, in db.rows("SELECT user_id FROM user_logins")) == sorted(names)
    assert db.rows("SELECT DISTINCT tenant, receives FROM user_logins") == [("t & <7>", 1)]


def test_a_large_message_comes_whole(sluice, queue, db):
    """250 000 bytes, which every server takes."""
    sluice.settings["columns"].append({"name": "more", "from": "more", "type": "text"})
    more = "x\"<&" * 50000
    queue.send([login(1, more=more)])
    assert sluice.drain().loaded == 1
    assert db.one("SELECT md5(more) FROM user_logins") == hashlib.md5(more.encode()).hexdigest()


def test_heartbeats_hold_and_a_stop_hands_back(sluice, make, db, front):
    queue = make(VisibilityTimeout=4)
    db.execute(LOGIN_TABLE + ", message_id text)")
    queue.send(logins(5))
    sluice.use_queue(queue)
    with db.locked():
        running = sluice.begin()
        eventually(lambda: front.count("ChangeMessageVisibilityBatch") >= 3, within=20,
                   what="heartbeats for more than the timeout")
        running.term()
        result = running.wait(20)
    assert (result.rc, result.summary.received, result.summary.returned) == (0, 5, 5), result
    assert eventually(lambda: queue.counts() == (5, 0, 0), what="all are back")


def test_a_queue_is_found_by_its_name(sluice, queue, db):
    queue.send(logins(3))
    del sluice.sqs["queue_url"]
    sluice.sqs["queue"] = queue.name
    assert sluice.drain().loaded == 3 and queue.is_empty()


def test_bad_messages_are_sent_on(sluice, queue, make):
    dead = make()
    [bad] = queue.send([BAD])
    sluice.settings["dead_letter"] = "queue:" + dead.url
    assert sluice.drain().dead_lettered == 1
    [letter] = dead.receive(MessageAttributeNames=["All"])
    assert json.loads(letter["Body"])["message_id"] == bad
    assert letter["MessageAttributes"]["sluice.reason"]["StringValue"] == "missing_field"


def test_the_check_passes(sluice, queue):
    sluice.make_keys()
    result = sluice.call("check", "-c", sluice.write())
    assert result.rc == 0 and "FAIL" not in result.text, result


def test_a_queue_that_is_not_there_is_said_to_be_missing(sluice, queue):
    sluice.sqs["queue_url"] = queue.url + "-of-nobody"
    result = sluice.run("--until-empty", "--wait", "1")
    assert result.rc == 75 and "the queue does not exist" in result.err, result


def test_logins_are_generated_into_it(sluice, queue):
    sluice.good("generate", "--count", "23", "--queue-url", queue.url)
    assert queue.counts()[0] == 23

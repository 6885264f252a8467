"""test_protocols.py - the queue, whichever of its two protocols it speaks, and old servers' ways."""
import json
import re

import pytest

import faults
from events import BAD, LOGIN_TABLE, login, logins
from sluice import wait_for_text
from sqs import TrustingMoto
from wait import SLOWER, eventually

FELL_BACK = "does not understand JSON"
HTML_500 = faults.query_only(500, b"<!DOCTYPE HTML><title>500 Internal Server Error</title>")
XML_ERROR = b"<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code></Error></ErrorResponse>"


@pytest.fixture
def query(sluice, proxy):
    """The program, told to speak Query to moto, through a proxy that sees it."""
    sluice.with_message_id().through(proxy)
    sluice.sqs["protocol"] = "query"
    return sluice


def forms(proxy):
    return [c for c in proxy.calls if not c.is_json]


def rows(db):
    return sorted(i for i, in db.rows("SELECT message_id FROM user_logins"))


# Query, when told so


def test_every_call_of_a_run_can_be_a_form(query, queue, db, proxy):
    good = queue.send(logins(25))
    queue.send([BAD])
    summary = query.drain()
    assert (summary.loaded, summary.dead_lettered) == (25, 1), summary.line
    assert rows(db) == sorted(good)
    assert queue.is_empty()
    assert {c.action for c in proxy.calls} == {
        "GetQueueAttributes", "ReceiveMessage", "DeleteMessageBatch"}
    assert proxy.calls == forms(proxy), "something was asked in JSON"


def test_bodies_and_attributes_come_as_they_went(query, queue, db):
    query.settings["columns"] += [
        {"name": "tenant", "from": "$attribute.tenant", "type": "text"},
        {"name": "receives", "from": "$receive_count", "type": "integer"}]
    names = ["a<b>&\"'", "h\u00e9llo \U0001f600 \\ \t", "]]>", "&amp;", " x "]
    queue.send([login(i, user_id=name) for i, name in enumerate(names)],
               attributes={"tenant": {"DataType": "String", "StringValue": "t & <7>"}})
    assert query.drain().loaded == 5
    assert sorted(u for u, in db.rows("SELECT user_id FROM user_logins")) == sorted(names)
    assert db.rows("SELECT DISTINCT tenant, receives FROM user_logins") == [("t & <7>", 1)]


def test_a_mebibyte_comes_whole(query, queue, db):
    query.settings["columns"].append({"name": "more", "from": "more", "type": "text"})
    queue.send([login(1, more="x\"<&" * 200000)])  # and 1 000 000 bytes of XML entities more
    assert query.drain().loaded == 1
    assert db.rows("SELECT length(more) FROM user_logins") == [(800000,)]


def test_a_handle_is_sent_as_it_came(query, queue, db, proxy):
    """With what a form would read as a blank, a name's end, or nothing at all."""
    strange, seen = "a+b/c==&d=%41 ", []

    def rename(body):
        seen.extend(re.findall(rb"<ReceiptHandle>(.+?)</ReceiptHandle>", body))
        return re.sub(rb"<ReceiptHandle>.+?</ReceiptHandle>",
                      f"<ReceiptHandle>{strange.replace('&', '&amp;')}</ReceiptHandle>".encode(),
                      body)

    queue.send(logins(1))
    proxy.on("ReceiveMessage", faults.edit_bytes(rename))
    proxy.on("DeleteMessageBatch", lambda call, forward: faults.Reply(
        200, b"<DeleteMessageBatchResponse><DeleteMessageBatchResult><DeleteMessageBatchResultEntry>"
             b"<Id>0</Id></DeleteMessageBatchResultEntry></DeleteMessageBatchResult>"
             b"</DeleteMessageBatchResponse>"))
    running = query.begin()
    eventually(lambda: proxy.count("DeleteMessageBatch"), what="the message is deleted")
    running.stop()
    assert len(seen) == 1
    [call] = proxy.seen("DeleteMessageBatch")
    assert call.request["DeleteMessageBatchRequestEntry.1.ReceiptHandle"] == strange


def test_heartbeats_and_hand_backs_are_understood(query, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=4)
    db.execute(LOGIN_TABLE + ", message_id text)")
    queue.send(logins(5))
    query.use_queue(queue)
    with db.locked():
        running = query.begin()
        eventually(lambda: proxy.count("ChangeMessageVisibilityBatch") >= 2, within=20,
                   what="heartbeats")
        running.term()
        result = running.wait(20)
    assert result.rc == 0, result
    assert result.summary.returned == 5, result.summary.line
    assert set(proxy.deliveries().values()) == {1}, "a heartbeat did not hold"
    assert eventually(lambda: queue.counts() == (5, 0, 0), what="all are back")
    assert all(c.reply.status == 200 for c in proxy.calls), "something was refused"


def test_bad_messages_are_sent_on_by_a_form(query, queue, make_queue, db, proxy):
    dead = make_queue()
    query.settings["dead_letter"] = "queue:" + dead.url
    [bad] = queue.send([BAD])
    queue.send(logins(2))
    summary = query.drain()
    assert (summary.loaded, summary.dead_lettered) == (2, 1), summary.line
    [letter] = dead.receive(MessageAttributeNames=["All"])
    assert json.loads(letter["Body"])["message_id"] == bad
    assert letter["MessageAttributes"]["sluice.reason"]["StringValue"] == "missing_field"
    assert proxy.calls == forms(proxy)


def test_the_check_asks_for_rights_by_forms(query, queue, proxy):
    query.make_keys()
    result = query.call("check", "-c", query.write())
    assert result.rc == 0, result
    assert "asked in the Query protocol" in result.text
    assert re.search(r"^ok +delete ", result.text, re.M), result
    assert proxy.calls == forms(proxy)


def test_a_queue_that_is_not_there_yet_is_waited_for(query, moto, make_queue, db):
    """Old servers open their port some seconds before the queue is made."""
    name = "late-queue"
    query.sqs["queue_url"] = f"{moto.url}/123456789012/{name}"
    running = query.begin("--until-empty")
    wait_for_text(running, "waiting for the queue")
    make_queue(name).send(logins(3))
    result = running.wait(30)
    assert (result.rc, result.summary.loaded) == (0, 3), result


# Query, when JSON is not understood


OLD_ANSWERS = {
    "html 500": HTML_500,
    "empty 500": faults.query_only(500, b""),
    "xml 500": faults.query_only(500, XML_ERROR % b"InternalFailure", "text/xml"),
    "html 404": faults.query_only(404, b"<html>404 page not found</html>"),
    "plain 404": faults.query_only(404, b'{"status": "running"}', "application/json"),
    "empty 415": faults.query_only(415, b""),
    "html 200": faults.query_only(200, b"<html><body>It works!</body></html>"),
    "xml unknown action": faults.query_only(400, XML_ERROR % b"InvalidAction", "text/xml"),
    "json unknown action": faults.query_only(
        400, b'{"__type": "com.amazon.coral.service#UnknownOperationException"}',
        "application/x-amz-json-1.0"),
}


@pytest.mark.parametrize("answer", OLD_ANSWERS)
def test_a_server_without_json_is_asked_by_forms(sluice, queue, db, proxy, answer):
    """By all workers, after one question, and it is said once."""
    proxy.on("*", OLD_ANSWERS[answer])
    sluice.with_message_id().through(proxy).in_parallel(2, 2)
    ids = queue.send(logins(30))
    result = sluice.run("--until-empty")
    assert (result.rc, result.summary.loaded) == (0, 30), result
    assert rows(db) == sorted(ids) and queue.is_empty()
    assert [c.action for c in proxy.calls if c.is_json] == ["GetQueueAttributes"]
    assert result.err.count(FELL_BACK) == 1, result


def test_logins_are_generated_into_a_server_without_json(bare, tmp_path):
    with open(tmp_path / "moto.log", "wb") as log:
        moto = TrustingMoto(log)
    proxy = faults.SqsProxy(moto.port)
    proxy.on("*", HTML_500)
    queue = moto.new_queue()
    bare.through(proxy).good("generate", "--count", "23", "--queue-url", queue.url)
    printed = bare.good("generate", "--count", "23").text.splitlines()
    got = [m["Body"] for _ in range(3) for m in queue.receive()]
    assert sorted(got) == sorted(printed)
    proxy.stop()
    moto.stop()


@pytest.mark.parametrize("trouble", [
    faults.refuse(), faults.refuse(500, "InternalFailure"), faults.throttle(),
    faults.lose_request(), lambda call, forward: faults.Reply(503, b"<html>busy</html>"),
    lambda call, forward: faults.Reply(502, b"")],
    ids=["503", "500", "throttled", "no answer", "html 503", "empty 502"])
def test_a_server_in_trouble_is_asked_in_json_still(sluice, queue, db, proxy, trouble):
    proxy.on("*", trouble, times=3)
    queue.send(logins(3))
    result = sluice.through(proxy).run("--until-empty")
    assert (result.rc, result.summary.loaded) == (0, 3), result
    assert forms(proxy) == [] and FELL_BACK not in result.err


def test_the_way_back_is_open_until_a_form_is_answered(sluice, queue, db, proxy):
    """A gateway that says 500 to everything is no old server."""
    proxy.on("*", lambda call, forward: faults.Reply(500, b"<html>"), times=4)
    queue.send(logins(3))
    result = sluice.through(proxy).run("--until-empty")
    assert (result.rc, result.summary.loaded) == (0, 3), result
    assert len(forms(proxy)) == 2 and FELL_BACK not in result.err


def test_json_is_spoken_when_told_so_whatever_is_answered(sluice, queue, proxy):
    proxy.on("*", HTML_500)
    sluice.sqs["protocol"] = "json"
    result = sluice.through(proxy).run("--until-empty", "--wait", "2")
    assert result.rc == 75 and forms(proxy) == [], result


# A queue by its name


@pytest.mark.parametrize("protocol", ["auto", "json", "query"])
def test_a_queue_is_found_by_its_name(sluice, queue, db, proxy, protocol):
    ids = queue.send(logins(12))
    sluice.with_message_id().through(proxy)
    del sluice.sqs["queue_url"]
    sluice.sqs.update(queue=queue.name, protocol=protocol)
    assert sluice.drain().loaded == 12
    assert rows(db) == sorted(ids) and queue.is_empty()
    assert proxy.count("GetQueueUrl") == 1
    assert bool(forms(proxy)) == (protocol == "query")


def test_a_queue_is_found_by_its_arn_in_its_region(sluice, queue, db, proxy):
    """Its account is named, and the region of the environment stands back."""
    queue.send(logins(3))
    del sluice.sqs["queue_url"]
    sluice.sqs["queue"] = f"arn:aws:sqs:us-east-1:123456789012:{queue.name}"
    sluice.env["AWS_REGION"] = "eu-west-1"
    assert sluice.through(proxy).drain().loaded == 3
    [call] = proxy.seen("GetQueueUrl")
    assert call.request == {"QueueName": queue.name, "QueueOwnerAWSAccountId": "123456789012"}


def test_a_queue_that_nobody_has_made_is_named_as_the_configuration_names_it(sluice, moto):
    del sluice.sqs["queue_url"]
    sluice.sqs["queue"] = "nobodys-queue"
    result = sluice.run("--until-empty", "--wait", "1")
    assert result.rc == 75, result
    assert "queue nobodys-queue in region us-east-1: " in result.complaints[-1], result


def test_the_check_says_which_url_a_name_has(sluice, queue):
    del sluice.sqs["queue_url"]
    sluice.sqs["queue"] = queue.name
    sluice.make_keys()
    result = sluice.call("check", "-c", sluice.write())
    assert result.rc == 0 and f"{queue.name} is {queue.url}" in result.text, result


def test_a_dead_letter_queue_is_not_the_one_that_is_read_by_its_name(sluice, queue):
    del sluice.sqs["queue_url"]
    sluice.sqs["queue"] = queue.name
    sluice.settings["dead_letter"] = "queue:" + queue.url
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "dead_letter is the queue that is read" in result.err, result


# What a refusal says besides


@pytest.mark.parametrize("hours", [-7, 5])
def test_requests_are_signed_with_the_queue_s_time_when_ours_is_refused(
        sluice, queue, db, proxy, hours):
    clock = proxy.on("*", faults.Clock(hours * 3600))
    queue.send(logins(30))
    result = sluice.through(proxy).in_parallel(2, 2).run("--until-empty")
    assert (result.rc, result.summary.loaded) == (0, 30), result
    assert clock.refused == 1, "once for all workers"
    assert result.err.count("signed with the queue's time") == 1, result


def test_a_clock_that_is_set_in_mid_run_is_followed(sluice, queue, db, proxy):
    clock = proxy.on("*", faults.Clock(0))
    queue.send(logins(5))
    running = sluice.through(proxy).begin()
    eventually(lambda: db.count() == 5, what="rows")
    clock.ahead = 3600
    eventually(lambda: clock.refused, what="a request is refused")
    queue.send(logins(5, first=5))
    eventually(lambda: db.count() == 10, what="more rows")
    result = running.stop()
    assert result.summary.loaded == 10 and queue.is_empty(), result


def test_a_wrong_secret_is_no_matter_of_the_clock(sluice, queue):
    sluice.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "signed with" not in result.err, result


@pytest.mark.parametrize("action", ["ReceiveMessage", "DeleteMessageBatch"])
def test_a_queue_that_says_when_to_come_again_is_not_asked_before(
        sluice, queue, db, proxy, action):
    def busy(call, forward):
        reply = faults.Reply.error(503, "ServiceUnavailable")
        reply.headers.append(("x-amz-retry-after", "2500"))
        return reply

    proxy.on(action, busy, times=1)
    queue.send(logins(3))
    assert sluice.through(proxy).drain().loaded == 3
    first, second = proxy.seen(action)[:2]
    assert 2.4 < second.began - first.ended < 2.5 + 3 * SLOWER
    assert queue.is_empty()


# What old servers answer


@pytest.mark.parametrize("said", ["%d", "%d.5", "%d.123456"])
def test_a_time_of_sending_may_be_in_seconds(query, queue, db, proxy, said):
    day = said % 1700000000
    proxy.on("ReceiveMessage", faults.edit_bytes(lambda body: re.sub(
        rb"(<Name>SentTimestamp</Name>\s*<Value>)\d+", rb"\g<1>" + day.encode(), body)))
    queue.send(logins(2))
    assert query.drain().loaded == 2
    assert db.rows("SELECT DISTINCT create_date::text FROM user_logins") == [("2023-11-14",)]


def test_a_message_may_stand_twice_in_one_reply(query, queue, db, proxy):
    """As in a LocalStack of 2022, whose receive looks again and again for messages."""
    proxy.on("ReceiveMessage", faults.edit_bytes(lambda body: re.sub(
        rb"(<Message>.*?</Message>)", rb"\1\1", body, flags=re.S)), times=1)
    ids = queue.send(logins(3))
    summary = query.drain()
    assert (summary.received, summary.loaded, summary.duplicates) == (6, 3, 3), summary.line
    assert rows(db) == sorted(ids) and queue.is_empty()


@pytest.mark.slow
def test_a_poll_may_last_many_times_its_wait(query, queue, db, proxy):
    """26 s for a wait of 1 s; a stop does not wait as long."""
    proxy.on("ReceiveMessage", faults.slow(26), times=1)
    queue.send(logins(3))
    running = query.begin()
    eventually(lambda: db.has("user_logins") and db.count() == 3, within=50, what="rows")
    assert "no answer" not in running.err, running.err
    proxy.on("ReceiveMessage", faults.slow(26))
    n = proxy.count("ReceiveMessage")
    eventually(lambda: proxy.count("ReceiveMessage") > n, what="another poll is out")
    assert running.stop(within=12).rc == 0

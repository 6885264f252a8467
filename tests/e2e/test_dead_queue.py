"""test_dead_queue.py - bad messages that do not go to the table: left in the queue, or sent on."""
import base64
import json

import pytest

import faults
import sluice as program
from events import BAD, LOGIN_TABLE, login, logins
from fakesqs import Fake
from sluice import wait_for_text
from test_masking import assert_no_canary, canary_bodies
from tokens import open_body, read_keys
from wait import eventually

REFUSING = LOGIN_TABLE + ", message_id text, CHECK (user_id <> 'refused'))"
REFUSED = login(900, user_id="refused")


def arn(queue):
    return queue.sqs.get_queue_attributes(
        QueueUrl=queue.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def redrive(dead, receives):
    return json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": receives})


def receive_all(queue):
    """All that is visible in a queue, with attributes, deleted from it."""
    messages = []
    while some := queue.receive(MessageAttributeNames=["All"], VisibilityTimeout=600):
        messages += some
        for message in some:
            queue.delete(message)
    return messages


def facts(letter):
    return {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}


def opened(sluice, letter):
    """The body of the bad message, with Python's AES-SIV."""
    value = json.loads(letter["Body"])
    assert list(value) == ["v", "message_id", "sealed"] and value["v"] == 1, value
    sealed = base64.b64decode(value["sealed"], validate=True)
    return open_body(read_keys(sluice.keys), value["message_id"], sealed).decode()


def rows(db):
    return sorted(i for i, in db.rows("SELECT message_id FROM user_logins"))


def ledger(db):
    return sorted(i for i, in db.rows("SELECT message_id FROM sluice.ledger"))


# Left in the queue


def test_what_is_left_goes_where_the_redrive_policy_says(sluice, make_queue, db, proxy):
    """Not at once, not twice in the table, and with nothing of it kept."""
    dead = make_queue()
    queue = make_queue(VisibilityTimeout=2, RedrivePolicy=redrive(dead, 2))
    db.execute(REFUSING)
    sluice.with_message_id().use_queue(queue).through(proxy)
    sluice.settings["dead_letter"] = "leave"
    bad = queue.send([BAD, REFUSED])
    good = queue.send(logins(8))
    running = sluice.begin()
    eventually(lambda: dead.counts()[0] == 2, within=20, what="both are in the dead-letter queue")
    result = running.stop()
    assert sorted(m["Body"] for m in receive_all(dead)) == sorted([BAD, REFUSED])
    assert rows(db) == ledger(db) == sorted(good)
    assert db.dead() == []
    assert proxy.deliveries() == {**{i: 2 for i in bad}, **{i: 1 for i in good}}
    assert result.summary.returned == 4 and result.summary.dead_lettered == 0, result
    seen = [c for c in proxy.seen("ReceiveMessage") if {m["MessageId"] for m in c.messages()} & set(bad)]
    assert seen[-1].ended - seen[0].ended > 1.5, "it came back before its time was over"
    left = [line for line in result.logs if "left in the queue" in line["message"]]
    assert {(line["sluice.message_id"], line["sluice.reason"]) for line in left} == {
        (bad[0], "missing_field"), (bad[1], "refused")}
    assert {line["log.level"] for line in left} == {"warn"}


def test_until_empty_ends_with_bad_ones_left(sluice, make_queue, db):
    queue = make_queue(VisibilityTimeout=60)
    sluice.use_queue(queue).settings["dead_letter"] = "leave"
    queue.send([*logins(5), BAD, BAD])
    result = sluice.run("--until-empty", within=20)
    assert result.rc == 0, result
    summary = result.summary
    assert (summary.loaded, summary.returned, summary.dead_lettered) == (5, 2, 0), summary.line
    assert queue.counts() == (0, 2, 0), "hidden until their time is over"
    assert "redrive policy" in result.err


def test_what_went_to_the_dead_letter_queue_is_discounted_no_more(sluice, make_queue, db):
    """Somebody else holds a message for longer than the bad one is there: it is waited for."""
    dead = make_queue()
    queue = make_queue(VisibilityTimeout=2, RedrivePolicy=redrive(dead, 2))
    sluice.use_queue(queue).settings["dead_letter"] = "leave"
    sluice.drain()
    queue.send(logins(1))
    [held] = queue.receive(VisibilityTimeout=8)
    queue.send([BAD])
    summary = sluice.drain()
    assert held["Body"] == logins(1)[0]
    assert (summary.loaded, summary.returned) == (1, 2), summary.line
    assert dead.counts()[0] == 1


@pytest.fixture
def fake(binary, tmp_path):
    with open(tmp_path / "fakesqs.log", "wb") as log:
        f = Fake(binary, log)
        yield f
        f.stop()


@pytest.fixture
def faked(binary, fake, db, tmp_path):
    """The program in front of our own SQS server."""
    s = program.Sluice(binary, tmp_path, program.clean_environment(tmp_path, fake))
    s.queue = fake.new_queue(VisibilityTimeout=60)
    yield s.use(s.queue, db).with_message_id()
    s.stop_all()


def test_one_that_comes_back_again_and_again_is_not_the_tables_fault(faked, fake, db):
    """Ten rows are, refused alike and in a row; for one row nobody else has to wait."""
    db.execute(REFUSING)
    queue = fake.new_queue("again", VisibilityTimeout=1)
    faked.use_queue(queue).in_parallel(1, 1).settings["dead_letter"] = "leave"
    queue.send([REFUSED])
    running = faked.begin()
    eventually(lambda: fake.fates(queue)[0].received > 12, within=40, what="it comes back")
    good = queue.send(logins(3))
    eventually(lambda: rows(db) == sorted(good), what="the others are loaded")
    result = running.stop()
    assert "the table takes nothing" not in result.err


def test_thousands_that_are_left_are_no_reason_to_go_on(faked, fake, db):
    made = fake.fill(faked.queue, 6000, bad=0.5)
    faked.settings["dead_letter"] = "leave"
    summary = faked.in_parallel().drain("--log-level", "error")
    assert summary.returned == made["bad"] == 3000, summary.line
    assert summary.loaded == db.count() == 3000
    report = fake.report(faked.queue)
    assert (report["in_flight"], report["deleted"]) == (3000, 3000), report


@pytest.mark.parametrize("mode", ["leave", "queue"])
def test_what_is_loaded_is_a_duplicate_even_if_it_looks_bad_by_now(faked, fake, db, mode):
    """A delete came to nothing, and until the message came back a column became required."""
    dead = fake.new_queue()
    [sent] = faked.queue.send([login(1, locale=...)])
    fake.fault("duplicate", "DeleteMessageBatch")
    faked.drain("--max-messages", "1")
    assert rows(db) == [sent]
    [column] = [c for c in faked.settings["columns"] if c["name"] == "locale"]
    column["required"] = True
    faked.settings["dead_letter"] = mode if mode == "leave" else "queue:" + dead.url
    summary = faked.drain()
    assert (summary.duplicates, summary.returned, summary.dead_lettered) == (1, 0, 0), summary.line
    assert faked.queue.is_empty() and dead.is_empty()


# Sent on to another queue


@pytest.fixture
def dead(make_queue):
    return make_queue()


@pytest.fixture
def sending(sluice, db, dead, proxy):
    """The program, told to send bad messages on to `dead`, with calls seen by the proxy."""
    db.execute(REFUSING)
    sluice.settings["dead_letter"] = "queue:" + dead.url
    sluice.settings["linger"] = "2s"  # what was sent together is loaded together
    return sluice.with_message_id().through(proxy)


def test_a_letter_says_why_and_opens_with_the_keys_alone(sending, queue, dead, db):
    bodies = {"missing_field": login(1, ip=...), "bad_version": login(2, app_version="1.2.3.4"),
              "too_long_to_mask": login(3, ip="9" * 160), "refused": REFUSED, "not_json": "{"}
    ids = dict(zip(bodies, queue.send(list(bodies.values()))))
    good = queue.send(logins(4))
    summary = sending.drain()
    assert (summary.loaded, summary.dead_lettered, summary.returned) == (4, 5, 0), summary.line
    letters = {facts(m)["sluice.reason"]: m for m in receive_all(dead)}
    assert set(letters) == set(bodies)
    for reason, letter in letters.items():
        assert opened(sending, letter) == bodies[reason]
        assert facts(letter)["sluice.message_id"] == ids[reason]
        assert facts(letter)["sluice.pipeline"] == "public.user_logins"
        assert facts(letter)["sluice.sent_at"].endswith("Z")
    assert {r: facts(m)["sluice.stage"] for r, m in letters.items()} == {
        "missing_field": "decode", "bad_version": "decode", "too_long_to_mask": "mask",
        "refused": "load", "not_json": "decode"}
    assert facts(letters["missing_field"])["sluice.field"] == "ip"
    assert facts(letters["refused"])["sluice.sqlstate"] == "23514"
    assert "sluice.sqlstate" not in facts(letters["not_json"])
    assert rows(db) == sorted(good) and ledger(db) == sorted([*good, *ids.values()])
    assert db.dead() == [] and queue.is_empty()


def test_no_canary_is_in_a_letter_or_beside_it(sending, queue, dead, db):
    good, bad = canary_bodies()
    queue.send([*good, *bad])
    result = sending.run("--until-empty", "--log-level", "debug")
    assert result.rc == 0 and result.summary.dead_lettered >= len(bad) - 1, result
    letters = receive_all(dead)
    assert len(letters) == result.summary.dead_lettered
    assert_no_canary("a letter", json.dumps(letters).encode())
    assert_no_canary("stderr", result.err.encode())


def test_a_send_without_an_answer_is_repeated(sending, queue, dead, db, proxy):
    """At least once: the letter is there twice, and counted once."""
    sent = queue.send([BAD, *logins(3)])
    proxy.on("SendMessageBatch", faults.lose_reply(), times=1)
    summary = sending.drain()
    assert (summary.loaded, summary.dead_lettered) == (3, 1), summary.line
    assert [facts(m)["sluice.message_id"] for m in receive_all(dead)] == [sent[0]] * 2
    assert max(proxy.deliveries().values()) == 1


def test_only_what_was_not_taken_is_sent_again(faked, fake, db):
    """The queue takes some of a request, twice; nothing is there twice."""
    dead = fake.new_queue()
    faked.settings["dead_letter"] = "queue:" + dead.url
    made = fake.fill(faked.queue, 400, bad=0.2)
    fake.fault("partial", "SendMessageBatch", times=5, share=0.5)
    fake.fault("throttle", "SendMessageBatch", times=2)
    summary = faked.drain()
    assert summary.dead_lettered == made["bad"] == 80, summary.line
    assert fake.hits()["partial"] == 5
    letters = [facts(m)["sluice.message_id"] for m in receive_all(dead)]
    bad = [fate.id for fate in fake.fates(faked.queue) if fate.is_bad]
    assert sorted(letters) == sorted(bad)
    assert db.dead() == [] and db.count() == 320


def test_a_letter_that_was_sent_is_not_sent_again_when_its_message_comes_back(faked, fake, db):
    dead = fake.new_queue()
    faked.settings["dead_letter"] = "queue:" + dead.url
    faked.queue.send([BAD])
    fake.fault("duplicate", "DeleteMessageBatch")
    summary = faked.drain()
    assert (summary.dead_lettered, summary.duplicates) == (1, 1), summary.line
    assert len(receive_all(dead)) == 1 and faked.queue.is_empty()


def test_a_message_that_stands_twice_in_a_reply_is_sent_once(faked, fake, db):
    dead = fake.new_queue()
    faked.settings["dead_letter"] = "queue:" + dead.url
    faked.queue.send([BAD, *logins(2)])
    fake.fault("twice", "ReceiveMessage")
    summary = faked.drain()
    assert (summary.dead_lettered, summary.duplicates) == (1, 1), summary.line
    assert len(receive_all(dead)) == 1 and faked.queue.is_empty()


def test_what_is_too_large_for_a_message_goes_to_the_table(sending, queue, dead, db):
    big = "x" * 900_000
    ids = queue.send([big])
    ids += queue.send([BAD])
    summary = sending.drain()
    assert summary.dead_lettered == 2, summary.line
    assert [facts(m)["sluice.message_id"] for m in receive_all(dead)] == [ids[1]]
    [(sealed,)] = db.rows("SELECT sealed_body FROM sluice.dead_letter WHERE message_id = %s", ids[0])
    assert open_body(read_keys(sending.keys), ids[0], sealed).decode() == big


def test_large_letters_share_requests_no_larger_than_sqs_takes(sending, queue, dead, db, proxy):
    ids = []
    for n in range(4):
        ids += queue.send([str(n) * 300_000])
    summary = sending.drain()
    assert summary.dead_lettered == 4 and db.dead() == [], summary.line
    sizes = [sum(len(e["MessageBody"]) for e in c.entries()) for c in proxy.seen("SendMessageBatch")]
    assert len(sizes) == 2 and max(sizes) <= 1 << 20, sizes
    assert len(receive_all(dead)) == 4


def refuse_large(call, forward):
    """A server with a smaller limit of a request: all of it is refused."""
    if sum(len(e["MessageBody"]) for e in call.entries()) > 4000:
        return faults.Reply.error(400, "AWS.SimpleQueueService.BatchRequestTooLong")
    return forward()


def test_a_letter_that_its_request_is_refused_for_costs_itself_only(sending, queue, dead, db, proxy):
    ids = queue.send([BAD, "y" * 5000, *([BAD] * 5)])
    proxy.on("SendMessageBatch", refuse_large)
    summary = sending.drain()
    assert summary.dead_lettered == 7, summary.line
    letters = [facts(m)["sluice.message_id"] for m in receive_all(dead)]
    assert sorted(letters) == sorted([ids[0], *ids[2:]])
    assert db.rows("SELECT message_id FROM sluice.dead_letter") == [(ids[1],)]


def test_a_letter_that_is_refused_alone_goes_to_the_table(faked, fake, db):
    dead = fake.new_queue(MaximumMessageSize=1024)
    faked.settings["dead_letter"] = "queue:" + dead.url
    ids = faked.queue.send([BAD, "y" * 5000, BAD])
    summary = faked.drain()
    assert summary.dead_lettered == 3, summary.line
    assert sorted(facts(m)["sluice.message_id"] for m in receive_all(dead)) == sorted(ids[::2])
    assert db.rows("SELECT message_id FROM sluice.dead_letter") == [(ids[1],)]


@pytest.mark.parametrize("fault", [
    faults.refuse(400, "AWS.SimpleQueueService.NonExistentQueue"), faults.refuse(403, "AccessDenied"),
    faults.throttle(), faults.refuse(), faults.lose_request()],
    ids=["gone", "denied", "throttled", "down", "closed"])
def test_a_dead_letter_queue_that_is_away_is_an_outage(sending, make_queue, dead, db, proxy, fault):
    queue = make_queue(VisibilityTimeout=4)
    sending.use_queue(queue)
    proxy.on("SendMessageBatch", fault)
    ids = queue.send([BAD, *logins(9)])
    running = sending.begin()
    wait_for_text(running, "the dead-letter queue is away")
    ids += queue.send(logins(20, first=20))
    mark = proxy.count("ReceiveMessage")
    sends = proxy.count("SendMessageBatch")
    eventually(lambda: proxy.count("ChangeMessageVisibilityBatch") >= 2, what="two heartbeats")
    eventually(lambda: proxy.count("SendMessageBatch") >= sends + 3, what="it tries again")
    assert proxy.count("ReceiveMessage") - mark <= 1, "it goes on receiving"
    assert proxy.count("DeleteMessageBatch") == 0 and db.count() == 0
    proxy.clear()
    eventually(lambda: db.count() == 29, within=30)
    result = running.stop()
    assert (result.summary.loaded, result.summary.dead_lettered) == (29, 1), result
    assert rows(db) == sorted(ids[1:]) and db.dead() == []
    assert [facts(m)["sluice.message_id"] for m in receive_all(dead)] == [ids[0]]
    assert proxy.deliveries() == {i: 1 for i in ids}, "receive counts are not burnt"


def test_past_the_patience_the_dead_letter_queue_is_asked_before_anything_is_received(
        sending, queue, dead, db, proxy):
    sending.settings["outage_patience"] = "1s"
    proxy.on("SendMessageBatch", faults.throttle())
    queue.send([BAD, *logins(4)])
    running = sending.begin()
    wait_for_text(running, "handed back what was held")
    eventually(lambda: queue.counts() == (5, 0, 0), what="everything is back")
    receives, sends = proxy.count("ReceiveMessage"), proxy.count("SendMessageBatch")
    eventually(lambda: proxy.count("SendMessageBatch") >= sends + 4, what="it asks")
    assert proxy.count("ReceiveMessage") == receives, "it receives what it cannot end"
    proxy.clear()
    eventually(lambda: db.count() == 4, within=30)
    summary = running.stop().summary
    assert (summary.received, summary.returned, summary.dead_lettered) == (10, 5, 1), summary.line
    assert len(receive_all(dead)) == 1, "what was sent to ask is no letter"


def test_a_stop_while_the_dead_letter_queue_is_away_hands_everything_back(sending, queue, dead, db,
                                                                          proxy):
    proxy.on("SendMessageBatch", faults.throttle())
    queue.send([BAD, *logins(4)])
    running = sending.begin()
    wait_for_text(running, "the dead-letter queue is away")
    summary = running.stop().summary
    assert (summary.received, summary.returned) == (5, 5), summary.line
    assert queue.counts() == (5, 0, 0) and dead.is_empty()


def test_killed_between_the_send_and_the_commit_nothing_is_lost(sending, make_queue, dead, db):
    queue = make_queue(VisibilityTimeout=3)
    ids = sending.use_queue(queue) and queue.send([BAD, *logins(5)])
    with db.locked():
        running = sending.begin()
        eventually(db.waiting_for_locks, what="the rows wait for the table")
        assert dead.counts()[0] == 1, "the letter went first"
        running.kill()
    eventually(lambda: queue.counts()[0] == 6, what="all are visible again")
    summary = sending.drain()
    assert (summary.loaded, summary.dead_lettered) == (5, 1), summary.line
    assert [facts(m)["sluice.message_id"] for m in receive_all(dead)] == [ids[0]] * 2
    assert rows(db) == sorted(ids[1:]) and ledger(db) == sorted(ids)


def test_a_database_that_is_away_after_the_send_costs_no_second_letter(sending, queue, dead, db,
                                                                       cluster):
    ids = queue.send([BAD, *logins(5)])
    with db.locked():
        running = sending.begin()
        eventually(db.waiting_for_locks, what="the rows wait for the table")
        cluster.stop("immediate")
    wait_for_text(running, "the database is away")
    cluster.start()
    eventually(lambda: db.count() == 5, within=30)
    assert running.stop().summary.dead_lettered == 1
    assert [facts(m)["sluice.message_id"] for m in receive_all(dead)] == [ids[0]]


def test_a_fifo_dead_letter_queue_has_a_group_for_each_message(sending, queue, make_queue):
    dead = make_queue("letters.fifo", FifoQueue="true")
    sending.settings["dead_letter"] = "queue:" + dead.url
    ids = queue.send([BAD, BAD])
    assert sending.drain().dead_lettered == 2
    assert sorted(m["Attributes"]["MessageGroupId"] for m in receive_all(dead)) == sorted(ids)


def test_a_dry_run_sends_and_leaves_nothing(sluice, queue, dead, proxy):
    queue.send([BAD, *logins(2)])
    for mode in ("leave", "queue:" + dead.url):
        sluice.settings["dead_letter"] = mode
        result = sluice.through(proxy).run("--dry-run")
        assert result.rc == 0 and "would become a dead letter" in result.err, result
        assert queue.counts() == (3, 0, 0)
    assert dead.is_empty() and proxy.count("SendMessageBatch") == 0


def test_a_letter_put_into_the_table_is_shown_and_retried_as_any_other(sending, queue, dead, db):
    """As docs/operations.md says."""
    [column] = [c for c in sending.settings["columns"] if c["name"] == "locale"]
    column["required"] = True
    [sent] = queue.send([login(1, locale=...)])
    sending.drain()
    [letter] = receive_all(dead)
    f = facts(letter)
    db.execute("INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage,"
               " reason, sealed_body) VALUES (%s, %s, %s, now(), %s, %s, decode(%s, 'base64'))",
               f["sluice.pipeline"], f["sluice.message_id"], f["sluice.sent_at"], f["sluice.stage"],
               f["sluice.reason"], json.loads(letter["Body"])["sealed"])
    number = str(db.one("SELECT id FROM sluice.dead_letter"))
    shown = sending.good("dead", "show", number, "-c", sending.path)
    assert shown.text.strip() == login(1, locale=...)
    column["required"] = False
    sending.good("dead", "retry", number, "-c", sending.write())
    assert rows(db) == [sent]


# Looked at before


def checked(sluice):
    sluice.make_keys()
    return sluice.call("check", "-c", sluice.write())


def test_check_wants_a_redrive_policy_where_bad_messages_are_left(sluice, queue, make_queue, dead):
    sluice.settings["dead_letter"] = "leave"
    result = checked(sluice)
    assert result.rc == 1 and "redrive policy" in result.text, result
    sluice.use_queue(make_queue(RedrivePolicy=redrive(dead, 3)))
    assert checked(sluice).rc == 0


def test_check_looks_at_the_dead_letter_queue(sending, dead, proxy):
    result = checked(sending)
    assert result.rc == 0 and "sqs:SendMessage is allowed" in result.text, result
    assert dead.is_empty(), "it sends nothing"
    proxy.on("SendMessageBatch", faults.refuse(403, "AccessDenied"))
    result = checked(sending)
    assert result.rc == 1 and "sqs:SendMessage" in result.text, result
    sending.settings["dead_letter"] += "-gone"
    result = checked(sending)
    assert result.rc == 1 and dead.name + "-gone" in result.text, result


def test_the_queue_that_is_read_is_known_by_any_of_its_names(sending, queue, dead):
    """A letter that came back would be a bad message, sent on as another one, for ever."""
    sending.settings["dead_letter"] = "queue:" + queue.url.replace("127.0.0.1", "localhost")
    queue.send([BAD])
    result = sending.run("--max-messages", "3")
    assert result.rc == 78 and "dead_letter is the queue that is read" in result.err, result
    result = checked(sending)
    assert result.rc == 1 and "dead_letter is the queue that is read" in result.text, result
    assert queue.counts() == (1, 0, 0)


def test_a_start_waits_for_the_dead_letter_queue(sending, queue, dead, make_queue, db):
    sending.settings["dead_letter"] += "-late"
    running = sending.begin("--wait", "30")
    wait_for_text(running, "waiting for the dead-letter queue")
    late = make_queue(dead.name + "-late")
    queue.send([BAD])
    eventually(lambda: late.counts()[0] == 1, within=30)
    running.stop()

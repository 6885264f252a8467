"""test_fifo.py - the rows of a message group stand in the order in which its messages were sent,
whatever happens on the way; groups of a standard queue are no such thing."""
import collections
import json
import time

import pytest

from events import login
from wait import SLOWER, eventually

TABLE = """
CREATE TABLE user_logins(place bigint GENERATED ALWAYS AS IDENTITY, grp text, seq integer, {check})
"""
COLUMNS = [{"name": "grp", "from": "grp", "type": "text", "required": True},
           {"name": "seq", "from": "seq", "type": "integer", "required": True}]
GOOD = "CHECK (seq >= 0)"


def body(group, n, **changes):
    return login(n, **{"grp": group, "seq": n, **changes})


def send(queue, groups, bodies):
    """All of them, in the order given; the n-th goes to groups[n]."""
    for at in range(0, len(bodies), 10):
        reply = queue.sqs.send_message_batch(QueueUrl=queue.url, Entries=[
            {"Id": str(i), "MessageBody": b, "MessageGroupId": g,
             "MessageDeduplicationId": f"{time.monotonic_ns()}-{at + i}"}
            for i, (g, b) in enumerate(zip(groups[at:at + 10], bodies[at:at + 10]))])
        assert not reply.get("Failed"), reply["Failed"]


def send_in_turn(queue, groups, n):
    """n messages of each group, by turns."""
    send(queue, [g for _ in range(n) for g in groups],
         [body(g, i) for i in range(n) for g in groups])


def rows(db):
    """{group: its numbers in the order of the table}"""
    found = collections.defaultdict(list)
    for group, seq in db.rows("SELECT grp, seq FROM user_logins ORDER BY place"):
        found[group].append(seq)
    return dict(found)


def in_order(groups, n):
    return {g: list(range(n)) for g in groups}


@pytest.fixture
def table(db):
    db.execute(TABLE.format(check=GOOD))
    return db


@pytest.fixture
def new_fifo(sluice_on_fake, fake, table):
    """A FIFO queue that the program reads, into a table that knows the order of its rows."""
    def make(**attributes):
        queue = fake.new_queue("q.fifo", FifoQueue="true", **attributes)
        sluice_on_fake.use_queue(queue).settings["columns"] = [dict(c) for c in COLUMNS]
        return queue

    return make


# ---- all is well

def test_rows_of_a_group_are_loaded_in_order(sluice_on_fake, new_fifo, table):
    queue = new_fifo()
    send_in_turn(queue, "abcdefg", 30)
    summary = sluice_on_fake.in_parallel(2, 2).drain()
    assert (summary.loaded, summary.received) == (210, 210), summary.line
    assert rows(table) == in_order("abcdefg", 30)


def test_on_moto_too(sluice, make_queue, table):
    """One receive at a time: to two of them moto deals out one group."""
    queue = make_queue("order.fifo", FifoQueue="true")
    sluice.use_queue(queue).settings["columns"] = COLUMNS
    send_in_turn(queue, "abc", 20)
    assert sluice.drain().loaded == 60
    assert rows(table) == in_order("abc", 20)


def test_check_says_what_holds(sluice_on_fake, new_fifo):
    new_fifo()
    sluice_on_fake.make_keys()
    result = sluice_on_fake.call("check", "-c", sluice_on_fake.write())
    assert "FIFO queue: the rows of a message group are loaded in order\n" in result.text, result


# ---- bad messages

BAD_ONES = {"decode": {"seq": "two"}, "load": {"seq": -2}}


@pytest.mark.parametrize("stage", BAD_ONES)
def test_a_message_that_is_left_holds_its_group_back(sluice_on_fake, new_fifo, fake, table, stage):
    dead = fake.new_queue("dead.fifo", FifoQueue="true")
    arn = dead.sqs.get_queue_attributes(
        QueueUrl=dead.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    queue = new_fifo(VisibilityTimeout=2, RedrivePolicy=json.dumps(
        {"deadLetterTargetArn": arn, "maxReceiveCount": 2}))
    sluice_on_fake.settings.update(dead_letter="leave", linger="1s")
    bodies = {g: [body(g, i) for i in range(6)] for g in "ab"}
    bodies["a"][2] = body("a", 2, **BAD_ONES[stage])
    send(queue, [g for _ in range(6) for g in "ab"], [bodies[g][i] for i in range(6) for g in "ab"])
    running = sluice_on_fake.begin()
    eventually(lambda: dead.counts()[0] > 0 and table.count() + dead.counts()[0] == 12,
               what="all have an end")
    running.stop()
    found = rows(table)
    assert found["b"] == list(range(6))
    assert found["a"] == [0, 1], "none that stood behind the bad one was loaded before it had gone"
    assert [json.loads(m["Body"])["seq"] for m in dead.receive()] == [
        BAD_ONES[stage]["seq"], 3, 4, 5], "they were received as often as the bad one"


@pytest.mark.parametrize("stage", BAD_ONES)
def test_a_dead_letter_lets_its_group_go_on(sluice_on_fake, new_fifo, table, stage):
    queue = new_fifo()
    sluice_on_fake.settings["linger"] = "1s"
    bodies = [body("a", i, **(BAD_ONES[stage] if i % 4 == 2 else {})) for i in range(12)]
    send(queue, "a" * 12, bodies)
    summary = sluice_on_fake.drain()
    assert (summary.loaded, summary.dead_lettered) == (9, 3), summary.line
    assert rows(table) == {"a": [i for i in range(12) if i % 4 != 2]}


def test_a_table_that_refuses_all_makes_no_dead_letters(sluice_on_fake, new_fifo, table):
    queue = new_fifo(VisibilityTimeout=30)
    table.execute("ALTER TABLE user_logins ADD CONSTRAINT none CHECK (seq < 0) NOT VALID")
    sluice_on_fake.settings["linger"] = "1s"
    send_in_turn(queue, "abc", 10)
    running = sluice_on_fake.begin("--until-empty")
    eventually(lambda: "the table takes nothing" in running.err, what="it says so")
    table.execute("ALTER TABLE user_logins DROP CONSTRAINT none")
    summary = running.wait().summary
    assert (summary.loaded, summary.dead_lettered) == (30, 0), summary.line
    assert rows(table) == in_order("abc", 10)


# ---- faults

@pytest.mark.fault("every answer", "lost now and then, and one of two processes killed")
def test_order_survives_lost_answers_and_a_kill(sluice_on_fake, new_fifo, fake, table):
    queue = new_fifo(VisibilityTimeout=2)
    send_in_turn(queue, "abcdefgh", 40)
    for action in ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"):
        fake.fault("reset_after", action, times=1000, probability=0.1)
        fake.fault("late_500", action, times=1000, probability=0.1)
    fake.fault("partial", "DeleteMessageBatch", times=1000, probability=0.1, share=0.5)
    sluice_on_fake.in_parallel(2, 2)
    both = [sluice_on_fake, sluice_on_fake.another("second")]
    running = [s.begin() for s in both]
    eventually(lambda: table.count() > 60, what="some rows")
    running[0].kill()
    running[0] = both[0].begin()
    eventually(lambda: table.count() == 320, within=40, what="all rows")
    fake.clear()
    for r in running:
        r.stop()
    sluice_on_fake.drain()
    assert rows(table) == in_order("abcdefgh", 40)
    assert fake.report(queue)["deleted"] == 320


@pytest.mark.fault("the answer to a receive", "lost")
def test_what_a_lost_answer_held_is_asked_for_again(sluice_on_fake, new_fifo, fake, table):
    """Else its groups would be locked for a minute."""
    queue = new_fifo(VisibilityTimeout=60)
    send_in_turn(queue, "ab", 5)
    fake.fault("reset_after", "ReceiveMessage", times=2)
    started = time.monotonic()
    assert sluice_on_fake.drain().loaded == 10
    assert time.monotonic() - started < 30 * SLOWER
    assert fake.hits()["reset_after"] == 2
    assert {m.received for m in fake.fates(queue)} == {1}
    assert rows(table) == in_order("ab", 5)


@pytest.mark.fault("a body", "altered on the way")
def test_nothing_goes_past_a_message_that_came_altered(sluice_on_fake, new_fifo, fake, table):
    queue = new_fifo(VisibilityTimeout=2)
    send_in_turn(queue, "a", 5)
    fake.fault("wrong_md5", "ReceiveMessage", times=1)
    summary = sluice_on_fake.drain()
    assert (summary.loaded, summary.returned) == (5, 5), summary.line
    assert rows(table) == in_order("a", 5)


@pytest.mark.fault("a receipt handle", "expired when it is deleted by")
def test_a_handle_that_has_expired_is_not_deleted_by_for_ever(sluice_on_fake, new_fifo, fake, table):
    queue = new_fifo(VisibilityTimeout=2)
    send_in_turn(queue, "ab", 4)
    fake.fault("expired_handle", "DeleteMessageBatch", times=1)
    summary = sluice_on_fake.drain()
    assert (summary.loaded, summary.duplicates) == (8, 8), summary.line
    assert rows(table) == in_order("ab", 4)
    assert fake.calls()["DeleteMessageBatch"] <= 4


# ---- fair queues

def test_groups_of_a_standard_queue_hold_nothing_back(sluice_on_fake, fake, table):
    """They share a queue out fairly, and keep no order."""
    queue = fake.new_queue("fair", VisibilityTimeout=2)
    sluice_on_fake.use_queue(queue).settings.update(columns=COLUMNS, linger="1s")
    bodies = [body("a", i) for i in range(6)]
    bodies[1] = body("a", 1, seq=-2)
    for b in bodies:
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=b, MessageGroupId="a")
    sluice_on_fake.settings["dead_letter"] = "leave"
    running = sluice_on_fake.begin()
    eventually(lambda: sorted(rows(table).get("a", [])) == [0, 2, 3, 4, 5], what="the others")
    running.stop()
    assert table.count("sluice.ledger_key") == 0

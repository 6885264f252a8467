"""test_once.py - nothing lost and nothing twice, whatever breaks between commit and delete."""
import contextlib
import json
import threading

import pytest

import faults
from events import BAD, LOGIN_TABLE, logins
from pg import deadlocks
from wait import eventually

WITH_MESSAGE_ID = LOGIN_TABLE + ", message_id text)"


def assert_each_once(db, ids):
    """Every message has one row; no row is of anything else."""
    got = sorted(i for i, in db.rows("SELECT message_id FROM user_logins"))
    assert len(got) == len(set(got)), "a message has two rows"
    assert got == sorted(ids)


@pytest.mark.fault("sluice is killed", "kill -9 between commit and delete")
def test_kill_9_between_commit_and_delete_loads_each_message_once(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=2)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    ids = queue.send(logins(20))
    sluice.with_message_id().through(proxy)
    running = sluice.use_queue(queue).begin()
    eventually(lambda: db.count() == 20 and hold.held, what="committed, and the delete held")
    running.kill()
    hold.drop()
    assert sum(queue.counts()) == 20, "nothing was deleted"
    proxy.clear()
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (0, 20), summary.line
    assert_each_once(db, ids)
    assert queue.is_empty()


@pytest.mark.fault("sluice is killed", "kill -9 before the commit")
def test_kill_9_before_the_commit_loads_each_message_once(sluice, make_queue, db):
    queue = make_queue(VisibilityTimeout=2)
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(20))
    sluice.with_message_id().use_queue(queue)
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        running.kill()
    assert db.count() == 0
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (20, 0), summary.line
    assert_each_once(db, ids)


@pytest.mark.fault("the reply to a delete is lost", "proxy in front of moto")
def test_a_lost_delete_reply_costs_nothing(sluice, queue, db, proxy):
    proxy.on("DeleteMessageBatch", faults.lose_reply(), times=1)
    ids = queue.send(logins(20))
    summary = sluice.with_message_id().through(proxy).drain()
    assert summary.loaded == 20, summary.line
    assert_each_once(db, ids)
    assert queue.is_empty()


@pytest.mark.fault("a delete fails", "proxy in front of moto, twice")
@pytest.mark.parametrize("fault", [faults.refuse(), faults.throttle(), faults.lose_request(),
                                   faults.edit_bytes(lambda b: b"<html>portal</html>"),
                                   faults.edit_bytes(lambda b: b[:len(b) // 2])],
                         ids=["503", "throttled", "closed", "html", "half a reply"])
def test_a_failed_delete_request_is_retried(sluice, queue, db, proxy, fault):
    proxy.on("DeleteMessageBatch", fault, times=2)
    ids = queue.send(logins(5))
    summary = sluice.with_message_id().through(proxy).drain()
    assert (summary.received, summary.loaded) == (5, 5), summary.line
    assert proxy.count("DeleteMessageBatch") >= 3
    assert_each_once(db, ids)
    assert queue.is_empty()


@pytest.mark.fault("one entry of a delete fails", "proxy in front of moto, twice")
def test_a_failed_delete_entry_is_retried(sluice, queue, db, proxy):
    """HTTP 200 may carry failures: each must be looked at."""
    refused = []

    def fail_first_entry(call, forward):
        keep = call.entries()[0]
        refused.append(keep["ReceiptHandle"])
        for entry in call.entries()[1:]:
            queue.delete(entry)
        return faults.Reply.of({
            "Successful": [{"Id": e["Id"]} for e in call.entries()[1:]],
            "Failed": [{"Id": keep["Id"], "Code": "InternalError", "SenderFault": False,
                        "Message": "injected"}]})

    proxy.on("DeleteMessageBatch", fail_first_entry, times=2)
    ids = queue.send(logins(10))
    summary = sluice.with_message_id().through(proxy).drain()
    assert (summary.received, summary.duplicates) == (10, 0), summary.line
    asked = [e["ReceiptHandle"] for c in proxy.seen("DeleteMessageBatch") for e in c.entries()]
    assert all(asked.count(handle) >= 2 for handle in refused)
    assert_each_once(db, ids)
    assert queue.is_empty()


@pytest.mark.fault("the reply to a receive is lost",
                   "proxy in front of moto: one lost, one cut in half")
def test_a_receive_reply_that_is_lost_loses_nothing(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=2)
    proxy.on("ReceiveMessage", faults.lose_reply(), times=1)
    proxy.on("ReceiveMessage", faults.edit_bytes(lambda b: b[:len(b) // 2]), times=1)
    ids = queue.send(logins(25))
    summary = sluice.with_message_id().use_queue(queue).through(proxy).drain()
    assert summary.loaded == 25, summary.line
    assert_each_once(db, ids)


@pytest.mark.fault("two processes get the same messages", "heartbeats refused while loads wait")
def test_two_processes_on_one_queue_load_each_message_once(sluice, make_queue, db, cluster, proxy):
    """Loads wait for the table while heartbeats fail, so both processes get the same messages."""
    queue = make_queue(VisibilityTimeout=1)
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(60))
    sluice.with_message_id().use_queue(queue).through(proxy).in_parallel(2, 2)
    proxy.on("ChangeMessageVisibilityBatch", faults.refuse())
    position = cluster.log_position()
    with db.locked():
        both = [sluice.begin("--until-empty"), sluice.another("second").begin("--until-empty")]
        eventually(lambda: sum(n > 1 for n in proxy.deliveries().values()) >= 20,
                   what="20 messages were delivered twice")
        eventually(lambda: db.waiting_for_locks() >= 2, what="loads wait for each other")
    proxy.clear()
    results = [running.wait(50) for running in both]
    assert [r.rc for r in results] == [0, 0], results
    summaries = [r.summary for r in results]
    assert sum(s.loaded for s in summaries) == 60, [s.line for s in summaries]
    assert sum(s.duplicates for s in summaries) > 0, "the batches did not overlap"
    assert_each_once(db, ids)
    assert queue.is_empty()
    assert not deadlocks(cluster.log_since(position))


@pytest.mark.fault("the connection is cut", "by a proxy that reads the server's tags")
@pytest.mark.parametrize("moment", ["before commit", "at commit", "after commit"])
def test_a_connection_lost_around_the_commit_loads_each_message_once(sluice, queue, db, cluster,
                                                                     moment):
    """After a lost COMMIT reply, what our own batch committed counts as loaded."""
    proxy = faults.PgProxy(cluster.port, moment)
    sluice.with_message_id()
    sluice.postgres["url"] = db.tcp_url(port=proxy.port)
    ids = queue.send(logins(20))
    summary = sluice.drain()
    proxy.stop()
    assert proxy.cuts == 1
    assert (summary.received, summary.loaded, summary.duplicates) == (20, 20, 0), summary.line
    assert_each_once(db, ids)
    assert queue.is_empty()


# A commit that takes until the test gives its lock free.
SLOW_COMMIT = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON user_logins DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE PROCEDURE slow();
"""


def test_a_commit_that_arrives_while_its_batch_is_tried_again_counts_as_loaded(
        sluice, make_queue, db, cluster, proxy):
    """Beside a message that the ledger knows, so that the ledger is asked which ones are new."""
    queue = make_queue(VisibilityTimeout=2)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    ids = queue.send(logins(1))
    running = sluice.with_message_id().through(proxy).use_queue(queue).begin()
    eventually(lambda: db.count() == 1 and hold.held, what="the first one is loaded")
    running.kill()
    hold.drop()
    proxy.clear()
    ids += queue.send(logins(4))
    eventually(lambda: queue.counts()[0] == 5, what="all are visible")

    database = faults.PgProxy(cluster.port, "in the commit")
    sluice.postgres["url"] = db.tcp_url(port=database.port)
    db.execute(SLOW_COMMIT)
    with contextlib.closing(db.connect()) as c:
        c.cursor().execute("SELECT pg_advisory_lock(7)")
        running = sluice.in_parallel(1, 1).begin("--until-empty")
        eventually(lambda: database.cuts == 1 and db.waiting_for_locks() == 2,
                   what="the second attempt waits for the first one's commit")
    summary = running.wait(40).summary
    database.stop()
    assert (summary.loaded, summary.duplicates) == (4, 1), summary.line
    assert_each_once(db, ids)
    assert queue.is_empty()


def test_a_message_is_deleted_only_after_its_row_can_be_seen(sluice, queue, db, proxy):
    """From another connection, at the moment when the delete is on its way."""
    too_early = []
    lock = threading.Lock()

    def check(call):
        id_of = proxy.id_of_handle()
        wanted = {id_of[e["ReceiptHandle"]] for e in call.entries()}
        known = {i for i, in db.rows("SELECT message_id FROM user_logins UNION ALL"
                                     " SELECT message_id FROM sluice.dead_letter")}
        with lock:
            too_early.extend(wanted - known)

    proxy.on("DeleteMessageBatch", faults.look(check))
    bodies = logins(60)
    bodies[10] = bodies[40] = BAD
    queue.send(bodies)
    summary = sluice.with_message_id().through(proxy).in_parallel(2, 2).drain()
    assert (summary.loaded, summary.dead_lettered) == (58, 2), summary.line
    assert proxy.count("DeleteMessageBatch") >= 6 and not too_early
    assert queue.is_empty()


@pytest.mark.fault("a message stands twice in a reply", "proxy in front of moto, every reply")
@pytest.mark.parametrize("handles", ["handles of their own", "one handle"])
def test_repeats_inside_one_reply_are_collapsed(sluice, queue, db, proxy, handles):
    """With a visibility timeout of 0 a server may put a message twice into one reply."""
    def double(call, forward):
        value = forward().json()
        messages = value.get("Messages", [])
        if handles == "handles of their own":
            for message in messages:
                queue.hide(message, 0)
            value["Messages"] = messages + forward().json().get("Messages", [])
        else:
            value["Messages"] = [m for m in messages for _ in range(2)]
        return faults.Reply.of(value)

    proxy.on("ReceiveMessage", double)
    ids = queue.send(logins(5))
    summary = sluice.with_message_id().through(proxy).drain()
    assert (summary.received, summary.loaded, summary.duplicates) == (10, 5, 5), summary.line
    assert_each_once(db, ids)
    assert queue.is_empty()


def test_equal_bodies_are_two_messages(sluice, queue, db):
    queue.send(logins(1) * 3)
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (3, 0), summary.line
    assert db.count() == 3


@pytest.mark.fault("sluice is killed", "kill -9 after the commit of dead letters")
def test_a_dead_letter_that_comes_again_is_a_duplicate(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=2)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    queue.send([BAD, json.dumps({})])
    running = sluice.use_queue(queue).through(proxy).begin()
    eventually(lambda: len(db.dead()) == 2 and hold.held)
    running.kill()
    hold.drop()
    proxy.clear()
    summary = sluice.drain()
    assert (summary.dead_lettered, summary.duplicates) == (0, 2), summary.line
    assert len(db.dead()) == 2 and queue.is_empty()

"""test_outage.py - an outage at either end is waited out: no loss, no repeat, no dead letter."""
import time

import pytest

import faults
from events import LOGIN_TABLE, logins
from sluice import wait_for_text
from wait import eventually

WITH_MESSAGE_ID = LOGIN_TABLE + ", message_id text)"


def assert_each_once(db, ids):
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(ids)
    assert db.dead() == [], "an outage is not a bad record"


@pytest.mark.fault("the server is restarted", "pg_ctl stop -m immediate in the middle of a load")
def test_postgres_stopped_in_the_middle_of_a_load_and_started_again(sluice, make_queue, db, cluster,
                                                                    proxy):
    queue = make_queue(VisibilityTimeout=4)
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(40))
    sluice.with_message_id().use_queue(queue).through(proxy)
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load is open")
        cluster.stop("immediate")
    wait_for_text(running, "(?i)could not|lost|refused|retry|again|away")
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 5, what="past the visibility timeout")
    assert running.is_alive()
    received = proxy.deliveries()
    assert max(received.values()) == 1, "heartbeats keep what is held invisible"
    cluster.start()
    eventually(lambda: db.count() == 40, within=30)
    result = running.stop()
    assert (result.summary.loaded, result.summary.dead_lettered) == (40, 0), result
    assert_each_once(db, ids)
    assert proxy.deliveries() == {i: 1 for i in ids}, "receive counts are not burnt"
    eventually(queue.is_empty)


@pytest.mark.fault("the server is away for long", "pg_ctl stop -m fast, past outage_patience")
def test_past_the_patience_messages_go_back_and_nothing_is_received(sluice, make_queue, db, cluster,
                                                                    proxy):
    queue = make_queue(VisibilityTimeout=30)
    sluice.with_message_id().use_queue(queue).through(proxy)
    sluice.settings["outage_patience"] = "3s"
    ids = queue.send(logins(10))
    running = sluice.begin()
    eventually(lambda: db.count() == 10)
    cluster.stop("fast")
    ids += queue.send(logins(10, first=10))
    wait_for_text(running, "handed back what was held", within=30)
    eventually(lambda: queue.counts()[0] == 10, what="others may have them")
    before = proxy.count("ReceiveMessage")
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 3, what="3 s more without a database")
    assert proxy.count("ReceiveMessage") == before, "nothing is received meanwhile"
    cluster.start()
    eventually(lambda: db.count() == 20, within=30)
    summary = running.stop().summary
    assert (summary.loaded, summary.returned, summary.received) == (20, 10, 30), summary.line
    assert_each_once(db, ids)
    assert max(proxy.deliveries().values()) == 2, "one more receive for one outage"


@pytest.mark.fault("the server is away for long", "pg_ctl stop -m fast, --exit-on-outage")
def test_with_exit_on_outage_the_program_ends_with_75(sluice, make_queue, db, cluster):
    queue = make_queue(VisibilityTimeout=30)
    sluice.with_message_id().use_queue(queue)
    sluice.settings["outage_patience"] = "2s"
    running = sluice.begin("--exit-on-outage")
    ids = queue.send(logins(5))
    eventually(lambda: db.count() == 5)
    cluster.stop("fast")
    ids += queue.send(logins(5, first=5))
    result = running.wait(40)
    assert result.rc == 75, result
    assert "nothing was taken for 2 s" in result.err
    assert (result.summary.loaded, result.summary.returned) == (5, 5), result
    assert queue.counts()[0] == 5, "handed back at once"
    cluster.start()
    assert sluice.drain().loaded == 5
    assert_each_once(db, ids)


@pytest.mark.fault("the server is restarted", "pg_ctl stop -m fast between loads")
def test_postgres_stopped_between_loads_and_started_again(sluice, queue, db, cluster, proxy):
    sluice.with_message_id().through(proxy)
    ids = queue.send(logins(20))
    running = sluice.begin()
    eventually(lambda: db.count() == 20)
    cluster.stop("fast")
    ids += queue.send(logins(20, first=20))
    eventually(lambda: len(proxy.deliveries()) > 20, what="something arrived meanwhile")
    wait_for_text(running, "(?i)could not|lost|refused|retry|again|away")
    cluster.start()
    eventually(lambda: db.count() == 40, within=30)
    summary = running.stop().summary
    assert (summary.loaded, summary.returned) == (40, 0), summary.line
    assert_each_once(db, ids)
    assert max(proxy.deliveries().values()) == 1


@pytest.mark.fault("the server is away for long", "pg_ctl stop -m fast, messages arrive meanwhile")
def test_while_postgres_is_away_receiving_stops(sluice, queue, db, cluster, proxy):
    """What is held is bounded; the rest stays in the queue, visible to others."""
    sluice.with_message_id().through(proxy)
    ids = queue.send(logins(1))
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    cluster.stop("fast")
    ids += queue.send(logins(30, first=1))
    wait_for_text(running, "(?i)could not|lost|refused|retry|again|away")
    mark = proxy.count("ReceiveMessage")
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 3, what="three polls' worth of time")
    assert proxy.count("ReceiveMessage") - mark <= 2, "it goes on receiving"
    cluster.start()
    eventually(lambda: db.count() == 31, within=30)
    running.stop()
    assert_each_once(db, ids)


@pytest.mark.fault("the queue hangs", "SIGSTOP of moto, SIGCONT later")
def test_the_queue_server_frozen_and_continued(sluice, queue, db, moto, proxy):
    sluice.with_message_id().through(proxy)
    ids = queue.send(logins(60))
    running = sluice.begin()
    eventually(lambda: proxy.count("DeleteMessageBatch") > 0)
    with moto.frozen():
        eventually(lambda: proxy.longest_wait() > 2, what="a call without an answer for 2 s")
        assert running.is_alive()
    eventually(lambda: db.count() == 60)
    eventually(queue.is_empty)
    result = running.stop()
    assert result.summary.loaded == 60, result
    assert_each_once(db, ids)


@pytest.mark.fault("a load takes long", "LOCK TABLE past two visibility timeouts")
def test_a_load_held_up_past_the_visibility_timeout_is_received_once(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=2)
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(20))
    sluice.with_message_id().use_queue(queue).through(proxy)
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 5, what="past two visibility timeouts")
        assert proxy.count("ChangeMessageVisibilityBatch") >= 4
        assert queue.counts()[0] == 0, "a message lapsed while it was held"
    eventually(lambda: db.count() == 20)
    eventually(queue.is_empty)
    summary = running.stop().summary
    assert (summary.received, summary.loaded, summary.duplicates) == (20, 20, 0), summary.line
    assert proxy.deliveries() == {i: 1 for i in ids}
    assert_each_once(db, ids)


@pytest.mark.fault("heartbeats fail", "proxy in front of moto, once")
def test_a_failed_heartbeat_is_retried_before_the_message_lapses(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=4)
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(10))
    sluice.with_message_id().use_queue(queue).through(proxy)
    proxy.on("ChangeMessageVisibilityBatch", faults.refuse(), times=1)
    with db.locked():
        running = sluice.begin()
        eventually(lambda: proxy.count("ChangeMessageVisibilityBatch") >= 3)
        assert queue.counts()[0] == 0
    eventually(lambda: db.count() == 10)
    running.stop()
    assert proxy.deliveries() == {i: 1 for i in ids}


@pytest.mark.fault("a receive fails", "proxy in front of moto, twice")
@pytest.mark.parametrize("fault", [faults.refuse(), faults.refuse(500, "InternalFailure"),
                                   faults.throttle(), faults.lose_request(),
                                   faults.edit_bytes(lambda b: b"<html>portal</html>")],
                         ids=["503", "500", "throttled", "closed", "html"])
def test_failed_receives_are_retried(sluice, make_queue, db, proxy, fault):
    queue = make_queue(VisibilityTimeout=2)  # a spoilt reply hides its messages so long
    proxy.on("ReceiveMessage", fault, times=2)
    queue.send(logins(5))
    summary = sluice.use_queue(queue).through(proxy).drain()
    assert summary.loaded == 5, summary.line
    assert queue.is_empty()


def test_failed_receives_back_off(sluice, queue, proxy):
    proxy.on("ReceiveMessage", faults.refuse())
    running = sluice.through(proxy).begin()
    eventually(lambda: proxy.count("ReceiveMessage") >= 3)
    began, mark = time.monotonic(), proxy.count("ReceiveMessage")
    eventually(lambda: time.monotonic() - began > 2, what="2 s of a failing server")
    assert proxy.count("ReceiveMessage") - mark <= 20, "it spins"
    running.stop()


def test_a_queue_that_comes_late_is_waited_for(sluice, queue, make_queue, db):
    name = queue.name + "-late"
    sluice.sqs["queue_url"] = queue.url + "-late"
    running = sluice.begin("--wait", "30")
    wait_for_text(running, name)
    late = make_queue(name)
    late.send(logins(3))
    eventually(lambda: db.count() == 3, within=30)
    running.stop()


def test_a_database_that_comes_late_is_waited_for(sluice, queue, db, cluster):
    queue.send(logins(3))
    sluice.make_keys()
    cluster.stop("fast")
    running = sluice.begin("--wait", "30")
    wait_for_text(running, "(?i)could not|waiting|refused")
    cluster.start()
    eventually(lambda: db.count() == 3, within=30)
    running.stop()


@pytest.mark.fault("a backend is terminated", "pg_terminate_backend between loads")
def test_a_backend_that_is_terminated_costs_nothing(sluice, queue, db):
    sluice.with_message_id()
    ids = queue.send(logins(20))
    running = sluice.begin()
    eventually(lambda: db.count() == 20)
    assert db.one("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND application_name LIKE 'sluice%'") >= 1
    ids += queue.send(logins(20, first=20))
    eventually(lambda: db.count() == 40, within=30)
    summary = running.stop().summary
    assert (summary.loaded, summary.duplicates) == (40, 0), summary.line
    assert_each_once(db, ids)


def test_a_queue_whose_messages_never_hide_is_asked_to_hide_them(sluice, make_queue, db, proxy):
    """With a visibility timeout of 0 nothing would ever be held, and heartbeats would not end."""
    queue = make_queue(VisibilityTimeout=0)
    db.execute(LOGIN_TABLE + ")")
    queue.send(logins(3))
    sluice.use_queue(queue).through(proxy)
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 3, what="three seconds of holding")
        assert proxy.count("ChangeMessageVisibilityBatch") < 3
        assert queue.counts() == (0, 3, 0)
    eventually(lambda: db.count() == 3)
    summary = running.stop().summary
    assert (summary.loaded, summary.duplicates) == (3, 0), summary.line


def test_an_empty_queue_without_long_polls_is_not_asked_all_the_time(sluice, queue, proxy):
    sluice.through(proxy)
    sluice.sqs["wait_time"] = "0s"
    running = sluice.begin()
    eventually(lambda: proxy.count("ReceiveMessage") >= 2)
    began, mark = time.monotonic(), proxy.count("ReceiveMessage")
    eventually(lambda: time.monotonic() - began > 2, what="2 s of an empty queue")
    assert proxy.count("ReceiveMessage") - mark <= 12, "it spins"
    running.stop()


@pytest.mark.fault("a delete fails", "proxy in front of moto, every one for a while")
def test_while_deletes_are_refused_receiving_is_bounded_and_said(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=600)
    proxy.on("DeleteMessageBatch", faults.refuse(503))
    ids = queue.send(logins(30))
    running = sluice.use_queue(queue).through(proxy).begin()
    eventually(lambda: db.count() == 30)
    wait_for_text(running, "could not tell the queue")
    proxy.clear()
    eventually(queue.is_empty, within=40)
    summary = running.stop().summary
    assert (summary.received, summary.loaded, summary.duplicates) == (30, 30, 0), summary.line
    assert set(proxy.deliveries()) == set(ids)


@pytest.mark.fault("a reply is not what it should be",
                   "proxy in front of moto: an id that is a number")
def test_a_message_with_a_number_for_an_id_is_no_message(sluice, make_queue, db, proxy):
    """Its reply is refused as a whole and comes again; nothing is read from memory that is gone."""
    def number(value):
        for message in value.get("Messages", []):
            message["MessageId"] = 123456789

    queue = make_queue(VisibilityTimeout=1)
    proxy.on("ReceiveMessage", faults.edit(number), times=2)
    queue.send(logins(1))
    result = sluice.use_queue(queue).through(proxy).run("--until-empty")
    assert result.rc == 0 and result.summary.loaded == 1, result
    assert "MessageId" in result.err


@pytest.mark.fault("a load is canceled", "pg_cancel_backend")
def test_a_load_that_somebody_cancels_is_no_rows_fault(sluice, queue, db):
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(1))
    sluice.with_message_id()
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        db.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                   " WHERE datname = current_database() AND wait_event_type = 'Lock'")
        wait_for_text(running, "57014")
    eventually(lambda: db.count() == 1)
    running.stop()
    assert_each_once(db, ids)

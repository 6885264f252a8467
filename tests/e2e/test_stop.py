"""test_stop.py - when it ends, and that ending loses and doubles nothing."""
import re
import signal
import time

import pytest

import faults
from events import LOGIN_TABLE, logins
from sluice import wait_for_text
from wait import SLOWER, eventually

WITH_MESSAGE_ID = LOGIN_TABLE + ", message_id text)"


@pytest.mark.fault("sluice is stopped", "a signal in mid-run; then another run")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_run_loses_and_doubles_nothing(sluice, make_queue, db, proxy, number):
    """The visibility timeout is long: what comes back was handed back."""
    queue = make_queue(VisibilityTimeout=600)
    ids = queue.send(logins(80))
    hold = proxy.on("ReceiveMessage", faults.Hold(), skip=3)
    sluice.with_message_id().use_queue(queue).through(proxy).in_parallel(2, 2)
    running = sluice.begin()
    eventually(lambda: db.count() > 0 and hold.held == 4, what="rows, and four polls out")
    running.send(number)
    wait_for_text(running, "stopping")
    hold.release()
    result = running.wait(20)
    assert result.rc == 0, result
    assert proxy.count("ReceiveMessage") == 7, "a receive after the signal"
    first = result.summary
    assert first.loaded == db.count() < 80, "it was over before the signal"
    assert queue.counts() == (80 - db.count(), 0, 0), "what is not loaded is visible at once"
    proxy.clear()
    second = sluice.drain()
    assert (first.loaded + second.loaded, second.duplicates) == (80, 0), second.line
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(ids)
    assert queue.is_empty()


@pytest.mark.fault("sluice is stopped", "SIGTERM while a load waits for the table")
def test_what_is_held_at_a_signal_is_loaded_or_visible_at_once(sluice, make_queue, db):
    queue = make_queue(VisibilityTimeout=600)
    db.execute(WITH_MESSAGE_ID)
    queue.send(logins(20))
    sluice.with_message_id().use_queue(queue)
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        running.term()
    result = running.wait(20)
    assert result.rc == 0, result
    visible, hidden, _ = queue.counts()
    assert hidden == 0 and visible + db.count() == 20
    assert result.summary.loaded == db.count()


def test_a_message_that_arrives_with_the_last_poll_is_not_hidden(sluice, make_queue, db, proxy):
    """An aborted long poll would hide it: outstanding polls are awaited."""
    queue = make_queue(VisibilityTimeout=600)
    hold = proxy.on("ReceiveMessage", faults.Hold())
    running = sluice.use_queue(queue).through(proxy).begin()
    eventually(lambda: hold.held)
    running.term()
    queue.send(logins(5))
    hold.release()
    result = running.wait(15)
    assert result.rc == 0, result
    visible, hidden, _ = queue.counts()
    assert hidden == 0 and visible + db.count() == 5


@pytest.mark.fault("sluice is stopped", "two signals in mid-load; then another run")
@pytest.mark.parametrize("number, rc", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_quickly_and_loses_nothing(sluice, make_queue, db, number, rc):
    queue = make_queue(VisibilityTimeout=3)
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(10))
    sluice.with_message_id().use_queue(queue)
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        running.term(number)
        began = time.monotonic()
        eventually(lambda: running.send(number) or not running.is_alive(), what="it ends")
        result = running.wait(5)
        assert time.monotonic() - began < 2 * SLOWER
    assert result.rc == rc, result
    assert db.count() == 0 and sum(queue.counts()) == 10
    summary = sluice.drain()
    assert summary.loaded == 10, summary.line
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(ids)


def test_a_stop_that_comes_twice_is_one_stop(sluice, queue, db):
    """timeout(1) sends SIGTERM to its child, and then to its group."""
    queue.send(logins(10))
    sluice.run("--until-empty")
    with db.locked():
        ids = queue.send(logins(1, first=10))
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        running.term()
        running.send(signal.SIGTERM)
    result = running.wait(15)
    assert result.rc == 0, result
    assert result.summary.loaded + result.summary.returned == len(ids), result.summary.line
    assert queue.counts()[1] == 0, "nothing stays hidden"


@pytest.mark.parametrize("number, rc", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_at_the_start_ends_it_by_a_handler(sluice, number, rc):
    """The first process of a container gets no signal without one."""
    sluice.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    running = sluice.begin()
    wait_for_text(running, "waiting for the queue")
    running.send(number)
    assert running.wait(5).rc == rc


def test_max_messages_stops_after_so_many(sluice, queue, db):
    queue.send(logins(40))
    began = time.monotonic()
    result = sluice.run("--max-messages", "17")
    assert result.rc == 0, result
    assert time.monotonic() - began < 4 * SLOWER, "it waits although no poll is out"
    assert (result.summary.received, result.summary.loaded) == (17, 17), result.summary.line
    assert db.count() == 17
    assert queue.counts() == (23, 0, 0), "the rest is still there, visible"


def test_max_messages_holds_for_all_workers_together(sluice, queue, db):
    queue.send(logins(40))
    result = sluice.in_parallel(3, 2).run("--max-messages", "17")
    assert result.rc == 0, result
    summary = result.summary
    assert summary.received - summary.returned == 17, summary.line
    visible, hidden, _ = queue.counts()
    assert (hidden, visible + db.count()) == (0, 40)


def test_until_empty_on_an_empty_queue_ends_at_once(sluice, queue):
    began = time.monotonic()
    summary = sluice.drain()
    assert time.monotonic() - began < 8 * SLOWER
    assert summary.line.startswith("received 0, loaded 0, duplicates 0, dead-lettered 0, returned")


def test_until_empty_waits_for_what_another_consumer_has(sluice, make_queue, db):
    queue = make_queue(VisibilityTimeout=3)
    queue.send(logins(3))
    assert len(queue.receive(1)) == 1  # and the other consumer dies
    summary = sluice.use_queue(queue).drain()
    assert summary.loaded == 3, summary.line
    assert queue.is_empty()


def test_until_empty_waits_for_delayed_messages(sluice, make_queue, db):
    queue = make_queue(DelaySeconds=2)
    queue.send(logins(2))
    assert queue.counts() == (0, 0, 2)
    summary = sluice.use_queue(queue).drain()
    assert summary.loaded == 2, summary.line


def test_until_empty_does_not_wait_for_ever_for_another_consumer(sluice, make_queue, db):
    """The visibility timeout and 5 s, then it says what is left."""
    queue = make_queue(VisibilityTimeout=1)
    queue.send(logins(2))
    queue.hide(queue.receive(1)[0], 300)
    result = sluice.use_queue(queue).run("--until-empty", within=20)
    assert result.rc == 0, result
    assert result.summary.loaded == 1
    assert re.search(r'in flight.*"sluice.messages":1\b', result.err), result


def test_follow_mode_goes_on_until_it_is_stopped(sluice, queue, db):
    running = sluice.begin()
    for n in range(3):
        queue.send(logins(4, first=4 * n))
        eventually(lambda: db.count() == 4 * n + 4)
    assert running.is_alive()
    summary = running.stop().summary
    assert summary.loaded == 12, summary.line
    assert queue.is_empty()


def test_a_message_is_loaded_within_a_second_of_its_arrival(sluice, queue, db):
    """A batch that does not fill up is not held back."""
    running = sluice.begin()
    queue.send(logins(1))
    eventually(lambda: db.count() == 1)
    queue.send(logins(1, first=1))
    began = time.monotonic()
    eventually(lambda: db.count() == 2)
    assert time.monotonic() - began < 1.5 * SLOWER
    running.stop()


def test_until_empty_waits_for_what_it_holds_itself(sluice, make_queue, db):
    """Held up past the visibility timeout, with a queue that shows nothing to see."""
    queue = make_queue(VisibilityTimeout=2)
    db.execute(LOGIN_TABLE + ")")
    sluice.use_queue(queue)
    queue.send(logins(1))
    with db.locked():
        running = sluice.begin("--until-empty")
        eventually(db.waiting_for_locks, what="a load waits for the table")
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 9, what="longer than others are waited for")
        assert running.is_alive(), running.result()
    result = running.wait()
    assert result.rc == 0 and result.summary.loaded == 1, result
    assert queue.is_empty()


@pytest.mark.fault("the server is restarted", "pg_ctl stop -m immediate, as sluice is about to end")
def test_max_messages_waits_out_an_outage(sluice, queue, db, cluster):
    """Told by itself to end, it has time; only a person's signal cuts an outage short."""
    db.execute(LOGIN_TABLE + ")")
    queue.send(logins(4))
    with db.locked():
        running = sluice.begin("--max-messages", "4")
        eventually(db.waiting_for_locks, what="a load waits for the table")
        cluster.stop("immediate")
    wait_for_text(running, "the database is away")
    cluster.start()
    result = running.wait()
    assert result.rc == 0, result
    assert (result.summary.received, result.summary.loaded) == (4, 4), result
    assert db.count() == 4 and queue.is_empty()


@pytest.mark.fault("the server is away for long", "pg_ctl stop -m immediate, then SIGTERM")
def test_a_signal_while_the_database_is_away_ends_it(sluice, queue, db, cluster):
    db.execute(LOGIN_TABLE + ")")
    queue.send(logins(4))
    with db.locked():
        running = sluice.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        cluster.stop("immediate")
    wait_for_text(running, "the database is away")
    running.term()
    result = running.wait(20)
    assert result.rc == 0, result
    assert (result.summary.loaded, result.summary.returned) == (0, 4), result
    assert queue.counts() == (4, 0, 0), "handed back, visible at once"
    cluster.start()
    assert sluice.drain().loaded == 4


def test_what_a_late_poll_brings_after_a_signal_is_not_counted_twice(sluice, make_queue, db, proxy):
    """Six polls are out, each of which would take again what is handed back."""
    queue = make_queue(VisibilityTimeout=600)
    db.execute(LOGIN_TABLE + ")")
    sluice.use_queue(queue).through(proxy)
    sluice.sqs.update(wait_time="20s", receives=6)
    with db.locked():
        running = sluice.begin()
        eventually(lambda: proxy.count("ReceiveMessage") == 6, what="six polls are out")
        queue.send(logins(1))
        eventually(db.waiting_for_locks, what="a load waits for the table")
        running.term()
        result = running.wait(60)
    assert result.rc == 0 and result.summary.reconciles, result
    assert sum(queue.counts()) + db.count() == 1
    eventually(lambda: queue.counts()[1] == 0, within=25, what="handed back once the polls are over")


@pytest.mark.parametrize("nth", range(6))
def test_a_signal_as_it_ends_by_itself_is_harmless(sluice, queue, nth):
    running = sluice.begin("--until-empty")
    eventually(lambda: "received 0" in running.err or not running.is_alive(), every=0)
    if running.is_alive():
        running.send(signal.SIGTERM)
    result = running.wait()
    assert result.rc == 0 and result.summary.received == 0, result

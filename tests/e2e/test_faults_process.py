"""test_faults_process.py - sluice itself stopped, slept over, or in another's way."""
import os
import signal

import pytest

import faults
from events import LOGIN_TABLE, logins
from wait import eventually

WITH_MESSAGE_ID = LOGIN_TABLE + ", message_id text)"
IDLE_IN_LOAD = ("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'sluice' AND state = 'idle in transaction'"
                " AND query LIKE 'COPY%%user_logins%%'")
STOPPED_S = 3  # longer than the messages of these tests are invisible


@pytest.fixture
def short(sluice, make_queue, db):
    """A queue whose messages come again soon when nobody cares for them."""
    db.execute(WITH_MESSAGE_ID)
    sluice.settings["linger"] = "1s"
    return sluice.use_queue(make_queue(VisibilityTimeout=STOPPED_S)).with_message_id()


def the_queue(make_queue):
    return make_queue.queues[-1]


def assert_each_once(db, ids):
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(ids)
    assert db.dead() == []


@pytest.mark.fault("a process sleeps past the visibility timeout",
                   "SIGSTOP in mid-load, SIGCONT when another waits for its ledger keys")
def test_a_process_that_sleeps_in_a_load_and_wakes(short, make_queue, db, recovery):
    queue = the_queue(make_queue)
    queue.send(logins(20))
    with db.locked():
        first = short.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        first.send(signal.SIGSTOP)
    second = short.another("second").begin()
    eventually(db.waiting_for_locks, within=30, what="the other waits for the same keys")
    first.send(signal.SIGCONT)
    with recovery:
        eventually(lambda: db.count() == 20 and queue.is_empty(), within=30)
    summaries = [first.stop().summary, second.stop().summary]
    assert sum(s.loaded for s in summaries) == 20, [s.line for s in summaries]
    assert_each_once(db, queue.sent)


@pytest.mark.fault("a process sleeps past the visibility timeout",
                   "SIGSTOP before the delete; another gets the same messages")
def test_a_process_that_sleeps_after_the_commit_and_wakes(short, make_queue, db, proxy, recovery):
    """Its own deletes are late: the handles are old, and the messages are gone."""
    queue = the_queue(make_queue)
    hold = proxy.on("DeleteMessageBatch", faults.Hold(), times=2)
    queue.send(logins(20))
    first = short.through(proxy).begin()
    eventually(lambda: db.count() == 20 and hold.held, what="committed, and the delete held")
    first.send(signal.SIGSTOP)
    second = short.another("second").begin()
    with recovery:
        eventually(queue.is_empty, within=30, what="the other has found and deleted them")
    first.send(signal.SIGCONT)
    hold.release()
    summaries = [first.stop().summary, second.stop().summary]
    assert [s.loaded for s in summaries] == [20, 0], [s.line for s in summaries]
    assert summaries[1].duplicates == 20
    assert_each_once(db, queue.sent)


@pytest.mark.timeout(200)
@pytest.mark.fault("a process sleeps for ever in a load",
                   "SIGSTOP before COMMIT, all else sent; another gets its messages")
def test_a_process_that_never_commits_holds_nobody_up(short, fault_binary, make_queue, db,
                                                      recovery):
    """Its session is idle in a transaction, and holds its ledger keys as long."""
    queue = the_queue(make_queue)
    queue.send(logins(20))
    short.binary = fault_binary
    short.env["SLUICE_FAULT_MS"] = "12000"  # longer than a lock is waited for
    second = short.another("second")
    short.env["SLUICE_FAULT_AT"] = "before_commit:1:hang"
    first = short.begin()
    eventually(lambda: db.one(IDLE_IN_LOAD), what="a session waits for COMMIT")
    first.send(signal.SIGSTOP)
    running = second.begin()
    with recovery:
        eventually(lambda: db.count() == 20 and queue.is_empty(), within=60)
    result = running.stop()
    assert result.summary.loaded == 20, result
    assert "ended a session of sluice that was stuck in a load" in result.err
    assert_each_once(db, queue.sent)
    first.kill()


@pytest.mark.fault("no file descriptor is left", "a soft limit of 40, for 4 workers with 8 receives")
def test_a_low_limit_of_open_files_is_raised(sluice_on_fake, fake, monkeypatch):
    """Receives that have taken them all would keep the database out for good."""
    monkeypatch.setenv("SLUICE_WRAP", "prlimit --nofile=40:1024 " + os.environ.get("SLUICE_WRAP", ""))
    fake.fill(fake.queues[0], 2000)
    assert sluice_on_fake.in_parallel(4, 8).drain().loaded == 2000

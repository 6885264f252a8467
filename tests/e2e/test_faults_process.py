"""test_faults_process.py - sluice itself stopped, slept over, or in another's way."""
import signal

import pytest

import faults
from cuts import ByteProxy, TO_SERVER
from events import LOGIN_TABLE, logins
from wait import eventually

WITH_MESSAGE_ID = LOGIN_TABLE + ", message_id text)"
STUCK_IN_COPY = ("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                 " AND application_name = 'sluice' AND wait_event = 'ClientRead'"
                 " AND query LIKE 'COPY%%user_logins%%' AND state = 'active'")
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


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.xfail(reason="a session of our own that is stuck in COPY is not ended yet",
                   strict=False)
@pytest.mark.fault("a process sleeps for ever in mid-COPY",
                   "held by a proxy in the rows, then SIGSTOP; another gets its messages")
def test_a_process_that_never_wakes_holds_nobody_up(short, make_queue, db, recovery):
    """The server would wait for its COPY data for ever, and hold the ledger keys as long."""
    queue = the_queue(make_queue)
    queue.send(logins(40))
    proxy = ByteProxy(db.cluster.port)
    sleeper = short.another("sleeper")
    sleeper.postgres["url"] = db.tcp_url(port=proxy.port)
    proxy.hold(TO_SERVER, 5000)
    first = sleeper.begin()
    eventually(lambda: db.one(STUCK_IN_COPY), what="a COPY of rows waits for more of them")
    first.send(signal.SIGSTOP)
    second = short.another("second").begin()
    try:
        with recovery:
            eventually(lambda: db.count() == 40 and queue.is_empty(), within=60)
        assert second.stop().summary.loaded == 40
        assert_each_once(db, queue.sent)
    finally:
        first.kill()
        proxy.stop()

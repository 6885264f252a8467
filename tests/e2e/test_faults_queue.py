"""test_faults_queue.py - every fault of our own SQS server, on every call that it can strike."""
import pytest

from events import LOGIN_TABLE, logins
from wait import eventually

RECEIVE, DELETE, HIDE = "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"
ANY_CALL = ["throttle", "error_500", "error_503", "expired_token", "html", "reset_before", "slow",
            "reset_after", "late_500", "truncated", "half_json", "slow_reply"]
FAULTS = ([(kind, action) for kind in ANY_CALL for action in (RECEIVE, DELETE)]
          + [(kind, RECEIVE) for kind in ("duplicate", "twice", "out_of_order", "wrong_md5")]
          + [(kind, DELETE) for kind in ("duplicate", "expired_handle", "partial")])
TIMES = 3


@pytest.mark.slow
@pytest.mark.fault("the queue misbehaves", f"fakesqs, {TIMES} times")
@pytest.mark.parametrize("kind, action", FAULTS, ids=[" of ".join(f) for f in FAULTS])
def test_a_fault_of_the_queue(sluice_on_fake, fake, db, recovery, kind, action):
    db.execute(LOGIN_TABLE + ", message_id text)")
    queue = fake.queues[0]
    fake.fault(kind, action, times=TIMES, skip=1)
    queue.send(logins(60))
    with recovery:
        loaded = sluice_on_fake.drain().loaded
        while fake.report(queue)["deleted"] < 60:
            loaded += sluice_on_fake.drain().loaded  # what the first run had to leave
    assert fake.hits()[kind] == TIMES
    assert loaded == 60
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(queue.sent)
    assert db.dead() == []


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.fault("a call is never answered", "fakesqs, a black hole")
@pytest.mark.parametrize("action", [RECEIVE, DELETE])
def test_a_call_without_an_answer(sluice_on_fake, fake, db, recovery, action):
    """A deadline of our own ends it."""
    db.execute(LOGIN_TABLE + ", message_id text)")
    queue = fake.queues[0]
    fake.fault("black_hole", action, times=1, skip=1)
    queue.send(logins(60))
    with recovery:
        summary = sluice_on_fake.drain(within=120)
    assert fake.hits()["black_hole"] == 1 and summary.loaded == 60, summary.line
    assert db.count() == 60


@pytest.mark.fault("heartbeats fail", "fakesqs, while a load waits for the table")
@pytest.mark.parametrize("kind", ["error_503", "reset_before", "expired_handle"])
def test_heartbeats_that_fail_until_the_messages_lapse(sluice_on_fake, fake, db, recovery, kind):
    """They come again while they are held: their rows are loaded once."""
    db.execute(LOGIN_TABLE + ", message_id text)")
    queue = fake.queues[0]
    fake.fault(kind, HIDE, probability=1)
    queue.send(logins(20))
    with db.locked():
        running = sluice_on_fake.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        eventually(lambda: fake.report(queue)["visible"] > 0, what="a message has lapsed")
    with recovery:
        eventually(lambda: fake.report(queue)["deleted"] == 20, within=30)
    summary = running.stop().summary
    assert summary.loaded == 20, summary.line
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(queue.sent)

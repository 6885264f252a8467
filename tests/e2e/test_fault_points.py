"""test_fault_points.py - kill -9, and a thread that hangs, at each named point of the flow.

The points are a table, src/base/fault_points.def; a point that a run never passes fails its test.
"""
import pathlib
import re
import signal
import time

import pytest

from events import BAD, LOGIN_TABLE, logins
from sluice import wait_for_text
from wait import eventually

POINTS = re.findall(r"^X\((\w+),", (pathlib.Path(__file__).resolve().parents[2] / "src" / "base"
                                   / "fault_points.def").read_text(), re.M)
NEEDS_A_STOP = {"handed_back"}
GOOD = 30
STAGES = ("receive", "decode", "mask", "load", "ack")


@pytest.fixture
def breakable(sluice, fault_binary, make_queue):
    sluice.binary = fault_binary
    queue = make_queue(VisibilityTimeout=2)
    sluice.queue = queue
    sluice.use_queue(queue).with_message_id()
    return sluice


def assert_each_once(db, ids, bad):
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(ids - bad)
    assert sorted(i for i, in db.rows("SELECT message_id FROM sluice.dead_letter")) == sorted(bad)


def send(queue):
    bodies = logins(GOOD)
    ids = queue.send(bodies[:15] + [BAD] + bodies[15:] + ["no JSON"])
    return set(ids), {ids[15], ids[31]}


def break_with_a_stop(sluice, db):
    """What is held is handed back only when a stop ends the wait for a database."""
    db.execute(LOGIN_TABLE + ", message_id text)")
    with db.locked():
        running = sluice.begin("--until-empty")
        eventually(db.waiting_for_locks, what="a load waits for the table")
        running.send(signal.SIGTERM)
        return running.wait(60)


@pytest.mark.fault("sluice is killed", "kill -9 at a named point of the flow")
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", POINTS)
def test_kill_9_at_each_point_leaves_each_message_once(breakable, db, point, nth):
    if nth == 2:
        breakable.in_parallel(2, 1)
    ids, bad = send(breakable.queue)
    breakable.env["SLUICE_FAULT_AT"] = f"{point}:{nth}:kill"
    if point in NEEDS_A_STOP:
        result = break_with_a_stop(breakable, db)
    else:
        result = breakable.run("--until-empty")
    assert result.rc == -signal.SIGKILL, f"{point} was not passed {nth} times: {result!r}"
    del breakable.env["SLUICE_FAULT_AT"]
    breakable.drain()
    assert_each_once(db, ids, bad)
    assert breakable.queue.is_empty()


@pytest.mark.fault("a worker hangs", "at a named point of the flow")
@pytest.mark.timeout(200)
@pytest.mark.parametrize("point", ["decoded", "in_copy", "committed", "deleting"])
def test_a_worker_that_hangs_is_said_and_the_program_ends_to_be_started_anew(breakable, db, point):
    """The other worker finishes what it holds; what the stuck one held comes back."""
    ids, bad = send(breakable.queue)
    breakable.in_parallel(2, 1).settings["stall_after"] = "2s"
    breakable.env["SLUICE_FAULT_AT"] = f"{point}:1:hang"
    result = breakable.run(within=60)
    assert result.rc == 75, result
    stalls = [line for line in result.logs if line["message"] == "a worker makes no progress"]
    assert len(stalls) == 1 and stalls[0]["sluice.stage"] in STAGES
    assert "stuck in" in result.err and "nothing is lost" in result.err
    del breakable.env["SLUICE_FAULT_AT"]
    breakable.env["SLUICE_FAULT_MS"] = "3000"
    breakable.drain(within=60)
    assert_each_once(db, ids, bad)


@pytest.mark.fault("the server is away for long", "pg_ctl stop -m fast, longer than stall_after")
def test_a_worker_that_only_waits_is_not_stuck(breakable, db, cluster):
    """Neither an empty queue nor an outage is a stall."""
    breakable.settings["stall_after"] = "2s"
    first = set(breakable.queue.send(logins(1, first=GOOD)))
    running = breakable.begin()
    eventually(lambda: db.count() == 1)
    cluster.stop("fast")
    ids, bad = send(breakable.queue)
    wait_for_text(running, "the database is away")
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > 5, what="an outage of 5 s")
    cluster.start()
    eventually(lambda: db.count() == GOOD + 1, within=30)
    result = running.stop()
    assert "no progress" not in result.err, result
    assert_each_once(db, ids | first, bad)


@pytest.mark.fault("a process sleeps for ever in a load",
                   "SIGSTOP in mid-COPY; another gets its messages")
@pytest.mark.timeout(200)
def test_a_session_stopped_in_mid_copy_is_ended_by_whoever_waits_for_it(breakable, db):
    """Its keys are locked; the lock is not to be had, and the stopped session is past its time."""
    ids, bad = send(breakable.queue)
    breakable.env["SLUICE_FAULT_MS"] = "12000"  # longer than a lock is waited for
    breakable.env["SLUICE_FAULT_AT"] = "in_copy:2:hang"  # the rows: the keys are in
    stopped = breakable.begin()
    eventually(lambda: db.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                              " AND wait_event = 'ClientRead' AND query LIKE 'COPY%'"),
               what="a session waits for COPY data")
    stopped.send(signal.SIGSTOP)
    del breakable.env["SLUICE_FAULT_AT"]
    second = breakable.another("second")
    second.binary = breakable.binary
    result = second.run("--until-empty", within=90)
    assert result.rc == 0, result
    assert "ended a session of sluice that was stuck in a load" in result.err
    assert_each_once(db, ids, bad)
    stopped.kill()


def test_a_session_that_is_not_stuck_in_copy_is_left_alone(sluice, queue, db):
    """However long a lock is not to be had: only a load past its own deadline is given up."""
    db.execute(LOGIN_TABLE + ")")
    queue.send(logins(3))
    holder = db.connect()
    with holder.cursor() as c:
        c.execute("SET application_name = 'sluice'; BEGIN; LOCK TABLE user_logins")
        running = sluice.begin()
        wait_for_text(running, "55P03", within=30)
        c.execute("SELECT 1")
        holder.rollback()
    holder.close()
    eventually(lambda: db.count() == 3)
    assert "stuck" not in running.stop().err

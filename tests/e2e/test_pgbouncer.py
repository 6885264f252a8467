"""test_pgbouncer.py - behind PgBouncer in transaction mode, each transaction on another connection.

Nothing may lean on a session: what is set for one is gone in the next transaction, and stays for
whoever gets the connection then.
"""
import contextlib
import json

import pytest

import faults
from events import BAD, LOGIN_TABLE, login, logins
from pgbouncer import CONNECTIONS, Bouncer
from sluice import wait_for_text
from test_once import WITH_MESSAGE_ID, assert_each_once
from wait import eventually

# What a commit was made under, as each row has it.
UNDER = LOGIN_TABLE + """,
    waits_for text DEFAULT current_setting('synchronous_commit'),
    locks_for text DEFAULT current_setting('lock_timeout'))"""


@pytest.fixture(scope="module")
def bouncer(cluster):
    b = Bouncer(cluster)
    yield b
    b.stop()


@pytest.fixture
def pooled(sluice, db, bouncer):
    """The program, and the database as it is seen through the pooler."""
    sluice.postgres["url"] = bouncer.url(db)
    yield sluice
    sluice.stop_all()
    bouncer.forget(db)


@pytest.mark.fault("sluice is killed behind a pooler", "kill -9 of one of two, in a load")
def test_one_of_two_processes_behind_it_is_killed_in_a_load(pooled, make_queue, db):
    queue = make_queue(VisibilityTimeout=3)
    db.execute(WITH_MESSAGE_ID)
    pooled.with_message_id().use_queue(queue).in_parallel(2, 1)
    first, second = pooled.begin(), pooled.another("second").begin()
    with db.locked():
        ids = queue.send(logins(40))
        eventually(lambda: db.waiting_for_locks() == CONNECTIONS, what="no connection is left")
        first.kill()
    eventually(lambda: db.count() == 40, within=30)
    summary = second.stop().summary
    assert summary.loaded == 40, summary.line
    assert_each_once(db, ids)
    assert queue.is_empty()


@pytest.mark.fault("sluice is killed behind a pooler", "kill -9 of one between commit and delete")
def test_one_of_two_processes_behind_it_is_killed_before_it_deletes(pooled, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=3)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    ids = queue.send(logins(10))  # one delete
    pooled.with_message_id().use_queue(queue).through(proxy)
    first = pooled.begin()
    eventually(lambda: db.count() == 10 and hold.held, what="committed, and the delete held")
    first.kill()
    hold.drop()
    proxy.clear()
    ids += queue.send(logins(20, first=10))
    both = [pooled.begin("--until-empty"), pooled.another("second").begin("--until-empty")]
    summaries = [running.wait(60).summary for running in both]
    assert sum(s.loaded for s in summaries) == 20, [s.line for s in summaries]
    assert sum(s.duplicates for s in summaries) >= 10, [s.line for s in summaries]
    assert_each_once(db, ids)
    assert queue.is_empty()


def test_more_workers_than_connections_load_each_message_once(pooled, queue, db):
    db.execute(WITH_MESSAGE_ID)
    ids = queue.send(logins(100))
    summary = pooled.with_message_id().in_parallel(2 * CONNECTIONS, 2).drain()
    assert summary.loaded == 100, summary.line
    assert_each_once(db, ids)


def test_each_commit_has_its_settings_and_leaves_none_to_others(pooled, queue, db, bouncer):
    """A database set to synchronous_commit = off, and connections that others get, too."""
    db.admin(f"ALTER DATABASE {db.name} SET synchronous_commit = off")
    db.execute(UNDER)
    queue.send([*logins(60), BAD])
    summary = pooled.in_parallel(2, 2).drain()
    assert (summary.loaded, summary.dead_lettered) == (60, 1), summary.line
    assert db.rows("SELECT DISTINCT waits_for, locks_for FROM user_logins") == [("on", "10s")]
    with contextlib.closing(bouncer.connect(db.name)) as c:
        cursor = c.cursor()
        for _ in range(2 * CONNECTIONS):
            cursor.execute("SELECT current_setting('synchronous_commit'),"
                           " current_setting('lock_timeout')")
            assert cursor.fetchall() == [("off", "0")]


@pytest.mark.fault("the server behind a pooler restarts", "pg_ctl stop, then start")
def test_a_server_that_is_away_behind_it_is_an_outage(pooled, queue, db, cluster, recovery):
    """What PgBouncer says of it looks like a protocol violation, and is none."""
    queue.send(logins(5))
    running = pooled.with_message_id().begin()
    eventually(lambda: db.count() == 5)
    cluster.stop()
    queue.send(logins(15, first=5))
    wait_for_text(running, "the database is away")
    cluster.start()
    with recovery:
        eventually(lambda: db.count() == 20, within=30)
    result = running.stop()
    assert (result.summary.loaded, result.summary.duplicates) == (20, 0), result
    assert "the table takes nothing" not in result.err, result
    assert_each_once(db, queue.sent)


def test_every_command_works_behind_it(pooled, queue, db):
    queue.send([*logins(20), BAD])
    pooled.drain()
    config = ("-c", pooled.path)
    reason = ("--reason", "ticket 4711")
    assert "FAIL" not in pooled.good("check", *config).text
    assert pooled.good("unmask", *config, "--where", "true", *reason).text.count("203.") == 20
    pooled.good("keys", "add", pooled.keys, "--kid", "k2")
    pooled.good("keys", "activate", pooled.keys, "k2")
    pooled.good("rewrap", *config)
    assert db.one("SELECT count(*) FROM user_logins WHERE masked_ip LIKE 'v1.k2.%%'") == 20
    pooled.good("verify", *config)
    pooled.good("dead", "show", "1", *config, *reason)
    assert "missing_field" in pooled.good("dead", "export", *config).text
    assert pooled.call("dead", "retry", *config).rc == 1, "it is still bad"
    pooled.good("dead", "purge", *config, "--all", "--yes")
    assert db.dead() == []
    pooled.good("erase", *config, "--context", "ip", *reason, "--yes", stdin=first_ip())
    assert db.count() == 19
    assert {how for how, in db.rows("SELECT how FROM sluice.unmask_audit")} == {
        "unmask --where", "dead show", "erase"}


def first_ip():
    return json.loads(login(0))["ip"].encode()

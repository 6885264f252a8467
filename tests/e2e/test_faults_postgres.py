"""test_faults_postgres.py - PostgreSQL broken by real means, under a running sluice.

Each message ends once; none becomes a dead letter because of the server's trouble.
"""
import contextlib
import os
import signal
import subprocess

import psycopg2
import pytest

import pg
from cuts import ByteProxy, TO_CLIENT, TO_SERVER
from events import LOGIN_TABLE, login, logins
from sluice import wait_for_text
from wait import eventually

WITH_MESSAGE_ID = LOGIN_TABLE + ", message_id text)"
OWN_BACKENDS = ("SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'sluice'")


def assert_each_once(db, ids):
    assert sorted(i for i, in db.rows("SELECT message_id FROM user_logins")) == sorted(ids)
    assert db.dead() == [], "the server's trouble is no bad record"


@pytest.fixture
def traced(sluice, db):
    """One batch of what was sent together, and a column that traces each row."""
    db.execute(WITH_MESSAGE_ID)
    sluice.settings["linger"] = "1s"
    return sluice.with_message_id()


@pytest.fixture
def role(db):
    """One that owns the database and is no superuser: rights and row security bind it."""
    name = "role_of_" + db.name
    db.admin(f"CREATE ROLE {name} LOGIN")
    db.admin(f"ALTER DATABASE {db.name} OWNER TO {name}")
    yield name
    db.admin(f"ALTER DATABASE {db.name} OWNER TO postgres")
    db.execute(f"REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name}")
    db.admin(f"DROP ROLE {name}")


def under_way(traced, queue, db):
    """A sluice that has loaded five messages and goes on."""
    queue.send(logins(5))
    running = traced.begin()
    eventually(lambda: db.count() == 5)
    return running


def finish(running, queue, db, recovery, n=20):
    with recovery:
        eventually(lambda: db.count() == n, within=30)
    result = running.stop()
    assert (result.summary.loaded, result.summary.duplicates) == (n, 0), result
    assert_each_once(db, queue.sent)
    eventually(queue.is_empty)


def rest(queue, n=15):
    queue.send(logins(n, first=5))


# The server dies

@pytest.mark.fault("a backend crashes", "kill -9 of it in the middle of a load")
def test_a_backend_killed_in_a_load(traced, queue, db, cluster, recovery):
    queue.send(logins(20))
    with db.locked():
        running = traced.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        for pid, in db.rows(OWN_BACKENDS):
            os.kill(pid, signal.SIGKILL)
    wait_for_text(running, "the database is away")
    eventually(cluster.is_running, within=30, what="the cluster has recovered")
    finish(running, queue, db, recovery)


@pytest.mark.fault("a backend is terminated", "pg_terminate_backend in the middle of a load")
def test_a_backend_terminated_in_a_load(traced, queue, db, recovery):
    queue.send(logins(20))
    with db.locked():
        running = traced.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        db.execute(f"SELECT pg_terminate_backend(pid) FROM ({OWN_BACKENDS}) AS own")
        wait_for_text(running, "the database is away")
    finish(running, queue, db, recovery)


@pytest.mark.fault("idle sessions are ended", "idle_session_timeout = 300ms")
def test_a_session_ended_while_it_was_idle(traced, queue, db, recovery):
    db.admin(f"ALTER DATABASE {db.name} SET idle_session_timeout = '300ms'")
    running = under_way(traced, queue, db)
    eventually(lambda: not db.rows(OWN_BACKENDS), what="the server has hung up")
    rest(queue)
    finish(running, queue, db, recovery)


# The server is there and cannot serve

@pytest.mark.fault("the server is read-only", "default_transaction_read_only, as after a failover")
def test_a_read_only_server(traced, queue, db, recovery):
    """A session that was made while it was read-only stays so: it must be left."""
    running = under_way(traced, queue, db)
    db.admin(f"ALTER DATABASE {db.name} SET default_transaction_read_only = on")
    db.execute(f"SELECT pg_terminate_backend(pid) FROM ({OWN_BACKENDS}) AS own")
    rest(queue)
    wait_for_text(running, "25006")
    db.admin(f"ALTER DATABASE {db.name} RESET default_transaction_read_only")
    finish(running, queue, db, recovery)


@pytest.mark.fault("no connection is left", "max_connections taken by others")
def test_no_connection_left(traced, queue, db, cluster, recovery):
    running = under_way(traced, queue, db)
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(contextlib.closing(db.connect()))]
        taken[0].cursor().execute(f"SELECT pg_terminate_backend(pid) FROM ({OWN_BACKENDS}) AS own")
        with pytest.raises(psycopg2.OperationalError, match="too many clients"):
            while True:
                taken.append(stack.enter_context(contextlib.closing(db.connect())))
        rest(queue)
        wait_for_text(running, "too many clients")
    finish(running, queue, db, recovery)


@pytest.fixture
def small_disk(db):
    """A tablespace on a disk of its own.  Without the right to mount one this fails."""
    folder = f"{db.cluster.dir}/small-disk"
    os.mkdir(folder)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "tmpfs", folder],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        pytest.fail(f"a full disk takes the right to mount one: {done.stderr}", pytrace=False)
    try:
        os.mkdir(folder + "/space")
        os.chown(folder + "/space", os.stat(db.cluster.data).st_uid, -1)
        db.execute(f"CREATE TABLESPACE small_disk LOCATION '{folder}/space'")
        yield folder
        db.execute("ALTER TABLE user_logins SET TABLESPACE pg_default")
        db.execute("DROP TABLESPACE small_disk")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
@pytest.mark.fault("the disk is full", "a tablespace on a tmpfs of 8 MiB, filled up")
def test_a_full_disk(traced, queue, db, small_disk, recovery):
    db.execute("ALTER TABLE user_logins SET TABLESPACE small_disk")
    running = under_way(traced, queue, db)
    with open(small_disk + "/filler", "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(bytes(4096))
    rest(queue, 95)  # more than the pages that are there can take
    wait_for_text(running, "53100")
    os.unlink(small_disk + "/filler")
    finish(running, queue, db, recovery, 100)


@pytest.mark.slow
@pytest.mark.fault("the table is locked", "LOCK TABLE past lock_timeout")
def test_a_lock_held_past_the_lock_timeout(traced, queue, db, recovery):
    running = under_way(traced, queue, db)
    with db.locked():
        rest(queue)
        wait_for_text(running, "55P03", within=30)
    finish(running, queue, db, recovery)


def processes_of(cluster):
    with open(f"{cluster.data}/postmaster.pid", encoding="ascii") as f:
        postmaster = f.readline().strip()
    with open(f"/proc/{postmaster}/task/{postmaster}/children", encoding="ascii") as f:
        return [int(pid) for pid in [postmaster, *f.read().split()]]


@pytest.mark.fault("the server hangs", "SIGSTOP of all its processes, past sluice's own deadline")
def test_a_server_that_hangs(traced, fault_binary, queue, db, cluster, recovery):
    traced.binary = fault_binary
    traced.env["SLUICE_FAULT_MS"] = "2000"
    running = under_way(traced, queue, db)
    frozen = processes_of(cluster)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        rest(queue)
        wait_for_text(running, "did not answer in time while answering")
        wait_for_text(running, "did not answer in time while connecting", within=30)
    finally:
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):  # it had its end before it
                os.kill(pid, signal.SIGCONT)
    finish(running, queue, db, recovery)


# Transactions that fail

@pytest.mark.fault("a deadlock", "a session that holds the table asks for the ledger key")
def test_a_deadlock(traced, queue, db, cluster, recovery):
    """Ours is the victim: the other's deadlock timeout is the longer one."""
    db.admin(f"ALTER DATABASE {db.name} SET deadlock_timeout = '2s'")
    running = under_way(traced, queue, db)
    with db.locked() as other:
        rest(queue)
        eventually(db.waiting_for_locks, what="a load waits for the table")
        other.cursor().execute("SET deadlock_timeout = '60s'; LOCK TABLE sluice.ledger")
        wait_for_text(running, "40P01")
    finish(running, queue, db, recovery)


AT_COMMIT = """
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.user_id IN ('user-0007', 'user-0015') THEN
            RAISE EXCEPTION 'not at the commit' USING ERRCODE = '{}';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON user_logins
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE at_commit()"""


@pytest.mark.fault("COMMIT fails for a while", "a deferred constraint raises 40001")
def test_a_commit_that_fails_as_an_outage(traced, queue, db, recovery):
    running = under_way(traced, queue, db)
    db.execute(AT_COMMIT.format("40001"))
    rest(queue)
    wait_for_text(running, "40001")
    db.execute("DROP TRIGGER at_commit ON user_logins")
    finish(running, queue, db, recovery)


@pytest.mark.fault("COMMIT fails for two rows", "a deferred constraint refuses them with 23514")
def test_a_commit_that_two_rows_make_fail(traced, queue, db):
    """COMMIT names no row: halving finds them, and they alone are dead letters."""
    running = under_way(traced, queue, db)
    db.execute(AT_COMMIT.format("23514"))
    rest(queue)
    eventually(lambda: db.count() + len(db.dead()) == 20, within=30)
    result = running.stop()
    assert (result.summary.loaded, result.summary.dead_lettered) == (18, 2), result
    refused = [i for i, in db.rows("SELECT message_id FROM sluice.dead_letter")]
    assert sorted(refused) == sorted([queue.sent[7], queue.sent[15]])
    assert db.count() == 18 and queue.is_empty()


# The table changes under load

CHANGES = {
    "a column is dropped": (
        "ALTER TABLE user_logins DROP locale", "ALTER TABLE user_logins ADD locale varchar(32)",
        "42703"),
    "a column is renamed": (
        "ALTER TABLE user_logins RENAME locale TO place",
        "ALTER TABLE user_logins RENAME place TO locale", "42703"),
    "a column's type changes": (
        "ALTER TABLE user_logins ALTER app_version TYPE bigint",
        "ALTER TABLE user_logins ALTER app_version TYPE integer", "08P01|22P03"),
    "a column that must have a value is added": (
        "ALTER TABLE user_logins ADD more text; UPDATE user_logins SET more = '';"
        "ALTER TABLE user_logins ALTER more SET NOT NULL",
        "ALTER TABLE user_logins DROP more", "23502"),
    "the table is renamed": (
        "ALTER TABLE user_logins RENAME TO moved", "ALTER TABLE moved RENAME TO user_logins",
        "42P01"),
    "a trigger raises for every row": (
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
        "CREATE TRIGGER no BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE PROCEDURE no()",
        "DROP TRIGGER no ON user_logins", "P0001"),
}


@pytest.mark.fault("the table changes under load", "DDL, undone later")
@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_changes_under_load(traced, queue, db, recovery, change):
    do, undo, sqlstate = CHANGES[change]
    running = under_way(traced, queue, db)
    db.execute(do)
    rest(queue)
    wait_for_text(running, sqlstate)
    wait_for_text(running, "the table takes nothing")
    db.execute(undo)
    finish(running, queue, db, recovery)


@pytest.mark.fault("the table changes under load", "a column grows wider: nothing to do")
def test_a_column_that_grows_costs_nothing(traced, queue, db, recovery):
    running = under_way(traced, queue, db)
    db.execute("ALTER TABLE user_logins ALTER user_id TYPE text")
    rest(queue)
    finish(running, queue, db, recovery)


TAKEN_AWAY = {
    "the right to insert is revoked": ("REVOKE INSERT ON user_logins FROM {}",
                                       "GRANT INSERT ON user_logins TO {}", "42501"),
    "row-level security is switched on": (
        "ALTER TABLE user_logins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "ALTER TABLE user_logins DISABLE ROW LEVEL SECURITY", "0A000"),
    "the role may not log in": (
        "ALTER ROLE {0} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = '{0}'", "ALTER ROLE {} LOGIN", "not permitted to log in"),
}


@pytest.mark.fault("rights are taken away", "and given back later")
@pytest.mark.parametrize("what", TAKEN_AWAY)
def test_rights_taken_away_under_load(traced, queue, db, role, recovery, what):
    do, undo, said = TAKEN_AWAY[what]
    db.execute(f"ALTER TABLE user_logins OWNER TO {role}")
    traced.postgres["url"] = db.url.replace("postgres@", role + "@")
    running = under_way(traced, queue, db)
    db.execute(do.format(role))
    rest(queue)
    wait_for_text(running, said)
    db.execute(undo.format(role))
    finish(running, queue, db, recovery)


# The connection is cut at every byte

class Sweep:
    """A sluice behind the proxy; each cut point has two messages of its own."""

    def __init__(self, program, fake, db, comes_again):
        self.comes_again = comes_again  # so that the ledger has to be asked, too
        self.proxy = ByteProxy(db.cluster.port)
        self.queue, self.fake, self.db = fake.queues[0], fake, db
        program.postgres["url"] = db.tcp_url(port=self.proxy.port)
        program.settings["linger"] = "0s"
        self.running = program.begin()
        self.settle()

    def settle(self):
        self.queue.send(logins(2))
        self.await_all()

    def await_all(self):
        eventually(lambda: self.fake.report(self.queue)["deleted"] == len(self.queue.sent),
                   within=30, every=0.01, what="all is loaded and deleted")

    def cut(self, direction, step, most=100000):
        """Cut load after load, each a few bytes later, until one is over before the cut."""
        for after in range(0, most, step):
            before = self.proxy.cuts
            if self.comes_again:
                self.fake.fault("duplicate", "DeleteMessageBatch", times=1)
            self.proxy.cut(direction, after)
            self.settle()
            self.fake.clear()
            if self.proxy.cuts == before:
                return after
        raise AssertionError("a conversation without an end")

    def end(self):
        result = self.running.stop()
        self.proxy.stop()
        assert result.summary.loaded == len(self.queue.sent), result
        assert (result.summary.duplicates > 0) == self.comes_again, result
        assert_each_once(self.db, self.queue.sent)


@pytest.mark.timeout(600)
@pytest.mark.fault("the connection is cut", "a proxy, byte by byte through a load")
@pytest.mark.parametrize("direction, step, comes_again", [
    pytest.param(TO_SERVER, 150, False, id="150th to the server"),
    pytest.param(TO_CLIENT, 12, False, id="12th to the client"),
    pytest.param(TO_SERVER, 7, False, id="7th to the server", marks=pytest.mark.slow),
    pytest.param(TO_CLIENT, 1, False, id="every one to the client", marks=pytest.mark.slow),
    pytest.param(TO_SERVER, 23, True, id="23rd to the server, and again",
                 marks=pytest.mark.slow),
    pytest.param(TO_CLIENT, 5, True, id="5th to the client, and again",
                 marks=pytest.mark.slow)])
def test_a_connection_cut_at_byte_after_byte(sluice_on_fake, fake, db, direction, step,
                                             comes_again):
    """What our own batch has committed counts as loaded, whatever was heard of it."""
    db.execute(WITH_MESSAGE_ID)
    sweep = Sweep(sluice_on_fake, fake, db, comes_again)
    length = sweep.cut(direction, step)
    assert sweep.proxy.cuts >= length // step - 1 > 4
    sweep.end()

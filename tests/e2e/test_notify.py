"""test_notify.py - what a service manager is told: ready, alive, stopping; nothing from a stuck one."""
import socket

import pytest

from events import logins
from wait import eventually


class Manager:
    """The end of systemd's that listens."""

    def __init__(self, path):
        self.path = path
        self.heard = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def listen(self):
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.heard

    def environment(self, watchdog_ms):
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(watchdog_ms * 1000)}


@pytest.fixture
def manager(tmp_path):
    m = Manager(str(tmp_path / "notify"))
    yield m
    m.socket.close()


def test_a_run_is_ready_once_then_alive_and_says_that_it_stops(sluice, queue, db, manager):
    sluice.env.update(manager.environment(200))
    queue.send(logins(3))
    running = sluice.begin()
    eventually(lambda: manager.listen().count("WATCHDOG=1") >= 3, what="it is alive")
    assert manager.heard[0] == "READY=1"
    running.stop()
    heard = manager.listen()
    assert (heard.count("READY=1"), heard.count("STOPPING=1")) == (1, 1)
    assert db.count() == 3


def test_it_is_not_ready_while_it_waits_for_the_database(sluice, cluster, db, manager):
    sluice.env.update(manager.environment(200))
    sluice.make_keys()
    cluster.stop("fast")
    running = sluice.begin("--wait", "30")
    eventually(lambda: "waiting for the database" in running.err)
    assert manager.listen() == []
    cluster.start()
    eventually(lambda: "READY=1" in manager.listen(), within=30)
    running.stop()


def test_a_stuck_worker_is_alive_no_more(sluice, fault_binary, queue, manager):
    sluice.binary = fault_binary
    sluice.env.update(manager.environment(100))
    sluice.env["SLUICE_FAULT_AT"] = "decoded:1:hang"
    sluice.settings["stall_after"] = "2s"
    running = sluice.begin()
    eventually(lambda: "WATCHDOG=1" in manager.listen())
    queue.send(logins(1))
    eventually(lambda: "no progress" in running.err, what="the stall is said")  # unread meanwhile
    manager.listen()
    said = len(manager.heard)
    assert running.wait(60).rc == 75
    assert "WATCHDOG=1" not in manager.listen()[said:]


def test_another_process_watchdog_is_not_ours(sluice, queue, manager, db):
    sluice.env.update(manager.environment(200), WATCHDOG_PID="1")
    queue.send(logins(1))
    sluice.drain()
    assert "WATCHDOG=1" not in manager.listen() and "READY=1" in manager.heard

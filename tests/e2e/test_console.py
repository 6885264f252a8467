"""test_console.py - what the console is told: the run as it is, the last hour, what goes wrong; and who
may ask."""
import json
import socket
import time

import pytest

from events import BAD, logins
from monitor import Monitor, watched
from test_masking import CANARY, assert_no_canary
from wait import SLOWER, eventually

CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
       "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
SERIES = {"received", "loaded", "dead_lettered", "duplicates", "returned", "visible", "p50_ms",
          "p99_ms"}


@pytest.fixture
def run(sluice, queue):
    """A run that has loaded 20 logins and refused one message, and goes on."""
    queue.send(logins(20) + [BAD])
    monitor = Monitor(watched(sluice).begin())
    eventually(lambda: monitor.samples().get("sluice_messages_deleted_total") == 21,
               what="all are loaded and deleted")
    return monitor


def told(monitor, path="/api/state"):
    status, headers, text = monitor.ask(path)
    assert status == 200 and headers["Content-Type"] == "application/json"
    return json.loads(text)


class Raw:
    """A connection that says what it likes."""

    def __init__(self, monitor, text=b"", room=None):
        host, _, port = monitor.url.removeprefix("http://").partition(":")
        self.socket = socket.socket()
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.settimeout(30)
        self.socket.connect((host, int(port)))
        self.send(text)

    def send(self, text):
        self.socket.sendall(text)

    def status(self):
        """Of the next answer; None when the server has hung up."""
        try:
            with self.socket.makefile("rb") as f:
                words = f.readline().split()
        except ConnectionResetError:
            return None
        return int(words[1]) if words else None

    def rest(self):
        """How many bytes still come."""
        n = 0
        try:
            self.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while got := self.socket.recv(1 << 20):
                n += len(got)
        except OSError:
            pass  # it has hung up
        return n

    def is_open(self):
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False

    def close(self):
        self.socket.close()


def test_the_state_is_the_run_as_it_is(run, queue, sluice):
    state = told(run)
    assert (state["status"], state["reasons"], state["errors"]) == ("ready", [], [])
    assert state["pipeline"] == "public.user_logins"
    assert state["target"] == {"kind": "postgres", "name": "user_logins"}
    assert state["source"]["kind"] == "sqs" and state["source"]["name"] == queue.url.rsplit("/", 1)[1]
    assert {"visible", "in_flight", "delayed"} < set(state["source"])
    counts = state["counts"]
    assert (counts["received"], counts["loaded"], counts["dead_lettered"], counts["in_flight"],
            counts["deleted"], counts["batches"] > 0) == (21, 20, 1, 0, 21, True)
    assert state["started_at_ms"] < state["now_ms"] and state["keys"] == ["k1"]
    (worker,) = state["workers"]
    assert worker["worker"] == 0 and worker["stage"] == "receive" and not worker["stalled"]
    assert (worker["outage_s"], worker["outage"], worker["awaited"], worker["queue_error"]) == (None,) * 4


def test_the_last_hour_is_kept_and_silence_ends_a_connection(run):
    silent = Raw(run)
    history = eventually(lambda: (h := told(run, "/api/history"))["loaded"] and h, within=15)
    assert SERIES < set(history) and {len(history[name]) for name in SERIES} == {len(history["loaded"])}
    assert history["step_s"] == 5 and abs(history["end_ms"] - told(run)["now_ms"]) < 60000
    assert told(run, f"/api/history?after_ms={2**60}")["loaded"] == []
    assert run.ask("/api/history?after_ms=x")[0] == 400
    assert silent.status() is None, "after 10 s"


def test_an_outage_is_told_with_what_to_do_and_goes(sluice, queue, db, cluster):
    monitor = Monitor(watched(sluice).begin())
    eventually(lambda: told(monitor)["status"] == "ready")
    cluster.stop()
    queue.send([CANARY_LOGIN])
    state = eventually(lambda: (s := told(monitor))["errors"] and s, what="it is told")
    assert state["status"] == "not ready" and "the database has taken nothing" in state["reasons"][0]
    (worker,) = state["workers"]
    assert worker["stage"] == "load" and worker["awaited"] == "the database"
    assert worker["outage"] in ("DISCONNECTED", "UNAVAILABLE") and worker["outage_s"] >= 0
    error = state["errors"][0]
    assert error["message"] == "the database is away; waiting" and error["code"] == worker["outage"]
    assert error["level"] == "warn" and error["n"] >= 1 and error["detail"]
    assert "bring the database back" in error["remedy"]
    assert error["first_ms"] <= error["last_ms"] <= state["now_ms"]
    cluster.start()
    state = eventually(lambda: (s := told(monitor))["status"] == "ready" and s, within=30)
    assert state["errors"][0]["message"] == "the database is away; waiting", "it stays to be read"
    for path in ("/api/state", "/api/history", "/metrics", "/readyz"):
        assert_no_canary(path, monitor.ask(path)[2].encode())


def test_every_answer_forbids_what_the_console_does_not_need(run):
    for path, status in (("/api/state", 200), ("/metrics", 200), ("/healthz", 200), ("/other", 404)):
        answer = run.ask(path)
        assert answer[0] == status
        headers = answer[1]
        assert headers["Content-Security-Policy"] == CSP
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
        assert not [name for name in headers if name.lower().startswith("access-control")]


def test_a_name_that_leads_here_is_not_answered(run):
    for host in ("evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example"):
        for path in ("/api/state", "/metrics", "/other"):
            assert run.ask(path, Host=host)[0] == 421
    for host in ("localhost", "localhost:1", "127.0.0.1:9464", "[::1]:9464", "10.0.0.1"):
        assert run.ask("/api/state", Host=host)[0] == 200


def test_requests_have_limits(run):
    assert run.ask("/api/state", **{"X-Long": "x" * 20000})[0] in (413, 431)
    assert run.ask("/api/state?" + "x" * 20000)[0] in (413, 414, 431)
    assert run.ask("/api/state", "POST", b"{}")[0] == 405
    body = Raw(run, b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
    assert body.status() in (None, 400)
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"):
        assert run.ask("/api/state", method)[0] == 405
    assert Raw(run, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").status() in (None, 400)
    assert Raw(run, b"GET http://[ HTTP/1.1\r\n\r\n").status() in (None, 400, 404)
    assert told(run)["status"] == "ready"


def test_who_asks_slowly_keeps_nobody_out(run):
    """40 connections that send a header now and then, as many times more than there are places."""
    slow = [Raw(run, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") for _ in range(40)]
    for _ in range(3):
        assert run.health()[0] == 200
        for one in slow:
            try:
                one.send(b"x")
            except OSError:
                pass  # it had to make room
    assert run.health()[0] == 200
    left = [one for one in slow if one.is_open()]
    assert 10 < len(left) <= 32, "only as many go as there is need of places"
    left[-1].send(b"\r\n\r\n")
    left[-1].socket.setblocking(True)
    assert left[-1].status() == 200, "one that ends its request is answered"
    for one in slow:
        one.close()


def test_who_reads_slowly_keeps_nobody_out(run):
    """40 connections that ask for more than any socket takes, and read no more than that it comes."""
    asked = b"GET /uplot.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 250
    began = time.monotonic()
    slow = []
    for _ in range(40):
        slow.append(Raw(run, asked, room=4096))
        assert slow[-1].status() == 200
        assert run.health()[0] == 200
    assert time.monotonic() - began < 8 * SLOWER, "nobody has waited until they were silent for too long"
    whole = len(run.ask("/uplot.js")[2]) * 250
    assert slow[-1].rest() > whole, "who reads on gets all of it"
    assert slow[0].rest() < whole, "the first has made room"
    for one in slow:
        one.close()


CANARY_LOGIN = json.dumps({"user_id": CANARY, "device_type": CANARY, "ip": CANARY, "device_id": CANARY,
                           "locale": None, "app_version": "1.2.3"})

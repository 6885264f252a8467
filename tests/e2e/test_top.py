"""test_top.py - sluice top shows a run in a terminal: what moves, what is stuck where, who is gone."""
import http.server
import json
import re
import threading
import time

import pytest

from events import BAD, logins
from monitor import Monitor, watched
from terminal import Terminal
from wait import eventually

AWAY = "worker 1: the database has taken nothing for 12 s (DISCONNECTED)"


def worker(number, stage, **more):
    return {"worker": number, "stage": stage, "still_s": 0, "idle": stage == "receive",
            "stalled": False, "outage_s": None, "outage": None, "awaited": None,
            "queue_error": None, **more}


class Peer:
    """Somebody who answers as a run does: a second and 120 messages further with each answer."""

    def __init__(self):
        self.asked = 0
        self.more = {}
        self.port = 0
        self.begin()

    def begin(self):
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(peer.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,)).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path):
        if path.startswith("/api/history"):
            return {"step_s": 5, "end_ms": 0, "received": [0, 40, 80, 120] * 5, "p99_ms": [44] * 20,
                    "loaded": [0] * 5 + [120] * 15, "dead_lettered": [0] * 20, "p50_ms": [12] * 20}
        self.asked += 1
        n = 1000 + 120 * self.asked
        return {"version": "0.1.0", "pipeline": "logins", "started_at_ms": 1000,
                "now_ms": 3_600_000 + 1000 * self.asked, "status": "ready", "reasons": [],
                "source": {"kind": "sqs", "name": "queue-1", "visible": 12345, "in_flight": 30,
                           "delayed": 0, "asked_s_ago": 4},
                "target": {"kind": "postgres", "name": "public.user_logins"},
                "counts": {"received": n, "loaded": n - 2, "duplicates": 0, "dead_lettered": 2,
                           "returned": 0, "in_flight": 0, "deleted": n},
                "workers": [worker(0, "receive"), worker(1, "mask")], "keys": ["k1"],
                "oldest_s": None, "errors": [], "actions": False, **self.more}

    def outage(self):
        now = 3_600_000 + 1000 * self.asked
        self.more = {
            "status": "not ready", "reasons": [AWAY],
            "workers": [worker(0, "receive"), worker(1, "load", outage_s=12, outage="DISCONNECTED",
                                                     awaited="the database")],
            "errors": [{"first_ms": now, "last_ms": now, "n": 3, "level": "warn", "detail": None,
                        "message": "the database is away; waiting", "code": "DISCONNECTED",
                        "remedy": "bring the database back"},
                       *({"first_ms": now, "last_ms": now, "n": 1, "level": "warn", "code": None,
                          "message": f"older {i}", "detail": None, "remedy": None}
                         for i in range(20)),
                       {"first_ms": now, "last_ms": now, "n": 1, "level": "error", "code": None,
                        "message": "\x1b[2J\x1b]0;mine\x07\u202e the oldest", "detail": None,
                        "remedy": None}]}


@pytest.fixture(name="started", scope="module")
def one_terminal_for_all(binary):
    peer = Peer()
    terminal = Terminal("env", "COLUMNS=100", "LINES=50", binary, "top", peer.url)
    yield peer, terminal
    terminal.close()
    peer.end()


@pytest.fixture
def top(started):
    """A terminal that shows a run in which all is well."""
    peer, terminal = started
    peer.more = {}
    terminal.resize(80, 24)
    terminal.shows("\nready", "q quit")
    return peer, terminal


def test_the_flow_is_drawn_with_its_rates_depths_and_last_minutes(top):
    _, terminal = top
    eventually(lambda: len(re.findall(r"\b120/s", terminal.text)) >= 5, what="all rates are there")
    seen = terminal.lines
    assert seen[0].startswith("sluice 0.1.0  logins  sqs queue-1 → postgres public.user_logins  up ")
    names = next(i for i, line in enumerate(seen) if line.startswith("queue ──────→ receive ─→"))
    assert seen[names + 1].split()[:5] == ["12.3k", "visible", "120/s", "120/s", "120/s"]
    assert seen[names + 2].split()[:6] == ["30", "hidden", "1", "idle", "1", "worker"]
    assert any(line.startswith("received ") and line.endswith("max 120/s") for line in seen)
    assert "latency p50 12 ms, p99 44 ms" in " ".join(" ".join(seen).split())


def test_what_is_stuck_is_said_where_it_is_with_what_to_do(top):
    peer, terminal = top
    peer.outage()
    seen = terminal.shows(f"not ready: {AWAY}", "waits 12 s", "→ bring the database back",
                          "worker 1: load, waits for the database for 12 s (DISCONNECTED)")
    stage, below = (next(line for line in seen.split("\n") if word in line)
                    for word in ("→ load", "waits 12 s"))
    assert stage.index("load") == below.index("waits")


def test_errors_are_scrolled_and_what_a_peer_says_is_text(top):
    peer, terminal = top
    peer.outage()
    assert "the oldest" not in terminal.shows("bring the database back")
    terminal.type("NPage", "NPage", "NPage", "NPage", "NPage", "Down", "Down")
    terminal.shows("error: ?[2J?]0;mine?? the oldest", "queue ─")
    terminal.type("Home")
    terminal.shows("bring the database back")


def test_a_small_terminal_shows_the_flow_upright(top):
    peer, terminal = top
    peer.outage()
    terminal.resize(40, 12)
    seen = terminal.shows("load    120/s, 1 worker, waits 12 s", "q quit  p pause").split("\n")
    assert seen[1:3] == ["not ready: worker 1: the database has", "  taken nothing for 12 s (DISCONNECTED)"]
    assert seen[11].startswith("q quit")
    terminal.resize(8, 2)
    terminal.hides("load")
    terminal.resize(80, 24)
    terminal.shows("queue ──────→ receive")


def test_a_pause_asks_nothing_until_it_is_over(top):
    peer, terminal = top
    terminal.type("p")
    terminal.shows("PAUSED")
    peer.more = {"pipeline": "changed"}
    terminal.type("?")
    terminal.shows("Keys", "ask no more")
    terminal.type("?")
    asked, since = peer.asked, time.monotonic()
    eventually(lambda: time.monotonic() - since > 1.5, what="the interval is over")
    assert peer.asked == asked and "changed" not in terminal.hides("ask no more")
    terminal.type("p")
    terminal.shows("changed", "q quit")
    assert peer.asked > asked


def test_who_is_gone_is_said_and_comes_back_by_itself(top):
    peer, terminal = top
    terminal.shows("120/s")
    peer.end()
    try:
        seen = terminal.shows("nobody answers for", "below is what was said before")
        assert "public.user_logins" in seen and "ready\n" not in seen
        eventually(lambda: re.search(r"answers for [2-9] s,", terminal.text), what="it says how long")
    finally:
        peer.begin()
    terminal.shows("\nready")
    terminal.hides("nobody answers")


@pytest.mark.parametrize("term", ["vt100", "screen"])
def test_q_leaves_the_terminal_as_it_was(binary, started, term):
    terminal = Terminal(binary, "top", "--interval", "60", started[0].url, term=term)
    try:
        terminal.shows("queue ─", "q quit")
        terminal.type("q")
        assert "queue" not in terminal.shows("ended with 0").split("ended with 0")[1]
        terminal.type("typed", "Enter")
        terminal.shows("typed\ntyped")  # it is echoed again, and a line is a line
    finally:
        terminal.close()


@pytest.mark.parametrize("term", ["no-such-terminal", "dumb"])
def test_a_terminal_that_cannot_be_drawn_on_is_refused(binary, term):
    terminal = Terminal(binary, "top", term=term)
    try:
        terminal.shows(f"TERM={term} names no terminal", "ended with 64")
    finally:
        terminal.close()


def test_without_a_terminal_one_page_is_printed_and_the_status_says_how_it_is(bare, started):
    peer, _ = started
    peer.more = {}
    result = bare.good("top", peer.url + "/")
    lines = result.text.splitlines()
    assert lines[1] == "ready" and not any(c in result.text for c in "\x1b\r\t")
    assert "q quit" not in result.text and all(len(line) <= 80 for line in lines)
    peer.outage()
    result = bare.call("top", peer.url)
    assert result.rc == 1 and f"not ready: {AWAY}" in result.text
    assert "?[2J?]0;mine?? the oldest" in result.text
    del bare.env["LANG"]
    assert bare.call("top", peer.url).out.isascii()
    peer.more = {}


def test_nobody_or_somebody_else_at_the_url_is_said(bare, moto):
    result = bare.call("top", "http://127.0.0.1:1")
    assert result.rc == 75 and "could not reach" in result.err and result.out == b""
    result = bare.call("top", moto.url)
    assert result.rc == 75 and "is no sluice" in result.err
    for arguments in (["127.0.0.1:1"], ["--interval", "0"], ["--interval", "61"], ["http://a", "b"]):
        assert bare.call("top", *arguments).rc == 64


def test_a_run_is_watched_through_an_outage(sluice, queue, db, cluster, binary):
    queue.send(logins(20) + [BAD])
    running = watched(sluice).begin()
    url = Monitor(running).url
    terminal = Terminal(binary, "top", url, rows=40)
    try:
        terminal.shows("20 rows", "1 dead", "received 21, loaded 20", "dead-lettered 1", within=30)
        terminal.shows("\nready", f"sqs {queue.url.rpartition('/')[2]} → postgres")
        cluster.stop("immediate")
        queue.send(logins(1, start=20))
        terminal.shows("not ready: worker 0: the database has taken nothing", "waits ",
                       "the database is away; waiting", "→ ", within=30)
        cluster.start()
        terminal.shows("\nready", "21 rows", within=60)
        running.stop()
        terminal.shows("nobody answers")
    finally:
        terminal.close()

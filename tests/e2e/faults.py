"""faults.py - proxies that break things at an exact moment.

SqsProxy stands in front of moto and keeps the Host header, which is signed.  It records every call
and runs at most one fault on it; a fault is a function of (call, forward) that returns a reply, or
None to close the connection without one.  PgProxy stands in front of PostgreSQL.
"""
import calendar
import collections
import contextlib
import email.utils
import http.client
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse

ALWAYS = 10 ** 9


class Reply:
    def __init__(self, status, body, headers=()):
        self.status = status
        self.body = body
        self.headers = list(headers) or [("Content-Type", "application/x-amz-json-1.0")]

    @classmethod
    def of(cls, value):
        return cls(200, json.dumps(value).encode())

    @classmethod
    def error(cls, status, code):
        body = json.dumps({"__type": "com.amazonaws.sqs#" + code, "message": "injected"}).encode()
        return cls(status, body, [("Content-Type", "application/x-amz-json-1.0"),
                                  ("x-amzn-query-error", code + ";Receiver")])

    def json(self):
        with contextlib.suppress(ValueError):
            return json.loads(self.body)
        return None


class Call:
    def __init__(self, action, headers, request, is_json=True):
        self.action = action
        self.headers = headers
        self.request = request  # of JSON; the fields of a form otherwise
        self.is_json = is_json
        self.began = time.monotonic()
        self.ended = None
        self.reply = None  # what the client was given; None when it got nothing

    def entries(self):
        return self.request.get("Entries", [])

    def messages(self):
        """Messages that this receive gave to the client."""
        if not self.reply or self.reply.status != 200:
            return []
        if not self.is_json:
            return [{"MessageId": i} for i in re.findall(
                r"<MessageId>(.+?)</MessageId>", self.reply.body.decode())]
        return (self.reply.json() or {}).get("Messages", [])


# Faults

def refuse(status=503, code="ServiceUnavailable"):
    return lambda call, forward: Reply.error(status, code)


def throttle():
    return refuse(400, "RequestThrottled")


def lose_request():
    return lambda call, forward: None


def lose_reply():
    def fault(call, forward):
        forward()
        return None
    return fault


def slow(seconds):
    """Late on purpose: a slow server is the fault, not a way to wait for something."""
    def fault(call, forward):
        time.sleep(seconds)
        return forward()
    return fault


def edit(change):
    """Let `change` alter the reply's JSON in place."""
    def fault(call, forward):
        reply = forward()
        value = reply.json()
        change(value)
        reply.body = json.dumps(value).encode()
        return reply
    return fault


def edit_bytes(change):
    def fault(call, forward):
        reply = forward()
        reply.body = change(reply.body)
        return reply
    return fault


def look(at):
    """Only look, before the server sees the call."""
    def fault(call, forward):
        at(call)
        return forward()
    return fault


def query_only(status, body, content_type="text/html"):
    """As a server from before the JSON protocol: it answers a JSON request with this."""
    def fault(call, forward):
        return Reply(status, body, [("Content-Type", content_type)]) if call.is_json else forward()
    return fault


class Clock:
    """A fault: the server's clock is so many seconds ahead, and it refuses signatures that are five
    minutes off, as AWS does."""

    def __init__(self, ahead):
        self.ahead = ahead
        self.refused = 0

    def __call__(self, call, forward):
        now = time.time() + self.ahead
        signed = time.strptime(call.headers["X-Amz-Date"] + " UTC", "%Y%m%dT%H%M%SZ %Z")
        if abs(calendar.timegm(signed) - now) < 300:
            return forward()
        self.refused += 1
        reply = Reply.error(403, "RequestTimeTooSkewed")
        reply.headers.append(("Date", email.utils.formatdate(now, usegmt=True)))
        return reply


class Hold:
    """A fault that keeps calls from the server until they are released or dropped."""

    def __init__(self):
        self.held = 0
        self.is_dropped = False
        self.gate = threading.Event()

    def __call__(self, call, forward):
        self.held += 1
        self.gate.wait(120)
        return None if self.is_dropped or not self.gate.is_set() else forward()

    def release(self):
        self.gate.set()

    def drop(self):
        self.is_dropped = True
        self.gate.set()


class Rule:
    def __init__(self, action, fault, times, skip):
        self.action, self.fault, self.times, self.skip = action, fault, times, skip


class SqsProxy:
    def __init__(self, server_port):
        self.server_port = server_port
        self.calls = []
        self.rules = []
        self.lock = threading.Lock()
        self.http = Server(("127.0.0.1", 0), Handler)
        self.http.proxy = self
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def on(self, action, fault, times=ALWAYS, skip=0):
        """Run `fault` on calls of `action` ("*": any): let `skip` pass, then take `times`.
        Returns it."""
        with self.lock:
            self.rules.append(Rule(action, fault, times, skip))
        return fault

    def clear(self):
        with self.lock:
            self.rules.clear()

    def take(self, call):
        with self.lock:
            self.calls.append(call)
            for rule in self.rules:
                if rule.action not in (call.action, "*") or not rule.times:
                    continue
                if rule.skip:
                    rule.skip -= 1
                else:
                    rule.times -= 1
                    return rule.fault
        return None

    def seen(self, action):
        with self.lock:
            return [c for c in self.calls if c.action == action]

    def count(self, action):
        return len(self.seen(action))

    def deliveries(self):
        """How often each message id was given to the client."""
        return collections.Counter(m["MessageId"] for c in self.seen("ReceiveMessage")
                                   for m in c.messages())

    def id_of_handle(self):
        return {m["ReceiptHandle"]: m["MessageId"] for c in self.seen("ReceiveMessage")
                for m in c.messages()}

    def longest_wait(self):
        """Seconds that the oldest unanswered call has waited."""
        now = time.monotonic()
        with self.lock:
            return max((now - c.began for c in self.calls if c.ended is None), default=0)

    def stop(self):
        for rule in self.rules:
            if isinstance(rule.fault, Hold):
                rule.fault.drop()
        self.http.shutdown()
        self.http.server_close()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that was killed is what the tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = self.call_of(body)
        fault = proxy.take(call)

        def forward():
            return self.forward(body)

        try:
            reply = fault(call, forward) if fault else forward()
            call.reply = reply
            self.answer(reply)
        finally:
            call.ended = time.monotonic()

    def call_of(self, body):
        if "json" in self.headers.get("Content-Type", ""):
            action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            return Call(action, self.headers, json.loads(body or b"{}"))
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        return Call(form["Action"], self.headers, form, is_json=False)

    def forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.proxy.server_port,
                                                timeout=90)
        with contextlib.closing(connection):
            connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect", "content-length"):
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            kept = [(n, v) for n, v in answer.getheaders()
                    if n.lower() not in ("connection", "content-length", "transfer-encoding",
                                         "server", "date")]
            return Reply(answer.status, answer.read(), kept)

    def answer(self, reply):
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)


COPY_DONE = b"COPY "                          # command tag after each COPY
COMMIT_DONE = b"C\x00\x00\x00\x0bCOMMIT\x00"  # CommandComplete "COMMIT"


class PgProxy:
    """Cuts a load's connection once, at the word of the server's own command tags.

    moment "before commit"  the rows are copied and the transaction is open
           "at commit"      COMMIT is sent and never arrives
           "after commit"   the server has committed, and its answer is lost
           "in the commit"  the server has the word, and nobody who waits for its answer
    """

    def __init__(self, server_port, moment):
        self.server_port = server_port
        self.moment = moment
        self.is_armed = True
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server_port))
                threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
                threading.Thread(target=self.watch, args=(client, server), daemon=True).start()

    def pump(self, client, server):
        has_copied = False
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                is_commit = self.is_armed and has_copied and b"COMMIT\x00" in data
                if is_commit and self.moment == "at commit":
                    self.strike()
                    break
                server.sendall(data)
                has_copied = has_copied or b"COPY " in data
                if is_commit and self.moment == "in the commit":
                    self.strike()
                    shut(client)
        shut(client)
        shut(server)

    def strike(self):
        self.is_armed = False
        self.cuts += 1

    def watch(self, client, server):
        """Server to client; the tail is kept so that a tag split over two reads is seen."""
        seen = b""
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                seen = (seen + data)[-200000:]
                if self.is_armed and self.is_moment(seen):
                    self.strike()
                    break
                client.sendall(data)
        shut(client)
        shut(server)

    def is_moment(self, seen):
        copied = seen.find(COPY_DONE)
        if copied < 0 or self.moment in ("at commit", "in the commit"):
            return False
        return self.moment == "before commit" or COMMIT_DONE in seen[copied:]

    def stop(self):
        shut(self.listener)


def shut(s):
    """End a connection; shutdown first, or a thread that waits in recv would keep it open."""
    with contextlib.suppress(OSError):
        s.shutdown(socket.SHUT_RDWR)
    s.close()

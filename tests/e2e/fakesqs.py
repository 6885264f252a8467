"""fakesqs.py - our own SQS server (tests/fakes): millions of messages, faults to order, a report.

    fake.fill(queue, 1_000_000, bad=0.01)           login events, made in the server
    fake.fault("reset_after", "DeleteMessageBatch", times=3)
    fake.fault("error_503", probability=0.05)       on every action, until fake.clear()
    fake.report(queue)["deleted"]                   and fake.fates(queue), message by message

The faults are listed in tests/fakes/fake_faults.def, the rest in tests/fakes/fake_control.h.
"""
import collections
import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config

from sqs import Queue, REGION

Fate = collections.namedtuple("Fate", "id fate received is_bad moved_to")
LIVE = ("visible", "in_flight", "delayed")
OVER = ("deleted", "dead", "moved", "purged")


def find_program(binary):
    """Beside the program under test, or where FAKESQS_BIN says; a missing one fails the test."""
    path = pathlib.Path(os.environ.get("FAKESQS_BIN")
                        or pathlib.Path(binary).parent / "tests" / "fakesqs")
    if not os.access(path, os.X_OK) or path.is_dir():
        pytest.fail(f"there is no SQS server at {path}: build it (ninja tests/fakesqs), "
                    "or set FAKESQS_BIN", pytrace=False)
    return str(path)


class Fake:
    """A server of its own; .url, .key_id, .secret and new_queue as moto's."""

    key_id, secret = "AKIAFAKESQS", "any-secret"

    def __init__(self, binary, log, seed=1, tls=None):
        """tls: a certificate and its key, files."""
        self.queues = []
        self.ca = str(tls[0]) if tls else None
        more = ["--certificate", str(tls[0]), "--key", str(tls[1])] if tls else []
        self.process = subprocess.Popen([find_program(binary), "--seed", str(seed), *more],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=log, text=True)
        ready = self.process.stdout.readline()
        assert ready.startswith("fakesqs ready on "), f"fakesqs did not start: {ready!r}"
        self.url = ready.split()[-1]
        self.port = int(self.url.rpartition(":")[2])
        self.sqs = self.client()

    def client(self, attempts=1):
        return boto3.session.Session().client(
            "sqs", region_name=REGION, endpoint_url=self.url, aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret, verify=self.ca,
            config=Config(retries={"total_max_attempts": attempts}, read_timeout=30, proxies={}))

    def new_queue(self, name=None, **attributes):
        self.queues.append(Queue(self, name or f"login-queue-{len(self.queues) + 1}", attributes))
        return self.queues[-1]

    def ask(self, method, path, value=None):
        request = urllib.request.Request(
            self.url + "/_fake/" + path, method=method,
            data=None if value is None else json.dumps(value).encode())
        tls = ssl.create_default_context(cafile=self.ca)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=tls))
        try:
            with opener.open(request, timeout=120) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as e:
            with e:
                raise AssertionError(f"fakesqs: {json.load(e)['error']}") from None

    def fill(self, queue, n, **shares):
        """Send n login events: seed, duplicates, bad, groups."""
        return self.ask("POST", "fill", {"queue": queue.name, "n": n, **shares})

    def fault(self, fault, action="*", **more):
        """One more rule: times (1), skip (0), probability, ms, share, queue."""
        self.ask("POST", "faults", {"fault": fault, "action": action, **more})

    def clear(self):
        self.ask("DELETE", "faults")

    def hits(self):
        """How often each fault has struck."""
        hits = collections.Counter()
        for rule in self.ask("GET", "faults"):
            hits[rule["fault"]] += rule["hits"]
        return hits

    def expire(self, queue):
        """As if the visibility timeout of all that is in flight had passed."""
        return self.ask("POST", "expire", {"queue": queue.name})["expired"]

    def calls(self):
        return self.ask("GET", "report")["calls"]

    def report(self, queue):
        """Counts; every message that was sent has exactly one fate."""
        report = self.ask("GET", f"report?queue={queue.name}")
        assert report["agrees"], report
        assert report["sent"] == sum(report[fate] for fate in LIVE + OVER), report
        return report

    def fates(self, queue, fate=""):
        """Every message, or those of one fate."""
        report = self.ask("GET", f"report?queue={queue.name}&ids=1&fate={fate}")
        return [Fate(*m) for m in report["messages"]]

    def stop(self):
        """A sanitizer's complaint, or any other end than by SIGTERM, fails here."""
        self.process.terminate()
        try:
            rc = self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        assert rc == 0, f"fakesqs ended with {rc}"

"""lab.py - what a benchmark needs: PostgreSQL, a queue that is never the limit, and one run measured.

All of it on this machine, each process's CPU counted apart.  The queue is tests/fakes/fakesqs.
"""
import collections
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import fakesqs  # noqa: E402  pylint: disable=wrong-import-position
import pg       # noqa: E402  pylint: disable=wrong-import-position

BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build"))
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
            "track_commit_timestamp": "on", "max_connections": "100"}

CONFIG = """\
source:
  sqs: {{ queue_url: "{queue_url}", region: us-east-1, endpoint: "{endpoint}" }}
sink:
  postgres: {{ url: "{database}", table: user_logins }}
keys: {{ file: {keys} }}
columns:
  - {{ name: user_id, from: user_id, type: varchar(128), required: true }}
  - {{ name: device_type, from: device_type, type: varchar(32) }}
  - {{ name: masked_ip, from: ip, type: text, mask: siv }}
  - {{ name: masked_device_id, from: device_id, type: text, mask: siv }}
  - {{ name: locale, from: locale, type: varchar(32) }}
  - {{ name: app_version, from: app_version, type: text }}
  - {{ name: create_date, from: $sent_at, type: timestamptz }}
{more}"""

Sample = collections.namedtuple("Sample", "seconds cpu_s pg_cpu_s queue_cpu_s rss_mib requests rows wal_bytes")


class BenchCluster(pg.Cluster):
    """As it ships, but for SETTINGS."""

    def initdb(self):
        super().initdb()
        self.stop()
        self.append("postgresql.conf", "".join(f"{k} = '{v}'\n" for k, v in SETTINGS.items()))
        self.start()

    def cpu_s(self):
        """Of the server and all it has ever started."""
        with open(f"{self.data}/postmaster.pid", encoding="utf-8") as f:
            postmaster = int(f.readline())
        while True:
            ended = cpu_of(postmaster, and_ended=True)
            running = sum(map(cpu_of, children_of(postmaster)))
            if ended == cpu_of(postmaster, and_ended=True):  # else one ended between the two
                return ended + running


def stat_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return f.read().rpartition(")")[2].split()


def cpu_of(pid, and_ended=False):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return sum(map(int, stat_of(pid)[11:15 if and_ended else 13])) * TICK_S
    return 0


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
        return [int(child) for child in f.read().split()]


def wal_position(database):
    return int(database.one("SELECT pg_current_wal_lsn() - '0/0'")) if database else 0


class Peaks(threading.Thread):
    """The most memory that each has held.  (ru_maxrss also counts whoever started it.)"""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.kib = dict.fromkeys(pids, 0)
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            for pid in self.kib:
                with contextlib.suppress(OSError, StopIteration), \
                        open(f"/proc/{pid}/status", encoding="utf-8") as f:
                    self.kib[pid] = int(next(x for x in f if x.startswith("VmHWM")).split()[1])

    def stop(self):
        self.ended.set()
        self.join()


class Lab:
    """Servers for one session of measurements."""

    def __init__(self):
        self.files = contextlib.ExitStack()
        self.dir = pathlib.Path(self.files.enter_context(tempfile.TemporaryDirectory("-bench")))
        os.chmod(self.dir, 0o700)
        self.log = self.files.enter_context(open(self.dir / "log", "wb"))
        self.cluster = BenchCluster()
        self.files.callback(self.cluster.remove)
        self.ca = self.make_certificate()
        self.keys = self.dir / "ring.keys"
        self.made = 0
        sluice("keys", "new", str(self.keys), stdout=self.log)

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.dir / "tls.key",
                        "-out", self.dir / "tls.pem"], check=True, stderr=self.log)
        return str(self.dir / "tls.pem")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.files.close()

    @contextlib.contextmanager
    def queue(self, n, name="bench", attributes=None, tls=True, **fill):
        """A server of its own with n login events in one queue."""
        fake = fakesqs.Fake(BUILD / "sluice", self.log,
                            tls=(self.ca, self.dir / "tls.key") if tls else None)
        try:
            queue = fake.new_queue(name, **{"VisibilityTimeout": 600, **(attributes or {})})
            if n:
                fake.fill(queue, n, **fill)
            yield fake, queue
        finally:
            fake.stop()

    def database(self):
        return self.cluster.new_database()

    def config(self, fake, queue, database, more=""):
        self.made += 1
        path = self.dir / f"bench-{self.made}.yaml"
        path.write_text(CONFIG.format(
            queue_url=queue.url, endpoint=fake.url, keys=self.keys, more=more,
            database=database.url), encoding="utf-8")
        return path

    def environment(self, fake):
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return {**clean, "AWS_ACCESS_KEY_ID": fake.key_id, "AWS_SECRET_ACCESS_KEY": fake.secret,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CA_BUNDLE": self.ca}

    def log_tail(self):
        self.log.flush()
        return (self.dir / "log").read_text("utf-8", "replace")[-2000:]

    def measure(self, commands, fake, database, is_over=None):
        """Run one or several programs at the same time to their ends; a program that has none of its
        own is told to end when is_over() says so, and its time is until then."""
        calls = sum(fake.calls().values())
        before = (self.cluster.cpu_s(), cpu_of(fake.process.pid), wal_position(database))
        began = time.monotonic()
        running = [subprocess.Popen(c, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                    env=self.environment(fake)) for c in commands]
        peaks = Peaks([p.pid for p in running])
        seconds = None
        if is_over:
            while not is_over():
                time.sleep(0.05)
                if any(p.poll() is not None for p in running):
                    raise SystemExit(f"{commands} ended before its work: {self.log_tail()}")
            seconds = time.monotonic() - began
            for p in running:
                p.terminate()
        ends = [os.wait4(p.pid, 0) for p in running]
        seconds = seconds or time.monotonic() - began
        peaks.stop()
        for command, (_, status, _) in zip(commands, ends):
            if os.waitstatus_to_exitcode(status):
                raise SystemExit(f"{command} ended with {status}:\n{self.log_tail()}")
        for p, (_, status, _) in zip(running, ends):
            p.returncode = os.waitstatus_to_exitcode(status)
        return Sample(
            seconds=seconds,
            cpu_s=sum(u.ru_utime + u.ru_stime for _, _, u in ends),
            pg_cpu_s=self.cluster.cpu_s() - before[0],
            queue_cpu_s=cpu_of(fake.process.pid) - before[1],
            rss_mib=max(peaks.kib.values()) / 1024,
            requests=sum(fake.calls().values()) - calls,
            rows=database.count() if database else 0,
            wal_bytes=wal_position(database) - before[2])


def sluice(*arguments, **more):
    return subprocess.run([str(BUILD / "sluice"), *arguments], check=True,
                          stdin=subprocess.DEVNULL, **more)

"""pictures.py - the pictures of the docs, of runs that really go on: `make pictures`, six minutes.

    pictures.py [console | database | poison | keys ...]      into docs/img; all of them if none is named

Each prints what the operator is told besides, for the text around the picture.
"""
import contextlib
import math
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import pg  # noqa: E402  (the servers of the tests serve here as well)
import sluice as program  # noqa: E402
from browser import Browser  # noqa: E402
from events import LOGIN_TABLE, login, logins  # noqa: E402
from fakesqs import Fake  # noqa: E402
from monitor import Monitor  # noqa: E402
from wait import eventually  # noqa: E402

BINARY = str((ROOT / os.environ.get("SLUICE_BIN", "build/sluice")).resolve())
IMAGES = ROOT / "docs" / "img"
TOKEN = "a-token-for-the-pictures"


class Feeder:
    """Logins into the queue, so many a second, twice a second, in waves."""

    def __init__(self, fake, queue):
        self.fake, self.queue, self.rate, self.bad, self.n = fake, queue, 0, 0.0, 0
        self.has_ended = threading.Event()
        self.thread = threading.Thread(target=self.feed, daemon=True)
        self.thread.start()

    def feed(self):
        while not self.has_ended.wait(0.5):
            self.n += 1
            now = int(self.rate / 2 * (1 + 0.25 * math.sin(self.n / 11) + 0.07 * math.sin(self.n)))
            if now > 0:
                self.fake.fill(self.queue, now, seed=self.n, bad=self.bad)

    def stop(self):
        self.has_ended.set()
        self.thread.join()


class Stage:
    """A database, a queue that is fed, and runs to look at."""

    def __init__(self, folder):
        self.folder = folder
        self.log = open(folder / "fakesqs.log", "wb")
        self.fake = Fake(BINARY, self.log)
        self.cluster = pg.Cluster()
        self.db = self.cluster.new_database()
        self.db.execute(LOGIN_TABLE + ")")
        self.queue = self.fake.new_queue("logins", VisibilityTimeout=30)
        self.feeder = Feeder(self.fake, self.queue)
        self.made = []

    def sluice(self, name="sluice"):
        folder = self.folder / name
        folder.mkdir()
        env = {**program.clean_environment(folder, self.fake), "TZ": "UTC", "SLUICE_HTTP_TOKEN": TOKEN}
        s = program.Sluice(BINARY, folder, env, name).use(self.queue, self.db)
        s.settings["http"] = {"listen": pg.free_port()}
        s.postgres["url"] = self.db.tcp_url()  # no socket: its folder would be in the pictures
        s.settings["workers"] = 2
        self.made.append(s)
        return s

    def close(self):
        self.feeder.stop()
        for s in self.made:
            s.stop_all()
        self.cluster.remove()
        self.fake.stop()
        self.log.close()


@contextlib.contextmanager
def stage():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pictures-"))
    s = Stage(folder)
    try:
        yield s
    finally:
        s.close()
        shutil.rmtree(folder)


@contextlib.contextmanager
def browser(url, **how):
    b = Browser(**how).open(url + "/")
    try:
        yield b
    finally:
        b.close()


def pause(s):
    """Let a chart grow."""
    time.sleep(s)


def take(b, name, at=None):
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    b.do("await page.mouse.move(0, 0)")
    b.do("await page.evaluate((at) => at ? document.getElementById(at).scrollIntoView() : window.scrollTo(0, 0), args.at)",
         at=at)
    b.picture(path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def told(monitor, *metrics):
    samples = monitor.samples()
    print("  /readyz", monitor.ask("/readyz", Accept="text/plain")[2].strip().replace("\n", "\n          "))
    for line, value in samples.items():
        if line.startswith(metrics) and (value > 0 or "letters" not in line):
            print(f"  {line} {value:g}")


def give_token(b):
    b.sees("#token-dialog", "Token")
    b.do("await page.fill('#token-value', args.token)", token=TOKEN)
    b.keys("Enter")


def console(s):
    monitor = Monitor(s.sluice().begin())
    s.feeder.rate, s.feeder.bad = 420, 0.001
    pause(45)
    s.feeder.rate = 0
    pause(2)
    s.cluster.stop("fast")
    s.feeder.rate = 420
    pause(9)
    s.cluster.start()
    s.queue.send(['{"user_id": "u-1", '] * 2 + [login(n, app_version="2.3.0.1") for n in range(5)])
    pause(40)
    for name, how in {"light": {"height": 935}, "dark": {"height": 935, "scheme": "dark"},
                      "phone": {"width": 360, "height": 1180}}.items():
        with browser(monitor.url, **how) as b:
            b.sees("#dead-body", "Status")
            pause(7)
            take(b, f"console-{name}")


def database(s):
    monitor = Monitor(s.sluice().begin())
    s.feeder.rate = 180
    pause(35)
    with browser(monitor.url, height=940) as b:
        s.cluster.stop("fast")
        pause(30)
        told(monitor, "sluice_outage_seconds", "sluice_queue_messages", "sluice_load_failures")
        take(b, "incident-database")
        s.cluster.start()
        b.sees("#state", "✓ ready")
        pause(15)
        told(monitor, "sluice_outage_seconds", "sluice_queue_messages", "sluice_load_retries")
        take(b, "incident-database-after")


def poison(s):
    sluice = s.sluice()
    running = sluice.begin()
    monitor = Monitor(running)
    s.feeder.rate = 60
    pause(20)
    with browser(monitor.url, height=960) as b:
        for first in range(0, 120, 10):
            s.queue.send(logins(10, first=first, device_type=...))
            pause(1)
        b.sees("#reasons", "missing_fielddevice_type120")
        told(monitor, "sluice_dead_letters_total", "sluice_messages_dead")
        take(b, "incident-poison")
        sluice.settings["columns"][1]["required"] = False
        running.stop()
        Monitor(sluice.begin())
        b.sees("#facts", "up \\d s")
        pause(20)
        b.click("#reasons button")
        retry_all(b)
        give_token(b)
        b.sees("#dead-result", "Retried: 120 loaded")
        told(monitor, "sluice_dead_letters_total")
        take(b, "incident-poison-after")


def keys_read(running, n=1):
    eventually(lambda: running.err.count("the keys were read again")
               + running.err.count("could not read the keys again") >= n)


def retry_all(b):
    b.click("#retry")
    b.click("#confirm-yes")


def keys(s):
    one, two = s.sluice("one"), s.sluice("two")
    two.settings["workers"] = 1
    two.settings["columns"][1]["required"] = False  # it has the new configuration already
    first = one.begin()
    monitor = Monitor(first)
    shutil.copy(one.keys, two.keys)
    second = two.begin()
    other = Monitor(second)
    s.feeder.rate = 60
    pause(15)
    one.good("keys", "add", one.keys)
    two.good("keys", "add", two.keys)  # in place of a copy: the mistake
    for sluice, running in ((one, first), (two, second)):
        running.send(signal.SIGHUP)
        keys_read(running)
    one.good("keys", "activate", one.keys, "k2")
    first.send(signal.SIGHUP)
    keys_read(first, 2)
    pause(2)
    while len(s.db.dead()) < 20:  # that came to the first, and not to the second
        s.queue.send(logins(50, device_type=...))
        pause(1)
    n = len(s.db.dead())
    with browser(other.url, height=660) as b:
        b.sees("#reasons", f"missing_fielddevice_type{n}")
        told(monitor, "sluice_key_info")
        told(other, "sluice_key_info")
        b.click("#reasons button")
        retry_all(b)
        give_token(b)
        b.sees("#dead-result", f"Retried: {n} left closed")
        print(" ", b.text("#dead-result"))
        take(b, "incident-keys", "workers-title")
        shutil.copy(one.keys, two.keys)
        second.send(signal.SIGHUP)
        b.sees("#facts", "k1, k2|k2, k1")
        retry_all(b)
        b.sees("#dead-result", f"Retried: {n} loaded")
        told(other, "sluice_key_info")
        print(" ", b.text("#facts"), b.text("#dead-result"))
        take(b, "incident-keys-after", "workers-title")


def main(names):
    acts = {"console": console, "database": database, "poison": poison, "keys": keys}
    for name in names or acts:
        print(name)
        with stage() as s:
            acts[name](s)


main(sys.argv[1:])

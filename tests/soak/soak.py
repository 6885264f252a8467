#!/usr/bin/env python3
"""soak.py - for some minutes everything breaks at random; then every message is looked for.

    make soak MINUTES=10                    or, with a seed that a run before has printed:
    SLUICE_BIN=build/sluice python tests/soak/soak.py --minutes 10 --seed 4711

Several sluice processes share one queue of our own SQS server and one private PostgreSQL.  The seed
decides what is sent and what strikes in which order; the moments are the machine's.  Exits 1 if a
message is lost, doubled or unexplained, a process ends as it should not, or takes too much memory.
"""
import argparse
import contextlib
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import pg  # noqa: E402: found by the path above
import sluice as program  # noqa: E402
from audit import Audit  # noqa: E402
from fakesqs import Fake  # noqa: E402
from fleet import Fleet  # noqa: E402
from strikes import Strikes  # noqa: E402
from wait import eventually  # noqa: E402

BACKLOG = 20000  # messages kept waiting, so that nobody is ever idle
TICK_S = 0.05
DRAIN_S = 120


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--processes", type=int, default=3)
    given = parser.parse_args()
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(1, 2 ** 31)
    return given


class Feeder:
    """Keeps the queue full; the seed says with what."""

    def __init__(self, fake, queue, seed):
        self.fake, self.queue, self.seed = fake, queue, seed
        self.sent = 0
        self.due = 0

    def tend(self, now):
        if now < self.due:
            return
        self.due = now + 0.5
        if self.fake.report(self.queue)["visible"] < BACKLOG:
            self.seed += 1
            self.sent += self.fake.fill(self.queue, BACKLOG, seed=self.seed, bad=0.01,
                                        duplicates=0.05)["sent"]


def strike_until(end, feeder, fleet, strikes):
    said = 0
    while (now := time.monotonic()) < end:
        feeder.tend(now)
        fleet.tend(now)
        strikes.tend(now)
        if now > said + 30:
            said = now
            print(f"{end - now:5.0f} s to go: {feeder.sent} sent, "
                  f"{sum(strikes.struck.values())} strikes, "
                  f"{fleet.samples[-1][1] // 1024} MiB", flush=True)
        time.sleep(TICK_S)


def drain(fake, queue, fleet):
    """Without faults the processes that are there must end it."""
    def is_over():
        fleet.tend(time.monotonic())
        report = fake.report(queue)
        return report["visible"] + report["in_flight"] + report["delayed"] == 0

    try:
        eventually(is_over, within=DRAIN_S, every=0.2, what="the queue is empty")
    except AssertionError as e:
        fleet.wrong.append(str(e))


def soak(given, folder, cluster, fake):
    db = cluster.new_database()
    queue = fake.new_queue(VisibilityTimeout=5)
    binary = os.path.abspath(os.environ.get("SLUICE_BIN", "build/sluice"))
    s = program.Sluice(binary, folder, program.clean_environment(folder, fake))
    s.use(queue, db).with_message_id().in_parallel(2, 4)
    s.settings["memory"] = "32MiB"
    s.drain()  # makes the key file and the table
    fleet = Fleet(s, given.processes, random.Random(given.seed + 1))
    feeder = Feeder(fake, queue, given.seed)
    strikes = Strikes(random.Random(given.seed), fake, queue, db, fleet)
    try:
        strike_until(time.monotonic() + 60 * given.minutes, feeder, fleet, strikes)
        strikes.end()
        print("no more faults; what is left is drained", flush=True)
        drain(fake, queue, fleet)
        fleet.end()
        audit = Audit(fake.fates(queue), db)
    finally:
        fleet.kill()
    return report(strikes, fleet, audit)


def report(strikes, fleet, audit):
    print(f"\n{'injected':34}times")
    for what, n in sorted((strikes.struck + strikes.weather()).items()):
        print(f"{what:34}{n}")
    usual = ", ".join(f"{fleet.usual_kib(quarter) / 1024:.0f}" for quarter in (1, 2, 3, 4))
    print(f"\nprocesses started {fleet.started}, {fleet.peak_kib / 1024:.0f} MiB at most; the oldest "
          f"by quarters {usual} MiB")
    print(audit.line)
    for complaint in fleet.complaints() + audit.complaints():
        print("WRONG:", complaint)
    return 1 if fleet.complaints() or audit.complaints() else 0


def main():
    given = arguments()
    print(f"soak: {given.minutes:g} minutes, {given.processes} processes, seed {given.seed}",
          flush=True)
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="sluice-soak-")
        cluster = pg.Cluster()
        stack.callback(cluster.remove)
        log = stack.enter_context(open(f"{folder}/fakesqs.log", "wb"))
        fake = Fake(os.environ.get("SLUICE_BIN", "build/sluice"), log, seed=given.seed)
        stack.callback(fake.stop)
        rc = soak(given, folder, cluster, fake)
    if rc:
        print("the logs are in", folder)
    else:
        shutil.rmtree(folder)
    return rc


if __name__ == "__main__":
    sys.exit(main())

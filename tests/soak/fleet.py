"""fleet.py - the sluice processes of a soak: ended in every way, started again, watched."""
import contextlib
import os
import signal
import time

from wait import eventually

SAMPLE_S = 1
LIMIT_KIB = 128 * 1024  # `memory: 32MiB` ends near 100; a leak passes it, given the time
GRACE_S = 90            # for an end that was asked for, in whatever weather


class Member:
    def __init__(self):
        self.running = None
        self.start_due = 0      # started again from then on
        self.wake_due = None    # stopped until then
        self.asked_at = None    # SIGTERM, when


class Fleet:
    """The first member is never ended, so that its memory can be watched for as long as it takes."""

    def __init__(self, program, n, random):
        self.program, self.random = program, random
        self.members = [Member() for _ in range(n)]
        self.started = 0
        self.wrong = []
        self.samples = []  # (time, KiB) of the first member
        self.peak_kib = 0
        self.sample_due = 0
        program.write()

    # What may be done to one

    def mortal(self):
        able = [m for m in self.members[1:] if m.running and m.asked_at is None]
        return self.random.choice(able) if able else None

    def kill_one(self):
        m = self.mortal()
        if m is None:
            return False
        m.running.process.kill()
        m.running.process.wait()
        self.forget(m)
        return True

    def term_one(self):
        m = self.mortal()
        if m is None or m.wake_due is not None or threads(m.running) < 5:
            return False  # one that still waits for its database simply ends
        m.running.send(signal.SIGTERM)
        m.asked_at = time.monotonic()
        return True

    def sleep_one(self):
        awake = [m for m in self.members if m.running and m.wake_due is None]
        if not awake:
            return False
        m = self.random.choice(awake)
        m.running.send(signal.SIGSTOP)
        m.wake_due = time.monotonic() + self.random.choice([0.2, 1, 4, 8])
        return True

    # Looking after them

    def forget(self, m):
        m.running = m.wake_due = m.asked_at = None
        m.start_due = time.monotonic() + self.random.uniform(0, 4)

    def tend(self, now):
        for m in self.members:
            self.tend_one(m, now)
        if now >= self.sample_due:
            self.sample_due = now + SAMPLE_S
            self.sample(now)

    def tend_one(self, m, now):
        if m.running is None:
            if now >= m.start_due:
                m.running = self.program.start("run", "-c", self.program.path, "--wait", "120")
                self.started += 1
            return
        if m.wake_due is not None and now >= m.wake_due:
            m.running.send(signal.SIGCONT)
            m.wake_due = None
        if not m.running.is_alive():
            self.judge(m)
            self.forget(m)
        elif m.asked_at is not None and m.wake_due is None and now > m.asked_at + GRACE_S:
            self.wrong.append(f"still there {GRACE_S} s after SIGTERM: {m.running.err_path}")
            m.running.kill()

    def judge(self, m):
        """Nobody ends but by being asked to, with 0 and a summary that adds up."""
        result = m.running.result()
        if m.asked_at is None or result.rc != 0:
            self.wrong.append(f"ended with {result.rc}: {m.running.err_path}")
            return
        try:
            _ = result.summary
        except AssertionError as e:
            self.wrong.append(f"{e}: {m.running.err_path}")

    def sample(self, now):
        for i, m in enumerate(self.members):
            kib = rss_kib(m.running)
            self.peak_kib = max(self.peak_kib, kib)
            if i == 0 and kib:
                self.samples.append((now, kib))

    def end(self):
        """All are asked to end."""
        self.wake()
        for m in self.members:
            if m.running and m.asked_at is None:
                eventually(lambda: threads(m.running) >= 5, what="its workers are there")
                m.running.send(signal.SIGTERM)
                m.asked_at = time.monotonic()
        for m in self.members:
            if m.running:
                m.running.wait(GRACE_S)
                self.judge(m)

    def wake(self):
        for m in self.members:
            if m.running and m.wake_due is not None:
                m.running.send(signal.SIGCONT)
                m.wake_due = None

    def kill(self):
        self.program.stop_all()

    # What it came to

    def usual_kib(self, quarter):
        """The median of the first member in a quarter of its time, 1 to 4."""
        n = len(self.samples)
        part = sorted(kib for _, kib in self.samples[n * (quarter - 1) // 4:n * quarter // 4])
        return part[len(part) // 2] if part else 0

    def complaints(self):
        said = list(self.wrong)
        if self.peak_kib > LIMIT_KIB:
            said.append(f"a process took {self.peak_kib // 1024} MiB")
        return said


def threads(running):
    """Two workers, two helpers and the first one: signals are taken from then on."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{running.pid}/task"))
    return 0


def rss_kib(running):
    with contextlib.suppress(OSError, AttributeError, StopIteration):
        with open(f"/proc/{running.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])
    return 0

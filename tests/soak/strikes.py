"""strikes.py - what happens to the queue, the database and the processes of a soak."""
import collections
import contextlib
import os
import signal
import time

import psycopg2

WEATHER_S = 15  # until other faults of the queue, or none for a while
# Faults of the queue that a soak can meet, and on which calls.
WEATHER = [
    ("throttle", "*"), ("error_500", "*"), ("error_503", "*"),
    ("expired_token", "ReceiveMessage"), ("expired_token", "DeleteMessageBatch"),
    ("reset_before", "*"), ("reset_after", "*"), ("late_500", "*"), ("truncated", "*"),
    ("half_json", "*"), ("html", "*"), ("slow", "*"), ("slow_reply", "*"), ("black_hole", "*"),
    ("duplicate", "ReceiveMessage"), ("twice", "ReceiveMessage"),
    ("out_of_order", "ReceiveMessage"), ("wrong_md5", "ReceiveMessage"),
    ("duplicate", "DeleteMessageBatch"), ("partial", "DeleteMessageBatch"),
    ("expired_handle", "DeleteMessageBatch"), ("expired_handle", "ChangeMessageVisibilityBatch"),
]
OWN = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice'"
REFUSING = """
    CREATE OR REPLACE FUNCTION not_now() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$;
    SET lock_timeout = '2s';
    CREATE CONSTRAINT TRIGGER not_now AFTER INSERT ON user_logins
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE not_now()"""
SPARING = "SET lock_timeout = '2s'; DROP TRIGGER IF EXISTS not_now ON user_logins"


class Strikes:
    """One strike every second or so; most end by themselves, the others when they are due."""

    def __init__(self, random, fake, queue, db, fleet):
        self.random, self.fake, self.queue, self.db, self.fleet = random, fake, queue, db, fleet
        self.struck = collections.Counter()
        self.hits = collections.Counter()
        self.undo = []  # (when, what)
        self.is_away = False
        self.strike_due = self.weather_due = 0
        self.kinds = [
            ("sluice: kill -9", 5, fleet.kill_one), ("sluice: SIGTERM", 4, fleet.term_one),
            ("sluice: SIGSTOP, later SIGCONT", 5, fleet.sleep_one),
            ("queue: all in flight visible", 6, self.expire),
            ("queue: server stops answering", 2, self.freeze_queue),
            ("backends: terminated", 6, self.terminate), ("backends: canceled", 3, self.cancel),
            ("backend: kill -9", 1, self.crash),
            ("cluster: restart, immediate", 1, self.restart("immediate")),
            ("cluster: restart, fast", 1, self.restart("fast")),
            ("cluster: read-only", 2, self.read_only), ("table: locked", 3, self.lock),
            ("table: COMMIT fails with 40001", 3, self.refuse),
        ]

    def tend(self, now):
        for entry in [e for e in self.undo if now >= e[0]]:
            self.undo.remove(entry)
            entry[1]()
        if now >= self.weather_due:
            self.weather_due = now + WEATHER_S
            self.change_weather()
        if now >= self.strike_due:
            self.strike_due = now + self.random.uniform(0.1, 2)
            self.strike()

    def strike(self):
        name, _, act = self.random.choices(self.kinds, [weight for _, weight, _ in self.kinds])[0]
        with contextlib.suppress(psycopg2.Error, ProcessLookupError):  # it is away already
            if act():
                self.struck[name] += 1

    def later(self, seconds, what):
        self.undo.append((time.monotonic() + seconds, what))

    def end(self):
        while self.undo:  # what does not work yet comes again
            self.undo.sort(key=lambda e: e[0])
            self.undo.pop(0)[1]()
        self.count_hits()
        self.fake.clear()
        self.fleet.wake()

    # The queue

    def change_weather(self):
        self.count_hits()
        self.fake.clear()
        for kind, action in self.random.sample(WEATHER, self.random.choice([0, 2, 5, 12])):
            self.fake.fault(kind, action, ms=500,
                            probability=self.random.choice([0.001, 0.005, 0.02]))

    def count_hits(self):
        self.hits += self.fake.hits()

    def weather(self):
        return collections.Counter({f"queue: {kind}": n for kind, n in self.hits.items()})

    def expire(self):
        return self.fake.expire(self.queue) > 0

    def freeze_queue(self):
        """Answers come late; it must be awake before anybody asks it anything."""
        self.fake.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.choice([0.5, 2]))
        self.fake.process.send_signal(signal.SIGCONT)
        return True

    # The database

    def terminate(self):
        return self.db.one(f"SELECT count(pg_terminate_backend(pid)) {OWN}") > 0

    def cancel(self):
        return self.db.one(f"SELECT count(pg_cancel_backend(pid)) {OWN} AND state = 'active'") > 0

    def crash(self):
        pids = self.db.rows(f"SELECT pid {OWN}")
        if pids:
            os.kill(self.random.choice(pids)[0], signal.SIGKILL)
        return bool(pids)

    def restart(self, mode):
        def act():
            if self.is_away or not self.db.cluster.is_running():
                return False
            self.is_away = True
            self.db.cluster.stop(mode)
            self.later(self.random.choice([0, 1, 4]), self.come_back)
            return True
        return act

    def come_back(self):
        self.db.cluster.start()
        self.is_away = False

    def until_it_works(self, execute, statement):
        """What must be undone is, as soon as the database lets us."""
        def act():
            try:
                execute(statement)
            except psycopg2.Error:
                self.later(0.5, act)
        return act

    def read_only(self):
        self.db.admin(f"ALTER DATABASE {self.db.name} SET default_transaction_read_only = on")
        self.later(self.random.choice([1, 3]), self.until_it_works(
            self.db.admin, f"ALTER DATABASE {self.db.name} RESET default_transaction_read_only"))
        self.terminate()
        return True

    def lock(self):
        c = self.db.connect()
        c.autocommit = False
        c.cursor().execute("SET lock_timeout = '2s'; LOCK TABLE user_logins IN EXCLUSIVE MODE")
        self.later(self.random.choice([0.5, 3, 12]), c.close)
        return True

    def refuse(self):
        self.db.execute(REFUSING)
        self.later(2, self.until_it_works(self.db.execute, SPARING))
        return True

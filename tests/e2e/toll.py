"""toll.py - what each fault has cost: counted after every test of a fault, printed by `make faults`.

    @pytest.mark.fault("a backend dies", "kill -9 in the middle of a load")
    def test_...(sluice, queue, db, recovery):
        ...
        with recovery:                          measures; optional
            eventually(lambda: db.count() == 40)

Nobody has to call anything: every Queue knows what was sent to it, and the table or the ledger of
dead letters knows what became of it.
"""
import collections
import contextlib
import json
import time

from fakesqs import LIVE
from sluice import Sluice

COLUMNS = ("fault", "injected", "observed", "lost", "doubled", "recovered in")
WIDEST = 58  # characters of a cell


class Recovery:
    """Time from the end of the fault until all is well again."""

    def __init__(self):
        self.seconds = None

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.seconds = time.monotonic() - self.began


def landed(db):
    """Message ids of rows, None for a row that cannot be traced; and of dead letters."""
    rows = []
    if db.has("user_logins"):
        traced = db.one("SELECT count(*) FROM pg_attribute WHERE attname = 'message_id' AND"
                        " attrelid = 'user_logins'::regclass AND NOT attisdropped")
        column = "message_id" if traced else "NULL"
        rows = [i for i, in db.rows(f"SELECT {column} FROM user_logins")]
    dead = db.rows("SELECT message_id FROM sluice.dead_letter") if db.has(
        "sluice.dead_letter") else []
    return rows, [i for i, in dead]


def on_queues(have):
    """(ids of all that was sent, how many of them a queue still has)"""
    if "fake" in have:
        fates = [fate for queue in have["fake"].queues for fate in have["fake"].fates(queue)]
        return [f.id for f in fates], sum(f.fate in LIVE for f in fates)
    queues = have["make_queue"].queues
    return [i for q in queues for i in q.sent], sum(sum(q.counts()) for q in queues)


def count(sent, queued, rows, dead):
    """(lost, doubled) of the messages that were sent, when so many are still in a queue."""
    if None in rows:  # rows without an id: only how many there are can tell
        missing = len(sent) - queued - len(rows) - len(dead)
        return max(0, missing), max(0, -missing - queued)
    ends = collections.Counter(rows + dead)
    missing = len(set(sent) - set(ends))
    return max(0, missing - queued), sum(n - 1 for n in ends.values())


def complaints(running):
    """What the processes said of it: each thing once, and how often."""
    said = collections.Counter()
    for process in running:
        for line in process.err.splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry["log.level"] in ("warn", "error"):
                    said[entry.get("db.response.status_code") or entry.get("error.code")
                         or entry["message"]] += 1
    return ", ".join(f"{what} {n}x" if n > 1 else what for what, n in said.items())


def row_of(item):
    """The row of a test of a fault that has just run, pass or fail."""
    mark = item.get_closest_marker("fault")
    have = item.funcargs
    row = dict.fromkeys(COLUMNS, "?")
    row["fault"], row["injected"] = mark.args
    if "callspec" in item.__dict__:
        row["injected"] += f" [{item.callspec.id}]"
    with contextlib.suppress(Exception):  # the table is no test: what it cannot see is a "?"
        program = next(value for value in have.values() if isinstance(value, Sluice))
        row["observed"] = complaints(program.started) or "nothing to say"
        row["lost"], row["doubled"] = count(*on_queues(have), *landed(have["db"]))
    seconds = have["recovery"].seconds if "recovery" in have else None
    row["recovered in"] = "" if seconds is None else f"{seconds:.1f} s"
    return row


def table(rows):
    cells = [COLUMNS] + [tuple(cut(str(row[c])) for c in COLUMNS) for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in cells]


def cut(text):
    return text if len(text) <= WIDEST else text[:WIDEST - 3] + "..."

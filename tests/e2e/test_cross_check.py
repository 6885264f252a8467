"""test_cross_check.py - thousands of tokens against Python's AES-SIV, and where a run holds its keys."""
import base64
import os
import random
import re
import signal

import pytest

import tokens
from events import login
from wait import eventually

VALUES = 10_000
VALUE_MAX = 159  # bytes
RANGES = [(0x00, 0x7f), (0x20, 0x7e), (0x80, 0x7ff), (0x800, 0xd7ff), (0xe000, 0xffff),
          (0x10000, 0x10ffff)]


def random_text(r, n):
    """Text of exactly n bytes of UTF-8, of any characters that are not the end of a line."""
    out = b""
    while len(out) < n:
        char = chr(r.randint(*r.choice(RANGES))).encode()
        if char not in (b"\n", b"\r") and len(out) + len(char) <= n:
            out += char
    return out.decode()


def random_values(seed):
    """Every length at least once, then any."""
    r = random.Random(seed)
    lengths = [*range(1, VALUE_MAX + 1)] + [r.randint(1, VALUE_MAX)
                                            for _ in range(VALUES - VALUE_MAX)]
    return [random_text(r, n) for n in lengths]


def lines_of(texts):
    return "".join(t + "\n" for t in texts).encode()


def put_keys(sluice, **states):
    """A key file with keys of these states; {kid: master}."""
    masters = {kid: os.urandom(32) for kid in states}
    write_keys(sluice, *(tokens.key_line(kid, masters[kid], state)
                         for kid, state in states.items()))
    return masters


def write_keys(sluice, *lines):
    with open(sluice.keys + ".new", "w", encoding="ascii") as f:
        f.writelines(lines)
    os.chmod(sluice.keys + ".new", 0o600)
    os.replace(sluice.keys + ".new", sluice.keys)


# Tokens, made and opened by two programs

def test_python_opens_every_token(bare):
    keys = put_keys(bare, k1="active", k2="decrypt")
    values = random_values(1)
    made = bare.good("mask", "--keys", bare.keys, "--context", "ip",
                     stdin=lines_of(values)).text.splitlines()
    assert len(made) == VALUES
    for value, token in zip(values, made):
        assert token.startswith("v1.k1.") and tokens.unmask(keys, "ip", token) == value
    assert len(set(made)) == len(set(values))


def test_every_token_of_python_opens(sluice, queue, db):
    keys = put_keys(sluice, k1="decrypt", k2="active")
    sluice.drain()
    values = random_values(2)
    made = [tokens.mask(keys, "ip", value, "k%d" % (1 + i % 2)) for i, value in enumerate(values)]
    result = sluice.good("unmask", "-c", sluice.path, "--context", "ip", "--reason", "cross-check",
                         stdin=lines_of(made))
    assert result.out == lines_of(values)
    assert db.one("SELECT sum(n) FROM sluice.unmask_audit") == VALUES


# The memory of a run

MAPPING_MAX = 1 << 30  # bytes; only a sanitizer has larger ones
CHUNK = 1 << 20

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the program is not dumpable: only root may"
                                                       " read its memory")


def mappings(pid):
    """(start, end, flags) of each readable mapping."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) ", line)
            if head:
                start, end, rights = int(head[1], 16), int(head[2], 16), head[3]
            elif line.startswith("VmFlags:") and rights[0] == "r" and end - start <= MAPPING_MAX:
                yield start, end, line.split()[1:]


def found_in(pid, needle):
    """The flags of the mapping of every place where these bytes are."""
    found = []
    searched = 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, flags in mappings(pid):
            tail = b""
            for at in range(start, end, CHUNK):
                try:
                    data = tail + os.pread(memory.fileno(), min(CHUNK, end - at), at)
                except OSError:
                    tail = b""  # pages of the kernel's own
                    continue
                searched += len(data)
                found += [flags] * data.count(needle)
                tail = data[-(len(needle) - 1):]
    assert searched > 1 << 20, "nothing was searched"
    return found


def has_sanitizer(pid):
    """They make mlock do nothing."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as f:
        maps = f.read()
    return "libasan" in maps or "libtsan" in maps


def load(running, queue, db, body, n):
    """One more batch of one message."""
    queue.send([body])
    eventually(lambda: db.count() == n if running.is_alive() else running.result(),
               what=f"{n} rows loaded")
    assert running.is_alive(), running.result()


def reload(running, n):
    running.send(signal.SIGHUP)
    eventually(lambda: running.err.count("the keys were read again") == n, what="keys read again")


@as_root
def test_a_run_holds_a_master_key_in_memory_that_is_not_dumped_and_forgets_it(sluice, queue, db):
    old = put_keys(sluice, k1="active")["k1"]
    text = base64.b64encode(old)
    running = sluice.begin("--log-level", "debug")
    eventually(lambda: db.one("SELECT to_regclass('user_logins') IS NOT NULL"), what="the table")
    load(running, queue, db, login(1), 1)

    places = found_in(running.pid, old)
    assert len(places) == 1 and "dd" in places[0], places
    assert ("lo" in places[0] or "cannot be locked" in running.err
            or has_sanitizer(running.pid)), places
    assert found_in(running.pid, text) == []
    assert found_in(running.pid, b"user_logins") != [], "the search finds nothing at all"

    new = put_keys(sluice, k2="active")["k2"]
    reload(running, 1)
    load(running, queue, db, login(2), 2)
    reload(running, 2)
    load(running, queue, db, login(3), 3)
    assert found_in(running.pid, old) == [] == found_in(running.pid, text)
    for context in ("ip", "device_id", "dead_letter"):
        derived = tokens.derive(old, f"sluice/v1/siv/k1/{context}", 64)
        assert found_in(running.pid, derived[:32]) == [] == found_in(running.pid, derived[32:])
    places = found_in(running.pid, new)
    assert 1 <= len(places) <= 2 and all("dd" in flags for flags in places), places
    assert found_in(running.pid, base64.b64encode(new)) == []
    kids = [t.split(".")[1] for t, in db.rows("SELECT masked_ip FROM user_logins ORDER BY user_id")]
    assert kids == ["k1", "k2", "k2"]
    assert running.stop().summary.loaded == 3

"""test_reload.py - SIGHUP reads the keys again; what cannot be used changes nothing."""
import json
import os
import signal
import time

import pytest

import tokens
from events import login
from sluice import wait_for_text
from wait import SLOWER, eventually

KEY_1, KEY_2 = tokens.MASTER, bytes(range(100, 132))
FPE = {"name": "masked_device_id", "from": "device_id", "type": "text", "mask": "fpe",
       "format": "ddd-dd-dddd"}


def put(sluice, *lines):
    """Replace the key file as `sluice keys` does: by renaming."""
    with open(sluice.keys + ".new", "w", encoding="ascii") as f:
        f.writelines(lines)
    os.chmod(sluice.keys + ".new", 0o600)
    os.rename(sluice.keys + ".new", sluice.keys)


def said(running, text):
    return running.err.count(text)


def test_a_ring_that_a_column_cannot_use_leaves_the_old_one(sluice, queue, db):
    """However often: what is in use must not be freed."""
    sluice.settings["columns"][3] = dict(FPE)
    put(sluice, tokens.key_line("k1", KEY_1))
    queue.send([login(1)])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    put(sluice, tokens.key_line("k1", KEY_1, "retired"), tokens.key_line("k2", KEY_2))
    for n in range(3):
        running.send(signal.SIGHUP)
        eventually(lambda: said(running, "keeping the old ones") == n + 1)
    queue.send([login(2)])
    eventually(lambda: db.count() == 2)
    assert running.stop().summary.loaded == 2
    keys = {"k1": KEY_1}
    assert all(tokens.unmask(keys, "ip", t) for t, in db.rows("SELECT masked_ip FROM user_logins"))


def test_keys_that_come_during_an_outage_are_taken_when_it_is_over(sluice, queue, db, cluster):
    """Nobody sends SIGHUP again to every process of a fleet."""
    put(sluice, tokens.key_line("k1", KEY_1))
    queue.send([login(1)])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    cluster.stop()
    put(sluice, tokens.key_line("k1", KEY_1, "decrypt"), tokens.key_line("k2", KEY_2))
    running.send(signal.SIGHUP)
    wait_for_text(running, "keeping the old ones")
    cluster.start()
    wait_for_text(running, "the keys were read again")
    queue.send([login(2)])
    eventually(lambda: db.count() == 2)
    assert running.stop().summary.loaded == 2
    assert db.one("SELECT count(*) FROM user_logins WHERE masked_ip LIKE 'v1.k2.%%'") == 1


def test_every_hangup_is_heeded_though_a_batch_is_under_way(sluice, queue, db):
    put(sluice, tokens.key_line("k1", KEY_1))
    queue.send([login(1)])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    queue.send([login(2)])
    with db.locked():
        eventually(db.waiting_for_locks, what="a batch is under way")
        for n in range(1, 4):
            put(sluice, tokens.key_line("k1", KEY_1, "decrypt"),
                tokens.key_line(f"n{n}", bytes([n]) * 32))
            running.send(signal.SIGHUP)
            eventually(lambda: said(running, "the keys were read again") == n)
    eventually(lambda: db.count() == 2)
    queue.send([login(3)])
    eventually(lambda: db.count() == 3)
    running.stop()
    assert db.one("SELECT masked_ip FROM user_logins WHERE user_id = 'user-0003'").startswith(
        "v1.n3.")


def test_a_hangup_during_the_start_does_no_harm(sluice, queue, db, cluster):
    sluice.make_keys()
    cluster.stop("fast")
    running = sluice.begin("--wait", "30")
    wait_for_text(running, "waiting for the database")
    running.send(signal.SIGHUP)
    cluster.start()
    queue.send([login(1)])
    eventually(lambda: db.count() == 1, within=30)
    assert running.stop().summary.loaded == 1


def test_a_slow_key_command_does_not_delay_a_stop(sluice, queue, db):
    put(sluice, tokens.key_line("k1", KEY_1))
    script, mark = sluice.folder + "/print-keys", sluice.folder + "/slow"
    with open(script, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\n[ -e {mark} ] && touch {mark}.on && exec sleep 60\n"
                f"cat {sluice.keys}\n")
    os.chmod(script, 0o700)
    sluice.settings["keys"] = {"command": script}
    queue.send([login(1)])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    with open(mark, "w", encoding="ascii"):
        running.send(signal.SIGHUP)
    eventually(lambda: os.path.exists(mark + ".on"), what="the command runs")
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 8 * SLOWER


@pytest.mark.parametrize("kid", [None, "k9"])
def test_no_column_hangs_on_the_order_of_keys(sluice, queue, db, kid):
    """JSON has its keys in any order; k10 may stand before k9."""
    sluice.settings["columns"][3] = dict(FPE)
    put(sluice, tokens.key_line("k9", KEY_1))
    queue.send([login(1, device_id="123-45-6789")])
    sluice.drain()
    encoded = {k: tokens.key_line(k, m).split()[2] for k, m in (("k10", KEY_2), ("k9", KEY_1))}
    put(sluice, json.dumps({"active": "k10", "keys": encoded}))
    queue.send([login(2, device_id="123-45-6789")])
    if kid is None:
        result = sluice.run("--until-empty")
        assert result.rc == 78 and "kid" in result.err and db.count() == 1, result
        return
    sluice.settings["columns"][3]["kid"] = kid
    sluice.drain()
    assert db.one("SELECT count(DISTINCT masked_device_id) FROM user_logins") == 1

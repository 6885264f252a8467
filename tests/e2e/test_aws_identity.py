"""test_aws_identity.py - as whom the queue is asked: every place, what goes wrong there, and what
becomes of keys that end while a run goes on."""
import os

import pytest

from aws import Gate, Keys
from events import logins
from wait import eventually

VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED")


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def gate(moto, keys):
    g = Gate(moto, keys)
    yield g
    g.stop()


@pytest.fixture
def stranger(sluice, gate):
    """The program with no keys at all, in front of a queue that asks for some."""
    for name in VARIABLES:
        sluice.env.pop(name)
    sluice.env["AWS_ENDPOINT_URL_SQS"] = gate.url
    return sluice


def write(sluice, name, text):
    path = os.path.join(sluice.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)
    return path


# ---- keys that change ---------------------------------------------------------------------------

def test_keys_that_are_changed_in_a_profile_are_taken_up_when_the_old_ones_are_refused(
        stranger, queue, gate, keys, db):
    first = keys.new()
    write(stranger, ".aws/credentials", first.profile())
    queue.send(logins(3))
    running = stranger.in_parallel().begin()
    eventually(lambda: db.has("user_logins") and db.count() == 3, what="the first are loaded")
    second = keys.new()
    write(stranger, ".aws/credentials", second.profile())
    keys.forget(first)
    queue.send(logins(3, first=3))
    eventually(lambda: db.count() == 6, what="those behind them are loaded")
    result = running.stop()
    assert result.summary.loaded == 6
    assert "InvalidClientTokenId" in gate.refused
    assert set(gate.used) == {first.id, second.id}
    assert first.secret not in result.err and second.secret not in result.err

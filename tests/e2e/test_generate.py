"""test_generate.py - seeded logins, with the shares of duplicates and bad records asked for."""
import collections
import json

import pytest

import sluice as program
from events import is_login


def generate(bare, *arguments):
    return bare.good("generate", *arguments).text.splitlines()


def test_the_same_seed_gives_the_same_logins(bare):
    first = generate(bare, "--count", "50", "--seed", "5")
    assert first == generate(bare, "--count", "50", "--seed", "5")
    assert first != generate(bare, "--count", "50", "--seed", "6")
    assert len(first) == 50


def test_logins_are_as_real_ones(bare):
    values = list(map(json.loads, generate(bare, "--count", "400", "--seed", "1")))
    assert all(is_login(json.dumps(v)) for v in values)
    nulls = sum(v["locale"] is None for v in values) / len(values)
    assert 0.2 < nulls < 0.4
    assert all(v["locale"] is None or (len(v["locale"]) == 2 and v["locale"].isupper())
               for v in values)
    parts = collections.Counter(v["app_version"].count(".") for v in values)
    assert set(parts) == {1, 2} and min(parts.values()) > 40


def test_duplicates_are_a_share_of_ips_and_devices(bare):
    values = list(map(json.loads, generate(bare, "--count", "300", "--seed", "1", "--duplicates",
                                           "0.3")))
    for field in ("ip", "device_id"):
        repeated = len(values) - len({v[field] for v in values})
        assert 0.15 < repeated / len(values) < 0.45
    plain = list(map(json.loads, generate(bare, "--count", "300", "--seed", "1")))
    assert len({v["device_id"] for v in plain}) > 290


def test_bad_records_are_a_share_of_many_kinds(sluice, queue, db):
    lines = generate(sluice, "--count", "100", "--seed", "2", "--bad", "0.4")
    queue.send(lines)
    summary = sluice.drain()
    assert 25 <= summary.dead_lettered <= 55, summary.line
    assert len({reason for reason, _ in db.dead()}) >= 5


@pytest.mark.parametrize("n", [1, 23])
def test_logins_can_be_sent_to_a_queue(bare, queue, n):
    bare.good("generate", "--count", str(n), "--seed", "1", "--queue-url", queue.url)
    assert queue.counts() == (n, 0, 0)
    printed = generate(bare, "--count", str(n), "--seed", "1")
    assert {m["Body"] for m in queue.receive()} <= set(printed)


def test_logins_that_the_queue_refuses_are_sent_again_and_no_others(binary, tmp_path, fake):
    bare = program.Sluice(binary, tmp_path, program.clean_environment(tmp_path, fake))
    queue = fake.new_queue()
    fake.fault("partial", "SendMessageBatch", times=4, share=0.5)
    sent = bare.good("generate", "--count", "23", "--seed", "1", "--queue-url", queue.url)
    assert sent.complaints == ["sent 23 messages"]
    assert fake.hits()["partial"] == 4
    arrived = []
    while got := queue.receive():
        arrived += [m["Body"] for m in got]
    assert sorted(arrived) == sorted(generate(bare, "--count", "23", "--seed", "1"))

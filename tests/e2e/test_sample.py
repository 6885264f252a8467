"""test_sample.py - the job itself: 100 logins, one of them of another shape, into the table."""
import datetime
import json
import os
import random

import pytest

import tokens
from events import BAD, expected_row, is_login

COLUMNS = "user_id, device_type, masked_ip, masked_device_id, locale, app_version, create_date"


@pytest.fixture
def sample(bare):
    """One's own messages (SLUICE_SAMPLE), or 99 generated ones and the one of a wrong type."""
    if "SLUICE_SAMPLE" in os.environ:
        with open(os.environ["SLUICE_SAMPLE"], encoding="utf-8") as f:
            bodies = f.read().splitlines()
    else:
        bodies = bare.good("generate", "--count", "99", "--seed", "7").text.splitlines()
        bodies.insert(12, BAD)
    assert len(bodies) == 100 and sum(map(is_login, bodies)) == 99
    return bodies


def utc_day():
    return datetime.datetime.now(datetime.timezone.utc).date()


def assert_rows_are_right(sluice, db, bodies, days):
    """Every column of every row, masked ones recovered by Python."""
    keys = tokens.read_keys(sluice.keys)
    got = [(user, device, tokens.unmask(keys, "ip", ip),
            tokens.unmask(keys, "device_id", device_id), locale, version, date)
           for user, device, ip, device_id, locale, version, date
           in db.rows(f"SELECT {COLUMNS} FROM user_logins")]
    assert {row[-1] for row in got} <= set(days), "create_date is the UTC day of sending"
    want = [expected_row(body, None) for body in bodies if is_login(body)]
    assert sorted((row[:-1] for row in got), key=repr) == sorted((w[:-1] for w in want), key=repr)


def test_loads_99_rows_and_one_dead_letter_exactly(sluice, queue, db, sample):
    days = [utc_day()]
    ids = queue.send(sample)
    result = sluice.run("--until-empty")
    days.append(utc_day())
    assert result.rc == 0, result
    assert ("received 100, loaded 99, duplicates 0, dead-lettered 1, returned 0, in "
            in result.err_lines[-1]), result
    assert result.summary.reconciles
    assert queue.is_empty()
    assert_rows_are_right(sluice, db, sample, days)
    assert db.rows("SELECT message_id, stage, reason, field FROM sluice.dead_letter") == [
        (ids[sample.index(BAD)], "decode", "missing_field", "user_id")]
    assert db.one("SELECT count(*) FROM sluice.ledger") == 100, "rows and dead letters are known"


def test_null_locales_stay_null(sluice, queue, db, sample):
    queue.send(sample)
    sluice.drain()
    nulls = sum(json.loads(b)["locale"] is None for b in sample if is_login(b))
    assert nulls > 0
    assert db.one("SELECT count(*) FROM user_logins WHERE locale IS NULL") == nulls
    assert db.one("SELECT count(*) FROM user_logins WHERE lower(locale) IN ('null', 'none', '')"
                  ) == 0


def test_with_the_default_settings_every_message_is_loaded_once(sluice, queue, db, sample):
    """Several workers and receives; moto may then deliver a message twice."""
    queue.send(sample)
    for preset in ("receives", "wait_time"):
        del sluice.sqs[preset]
    del sluice.settings["workers"]
    sluice.with_message_id()
    summary = sluice.drain(within=55)
    assert summary.received - summary.duplicates == 100, summary.line
    assert (summary.loaded, summary.dead_lettered, summary.returned) == (99, 1, 0), summary.line
    assert db.one("SELECT count(DISTINCT message_id) FROM user_logins") == db.count() == 99
    assert queue.is_empty()


def test_the_summary_is_also_a_json_file(sluice, queue, tmp_path):
    queue.send([BAD])
    path = tmp_path / "summary.json"
    summary = sluice.drain("--summary-json", str(path))
    value = json.loads(path.read_text())
    assert {k: value[k] for k in summary} == dict(summary)


def test_the_order_of_the_keys_in_a_body_does_not_matter(sluice, queue, db, sample):
    good = [body for body in sample if is_login(body)][:10]
    mixed = []
    for i, body in enumerate(good):
        pairs = list(json.loads(body).items())
        random.Random(i).shuffle(pairs)
        mixed.append(json.dumps(dict(pairs), indent=i % 3 or None))
    day = utc_day()
    queue.send(mixed)
    sluice.drain()
    assert_rows_are_right(sluice, db, good, [day, utc_day()])

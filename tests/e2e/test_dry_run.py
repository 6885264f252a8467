"""test_dry_run.py - look at what would be loaded, and change nothing."""
import json

from events import BAD, login, logins


def test_a_dry_run_prints_masked_rows_and_writes_nothing(sluice, queue, db):
    queue.send([*logins(4), BAD])
    result = sluice.run("--dry-run")
    assert result.rc == 0, result
    rows = [json.loads(line) for line in result.text.splitlines()]
    rows = [row for row in rows if "user_id" in row]
    assert sorted(row["user_id"] for row in rows) == [json.loads(b)["user_id"] for b in logins(4)]
    first = next(row for row in rows if row["user_id"] == "user-0000")
    assert list(first) == [c["name"] for c in sluice.settings["columns"]]
    assert first["masked_ip"].startswith("v1.k1.")
    assert isinstance(first["app_version"], int)
    assert not db.has("user_logins") and not db.has("sluice.ledger")


def test_a_dry_run_gives_everything_back_and_says_what_it_costs(sluice, make_queue):
    queue = make_queue(VisibilityTimeout=600)
    queue.send(logins(15))
    result = sluice.use_queue(queue).run("--dry-run")
    assert result.rc == 0, result
    assert 1 <= len(result.text.splitlines()) <= 10, "at most 10 unless told otherwise"
    assert queue.counts() == (15, 0, 0)
    assert "receive count" in result.err


def test_a_dry_run_looks_at_as_many_as_it_is_told(sluice, make_queue):
    queue = make_queue(VisibilityTimeout=600)
    queue.send(logins(15))
    result = sluice.use_queue(queue).run("--dry-run", "--max-messages", "3")
    assert result.rc == 0, result
    assert len(result.text.splitlines()) == 3
    assert queue.counts() == (15, 0, 0)


def test_null_stays_null_in_a_dry_run(sluice, queue):
    queue.send([login(1, locale=None)])
    row, = map(json.loads, sluice.run("--dry-run").text.splitlines())
    assert row["locale"] is None

"""test_golden.py - golden folders: messages in, rows and dead letters out.

A case is a folder of tests/golden:

    in.ndjson     one body a line; an empty line is an empty body
    sluice.yaml   with ${QUEUE_URL}, ${POSTGRES_URL} and ${KEY_FILE}; the table is `target`
    table.sql     runs before, if there is one
    rows.expect   the rows as JSON, ordered by all columns; a masked value is siv(CONTEXT, VALUE)
    dead.expect   one dead letter a line: line of in.ndjson, reason, field or "-", SQLSTATE if any

SLUICE_GOLDEN=write rewrites the two .expect files.
"""
import difflib
import json
import os
import pathlib

import pytest
import yaml

import tokens

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(p.parent.name for p in GOLDEN.glob("*/sluice.yaml"))
KEYS = {"k1": tokens.MASTER}


def render_rows(db, config):
    contexts = {c["name"]: c.get("context", c["from"]) for c in config["columns"] if "mask" in c}
    names, rows = db.texts("SELECT * FROM target")

    def shown(name, value):
        if not value or name not in contexts:
            return value
        return "siv(%s, %s)" % (contexts[name], tokens.unmask(KEYS, contexts[name], value))

    shown_rows = [[shown(n, v) for n, v in zip(names, row)] for row in rows]
    shown_rows.sort(key=lambda row: [(v is None, len(v or ""), v or "") for v in row])
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [names, *shown_rows])


def render_dead(db, ids, bodies):
    lines = []
    for message_id, reason, field, sqlstate, sealed in db.rows(
            "SELECT message_id, reason, field, sqlstate, sealed_body FROM sluice.dead_letter"):
        number = ids.index(message_id)
        assert tokens.open_body(KEYS, message_id, sealed) == bodies[number].encode()
        lines.append((number + 1, " ".join(filter(None, (reason, field or "-", sqlstate)))))
    return "".join("%d %s\n" % line for line in sorted(lines))


def assert_as_expected(path, got):
    if os.environ.get("SLUICE_GOLDEN") == "write":
        path.write_text(got, encoding="utf-8")
        return
    want = path.read_text(encoding="utf-8")
    diff = difflib.unified_diff(want.splitlines(), got.splitlines(), str(path), "what came out",
                                lineterm="")
    assert got == want, "\n" + "\n".join(diff)


@pytest.mark.parametrize("case", CASES)
def test_golden(sluice, queue, db, case):
    folder = GOLDEN / case
    with open(folder / "in.ndjson", encoding="utf-8", newline="") as f:
        bodies = f.read().split("\n")[:-1]
    text = (folder / "sluice.yaml").read_text(encoding="utf-8")
    if (folder / "table.sql").exists():
        db.psql((folder / "table.sql").read_text(encoding="utf-8"))
    with open(sluice.keys, "x", encoding="ascii",
              opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
        f.write(tokens.key_line())
    ids = queue.send(bodies)
    sluice.env.update(QUEUE_URL=queue.url, POSTGRES_URL=db.url, KEY_FILE=sluice.keys)
    result = sluice.call("run", "-c", sluice.write(text), "--until-empty")
    assert result.rc == 0, result
    assert result.summary.loaded + result.summary.dead_lettered == len(bodies), result.summary.line
    assert queue.is_empty()
    rows, dead = render_rows(db, yaml.safe_load(text)), render_dead(db, ids, bodies)
    assert_as_expected(folder / "rows.expect", rows)
    assert_as_expected(folder / "dead.expect", dead)


def test_there_are_golden_cases():
    assert len(CASES) >= 6

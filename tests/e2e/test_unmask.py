"""test_unmask.py - recovering values: lines, CSV, NDJSON, the table; always with a record first."""
import csv
import io
import json
import os
import shlex
import subprocess

import pytest

from events import login, logins

REASON = ("--reason", "ticket 4711")


@pytest.fixture
def loaded(sluice, queue, db):
    queue.send(logins(5))
    sluice.drain()
    return sluice


def audit(db):
    return db.rows("SELECT os_user <> '', db_user, pipeline, contexts, n, how, reason"
                   " FROM sluice.unmask_audit ORDER BY id")


def unmask(sluice, *arguments, **more):
    return sluice.call("unmask", "-c", sluice.path, *arguments, **more)


def in_table(db):
    return [t for t, in db.rows("SELECT masked_ip FROM user_logins ORDER BY user_id")]


IPS = [json.loads(b)["ip"] for b in logins(5)]


def test_lines_come_back_and_are_recorded(loaded, db):
    result = unmask(loaded, "--context", "ip", *REASON,
                    stdin="".join(t + "\n" for t in in_table(db)).encode())
    assert result.rc == 0 and result.text.splitlines() == IPS, result
    assert audit(db) == [(True, "postgres", "public.user_logins", ["ip"], 5, "unmask", "ticket 4711")]


@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", "  ")])
def test_without_a_reason_nothing_is_shown(loaded, db, reason):
    result = unmask(loaded, "--context", "ip", *reason, stdin=in_table(db)[0].encode())
    assert result.rc == 64 and "--reason" in result.err and result.out == b"", result
    assert audit(db) == []


def test_there_is_no_way_around_the_record(loaded, db):
    assert unmask(loaded, "--no-audit", "--context", "ip", *REASON).rc == 64
    result = loaded.call("unmask", "--keys", loaded.keys, "--context", "ip", *REASON,
                         stdin=in_table(db)[0].encode())
    assert result.rc != 0 and result.out == b"" and "PostgreSQL" in result.err, result
    result = loaded.call("unmask", "--keys", loaded.keys, "--context", "ip", *REASON,
                         "--postgres-url", db.url, stdin=in_table(db)[0].encode())
    assert result.rc == 0 and result.text == IPS[0] + "\n" and len(audit(db)) == 1, result


def test_what_cannot_be_recorded_is_not_shown(loaded, db):
    token = in_table(db)[0]
    db.execute("DROP TABLE sluice.unmask_audit")
    result = unmask(loaded, "--context", "ip", *REASON, stdin=token.encode())
    assert result.rc != 0 and result.out == b"" and "recorded" in result.err, result


def test_the_record_is_there_before_the_first_value(loaded, db):
    """The reader of the values is gone before they come; the record stays."""
    running = loaded.start("unmask", "-c", loaded.path, "--context", "ip", *REASON,
                           stdin=("\n".join(in_table(db)) + "\n").encode())
    result = running.wait()
    assert result.rc == 0 and len(audit(db)) >= 1
    assert sum(n for _, _, _, _, n, _, _ in audit(db)) == 5


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_where_standard_output_is_closed_no_value_goes_to_the_database(loaded, db, cluster, closed):
    at = cluster.log_position()
    command = [loaded.binary, "unmask", "-c", loaded.path, "--where", "true", *REASON]
    p = subprocess.run(f"{shlex.join(command)} {closed}", shell=True, env=loaded.env, check=False,
                       stderr=subprocess.PIPE, cwd=loaded.folder)
    assert p.returncode == 74, p
    assert "message type" not in cluster.log_since(at), cluster.log_since(at)


def test_columns_of_csv_come_back_and_the_rest_stays(loaded, db):
    header, rows = db.texts("SELECT * FROM user_logins ORDER BY user_id")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header + ["note"])
    writer.writerows([[v or "" for v in row] + ['a "quoted", note'] for row in rows])
    result = unmask(loaded, "--columns", "masked_ip,masked_device_id", "--csv", *REASON,
                    stdin=text.getvalue().encode())
    assert result.rc == 0, result
    back = list(csv.DictReader(io.StringIO(result.text, newline="")))
    assert [r["masked_ip"] for r in back] == IPS
    assert [r["masked_device_id"] for r in back] == [json.loads(b)["device_id"] for b in logins(5)]
    assert {r["note"] for r in back} == {'a "quoted", note'}
    assert audit(db)[0][3:6] == (["ip", "device_id"], 10, "unmask")


def test_members_of_ndjson_come_back(loaded, db):
    lines = "".join(json.dumps({"n": n, "masked_ip": t, "x": {"masked_ip": "y"}}) + "\n"
                    for n, t in enumerate(in_table(db)))
    result = unmask(loaded, "--columns", "masked_ip", "--ndjson", *REASON, stdin=lines.encode())
    back = [json.loads(line) for line in result.text.splitlines()]
    assert [b["masked_ip"] for b in back] == IPS and back[2]["x"] == {"masked_ip": "y"}


def test_rows_straight_from_the_table(loaded, db):
    result = unmask(loaded, "--where", "user_id IN ('user-0001', 'user-0003')", *REASON)
    assert result.rc == 0, result
    rows = {r["user_id"]: r for r in csv.DictReader(io.StringIO(result.text))}
    assert sorted(rows) == ["user-0001", "user-0003"]
    assert rows["user-0003"]["masked_ip"] == IPS[3]
    assert rows["user-0001"]["app_version"] == db.one(
        "SELECT app_version::text FROM user_logins WHERE user_id = 'user-0001'")
    assert [a[4:6] for a in audit(db)] == [(4, "unmask --where")]
    assert unmask(loaded, "--where", "user_id = 'nobody'", *REASON).rc == 0
    assert [a[4] for a in audit(db)] == [4, 0], "one that finds nothing is recorded as well"


def test_the_example_in_the_help_of_tokens_finds_the_rows(loaded, db):
    last = loaded.good("tokens", "--help").text.split("--context ip\n")[-1].replace("192.0.2.1", IPS[1])
    done = subprocess.run(["bash", "-c", f'sluice() {{ {loaded.binary} "$@"; }}\n{last}'],
                          cwd=loaded.folder, stdout=subprocess.PIPE, text=True, check=True, env={
                              **loaded.env, "PATH": f"{db.cluster.clients}:{os.environ['PATH']}",
                              "PGHOST": db.cluster.dir, "PGPORT": str(db.cluster.port),
                              "PGUSER": "postgres", "PGDATABASE": db.name})
    assert "(1 row)" in done.stdout and "     1\n" in done.stdout, done.stdout


def test_where_is_read_only_and_has_the_rights_of_the_caller(loaded, db):
    result = unmask(loaded, "--where", "user_id = (SELECT user_id FROM pg_authid LIMIT 1); DROP"
                                       " TABLE user_logins", *REASON)
    assert result.rc != 0 and db.count() == 5, result
    db.execute("CREATE ROLE analyst LOGIN; GRANT USAGE ON SCHEMA sluice TO analyst;"
               "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA sluice TO analyst")
    loaded.postgres["url"] = db.url.replace("postgres@", "analyst@")
    loaded.write()
    result = unmask(loaded, "--where", "true", *REASON)
    assert result.rc == 78 and result.text.count("\n") <= 1, result
    db.execute("DROP OWNED BY analyst; DROP ROLE analyst")


def test_a_condition_that_is_none_or_does_more_than_read_is_the_callers_fault(loaded, db):
    db.execute("CREATE SEQUENCE here")
    for condition in ("true); COMMIT; DELETE FROM user_logins; SELECT (true", "user_id = 'x",
                      "true); DELETE FROM user_logins; --", "user_nobody = 'x'",
                      "user_id::integer = 5", "setval('here', 7) > 0"):
        result = unmask(loaded, "--where", condition, *REASON)
        assert db.count() == 5 and db.one("SELECT last_value FROM here") == 1
        assert result.rc == 64 and "the condition of --where with SQLSTATE" in result.err, result
        assert result.out == b"" and audit(db) == []


def test_a_token_that_does_not_open_leaves_its_line_empty(loaded, db):
    token = in_table(db)[0]
    last = "A" if token[-9] != "A" else "B"
    wrong = [token[:-9] + last + token[-8:], "192.0.2.77", token.replace("v1.k1.", "v1.k2."), ""]
    result = unmask(loaded, "--context", "ip", *REASON,
                    stdin="\n".join([*wrong, token]).encode())
    assert result.rc == 1 and result.text.splitlines() == ["", "", "", "", IPS[0]], result
    result = unmask(loaded, "--context", "device_id", *REASON, stdin=token.encode())
    assert result.rc == 1 and IPS[0] not in result.text, result


def test_an_opened_dead_letter_is_on_record(sluice, queue, db):
    queue.send(["{}"])
    sluice.drain()
    number = str(db.one("SELECT id FROM sluice.dead_letter"))
    assert sluice.good("dead", "show", number, "-c", sluice.path, *REASON).text == "{}"
    assert audit(db) == [(True, "postgres", "public.user_logins", ["dead_letter"], 1, "dead show",
                          "ticket 4711")]
    db.execute("DROP TABLE sluice.unmask_audit")
    result = sluice.call("dead", "show", number, "-c", sluice.path)
    assert result.rc != 0 and result.out == b"" and "recorded" in result.err, result


def test_values_never_stand_in_argv(loaded, db):
    for command in ("mask", "tokens", "unmask"):
        result = loaded.call(command, "-c", loaded.path, "--columns", "masked_ip", "203.0.113.9")
        assert result.rc == 64 and "standard input" in result.err
        assert "203.0.113.9" not in result.err


def test_mask_writes_what_the_table_has(loaded, db):
    text = "ip,masked_ip\n" + "".join(f"{ip},{ip}\n" for ip in IPS)
    result = loaded.good("mask", "-c", loaded.path, "--columns", "masked_ip", "--csv",
                         stdin=text.encode())
    rows = list(csv.DictReader(io.StringIO(result.text)))
    assert [r["masked_ip"] for r in rows] == in_table(db) and [r["ip"] for r in rows] == IPS


def test_a_database_of_the_older_schema_gets_what_is_missing(sluice, queue, db):
    sluice.drain()
    db.execute("DROP TABLE sluice.unmask_audit; UPDATE sluice.meta SET schema_version = 1")
    queue.send([login(0)])
    assert sluice.drain().loaded == 1
    assert db.has("sluice.unmask_audit") and db.one("SELECT schema_version FROM sluice.meta") == 3


@pytest.mark.parametrize("last", [
    {"name": "masked_device_id", "from": "device_id", "type": "varchar(256)", "mask": "siv"},
    {"name": "masked_device_id", "from": "device_id", "type": "text", "mask": "fpe",
     "format": "ddd-dd-dddd"}], ids=["siv", "fpe"])
def test_columns_that_cannot_come_back_do_not_disturb_the_others(sluice, queue, db, last):
    sluice.settings["columns"] = [
        {"name": "net", "from": "ip", "type": "text", "mask": "keep", "keep": "/24"},
        {"name": "masked_ip", "from": "ip", "type": "varchar(256)", "mask": "siv"}, last,
        {"name": "user_id", "from": "user_id", "type": "text"}]
    queue.send([login(1, device_id="123-45-6789")])
    sluice.drain()
    result = unmask(sluice, "--where", "true", *REASON)
    assert result.rc == 0, result
    row, = csv.DictReader(io.StringIO(result.text))
    assert (row["masked_ip"], row["masked_device_id"]) == (IPS[1], "123-45-6789")


def test_a_context_is_masked_as_its_column_is(sluice, queue, db):
    sluice.settings["columns"][2]["normalize"] = "ip"
    queue.send([login(1, ip="::FFFF:1.2.3.4")])
    sluice.drain()
    for which in (("--columns", "masked_ip"), ("--context", "ip")):
        found = sluice.good("tokens", "-c", sluice.path, *which, stdin=b"::ffff:1.2.3.4\r\n")
        assert db.one("SELECT count(*) FROM user_logins WHERE masked_ip = ANY (%s::text[])",
                      found.text.strip()) == 1
    sluice.settings["columns"][3].update(context="ip")
    result = sluice.call("tokens", "-c", sluice.write(), "--context", "ip", stdin=b"1.2.3.4")
    assert result.rc == 64 and "--columns" in result.err, result


def test_a_file_without_a_header_is_not_repeated(sluice):
    sluice.make_keys()
    result = sluice.call("mask", "-c", sluice.write(), "--columns", "masked_ip", "--csv",
                         stdin=b"Jane Doe,Paris\n")
    assert result.rc == 64 and "masked_ip" in result.err and "Jane" not in result.err, result


def test_bytes_that_are_no_token_stop_no_others(sluice, queue, db, cluster):
    vault = cluster.new_database()
    sluice.settings["vault"] = {"url": vault.url}
    sluice.settings["columns"][2].update(mask="hmac")
    queue.send([login(1)])
    sluice.drain()
    result = unmask(sluice, "--columns", "masked_ip", *REASON,
                    stdin=b"\xff\n" + in_table(db)[0].encode() + b"\n")
    vault.drop()
    assert result.rc == 1 and result.text.splitlines() == ["", IPS[1]], result

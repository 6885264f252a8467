"""test_console_dead.py - dead letters over HTTP: listed, shown sealed, tried again and purged, by who has
the token and from nowhere else."""
import base64
import json
import os
import signal
import threading
import time

import pytest

import tokens
from events import BAD, login
from monitor import Monitor, watched
from sluice import wait_for_text
from test_dead import DONE, dead, letters, put, users  # noqa: F401 (a fixture)
from test_least_privilege import RIGHTS, change, loader  # noqa: F401 (a fixture)
from test_masking import CANARY, assert_no_canary
from wait import eventually

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def run(dead, db):  # noqa: F811
    """A run with a token, beside five dead letters: two load, one does not, two are canaries."""
    put(db, login(1), login(2), login(3, app_version="1.2.3.4"), reason="bad_version", field="app_version")
    put(db, json.dumps({"ip": CANARY}), CANARY, first=4)
    dead.env["SLUICE_HTTP_TOKEN"] = TOKEN
    return begin(dead)


def begin(sluice, *arguments):
    running = watched(sluice).begin(*arguments)
    monitor = Monitor(running)
    eventually(lambda: monitor.ready()[0] == 200)
    monitor.running = running
    return monitor


def ask(monitor, path, body=None, **headers):
    """Status and JSON."""
    data = None if body is None else json.dumps(body).encode() if not isinstance(body, bytes) else body
    status, got, text = monitor.ask(path, "GET" if data is None else "POST", data, **headers)
    assert got["Content-Type"] == "application/json"
    assert TOKEN not in text
    assert_no_canary(path, text.encode())
    return status, json.loads(text)


def act(monitor, verb, body, **headers):
    return ask(monitor, f"/api/dead/{verb}", body, **{**JSON, **BEARER, **headers})


def ids_of(answer):
    return [letter["id"] for letter in answer["letters"]]


# Looking

def test_they_are_listed_by_reason_and_page_by_page(run, db):
    status, found = ask(run, "/api/dead")
    assert status == 200 and found["more"] is False
    assert found["reasons"] == [
        {"new": 3, "retried": 0, "code": "bad_version", "field": "app_version"},
        {"new": 2, "retried": 0, "code": "missing_field", "field": "user_id"}]
    known = db.rows("SELECT id, status, message_id, reason, field, sqlstate,"
                    " to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
                    " FROM sluice.dead_letter ORDER BY id DESC")
    assert [tuple(x[k] for k in ("id", "status", "message_id", "code", "field", "sqlstate", "received_at"))
            for x in found["letters"]] == known
    _, first = ask(run, "/api/dead?limit=2")
    assert first["more"] and ids_of(first) == ids_of(found)[:2]
    _, rest = ask(run, f"/api/dead?limit=3&before={ids_of(first)[-1]}")
    assert not rest["more"] and ids_of(rest) == ids_of(found)[2:]
    _, some = ask(run, "/api/dead?code=missing_field&field=user_id&status=all")
    assert ids_of(some) == ids_of(found)[:2]
    assert ids_of(ask(run, "/api/dead?status=retried")[1]) == []
    for query in ("code=nonsense", "status=old", "limit=501", "limit=x", "before=-1"):
        assert ask(run, f"/api/dead?{query}")[0] == 400


def test_one_is_shown_whole_with_its_body_sealed(run, db):
    (number, message_id, sealed), = db.rows(
        "SELECT id, message_id, sealed_body FROM sluice.dead_letter ORDER BY id DESC LIMIT 1")
    assert ask(run, f"/api/dead/{number}")[0] == 401
    status, letter = ask(run, f"/api/dead/{number}", **BEARER)
    assert status == 200 and (letter["id"], letter["message_id"]) == (number, message_id)
    assert base64.b64decode(letter["sealed_body"]) == bytes(sealed)
    assert {"sent_at", "received_at", "stage", "reason", "status", "done_at"} < set(letter)
    assert ask(run, "/api/dead/99999", **BEARER)[0] == 404
    for name in ("0", "x", "1%2C2", "1)--", ""):
        assert ask(run, f"/api/dead/{name}", **BEARER)[0] == 400


# Retry and purge

def test_a_retry_loads_what_it_can_and_says_what_it_cannot(run, db):
    ids = [int(n) for n in sorted(letters(db))]
    status, done = act(run, "retry", {"code": "bad_version", "field": "app_version"})
    assert status == 200, done
    assert done == {"loaded": 2, "known": 0, "refused": 1, "closed": 0, "passed": 0, "more": False,
                    "after": ids[2], "notes": [], "refusals": [
                        {"id": ids[2], "code": "bad_version", "field": "app_version", "sqlstate": None}]}
    assert users(db) == ["user-0001", "user-0002"]
    assert letters(db)[str(ids[0])][0] == "retried" and letters(db)[str(ids[2])][0] == "new"
    _, again = act(run, "retry", {"ids": ids[:2]})
    assert (again["loaded"], again["passed"], again["after"]) == (0, 0, 0), "once is enough"
    assert act(run, "retry", {"ids": [99999]})[0] == 404
    assert db.count() == 2
    line = [x for x in run.running.result().logs if x["message"] == "retried dead letters"][0]
    assert (line["sluice.loaded"], line["client.address"], "error.code" in line) == (2, "127.0.0.1", False)


def test_a_retry_of_many_goes_on_where_it_stopped(dead, db):  # noqa: F811
    sealed = tokens.seal_body({"k1": tokens.MASTER}, "m", b"not json")
    db.execute("INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage, reason,"
               " sealed_body) SELECT 'public.user_logins', 'm' || n, now(), now(), 'decode', 'not_json',"
               " %s FROM generate_series(1, 1100) AS n", sealed)
    dead.env["SLUICE_HTTP_TOKEN"] = TOKEN
    monitor = begin(dead)
    _, one = act(monitor, "retry", {"code": "not_json"})
    assert (one["closed"], one["more"], len(one["refusals"])) == (1000, True, 1000)
    assert one["refusals"][0]["closed"]
    _, two = act(monitor, "retry", {"code": "not_json", "after": one["after"]})
    assert (two["closed"], two["more"]) == (100, False)


def test_a_retry_uses_the_keys_that_the_run_has_by_now(run, dead, db):  # noqa: F811
    """Sealed with a key that came later."""
    with open(dead.keys, encoding="ascii") as f:
        old = f.read()
    dead.good("keys", "new", dead.keys + ".2", "--kid", "k2")
    with open(dead.keys + ".2", encoding="ascii") as f:
        new = [line for line in f if line.startswith("k2")][0]
    keys = {"k1": tokens.MASTER, "k2": base64.b64decode(new.split()[2])}
    sealed = tokens.seal_body(keys, "later", login(9).encode(), kid="k2")
    number = db.one("WITH made AS (INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at,"
                    " received_at, stage, reason, sealed_body) VALUES ('public.user_logins', 'later', now(),"
                    " now(), 'decode', 'not_json', %s) RETURNING id) SELECT id FROM made", sealed)
    _, before = act(run, "retry", {"ids": [number]})
    assert before["closed"] == 1 and before["refusals"][0]["id"] == number
    with open(dead.keys, "w", encoding="ascii") as f:
        f.write(old.rstrip("\n") + "\n" + new.replace("active", "decrypt"))
    run.running.send(signal.SIGHUP)
    wait_for_text(run.running, "the keys were read again")
    assert act(run, "retry", {"ids": [number]})[1]["loaded"] == 1


def test_a_purge_takes_no_more_than_was_seen(run, db):
    assert act(run, "purge", {"code": "bad_version"})[0] == 400
    status, refused = act(run, "purge", {"code": "bad_version", "expect": 2})
    assert (status, refused) == (409, {"error": "there are 3 by now: look again"})
    assert len(letters(db)) == 5
    assert act(run, "purge", {"code": "bad_version", "expect": 3}) == (200, {"purged": 3})
    ids = [int(n) for n in letters(db)]
    assert act(run, "purge", {"ids": ids[:1], "expect": 1}) == (200, {"purged": 1})
    assert list(letters(db)) == [str(n) for n in ids[1:]]
    assert "purged dead letters" in run.running.err and "127.0.0.1" in run.running.err


def test_a_purge_takes_no_more_than_was_counted_either(run, db):
    """One becomes new while the purge of two waits for the table."""
    middle = sorted(letters(db))[1]
    change_to = f"UPDATE sluice.dead_letter SET status = '%s' WHERE id = {middle}"
    db.execute(change_to % "retried")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(
        act(run, "purge", {"code": "bad_version", "status": "new", "expect": 2})))
    with db.locked("sluice.dead_letter") as other:
        asking.start()
        eventually(lambda: db.waiting_for_locks() == 1)
        other.cursor().execute(change_to % "new")
        other.commit()
        asking.join(30)
    assert answers == [(200, {"purged": 2})] and len(letters(db)) == 3


def test_a_body_that_says_anything_else_changes_nothing(run, db):
    before = letters(db)
    for body in (b"", b"[]", b"{", b'{"ids":"1"}', b'{"ids":["1"]}', b'{"ids":[]}', b'{"ids":[1.5]}', b"{}",
                 b'{"ids":[-1]}', b'{"code":"all"}', b'{"code":"bad_version","pipeline":"x"}',
                 b'{"code":"bad_version","field":""}', b'{"ids":[1],"ids":[2]}', b'{"field":"user_id"}',
                 b'{"code":"bad_version","expect":"3"}', b'\xff\xfe', b'{"ids":[1]}x'):
        for verb in ("retry", "purge"):
            assert act(run, verb, body)[0] == 400, body
    assert act(run, "purge", b'{"ids":[' + b"1," * 40000 + b"1]}")[0] == 413
    assert letters(db) == before


# Who may

def test_nobody_acts_without_the_token_or_from_elsewhere(run, db):
    before = letters(db)
    body = {"code": "bad_version", "expect": 9}
    for verb in ("retry", "purge"):
        path = f"/api/dead/{verb}"
        assert ask(run, path, body, **JSON)[0] == 401
        assert ask(run, path, body, **JSON, Authorization=f"Basic {TOKEN}")[0] == 401
        assert ask(run, path, body, **JSON, Cookie=f"token={TOKEN}")[0] == 401
        assert ask(run, path + f"?token={TOKEN}", body, **JSON)[0] == 401
        assert ask(run, path, body, **BEARER, **{"Content-Type": "text/plain"})[0] == 415
        assert ask(run, path, body, **BEARER, **{"Content-Type": "application/jsonp"})[0] == 415
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:1"}):
            assert act(run, verb, body, **headers)[0] == 403
        assert act(run, verb, body, Host="evil.example")[0] == 421
        assert ask(run, path)[0] == 405
    assert letters(db) == before
    proxied = {"Origin": "https://sluice.example", "Sec-Fetch-Site": "same-origin", "Host": "localhost"}
    assert act(run, "retry", {"ids": [99999]}, **proxied)[0] == 404, "a proxy has changed the Host, not the site"
    own = {"Origin": run.url, "Sec-Fetch-Site": "same-origin", "Host": run.url.removeprefix("http://"),
           "Content-Type": "application/json; charset=utf-8"}
    assert act(run, "purge", body, **own)[0] == 200


def test_no_other_site_makes_the_database_count(run):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
        assert ask(run, "/api/dead", **headers) == (403, {"error": "another site asks"})
    for site in ("same-origin", "none"):
        assert ask(run, "/api/dead", **{"Sec-Fetch-Site": site})[0] == 200


def test_guessing_is_slowed_down_and_told(run):
    answers = []
    for n in range(12):
        status, answer = ask(run, "/api/dead/1", Authorization=f"Bearer guess-number-{n}")
        answers.append(status)
        assert answer["error"]
    assert answers[:5] == [401] * 5 and 429 in answers and set(answers) == {401, 429}
    eventually(lambda: ask(run, "/api/dead/1", **BEARER)[0] in (200, 404), what="the second is over")
    state = json.loads(run.ask("/api/state")[2])
    assert state["actions"] is True
    error = [x for x in state["errors"] if x["message"] == "a wrong token was refused"][0]
    assert "127.0.0.1" in error["detail"] and error["remedy"]
    assert "guess-number" not in run.running.err and TOKEN not in run.running.err


def test_without_a_token_there_are_no_actions(dead, db):  # noqa: F811
    put(db, login(1))
    monitor = begin(dead)
    assert json.loads(monitor.ask("/api/state")[2])["actions"] is False
    for answer in (act(monitor, "retry", {"ids": [1]}), act(monitor, "purge", {"ids": [1], "expect": 1}),
                   ask(monitor, "/api/dead/1", **BEARER)):
        assert answer[0] == 403 and answer[1]["error"].startswith("actions are off")
    assert len(ask(monitor, "/api/dead")[1]["letters"]) == 1


def test_the_token_comes_out_of_a_file_that_is_nobody_elses(dead):  # noqa: F811
    path = dead.folder + "/token"

    def refused(text, mode=0o600):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        watched(dead).settings["http"]["token_file"] = path
        result = dead.run("--wait", "0")
        assert result.rc == 78, result
        assert text.strip()[:8] not in result.err or not text.strip()
        return result.err

    assert "so others may use it: chmod 6" in refused(TOKEN, 0o644)
    checked = dead.call("check", "-c", dead.write())
    assert checked.rc == 1 and "FAIL  console" in checked.text and "others may use it" in checked.text
    for text in ("short", "", "with a blank in the middle", "x" * 1025, "\x01" * 20):
        assert "16 to 1024" in refused(text)
    dead.settings["http"]["token_file"] = path + ".none"
    assert "cannot open token file" in dead.run("--wait", "0").err
    with open(path, "w", encoding="ascii") as f:
        f.write(f"  {TOKEN}\n")
    os.chmod(path, 0o600)
    dead.settings["http"]["token_file"] = path
    dead.env["SLUICE_HTTP_TOKEN"] = "another-token-from-elsewhere"
    monitor = Monitor(dead.begin())
    eventually(lambda: monitor.ready()[0] == 200)
    assert ask(monitor, "/api/dead/1", **BEARER)[0] == 404
    assert ask(monitor, "/api/dead/1", Authorization="Bearer another-token-from-elsewhere")[0] == 401


def test_no_program_inherits_the_token(dead):  # noqa: F811
    """The one that prints the keys is started by a run that listens, by one that does not, by check and others."""
    script, seen, path = dead.folder + "/print-keys", dead.folder + "/seen", dead.folder + "/token"
    with open(script, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\nenv >> {seen}\ncat {dead.keys}\n")
    os.chmod(script, 0o700)
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as f:
        f.write(TOKEN + "-of-a-file")
    dead.settings["keys"] = {"command": script}
    dead.env["SLUICE_HTTP_TOKEN"] = TOKEN
    for http in ({"listen": 0}, {"listen": 0, "token_file": path}, {}):
        dead.settings["http"] = http
        dead.drain()
        dead.call("check", "-c", dead.write())
    dead.good("dead", "retry", "-c", dead.write())
    with open(seen, encoding="utf-8") as f:
        environments = f.read()
    assert environments.count("AWS_REGION=") == 7 and "SLUICE_HTTP_TOKEN" not in environments


def test_a_right_that_the_role_lacks_is_said(sluice, queue, db, loader):  # noqa: F811
    """A run may add dead letters, and neither mark nor delete them."""
    for right, thing in RIGHTS:
        change(db, "GRANT", right, thing, loader)
    sluice.env["SLUICE_HTTP_TOKEN"] = TOKEN
    monitor = begin(sluice)
    queue.send([BAD])
    eventually(lambda: ask(monitor, "/api/dead")[1]["letters"])
    for answer in (act(monitor, "retry", {"code": "missing_field"}),
                   act(monitor, "purge", {"code": "missing_field", "expect": 1})):
        assert answer[0] == 403 and "insufficient privilege" in answer[1]["error"], answer
    lines = [x for x in monitor.running.result().logs if x["message"] == "purged dead letters"]
    assert (lines[0]["sluice.purged"], lines[0]["error.code"]) == (0, "DENIED")
    for right in ("UPDATE", "DELETE"):
        change(db, "GRANT", right, "sluice.dead_letter", loader)
    assert act(monitor, "purge", {"code": "missing_field", "expect": 1}) == (200, {"purged": 1})


# Beside a run

def test_what_takes_long_keeps_nobody_waiting(run, db):
    """Purges want a table that somebody else has locked: one waits for it, eight for that one, two are
    refused. Meanwhile everything else is answered."""
    answers = []
    with db.locked("sluice.dead_letter"):
        asking = [threading.Thread(target=lambda: answers.append(
            act(run, "purge", {"code": "bad_version", "expect": 3}))) for _ in range(11)]
        for thread in asking:
            thread.start()
        eventually(lambda: db.waiting_for_locks() == 1 and len(answers) == 2, what="the others wait")
        assert answers == [(503, {"error": "too much is asked at a time"})] * 2
        began = time.monotonic()
        for _ in range(20):
            assert run.health()[0] == 200 and run.ready()[0] == 200 and run.ask("/metrics")[0] == 200
        assert time.monotonic() - began < 5
    for thread in asking:
        thread.join(30)
    assert sorted(answers[2:], key=str) == [(200, {"purged": 0})] * 8 + [(200, {"purged": 3})]


def slow(db, when):
    """What takes a second, each time that it is done."""
    db.psql(f"""
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
        CREATE TRIGGER slow BEFORE {when} EXECUTE PROCEDURE slow();""")


def stop_within(monitor, db, verb, body):
    """Stop the run while the first part of an action sleeps; what the log says of the action."""
    def ask_for_it():
        try:
            act(monitor, verb, body)
        except OSError:
            pass  # the process may be gone before its answer

    asking = threading.Thread(target=ask_for_it)
    asking.start()
    eventually(lambda: db.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == 1)
    monitor.running.term()
    assert monitor.running.wait().rc == 0
    asking.join(30)
    return [x for x in monitor.running.result().logs if "dead letters" in x["message"]][0]


def test_a_stop_comes_between_two_parts_of_a_purge(run, db):
    """3,000 of them take three transactions."""
    db.execute("INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage, reason,"
               " sealed_body) SELECT 'public.user_logins', 'm' || n, now(), now(), 'decode', 'not_json', 'x'"
               " FROM generate_series(1, 3000) AS n")
    slow(db, "DELETE ON sluice.dead_letter")
    line = stop_within(run, db, "purge", {"code": "not_json", "expect": 3000})
    assert (line["message"], line["sluice.purged"], line["error.code"]) == ("purged dead letters", 1000, "STOPPED")
    assert db.one("SELECT count(*) FROM sluice.dead_letter WHERE reason = 'not_json'") == 2000


def test_a_stop_comes_between_two_parts_of_a_retry(run, db):
    """501 of them take two transactions."""
    put(db, *[login(n) for n in range(501)], reason="not_json", field=None, first=10)
    slow(db, "INSERT ON user_logins")
    line = stop_within(run, db, "retry", {"code": "not_json"})
    assert (line["message"], line["sluice.loaded"], line["error.code"]) == ("retried dead letters", 500, "STOPPED")
    assert db.count() == 500


def test_what_is_asked_after_a_stop_is_refused(run, queue, db):
    queue.send([login(9)])
    with db.locked():
        eventually(lambda: db.waiting_for_locks() == 1, what="the worker waits for the table")
        run.running.term()
        eventually(lambda: run.ready()[0] == 503)
        assert ask(run, "/api/dead") == (503, {"error": "stopping"})
        assert act(run, "purge", {"code": "bad_version", "expect": 9}) == (503, {"error": "stopping"})
    assert run.running.wait().rc == 0


def test_a_database_that_is_away_is_said_and_a_stop_is_not_held_up(run, cluster):
    cluster.stop()
    status, answer = ask(run, "/api/dead")
    assert status == 503 and answer["error"]
    assert act(run, "retry", {"code": "bad_version"})[0] == 503
    began = time.monotonic()
    run.running.send(signal.SIGTERM)
    assert run.running.wait().rc == 0
    assert time.monotonic() - began < 20
    cluster.start()

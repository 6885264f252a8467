"""test_file_source.py - lines of files and of stdin, each loaded once, whatever breaks on the way."""
import gzip
import json
import os
import re
import signal
import subprocess

import pytest

from events import BAD, login, logins
from sluice import Sluice, clean_environment, wait_for_text
from wait import eventually

COLUMNS = [{"name": "user_id", "from": "user_id", "type": "text", "required": True},
           {"name": "masked_ip", "from": "ip", "type": "text", "mask": "siv"},
           {"name": "create_date", "from": "$sent_at", "type": "date"},
           {"name": "message_id", "from": "$message_id", "type": "text"}]


class NoQueue:
    url = key_id = secret = ""


@pytest.fixture
def files(binary, tmp_path, db):
    """The program with a folder of files, and neither a queue nor any word of AWS."""
    env = {k: v for k, v in clean_environment(tmp_path, NoQueue).items()
           if not k.startswith("AWS_")}
    s = Sluice(binary, tmp_path, env)
    s.use(NoQueue, db)
    s.settings.update(dedup="field:user_id", columns=[dict(c) for c in COLUMNS])
    s.home = tmp_path
    read(s, "*.ndjson*")
    yield s
    s.stop_all()


def read(s, path):
    s.settings["source"] = {"file": {"path": str(s.home / path) if path != "-" else path}}
    return s


def write(s, name, lines, pack=None, end="\n"):
    text = (end.join(lines) + end).encode()
    path = s.home / name
    path.write_bytes(pack(text) if pack else text)
    return path


def zstd(text):
    return subprocess.run(["zstd", "-q", "-c"], input=text, check=True, capture_output=True).stdout


def to_the_end(s, *arguments, **more):
    result = s.run(*arguments, **more)
    assert result.rc == 0, result
    return result.summary


def users(db):
    return sorted(u for u, in db.rows("SELECT user_id FROM user_logins"))


def wanted(n, first=0):
    return sorted("user-%04d" % i for i in range(first, first + n))


# ---- good files --------------------------------------------------------------------------------


def test_files_plain_and_packed_are_loaded_to_their_end_without_any_word_of_aws(files, db):
    write(files, "a.ndjson", logins(20))
    write(files, "b.ndjson.gz", logins(20, 20), gzip.compress)
    write(files, "c.ndjson.zst", logins(20, 40), zstd)
    summary = to_the_end(files)
    assert (summary.received, summary.loaded) == (60, 60)
    assert users(db) == wanted(60)
    assert db.one("SELECT count(*) FROM user_logins WHERE create_date IS NOT NULL") == 0
    assert db.one("SELECT count(*) FROM user_logins WHERE masked_ip LIKE '203.%'") == 0


def test_a_line_is_known_by_its_file_its_number_and_a_mark_of_what_it_says(files, db):
    write(files, "a.ndjson", [login(0), "", login(1)])
    to_the_end(files)
    ids = [i for i, in db.rows("SELECT message_id FROM user_logins ORDER BY user_id")]
    assert re.fullmatch(r"a\.ndjson:1:[0-9a-f]{16}", ids[0])
    assert re.fullmatch(r"a\.ndjson:3:[0-9a-f]{16}", ids[1])
    assert ids[0][-16:] != ids[1][-16:]


def test_stdin_is_a_file(files, db):
    read(files, "-")
    files.make_keys()
    text = "\r\n".join(logins(5)).encode()
    result = files.call("run", "-c", files.write(), stdin=gzip.compress(text))
    assert result.rc == 0 and result.summary.loaded == 5, result
    assert users(db) == wanted(5)


def test_lines_of_a_pipe_are_loaded_before_it_ends(files, db):
    read(files, "-")
    files.make_keys()
    reader, writer = os.pipe()
    with subprocess.Popen([files.binary, "run", "-c", files.write()], env=files.env,
                          stdin=reader, stderr=subprocess.PIPE) as process:
        os.close(reader)
        os.write(writer, (login(0) + "\n" + login(1)).encode())
        eventually(lambda: db.has("user_logins") and db.count() == 1)
        os.close(writer)
        assert process.wait(30) == 0
    assert users(db) == wanted(2)


def test_workers_share_the_files(files, db):
    for i in range(6):
        write(files, f"{i}.ndjson", logins(50, 50 * i))
    files.settings["workers"] = 2
    assert to_the_end(files).loaded == 300
    assert users(db) == wanted(300)


# ---- each once ---------------------------------------------------------------------------------


def test_an_event_in_two_files_is_one_row(files, db):
    write(files, "a.ndjson", logins(30))
    write(files, "b.ndjson", logins(30, 20))
    files.settings["workers"] = 2
    summary = to_the_end(files)
    assert (summary.loaded, summary.duplicates) == (50, 10)
    assert users(db) == wanted(50)


def test_what_is_loaded_is_loaded_once_however_often_it_is_read(files, db):
    write(files, "a.ndjson", logins(10) + [BAD, "no JSON"])
    to_the_end(files)
    write(files, "a.ndjson.gz", logins(10), gzip.compress)
    summary = to_the_end(files)
    assert (summary.received, summary.loaded, summary.duplicates) == (22, 0, 22)
    assert users(db) == wanted(10)
    assert len(db.dead()) == 2


KILLED_AT = ["received", "in_copy", "commit_sent", "committed", "before_ack"]


@pytest.mark.fault("sluice is killed while it reads files", "kill -9 at a named point of the flow")
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", KILLED_AT)
def test_kill_9_and_another_run_leave_each_line_once(files, fault_binary, db, point, nth):
    """The memory is so small that there are several batches."""
    lines = [login(i, filler="x" * 3000) for i in range(2000)]
    write(files, "a.ndjson.gz", lines[:1000] + [BAD] + lines[1000:], gzip.compress)
    files.settings["memory"] = "8MiB"
    files.binary = fault_binary
    files.env["SLUICE_FAULT_AT"] = f"{point}:{nth}:kill"
    killed = files.run()
    assert killed.rc == -signal.SIGKILL, f"{point} was not passed {nth} times: {killed!r}"
    del files.env["SLUICE_FAULT_AT"]
    left = 2000 - db.count()
    summary = to_the_end(files)
    assert summary.received == 2001 and summary.loaded == left
    assert users(db) == wanted(2000)
    assert len(db.dead()) == 1


# ---- bad lines ---------------------------------------------------------------------------------


def test_a_bad_line_is_a_dead_letter_that_says_where_it_stands(files, db):
    write(files, "a.ndjson", [login(0), BAD, "no JSON", "", " ", login(1), login(2, user_id=...)])
    summary = to_the_end(files)
    assert (summary.loaded, summary.dead_lettered) == (2, 4)
    assert db.dead() == [("missing_field", "user_id"), ("not_json", ""), ("empty_body", ""),
                         ("missing_field", "user_id")]
    assert [i.rsplit(":", 1)[0] for i, in db.rows(
        "SELECT message_id FROM sluice.dead_letter ORDER BY message_id")] == [
            "a.ndjson:2", "a.ndjson:3", "a.ndjson:5", "a.ndjson:7"]


def test_a_bad_line_is_retried_under_the_id_that_it_has(files, db):
    write(files, "a.ndjson", [login(0, ip=5)])
    assert to_the_end(files).dead_lettered == 1
    files.settings["columns"][1]["convert"] = "text"
    files.good("dead", "retry", "-c", files.write())
    assert db.rows("SELECT user_id, message_id FROM user_logins") == db.rows(
        "SELECT 'user-0000', message_id FROM sluice.dead_letter")
    assert to_the_end(files).duplicates == 1


def test_bad_lines_at_one_place_of_two_streams_are_two_dead_letters(files, db):
    read(files, "-")
    files.make_keys()
    for text in (b"one", b"two", b"one"):
        files.good("run", "-c", files.write(), stdin=text)
    assert len(db.dead()) == 2


def test_a_line_of_more_than_a_mebibyte_is_a_dead_letter_without_its_text(files, db):
    write(files, "a.ndjson", [login(0), login(1, x="y" * (1 << 20)), login(2)])
    files.settings["allow_cleartext"] = True
    summary = to_the_end(files)
    assert (summary.loaded, summary.dead_lettered) == (2, 1)
    assert db.dead() == [("line_too_long", "")]
    (ident,), = db.rows("SELECT id FROM sluice.dead_letter")
    assert db.one("SELECT length(sealed_body) < 100 FROM sluice.dead_letter")
    shown = files.good("dead", "show", "-c", files.write(), str(ident), "--reason", "test")
    assert "yyy" not in shown.text


def test_no_line_stands_in_a_log(files):
    write(files, "a.ndjson", [login(0, ip="203.0.113.99"), '{"ip": "203.0.113.99"'])
    result = files.run("--log-format", "json")
    assert result.summary.dead_lettered == 1
    assert "203.0.113.99" not in result.err


# ---- files that cannot be read -----------------------------------------------------------------


def refused(s, rc, text):
    result = s.run()
    assert result.rc == rc, result
    assert text in result.err, result
    return result


def test_no_file_is_an_error_at_the_start(files, db):
    refused(files, 74, "no file is named ")
    assert not db.has("user_logins")


def test_one_file_that_cannot_be_read_is_an_error_before_any_is(files, db):
    write(files, "a.ndjson", logins(3))
    os.mkdir(files.home / "b.ndjson")
    refused(files, 74, "b.ndjson: it is a directory")
    assert not db.has("user_logins")


def test_a_broken_file_ends_the_run_and_what_is_before_is_loaded(files, db):
    good = gzip.compress(("\n".join(logins(40)) + "\n").encode())
    (files.home / "a.ndjson.gz").write_bytes(good[:-20])
    result = refused(files, 74, "a.ndjson.gz: gzip data that is cut off at byte %d"
                     % (len(good) - 20))
    summary = result.summary
    assert 0 < summary.loaded < 40
    assert db.count() == summary.loaded
    (files.home / "a.ndjson.gz").write_bytes(good)
    assert to_the_end(files).loaded == 40 - summary.loaded
    assert users(db) == wanted(40)


def test_a_file_whose_name_promises_what_it_is_not_is_not_read(files):
    write(files, "a.ndjson.zst", logins(3))
    refused(files, 74, "a.ndjson.zst: the name says zstd, and the bytes are not")


def test_check_looks_at_the_files_and_asks_no_queue(files, db):
    write(files, "a.ndjson", logins(3))
    write(files, "b.ndjson", logins(3))
    files.make_keys()
    result = files.good("check", "-c", files.write())
    assert "ok    files     2 to read, " in result.text and "queue" not in result.text
    assert not db.has("user_logins")
    os.remove(files.home / "a.ndjson")
    os.remove(files.home / "b.ndjson")
    result = files.call("check", "-c", files.write())
    assert result.rc == 1 and "FAIL  files     no file is named " in result.text


# ---- limits and stops --------------------------------------------------------------------------


def test_a_bar_on_a_terminal_goes_by_the_bytes_of_the_files(files, db):
    write(files, "a.ndjson", logins(3000))
    files.make_keys()
    db.execute("CREATE TABLE user_logins(user_id text, masked_ip text, create_date date,"
               " message_id text)")
    terminal, own = os.openpty()
    with db.locked():
        with subprocess.Popen([files.binary, "run", "-c", files.write()], env=files.env,
                              stdin=subprocess.DEVNULL, stderr=own) as process:
            os.close(own)
            seen = b""
            while b"3000 received" not in seen:
                seen += os.read(terminal, 4096)
            process.send_signal(signal.SIGTERM)
            while b"returned 3000" not in seen:
                seen += os.read(terminal, 4096)
            assert process.wait(60) == 0
    os.close(terminal)
    assert re.search(rb"\[#{20}\] 3000 received, 0 loaded, \d+/s, \d+ of \d+ MB", seen), seen


def test_max_messages_counts_lines(files, db):
    write(files, "a.ndjson", logins(30))
    write(files, "b.ndjson", logins(30, 30))
    files.settings["workers"] = 2
    assert to_the_end(files, "--max-messages", "17").received == 17
    assert db.count() == 17


def test_a_dry_run_prints_rows_and_writes_nothing(files, db):
    write(files, "a.ndjson", logins(30))
    result = files.run("--dry-run")
    assert result.rc == 0, result
    rows = [json.loads(line) for line in result.text.splitlines()]
    assert len(rows) == 10 and rows[3]["message_id"] == "a.ndjson:4"
    assert result.summary.returned == 10
    assert "dry run: nothing is written\n" in result.err
    assert not db.has("user_logins")


def test_sigterm_stops_a_run_that_waits_for_stdin(files, db):
    read(files, "-")
    files.make_keys()
    reader, writer = os.pipe()
    with subprocess.Popen([files.binary, "run", "-c", files.write()], env=files.env,
                          stdin=reader, stderr=subprocess.PIPE, text=True) as process:
        os.close(reader)
        os.write(writer, (login(0) + "\nhalf a li").encode())
        eventually(lambda: db.count() == 1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        os.close(writer)
    assert process.returncode == 0 and "received 1, loaded 1," in err, err


def test_sigterm_stops_a_run_that_waits_for_somebody_to_write_into_a_fifo(files, db):
    os.mkfifo(files.home / "a.ndjson")
    running = files.begin()
    wait_for_text(running, "reading a file")
    assert running.stop().summary.received == 0
    running = files.begin()
    with open(files.home / "a.ndjson", "w", encoding="ascii") as f:
        print(login(0), file=f, flush=True)
        eventually(lambda: db.count() == 1)
        print(login(1), file=f)
    assert running.wait().summary.loaded == 2


def test_sigterm_in_an_outage_returns_what_is_not_loaded(files, db):
    write(files, "a.ndjson", logins(20))
    to_the_end(files, "--max-messages", "1")
    with db.locked():
        running = files.begin()
        eventually(db.waiting_for_locks, what="a load waits for the table")
        result = running.stop(60)
    assert (result.summary.received, result.summary.returned) == (20, 20)
    to_the_end(files)
    assert users(db) == wanted(20)


def test_what_an_outage_hands_back_is_loaded_when_it_is_over(files, db):
    """Nobody else brings the lines again: the source itself does."""
    write(files, "a.ndjson", logins(20))
    to_the_end(files, "--max-messages", "1")
    files.settings["outage_patience"] = "1s"
    with db.locked():
        running = files.begin()
        eventually(lambda: "handed back what was held" in running.err, within=60)
    result = running.wait(60)
    assert result.rc == 0, result
    assert (result.summary.returned, result.summary.loaded) == (20, 19)
    assert result.summary.received == 40
    assert users(db) == wanted(20)


# ---- size --------------------------------------------------------------------------------------


def peak_kib(running):
    with open(f"/proc/{running.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


@pytest.mark.timeout(400)
def test_memory_stays_flat_over_a_million_lines(files, db):
    """The first tenth and the whole take the same."""
    files.settings["columns"] = [{"name": "id", "from": "id", "type": "integer"}]
    files.settings["dedup"] = "field:id"
    with gzip.open(files.home / "a.ndjson.gz", "wt", compresslevel=1) as f:
        for i in range(1_000_000):
            f.write('{"id":%d,"filler":"abcdefghijklmnopqrstuvwxyz"}\n' % i)
    running = files.begin()
    eventually(lambda: db.count() >= 100_000, within=120, every=0.2)
    early = peak_kib(running)
    eventually(lambda: not running.is_alive() or db.count() >= 900_000, within=200, every=0.2)
    late = peak_kib(running)
    result = running.wait(60)
    assert result.rc == 0 and result.summary.loaded == 1_000_000, result
    assert late < early * 1.2 and late < 300_000, (early, late)

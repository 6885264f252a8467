"""test_logs.py - one line an event: JSON for machines, text for people, and a bar on a terminal."""
import json
import os
import pty
import re
import time

import faults
from events import BAD, logins
from sluice import SUMMARY

UNITS = {"Seconds", "Microseconds", "Milliseconds", "Bytes", "Count", "Percent", "None"}


def test_away_from_a_terminal_every_line_but_the_summary_is_json(sluice, queue, proxy):
    queue.send(logins(3))
    proxy.on("ReceiveMessage", faults.refuse(), times=1)
    result = sluice.through(proxy).run("--until-empty")
    assert result.rc == 0, result
    *lines, last = result.err_lines
    assert SUMMARY.fullmatch(last), last
    assert lines, "it says nothing of the fault"
    for value in map(json.loads, lines):
        assert list(value)[:3] == ["@timestamp", "log.level", "message"], value
        assert {"ecs.version", "service.version", "event.dataset", "process.pid"} <= set(value), value
        assert not value["message"].endswith(".")
    assert value["sluice.pipeline"] == "public.user_logins"
    assert value["error.code"] and value["log.origin.file.name"].endswith(".c"), value
    assert isinstance(value["log.origin.file.line"], int)


def test_text_lines_can_be_asked_for(sluice, queue, proxy):
    queue.send(logins(3))
    proxy.on("ReceiveMessage", faults.refuse(), times=1)
    result = sluice.through(proxy).run("--until-empty", "--log-format", "text")
    assert result.rc == 0 and not result.logs and len(result.err_lines) > 1, result
    assert SUMMARY.fullmatch(result.err_lines[-1])


def test_levels_leave_out_what_is_below_them(sluice, queue, proxy):
    queue.send(logins(3))
    proxy.on("ReceiveMessage", faults.refuse(), times=1)
    result = sluice.through(proxy).run("--until-empty", "--log-level", "error")
    assert result.rc == 0 and len(result.err_lines) == 1, result


def test_on_a_terminal_a_bar_shows_how_far_it_is(sluice, queue, proxy):
    queue.send(logins(60))
    proxy.on("ReceiveMessage", faults.slow(0.2))
    sluice.through(proxy).make_keys()
    command = [sluice.binary, "run", "-c", sluice.write(), "--until-empty"]
    child, terminal = pty.fork()
    if child == 0:
        os.environ.clear()
        os.environ.update(sluice.env, TERM="xterm", COLUMNS="80")
        os.execv(command[0], command)
    seen = b""
    try:
        while data := os.read(terminal, 65536):
            seen += data
    except OSError:
        pass  # the terminal ends with the program
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    text = seen.decode()
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert "\r" in text.replace("\r\n", "\n"), "no line was drawn over"
    assert re.search(r"/s", text)
    assert SUMMARY.search(text.strip().splitlines()[-1]), text[-500:]
    assert not re.search(r'^\{"', text, re.M), "text on a terminal"


def check_emf(document):
    """What AWS's specification of the embedded metric format says MUST be."""
    aws = document["_aws"]
    assert set(aws) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(aws["Timestamp"], int) and abs(aws["Timestamp"] / 1000 - time.time()) < 600
    for directive in aws["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert re.fullmatch(r"[\w./#-]{1,255}", directive["Namespace"])
        assert not directive["Namespace"].startswith("AWS/")
        for dimensions in directive["Dimensions"]:
            assert 1 <= len(dimensions) <= 30
            for name in dimensions:
                assert re.fullmatch(r"[ -~]{1,1024}", document[name]) and document[name].strip()
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert metric["Unit"] in UNITS and 1 <= len(metric["Name"]) <= 1024
            assert isinstance(document[metric["Name"]], int)


def test_metrics_of_cloudwatch_add_up_to_the_summary(sluice, queue, db):
    queue.send([*logins(7), BAD])
    result = sluice.run("--until-empty", "--log-format", "emf", "--log-level", "error")
    assert result.rc == 0, result
    *lines, last = result.err_lines
    documents = [d for d in map(json.loads, lines) if "_aws" in d]
    assert documents == list(map(json.loads, lines)), "and nothing else that is no error"
    for document in documents:
        check_emf(document)
        assert document["pipeline"] == document["sluice.pipeline"] == "public.user_logins"
        assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "sluice"
    for name, n in result.summary.items():
        assert sum(d[name] for d in documents) == n, name
    assert result.summary.dead_lettered == 1


def test_json_has_no_metrics_and_other_commands_have_none(sluice, queue, db):
    assert "_aws" not in sluice.run("--until-empty", "--log-format", "json").err
    assert "_aws" not in sluice.run("--dry-run", "--log-format", "emf").err
    wrong = sluice.run("--log-format", "xml")
    assert wrong.rc == 64 and "text, json or emf" in wrong.err


def test_a_flood_of_one_warning_is_a_few_lines_and_a_number(sluice, make_queue, db):
    queue = make_queue(VisibilityTimeout=60)
    sluice.use_queue(queue).settings["dead_letter"] = "leave"
    queue.send([BAD] * 35)
    result = sluice.run("--until-empty")
    assert result.rc == 0 and result.summary.returned == 35, result
    said = [line for line in result.logs if line["message"] == "a bad message is left in the queue"]
    [told] = [line for line in result.logs if "sluice.left_out" in line]
    assert (len(said), told["sluice.left_out"]) == (10, 25)
    assert told["sluice.warning"] == said[0]["message"] and told["log.level"] == "warn"


def test_of_a_dry_run_nothing_is_left_out(sluice, queue):
    queue.send([BAD] * 20)
    result = sluice.run("--dry-run", "--max-messages", "20")
    assert result.err.count("would become a dead letter") == 20, result


def as_service(sluice, off=0):
    """The environment that systemd gives to a service whose stderr is the journal."""
    path = f"{sluice.folder}/{sluice.name}-{len(sluice.started)}.stderr"
    with open(path, "wb") as f:
        st = os.fstat(f.fileno())
    sluice.env["JOURNAL_STREAM"] = f"{st.st_dev}:{st.st_ino + off}"


def test_the_journal_is_told_how_bad_it_is(sluice, queue, proxy):
    sluice.make_keys()
    proxy.on("ReceiveMessage", faults.refuse(), times=1)
    sluice.through(proxy)
    as_service(sluice)
    *lines, last = sluice.run("--until-empty", "--log-format", "text").err_lines
    assert lines and SUMMARY.fullmatch(last)
    for line in lines:
        assert re.match("<6>....-..-..T[^ ]+ info |<4>....-..-..T[^ ]+ warn ", line), line
    as_service(sluice)
    assert re.fullmatch(r"<3>sluice: .*\n", sluice.call("run", "-c", "/none.yaml").err)
    as_service(sluice, off=1)
    assert sluice.call("run", "-c", "/none.yaml").err.startswith("sluice: "), "it is another file"

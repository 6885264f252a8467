"""test_logs.py - one line an event: JSON for machines, text for people, and a bar on a terminal."""
import json
import os
import pty
import re

import faults
from events import logins
from sluice import SUMMARY


def test_away_from_a_terminal_every_line_but_the_summary_is_json(sluice, queue, proxy):
    queue.send(logins(3))
    proxy.on("ReceiveMessage", faults.refuse(), times=1)
    result = sluice.through(proxy).run("--until-empty")
    assert result.rc == 0, result
    *lines, last = result.err_lines
    assert SUMMARY.fullmatch(last), last
    assert lines, "it says nothing of the fault"
    for value in map(json.loads, lines):
        assert {"@timestamp", "log.level", "message"} <= set(value), value
        assert not value["message"].endswith(".")


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

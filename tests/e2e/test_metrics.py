"""test_metrics.py - whoever watches a run sees what became of every message, and why it is not ready."""
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from conftest import ROOT
from events import BAD, logins
from monitor import OPENMETRICS, Monitor, watched
from wait import eventually

ALERTS = ROOT / "deploy" / "prometheus"


@pytest.fixture(scope="module")
def promtool():
    path = shutil.which("promtool")
    if path is None:
        pytest.fail("there is no promtool: apt-get install prometheus", pytrace=False)
    return path


@pytest.fixture
def loaded(sluice, queue, db):
    """A run that has loaded 20 logins and refused one message, and goes on."""
    queue.send(logins(20) + [BAD])
    running = watched(sluice).begin()
    monitor = Monitor(running)
    eventually(lambda: monitor.samples().get("sluice_messages_deleted_total") == 21,
               what="all are loaded and deleted")
    return running, monitor


def test_every_message_has_its_end_in_the_metrics(loaded):
    _, monitor = loaded
    found = monitor.samples()
    assert found["sluice_messages_received_total"] == 21
    assert found["sluice_rows_loaded_total"] == 20
    assert found["sluice_messages_dead_lettered_total"] == 1
    assert found["sluice_messages_in_flight"] == 0
    assert found['sluice_dead_letters_total{stage="decode",reason="missing_field"}'] == 1
    assert found["sluice_message_latency_seconds_count"] == 20
    assert 0 <= found["sluice_message_latency_seconds_sum"] < 20 * 300
    batches = found["sluice_batches_loaded_total"]
    for stage in ("receive", "decode", "mask", "load", "ack"):
        assert found[f'sluice_stage_duration_seconds_count{{stage="{stage}"}}'] == batches > 0
        assert found[f'sluice_stage_messages_total{{stage="{stage}"}}'] == 21
    assert found['sluice_sqs_requests_total{action="ReceiveMessage",result="OK"}'] >= 3
    assert found['sluice_sqs_requests_total{action="DeleteMessageBatch",result="OK"}'] >= 3
    assert found['sluice_sqs_requests_total{action="GetQueueAttributes",result="OK"}'] >= 1
    assert found['sluice_queue_messages{state="visible"}'] in (21, 0), "at the start, or 30 s later"
    assert found['sluice_key_info{kid="k1",state="active"}'] == 1
    assert found["sluice_queue_retention_seconds"] == 345600
    assert not any("credentials" in name for name in found), "of the environment: they do not end"
    assert found["process_resident_memory_bytes"] > 1e6 and found["sluice_ready"] == 1


def test_promtool_and_openmetrics_take_what_the_manual_lists(loaded, promtool):
    _, monitor = loaded
    text = monitor.text()
    check = subprocess.run([promtool, "check", "metrics"], input=text, text=True,
                           capture_output=True, check=False)
    assert (check.returncode, check.stdout + check.stderr) == (0, "")
    listed = re.findall(r"^\| `(\w+)` \| (\w+)", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    assert sorted(re.findall(r"^# TYPE (\w+) (\w+)", text, re.M)) == sorted(listed)

    status, headers, text = monitor.ask("/metrics", Accept=OPENMETRICS + ",*/*;q=0.1")
    assert status == 200 and headers["Content-Type"].startswith(OPENMETRICS)
    assert text.endswith("\n# EOF\n")
    assert "# TYPE sluice_rows_loaded counter\n" in text and "sluice_rows_loaded_total 20\n" in text


def test_what_watches_may_only_read(loaded):
    _, monitor = loaded
    status, headers, text = monitor.ask("/metrics", "HEAD")
    assert (status, text) == (200, "") and int(headers["Content-Length"]) > 1000
    status, headers, _ = monitor.ask("/metrics", "POST", b"")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert monitor.ask("/metrics", "DELETE")[0] == 405
    assert monitor.ask("/other")[0] == 404
    assert monitor.ask("/metrics", **{"X-Long": "x" * 20000})[0] in (413, 431)
    assert monitor.health() == (200, {"status": "ok", "reasons": []})


def test_status_says_it_to_people(loaded, sluice):
    running, monitor = loaded
    shown = sluice.good("status", monitor.url).text.splitlines()
    assert shown[0] == "ready"
    assert shown[1] == ("received 21, loaded 20, duplicates 0, dead-lettered 1, returned 0, "
                        "in flight 0")
    assert re.fullmatch(r"queue: (21|0) visible, 0 in flight, 0 delayed; asked \d+ s ago", shown[2])
    assert re.fullmatch(r"worker 0: \w+(, idle)?, last progress \d+ s ago", shown[3])
    running.stop()
    result = sluice.call("status", monitor.url + "/")
    assert result.rc == 75 and "could not reach http://127.0.0.1" in result.err
    assert result.err.endswith("is a run up there, with http.listen?\n")
    assert sluice.call("status", "127.0.0.1:1").rc == 64


def test_it_says_why_it_is_not_ready(sluice, queue, db, cluster):
    sluice.settings["workers"] = 2
    sluice.make_keys()
    cluster.stop()
    running = watched(sluice).begin("--wait", "60")
    monitor = Monitor(running)
    eventually(lambda: monitor.ready() == (503, {
        "status": "not ready", "reasons": ["starting: waiting for the database"]}))
    assert monitor.health()[0] == 200
    assert "sluice_ready 0\n" in monitor.text()
    cluster.start()
    eventually(lambda: monitor.ready()[0] == 200, within=30)

    cluster.stop()
    queue.send(logins(1))
    status, why = eventually(lambda: monitor.ready()[0] == 503 and monitor.ready(), within=30)
    assert (status, why["status"]) == (503, "not ready")
    assert re.fullmatch(r"worker \d: the database has taken nothing for \d+ s \(\w+\)",
                        why["reasons"][0])
    found = monitor.samples()
    assert found["sluice_database_up"] == 0 and found["sluice_outage_seconds"] > 0
    assert sum(n for name, n in found.items() if "sluice_load_failures_total" in name) > 0
    assert monitor.health()[0] == 200, "an outage is no reason to restart"
    result = sluice.call("status", monitor.url)
    assert result.rc == 1 and result.text.startswith("not ready: worker "), result
    cluster.start()
    eventually(lambda: monitor.ready()[0] == 200 and db.count() == 1, within=30)
    found = monitor.samples()
    assert (found["sluice_database_up"], found["sluice_outage_seconds"]) == (1, 0)


def test_a_stalled_worker_is_neither_healthy_nor_ready(sluice, queue, db):
    """A table that is locked holds the load up; a second is called a stall."""
    sluice.settings["stall_after"] = "1s"
    queue.send(logins(1))
    sluice.drain()
    with db.locked():
        queue.send(logins(1, first=1))
        monitor = Monitor(watched(sluice).begin())
        status, why = eventually(lambda: monitor.health()[0] == 503 and monitor.health(),
                                 every=0.01)
        assert (status, why["status"]) == (503, "stalled")
        assert re.fullmatch(r"worker 0 has made no progress in load for \d+ s", why["reasons"][0])


def test_auto_is_a_worker_for_each_core_that_it_may_use(sluice, queue, db):
    sluice.settings["workers"] = "auto"
    ours = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(ours)})  # handed down to what is started
        monitor = Monitor(watched(sluice).begin())
    finally:
        os.sched_setaffinity(0, ours)
    found = eventually(lambda: monitor.ready()[0] == 200 and monitor.samples(), within=30)
    assert len([name for name in found if name.startswith("sluice_worker_stalled")]) == 1


def test_a_port_that_is_taken_is_said_at_the_start_with_its_place(sluice):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sluice.settings["http"] = {"listen": f"127.0.0.1:{port}"}
        result = sluice.run()
    assert result.rc == 78, result
    assert re.search(rf"sluice\.yaml:\d+:\d+: http\.listen: cannot listen on 127\.0\.0\.1:{port}: "
                     "somebody listens there already", result.err), result


def test_every_alert_is_tried_and_has_its_page(promtool):
    rules, tests = ALERTS / "sluice.rules.yaml", ALERTS / "sluice.test.yaml"
    for command in (["check", "rules", rules], ["test", "rules", tests]):
        result = subprocess.run([promtool, *map(str, command)], text=True, capture_output=True,
                                check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    alerts = re.findall(r"alert: (\w+)", rules.read_text())
    manual = (ROOT / "docs" / "metrics.md").read_text()
    runbook = (ROOT / "docs" / "operations.md").read_text()
    assert len(alerts) >= 6
    for alert in alerts:
        assert f"### {alert}\n" in runbook and f"operations.md#{alert.lower()}" in rules.read_text()
        assert f"alertname: {alert}" in tests.read_text(), f"{alert} is never tried"
    for name in re.findall(r"\b(sluice_\w+?)(?:_bucket)?\b", rules.read_text()):
        assert f"`{name}`" in manual, name


def test_the_dashboard_asks_for_what_there_is(promtool, tmp_path):
    board = json.loads((ROOT / "deploy" / "grafana" / "sluice.json").read_text())
    manual = (ROOT / "docs" / "metrics.md").read_text()
    expressions = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    for name in re.findall(r"\b((?:sluice|process)_\w+?)(?:_bucket)?\b", json.dumps(board)):
        assert f"`{name}`" in manual, name
    rules = {"groups": [{"name": "panels", "rules": [
        {"record": f"panel:{i}", "expr": e.replace("$__rate_interval", "5m")}
        for i, e in enumerate(expressions)]}]}
    (tmp_path / "panels.json").write_text(json.dumps(rules))  # JSON is YAML, too
    result = subprocess.run([promtool, "check", "rules", str(tmp_path / "panels.json")], text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0 and len(expressions) > 20, result.stdout + result.stderr

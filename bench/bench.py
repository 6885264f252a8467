#!/usr/bin/env python3
"""bench.py - what a message costs, side by side in one run.

    bench.py [--count N] [--rounds R] [--only NAME,...] [--results DIR]

Every round runs every scenario once, so that what disturbs the machine disturbs all of them.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import threading
import time

import lab

SCENARIOS = {
    # name: (what it shows, settings of one run)
    "exactly once":        ("the preset: TLS, ledger, masks, two workers", {}),
    "plain HTTP":          ("without TLS", {"tls": False}),
    "null sink":           ("--dry-run: printed to /dev/null, no database", {"dry": True}),
    "1 % duplicates":      ("one of a hundred deliveries comes again",
                            {"fault": {"fault": "duplicate", "action": "ReceiveMessage",
                                       "times": 10 ** 9, "probability": 0.1}}),
    "1 % bad":             ("one of a hundred is a dead letter", {"fill": {"bad": 0.01}}),
    "FIFO":                ("1000 groups", {"fifo": True}),
    "15 ms round trip":    ("every answer 15 ms late", {
        "fault": {"fault": "slow", "action": "*", "times": 10 ** 9, "ms": 15}}),
    "1 worker":            ("", {"settings": "workers: 1\n"}),
    "4 workers":           ("", {"settings": "workers: 4\n"}),
    "2 processes":         ("of one worker each", {"settings": "workers: 1\n", "processes": 2}),
    "4 processes":         ("of one worker each", {"settings": "workers: 1\n", "processes": 4}),
    "memory: 8MiB":        ("small batches", {"settings": "memory: 8MiB\n"}),
    "memory: 256MiB":      ("large batches", {"settings": "memory: 256MiB\n"}),
}
RATES = (100, 1000)


def run_once(servers, n, o):
    """One scenario, once: a queue of its own, a database of its own."""
    processes = o.get("processes", 1)
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if "fifo" in o else {}
    fill = {**o.get("fill", {}), **({"groups": 1000} if "fifo" in o else {})}
    with servers.queue(n, "bench.fifo" if "fifo" in o else "bench", attributes,
                       tls=o.get("tls", True), **fill) as (fake, queue):
        if "fault" in o:
            fake.fault(**o["fault"])
        database = servers.database()
        config = servers.config(fake, queue, database, o.get("settings", ""))
        command = [str(lab.BUILD / "sluice"), "run", "-c", str(config), "--max-messages",
                   str(n // processes)]
        if "dry" in o:
            command.append("--dry-run")
        sample = servers.measure([command] * processes, fake, None if "dry" in o else database)
        database.drop()
    return sample


def per_message(sample, n):
    return {"msg_s": n / sample.seconds, "cpu_us": sample.cpu_s / n * 1e6,
            "pg_cpu_us": sample.pg_cpu_s / n * 1e6, "queue_cpu_us": sample.queue_cpu_s / n * 1e6,
            "wal_bytes": sample.wal_bytes / n, "rss_mib": sample.rss_mib, "requests_m": sample.requests / n * 1e6,
            "rows": sample.rows}


def spread(figures, key):
    values = [f[key] for f in figures]
    return statistics.median(values), min(values), max(values)


# ---- from sent to committed --------------------------------------------------------------------

def send_at(queue, rate, seconds, stop):
    """Ten messages a request, evenly; what is late is made up for."""
    began, sent = time.monotonic(), 0
    while not stop.is_set() and sent < rate * seconds:
        due = began + sent / rate
        stop.wait(max(0, due - time.monotonic()))
        queue.send([json.dumps({"user_id": f"u{sent + i}", "app_version": "2.3.0", "ip": "10.0.0.1",
                                "device_type": "android", "locale": "de",
                                "device_id": f"d{sent + i}"}) for i in range(10)])
        sent += 10


def latency(servers, rate, seconds=20):
    """Milliseconds, each message: its SentTimestamp to its transaction's commit."""
    with servers.queue(0, tls=True) as (fake, queue):
        database = servers.database()
        config = servers.config(fake, queue, database)
        stop = threading.Event()
        sender = threading.Thread(target=send_at, args=(queue, rate, seconds, stop))
        sluice = subprocess.Popen([str(lab.BUILD / "sluice"), "run", "-c", str(config),
                                   "--max-messages", str(rate * seconds)],
                                  stdin=subprocess.DEVNULL, stdout=servers.log, stderr=servers.log,
                                  env=servers.environment(fake))
        try:
            while sluice.poll() is None and not fake.calls().get("ReceiveMessage"):
                time.sleep(0.01)
            sender.start()
            if sluice.wait(seconds + 60):
                raise SystemExit(f"sluice ended with {sluice.returncode}")
        finally:
            stop.set()
            sender.join()
            sluice.kill()
        late = [ms for ms, in database.rows(
            "SELECT 1000 * extract(epoch FROM pg_xact_commit_timestamp(xmin) - create_date)::float8"
            " FROM user_logins ORDER BY 1")]
        database.drop()
    return {q: late[min(len(late) - 1, int(len(late) * p))]
            for q, p in (("p50", .5), ("p99", .99), ("p99.9", .999))}


# ---- what is printed ---------------------------------------------------------------------------

def machine(servers):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        models = [line.partition(":")[2].strip() for line in f if line.startswith("model name")]
    return {"cores": os.cpu_count(), "cpu": models[0] if models else platform.machine(),
            "postgresql": servers.database().one("SHOW server_version"),
            "settings": {**lab.SETTINGS, **{k: servers.database().one(f"SHOW {k}") for k in
                                            ("fsync", "synchronous_commit", "wal_level")}}}


def table(results):
    lines = ["| | msg/s (min-max) | CPU us: sluice | PostgreSQL | queue | WAL bytes | RSS MiB | requests/M |",
             "|---|---|---|---|---|---|---|---|"]
    for name, figures in results.items():
        rate, low, high = spread(figures, "msg_s")
        lines.append(
            f"| {name} | {rate:,.0f} ({low:,.0f}-{high:,.0f}) | {spread(figures, 'cpu_us')[0]:.1f}"
            f" | {spread(figures, 'pg_cpu_us')[0]:.1f} | {spread(figures, 'queue_cpu_us')[0]:.1f}"
            f" | {spread(figures, 'wal_bytes')[0]:,.0f}"
            f" | {spread(figures, 'rss_mib')[0]:.0f} | {spread(figures, 'requests_m')[0]:,.0f} |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--count", type=int, default=200_000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default=",".join(SCENARIOS))
    p.add_argument("--results", type=pathlib.Path, default=lab.ROOT / "bench" / "results")
    p.add_argument("--no-latency", action="store_true")
    o = p.parse_args()
    names = [name for name in SCENARIOS if name in o.only.split(",")]
    results = {name: [] for name in names}
    with lab.Lab() as servers:
        about = machine(servers)
        print(f"{about['cores']} cores, {about['cpu']}, PostgreSQL {about['postgresql']}: "
              + ", ".join(f"{k} = {v}" for k, v in about["settings"].items()), flush=True)
        for _ in range(o.rounds):
            for name in names:
                sample = run_once(servers, o.count, SCENARIOS[name][1])
                results[name].append(per_message(sample, o.count))
        print(table(results), flush=True)
        late = {} if o.no_latency else {rate: latency(servers, rate) for rate in RATES}
        for rate, q in late.items():
            print(f"sent to committed at {rate} msg/s: "
                  + ", ".join(f"{k} {ms:.0f} ms" for k, ms in q.items()))
    o.results.mkdir(exist_ok=True)
    (o.results / "bench.json").write_text(json.dumps(
        {"machine": about, "count": o.count, "scenarios": results, "latency_ms": late},
        indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""peers.py - the same messages, queue, table and machine for sluice and for what people use instead.

    peers.py [--count N] [--rounds R]

All take turns in every round; a ratio is the median of the rounds' ratios.  A peer that is not here
is named.  What each is given, and that it loses or doubles where sluice does not, is said in its file
in bench/peers/.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys

import lab

PEERS = lab.ROOT / "bench" / "peers"
HOME = lab.ROOT / ".cache" / "peers"
TABLE = ("CREATE TABLE user_logins (user_id varchar(128), device_type varchar(32), masked_ip text,"
         " masked_device_id text, locale varchar(32), app_version text, create_date timestamptz)")


def sluice(servers, fake, queue, database, n):
    config = servers.config(fake, queue, database)
    return [str(lab.BUILD / "sluice"), "run", "-c", str(config), "--max-messages", str(n)]


def script(*command):
    return lambda servers, fake, queue, database, n: [*command, queue.url, str(n)]


def node(servers, fake, queue, database, n):
    shutil.copy(PEERS / "node_ten.js", HOME)
    return ["node", str(HOME / "node_ten.js"), queue.url, str(n)]


def bento(servers, fake, queue, database, n):
    database.execute("ALTER TABLE user_logins ADD message_id text PRIMARY KEY")
    os.environ["QUEUE_URL"] = queue.url
    return [str(HOME / "bento" / "bento"), "-c", str(PEERS / "bento" / "bento.yaml")]


WAYS = {
    "sluice": sluice,
    "Python, one by one": script(sys.executable, str(PEERS / "python_each.py")),
    "Python, by tens": script(sys.executable, str(PEERS / "python_ten.py")),
    "Node, by tens": node,
    "Bento": bento,
}
ENDLESS = ("Bento",)
# A part of the messages, where all would take the day; what a start costs does not weigh there.
FEWER = {"Python, one by one": 40, "Python, by tens": 4, "Node, by tens": 4}


def missing():
    """{way: why it cannot be had here}"""
    found = {}
    if not shutil.which("node"):
        found["Node, by tens"] = "there is no node"
    elif not (HOME / "node_modules/pg").exists():
        found["Node, by tens"] = "its packages could not be had from npm"
    if not (HOME / "bento/bento").exists():
        found["Bento"] = "there is no go, or its modules could not be had"
    return found


def run_once(servers, name, n):
    with servers.queue(n) as (fake, queue):
        database = servers.database()
        database.execute(TABLE)
        command = WAYS[name](servers, fake, queue, database, n)
        os.environ.update({"DATABASE_URL": database.url, "AWS_ENDPOINT_URL": fake.url})
        sample = servers.measure([command], fake, database, name in ENDLESS and (
            lambda: fake.report(queue)["deleted"] == n))
        database.drop()
    if sample.rows < n:
        raise SystemExit(f"{name} loaded {sample.rows} of {n}")
    return {"msg_s": n / sample.seconds, "cpu_us": sample.cpu_s / n * 1e6,
            "pg_cpu_us": sample.pg_cpu_s / n * 1e6, "rss_mib": sample.rss_mib,
            "requests_m": sample.requests / n * 1e6}


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def table(results):
    lines = ["| | msg/s | CPU us | PostgreSQL's | RSS MiB | requests/M | sluice: messages a CPU second |",
             "|---|---|---|---|---|---|---|"]
    for name, rounds in results.items():
        ratio = statistics.median(r["cpu_us"] / s["cpu_us"] for r, s in zip(rounds, results["sluice"]))
        lines.append(f"| {name} | {median(rounds, 'msg_s'):,.0f} | {median(rounds, 'cpu_us'):,.0f} | "
                     f"{median(rounds, 'pg_cpu_us'):.0f} | {median(rounds, 'rss_mib'):.0f} | "
                     f"{median(rounds, 'requests_m'):,.0f} | {ratio:.1f} times |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--count", type=int, default=200_000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--results", type=pathlib.Path, default=lab.ROOT / "bench" / "results")
    o = p.parse_args()
    absent = missing()
    results = {name: [] for name in WAYS if name not in absent}
    with lab.Lab() as servers:
        for _ in range(o.rounds):
            for name, rounds in results.items():
                rounds.append(run_once(servers, name, o.count // FEWER.get(name, 1)))
    print(table(results))
    for name, why in absent.items():
        print(f"not measured: {name}: {why}")
    o.results.mkdir(exist_ok=True)
    (o.results / "peers.json").write_text(json.dumps(
        {"count": o.count, "ways": results, "absent": absent}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

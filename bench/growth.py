#!/usr/bin/env python3
"""growth.py - what a message costs as the ledger and the table grow, and with other keys.

    growth.py [--largest N] [--count N] [--rounds N] [--results DIR]

The ledger's rows are all of today and so in one slot: the worst there is.  They are made by SQL, in
the order in which loads would have made them.  Each database is kept and gets another run in every
round, so that what disturbs the machine disturbs all of them.
"""
import argparse
import contextlib
import json
import pathlib
import statistics

import lab

LEDGER = """
INSERT INTO sluice.ledger (slot, sent_at, message_id, pipeline, batch_id)
SELECT floor(extract(epoch FROM today) / 86400)::int % 32, today + i * (now() - today) / {n},
       gen_random_uuid()::text, 'public.user_logins', '00000000-0000-0000-0000-000000000000'
FROM generate_series(1, {n}) AS i,
     (SELECT date_trunc('day', now(), 'UTC') AS today) AS t"""
TABLE = """
INSERT INTO user_logins
SELECT 'u' || i % 1000000, 'android', 'v1.k1.' || md5(i::text), 'v1.k1.' || md5(i::text), 'de', '2.3.0',
       now() FROM generate_series(1, {n}) AS i"""
# What else could have been chosen.  The key is of the parent, fillfactor of each slot's index.
ID_FIRST = ("ALTER TABLE sluice.ledger DROP CONSTRAINT ledger_pkey,"
            " ADD PRIMARY KEY (message_id, pipeline, slot, sent_at)",)
SLOTS = range(32)


def fillfactor(percent):
    return tuple(f"ALTER INDEX sluice.ledger_{n:02d}_pkey SET (fillfactor = {percent})"
                 for n in SLOTS)


def worlds(largest):
    """name: (rows of the ledger, rows of the table, statements first)"""
    sizes = [n for n in (1_000_000, 10_000_000, 100_000_000) if n <= largest]
    other = min(largest, 10_000_000)
    return {"empty": (0, 0, ()),
            **{f"ledger of {n:,}": (n, 0, ()) for n in sizes},
            **{f"table of {n:,}": (0, n, ()) for n in sizes[:2]},
            f"ledger of {other:,}, key led by message_id": (other, 0, ID_FIRST),
            f"ledger of {other:,}, fillfactor 70": (other, 0, fillfactor(70)),
            f"ledger of {other:,}, fillfactor 100": (other, 0, fillfactor(100))}


def run_once(servers, database, n):
    with servers.queue(n, tls=True) as (fake, queue):
        config = servers.config(fake, queue, database)
        return servers.measure([[str(lab.BUILD / "sluice"), "run", "-c", str(config),
                                 "--max-messages", str(n)]], fake, database)


def bytes_a_row(database):
    """Of the ledger, with its index."""
    return database.one("SELECT sum(pg_total_relation_size(inhrelid))::float8 FROM pg_inherits"
                        " WHERE inhparent = 'sluice.ledger'::regclass") / database.count("sluice.ledger")


def database_make(servers, ledger_n, table_n, statements):
    database = servers.database()
    run_once(servers, database, 10)  # makes the schema and the table
    fillings = [sql.format(n=n) for n, sql in ((ledger_n, LEDGER), (table_n, TABLE)) if n]
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        for statement in ("SET statement_timeout = 0", *statements, *fillings, "VACUUM ANALYZE",
                          "CHECKPOINT"):
            cursor.execute(statement)
    return database


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--largest", type=int, default=10_000_000)
    p.add_argument("--count", type=int, default=200_000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--results", type=pathlib.Path, default=lab.ROOT / "bench" / "results")
    o = p.parse_args()
    with lab.Lab() as servers:
        databases = {name: database_make(servers, *world)
                     for name, world in worlds(o.largest).items()}
        found = {name: [] for name in databases}
        for _ in range(o.rounds):
            for name, database in databases.items():
                found[name].append(run_once(servers, database, o.count))
        row_bytes = {name: bytes_a_row(database) for name, database in databases.items()}
    results = {name: {key: statistics.median(getattr(s, key) / o.count * 1e6 for s in samples)
                      for key in ("pg_cpu_s", "cpu_s", "seconds")}
               for name, samples in found.items()}
    print("| | PostgreSQL: CPU us a message | of empty | sluice: CPU us a message | bytes of ledger a row |\n"
          "|---|---|---|---|---|")
    for name, r in results.items():
        print(f"| {name} | {r['pg_cpu_s']:.1f} | {r['pg_cpu_s'] / results['empty']['pg_cpu_s']:.2f}"
              f" | {r['cpu_s']:.1f} | {row_bytes[name]:.0f} |")
    o.results.mkdir(exist_ok=True)
    (o.results / "growth.json").write_text(json.dumps(
        {"count": o.count, "rounds": o.rounds, "us_a_message": results,
         "bytes_a_row": row_bytes}, indent=1) + "\n",
        encoding="utf-8")


if __name__ == "__main__":
    main()

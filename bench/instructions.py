#!/usr/bin/env python3
"""instructions.py - what each stage costs a message, in instructions, held against budget.txt.

Counted by callgrind on fixed input, so that two runs agree to the last.  Judged are our own; those
of libraries differ with the processor and their versions, and are printed beside them, as is the time
that both take here.

    instructions.py [--write]      with --write the numbers of this run become the budget
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build"))
BUDGET = ROOT / "bench" / "budget.txt"
STAGES = ("none", "receive", "decode", "mask", "encode", "ack")
BATCH = 1000
MARGIN = 1.05


def own_and_other(path):
    """Instructions of our program and of all else, from a callgrind file."""
    names, current, counts, is_call = {}, "", {True: 0, False: 0}, False
    for line in path.read_text().splitlines():
        if line.startswith("ob="):
            number, _, name = line[3:].partition(" ")
            names.setdefault(number, name)
            current = names[number]
        elif line.startswith("calls="):
            is_call = True
        elif line and (line[0].isdigit() or line[0] in "+-*"):
            if not is_call:
                counts[current.endswith("bench_stages")] += int(line.split()[1])
            is_call = False
        elif line.startswith("cob="):
            number, _, name = line[4:].partition(" ")
            names.setdefault(number, name)
    return counts[True], counts[False]


def count(stage, batches):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        subprocess.run(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}",
                        str(BUILD / "bench_stages"), stage, str(batches)], check=True)
        return own_and_other(out)


def cpu_us(stage, batches):
    """The least of several runs: nothing makes one faster than it is."""
    def once():
        p = subprocess.Popen([str(BUILD / "bench_stages"), stage, str(batches)])
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        assert p.returncode == 0, p.args
        return usage.ru_utime * 1e6
    return min(once() for _ in range(5))


def measure():
    """{stage: (own, other, microseconds)} a message."""
    totals = []
    for stage in STAGES:
        once, thrice = count(stage, 1), count(stage, 3)
        totals.append([(b - a) / (2 * BATCH) for a, b in zip(once, thrice)]
                      + [(cpu_us(stage, 200) - cpu_us(stage, 0)) / (200 * BATCH)])
    return {stage: [now - before for now, before in zip(totals[i], totals[i - 1])]
            for i, stage in enumerate(STAGES) if i}


def main():
    found = measure()
    if "--write" in sys.argv:
        BUDGET.write_text("".join(f"{s} {own:.0f}\n" for s, (own, _, _) in found.items()))
    budget = {s: int(n) for s, n in (line.split() for line in BUDGET.read_text().splitlines())}
    over = [s for s in budget if found[s][0] > budget[s] * MARGIN]
    print("instructions a message: ours (budget), of libraries; and microseconds")
    for stage, (own, other, took_us) in found.items():
        print(f"  {stage:<8} {own:7,.0f} ({budget[stage]:,}) {other:8,.0f} {took_us:7.2f}"
              + ("   over its budget by more than 5 %" if stage in over else ""))
    return bool(over)


if __name__ == "__main__":
    sys.exit(main())

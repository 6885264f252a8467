"""test_examples.py - every folder of examples/: its README is carried out as it stands, 20 logins
are loaded, and all of them come back by its own commands."""
import csv
import json
import os
import re
import subprocess

import pytest

from conftest import ROOT
from wait import SLOWER

EXAMPLES = ROOT / "examples"
RECOVERED = ("masked_ip", "masked_device_id")
ONE = "user_id LIKE 'f8c5b62c%'"  # whom the READMEs look up

DEMO = """
$ sluice keys new sluice.keys
$ sluice check -c examples/demo/sluice.yaml
$ sluice generate --count 20 --queue-url "$QUEUE_URL"
$ sluice run -c examples/demo/sluice.yaml --until-empty
$ sluice unmask -c examples/demo/sluice.yaml --where "user_id LIKE 'f8c5b62c%'" --reason test
"""

# What a column of each must look like; a folder that is not here fails.
CASES = {
    "aes": {"masked_ip": r"v1\.k1\.[\w-]{43}", "masked_device_id": r"v1\.k1\.[\w-]{43}"},
    "addresses": {"masked_ip": r"[0-9a-f:]+", "network": r"\d+\.\d+\.\d+\.0",
                  "masked_device_id": r"v1\.k1\.[\w-]{43}"},
    "aes-cbc": {"masked_ip": r"[\w+/]{22}==", "masked_device_id": r"[\w+/]{22}=="},
    "base64": {"masked_ip": r"[\w+/]+=*", "masked_device_id": r"[\w+/]+=*"},
    "demo": {"masked_ip": r"v1\.k1\.[\w-]{43}"},
    "fernet": {"masked_ip": r"gAAAAA[\w-]{92}==", "ip_token": r"h1\.k1\.[\w-]{43}",
               "device_id_token": r"h1\.k1\.[\w-]{43}"},
    "format": {"masked_ip": r"v1\.k1\.[\w-]{43}", "masked_device_id": r"\d{3}-\d\d-\d{4}"},
    "sha256-vault": {"masked_ip": r"[0-9a-f]{64}", "masked_device_id": r"h1\.k1\.[\w-]{43}"},
    "user-logins": {"masked_ip": r"v1\.k1\.[\w-]{43}", "masked_device_id": r"v1\.k1\.[\w-]{43}"},
}


def readme(name):
    """(command, what it prints there) of every command in a README; continued lines are joined."""
    text = DEMO if name == "demo" else (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    blocks = [text] if name == "demo" else re.findall(r"```console\n(.*?)```", text, re.S)
    found = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and not found[-1][1] and found[-1][0][-1] in "|\\":
            found[-1][0] += "\n" + line
        elif line:
            found[-1][1].append(line)
    return [tuple(f) for f in found]


def opens(command):
    """It prints values, which are the same in every run."""
    return re.search(r"sluice unmask|base64 -d|openssl enc", command)


def without_days(lines):
    return [re.sub(r"\b20\d\d-\d\d-\d\d$", "DAY", line) for line in lines]


class Shell:
    """The commands of a README, in one shell, in a folder that has the examples."""

    def __init__(self, sluice, queue, db, vault):
        c = db.cluster
        os.symlink(EXAMPLES, f"{sluice.folder}/examples")
        os.mkdir(f"{sluice.folder}/bin")
        os.symlink(sluice.binary, f"{sluice.folder}/bin/sluice")
        self.folder = sluice.folder
        self.env = {**sluice.env, "QUEUE_URL": queue.url, "DATABASE_URL": db.url,
                    "VAULT_URL": vault.url, "PATH": f"{sluice.folder}/bin:{c.clients}:"
                    + os.environ["PATH"], "TZ": "UTC"}

    def run(self, commands):
        """What each of them prints on stdout."""
        script = "set -e\n" + "".join(f"{{\n{c}\n}} > {i}.out\n" for i, c in enumerate(commands))
        done = subprocess.run(["sh", "-c", script], cwd=self.folder, env=self.env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60 * SLOWER, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        outputs = []
        for i in range(len(commands)):
            with open(f"{self.folder}/{i}.out", encoding="utf-8") as f:
                outputs.append(f.read().splitlines())
        return outputs


@pytest.fixture
def shell(bare, queue, db, cluster):
    vault = cluster.new_database()
    yield Shell(bare, queue, db, vault)
    vault.drop()


def originals(bare):
    """{user id: login} of the events that every README sends."""
    lines = bare.good("generate", "--count", "20").text.splitlines()
    return {v["user_id"]: v for v in map(json.loads, lines)}


def test_every_folder_has_a_case():
    folders = {p.parent.name for p in EXAMPLES.glob("*/sluice.yaml")}
    assert folders == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_an_example_does_what_its_readme_says(shell, bare, queue, db, name):
    said = readme(name)
    commands = [c for c, _ in said]
    for each in ("keys new", 'check (-c|"$QUEUE_URL")', "generate --count 20",
                 'run (-c|"$QUEUE_URL")', "unmask -c"):
        assert any(re.search("sluice " + each.replace("$", r"\$"), c) for c in commands), (
            f"the README lacks {each}")
    everything = [c.replace(ONE, "true") for c in commands if "sluice unmask" in c][-1]
    ids = "psql \"$DATABASE_URL\" -Atc 'SELECT user_id FROM user_logins'"
    printed = shell.run([*commands, everything, ids])

    logins = originals(bare)
    assert db.count() == 20 and db.dead() == [] and queue.is_empty()
    for (command, expected), got in zip(said, printed):
        if opens(command):
            assert without_days(got) == without_days(expected or got), command
    users = printed[-1]
    assert sorted(users) == sorted(logins)
    assert came_back(printed[-2]) == wanted(logins, printed[-2])
    for column, form in CASES[name].items():
        cells = [v for v, in db.rows(f"SELECT host({column}::inet) FROM user_logins"
                                     if name == "addresses" and column != "masked_device_id"
                                     else f"SELECT {column} FROM user_logins")]
        assert all(re.fullmatch(form, v) for v in cells), (column, cells[:2])


def is_table(lines):
    return lines[0].startswith("user_id,") or lines[0].startswith("masked_")


def came_back(lines):
    """All recovered values, sorted: of a table with a header, or of lines."""
    if not is_table(lines):
        return sorted(lines)
    return sorted(v for row in csv.DictReader(lines) for k, v in row.items() if k in RECOVERED)


def wanted(logins, lines):
    fields = ("ip", "device_id") if is_table(lines) else ("ip",)
    return sorted(v[f] for v in logins.values() for f in fields)

"""test_least_privilege.py - docs/security.md, taken at its word: with what stands there a run works,
and with one right less `sluice check` names it."""
import json
import os
import re

import pytest

import tokens
from conftest import ROOT
from events import BAD, logins

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
POLICY = json.loads(re.search(r"```json\n(.*?)```", TEXT, re.S)[1])["Statement"]
GRANTS = re.findall(r"^GRANT (.+?) ON (.+?) TO loader;", re.search(
    r"```sql\n(.*?)```", TEXT, re.S)[1], re.M)
ACTIONS = [(s["Sid"], action) for s in POLICY for action in s["Action"]]
RIGHTS = [(right, thing) for rights, things in GRANTS
          for right in rights.split(", ") for thing in things.split(", ")]


def fails(sluice, warns=False):
    """The lines of `check` that complain."""
    result = sluice.call("check", "-c", sluice.write())
    lines = [line for line in result.text.splitlines()
             if line.startswith("FAIL") or (warns and line.startswith("warn"))]
    assert result.rc == (1 if any(line.startswith("FAIL") for line in lines) else 0), result
    return lines


# ---- AWS ----------------------------------------------------------------------------------------

def statements(without=(None, None)):
    """moto knows no resources here, and asks for the right to a batch by the batch's own name; one right
    of two queues is one."""
    kept = {action for sid, action in ACTIONS if action != without[1]}
    for action in list(kept & {"sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
                               "sqs:SendMessage"}):
        kept.add(action + "Batch")
    return [{"Effect": "Allow", "Action": sorted(kept), "Resource": "*"}]


@pytest.fixture
def guarded(sluice, moto, make_queue, queue, db):
    """Everything that the policy is for, as a user who may do nothing yet."""
    kms = moto.admin("kms").create_key()["KeyMetadata"]["Arn"]
    with open(sluice.keys, "w", encoding="ascii") as f:
        f.write(tokens.key_line())
    os.chmod(sluice.keys, 0o600)
    sluice.env["AWS_ACCESS_KEY_ID"], sluice.env["AWS_SECRET_ACCESS_KEY"] = moto.admin_keys
    with open(sluice.folder + "/wrapped.keys", "w", encoding="ascii") as f:
        f.write(sluice.good("keys", "wrap", sluice.keys, "--kms-key", kms).text)
    sluice.settings["keys"] = {"kms": {"file": sluice.folder + "/wrapped.keys"}}
    sluice.postgres["url_secret"] = moto.admin("secretsmanager").create_secret(
        Name="least-" + db.name, SecretString=db.url)["ARN"]
    del sluice.postgres["url"]
    sluice.settings["dead_letter"] = "queue:" + make_queue().url
    del sluice.sqs["queue_url"]
    sluice.sqs["queue"] = queue.name
    user = "least-" + db.name

    def allow(policy):
        moto.admin("iam").put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": policy}))

    key = moto.new_user(user, statements())
    sluice.env["AWS_ACCESS_KEY_ID"], sluice.env["AWS_SECRET_ACCESS_KEY"] = key
    return sluice, allow


def test_the_policy_is_enough_and_every_action_of_it_is_missed_by_name(guarded, queue, db):
    sluice, allow = guarded
    queue.send(logins(3) + [BAD])
    assert fails(sluice) == []
    result = sluice.start("run", "-c", sluice.path, "--until-empty").wait()
    assert result.rc == 0, result
    assert (result.summary.loaded, result.summary.dead_lettered) == (3, 1), result
    for right in ACTIONS:
        allow(statements(without=right))
        lines = fails(sluice)
        assert lines and any(right[1] in line for line in lines), (right, lines)
        named = {a for a in {a for _, a in ACTIONS} if any(re.search(
            rf"\b{a} is not allowed|(?:answers|refuses) {a}\b", line) for line in lines)}
        assert named == {right[1]}, (right, lines)


# ---- PostgreSQL ---------------------------------------------------------------------------------

@pytest.fixture
def loader(sluice, db):
    """A role that may do nothing, not even what everybody may."""
    sluice.make_keys()
    sluice.postgres["create"] = "never"
    db.psql(sluice.good("sql", "schema", "-c", sluice.write()).text)
    role = "loader_" + db.name
    db.execute(f"CREATE ROLE {role} LOGIN; REVOKE ALL ON DATABASE {db.name} FROM PUBLIC")
    sluice.postgres["url"] = db.url.replace("postgres@", role + "@")
    yield role
    db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def change(db, verb, right, thing, role):
    thing = thing.replace("DATABASE events", "DATABASE " + db.name)
    db.execute(f"{verb} {right} ON {thing} {'TO' if verb == 'GRANT' else 'FROM'} {role}")


def test_the_grants_are_enough_and_every_one_of_them_is_missed_by_name(sluice, queue, db, loader):
    for right, thing in RIGHTS:
        change(db, "GRANT", right, thing, loader)
    assert fails(sluice, warns=True) == []
    queue.send(logins(3) + [BAD])
    assert sluice.drain().loaded == 3
    for right, thing in RIGHTS:
        change(db, "REVOKE", right, thing, loader)
        lines = fails(sluice, warns=right == "DELETE")
        words = {"CONNECT": "permission denied for database",
                 "USAGE": "usage on schema sluice"}.get(right, f"{right.lower()} on {thing}")
        if thing == "user_logins":
            words = "grant insert on it"
        assert lines and words in lines[0], (right, thing, lines)
        change(db, "GRANT", right, thing, loader)
    assert fails(sluice, warns=True) == []

"""test_aws_identity.py - as whom the queue is asked: every place, what goes wrong there, and what
becomes of keys that end while a run goes on."""
import json
import os
import time

import pytest

from aws import Agent, Gate, Imds, Keys, Sts
from events import logins
from monitor import Monitor, watched
from wait import eventually

VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED")


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def gate(moto, keys):
    g = Gate(moto, keys)
    yield g
    g.stop()


@pytest.fixture
def sts(keys):
    s = Sts(keys)
    yield s
    s.stop()


@pytest.fixture
def agent(stranger, keys):
    a = Agent(keys, "Bearer of-the-file")
    stranger.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = a.url + "/v1/credentials"
    stranger.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write(stranger, "pod-token",
                                                                  "Bearer of-the-file\n")
    yield a
    a.stop()


@pytest.fixture
def imds(stranger, keys):
    i = Imds(keys)
    stranger.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = i.url
    yield i
    i.stop()


@pytest.fixture
def stranger(sluice, gate, sts):
    """The program with no keys at all, in front of a queue that asks for some."""
    for name in VARIABLES:
        sluice.env.pop(name)
    sluice.env["AWS_ENDPOINT_URL_SQS"] = gate.url
    sluice.env["AWS_ENDPOINT_URL_STS"] = sts.url
    return sluice


def write(sluice, name, text):
    path = os.path.join(sluice.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)
    return path


def check(sluice):
    """The line of `sluice check` about the identity."""
    sluice.make_keys()
    result = sluice.call("check", "-c", sluice.write())
    return next(line for line in result.text.splitlines() if " aws " in line)


# ---- roles --------------------------------------------------------------------------------------

def test_a_role_is_assumed_with_the_keys_of_another_profile(stranger, queue, keys, sts):
    key = keys.new(token=False)
    sts.roles["arn:aws:iam::1:role/loader"] = "outside"
    write(stranger, ".aws/credentials", key.profile("base"))
    write(stranger, ".aws/config",
          "[default]\nrole_arn = arn:aws:iam::1:role/loader\nsource_profile = base\n"
          "external_id = outside\nduration_seconds = 900\n")
    queue.send(logins(2))
    assert stranger.drain().loaded == 2
    assert [r["DurationSeconds"] for r in sts.asked] == ["900"]
    assert "of arn:aws:iam::1:role/loader, as AWS profile base, region" in check(stranger)


def test_the_role_of_the_configuration_is_assumed_as_whoever_there_is(stranger, queue, keys, sts):
    key = keys.new()
    sts.roles["arn:aws:iam::2:role/their-queue"] = "contract-7"
    write(stranger, ".aws/credentials", key.profile())
    stranger.sqs.update(role_arn="arn:aws:iam::2:role/their-queue", external_id="contract-7",
                        role_session_name="loader-1")
    queue.send(logins(2))
    assert stranger.drain().loaded == 2
    assert sts.asked[0]["RoleSessionName"] == "loader-1"


def test_a_role_that_may_not_be_assumed_ends_the_start(stranger, queue, keys, sts):
    write(stranger, ".aws/credentials", keys.new().profile())
    stranger.sqs.update(role_arn="arn:aws:iam::2:role/their-queue")
    result = stranger.run("--until-empty")
    assert result.rc == 78, result
    assert ("could not become arn:aws:iam::2:role/their-queue: STS refuses (AccessDenied): no"
            in result.err)


def test_a_start_waits_for_sts(stranger, queue, keys, sts):
    write(stranger, ".aws/credentials", keys.new().profile())
    sts.roles["arn:aws:iam::2:role/their-queue"] = None
    sts.fault = (503, "<html>busy</html>")
    stranger.sqs.update(role_arn="arn:aws:iam::2:role/their-queue")
    queue.send(logins(1))
    running = stranger.begin("--until-empty")
    eventually(lambda: len(sts.asked) >= 2, what="it asks again")
    sts.fault = None
    assert running.wait().summary.loaded == 1


def test_a_web_identity_is_shown_and_its_file_read_at_every_refresh(stranger, queue, keys, sts,
                                                                    gate, db):
    sts.roles["arn:aws:iam::1:role/pod"] = None
    sts.tokens = {"first.token"}
    stranger.env["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/pod"
    stranger.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = write(stranger, "token", "first.token\n")
    queue.send(logins(2))
    running = stranger.begin()
    eventually(lambda: db.has("user_logins") and db.count() == 2, what="the first are loaded")
    write(stranger, "token", "second.token")
    sts.tokens = {"second.token"}
    keys.all.clear()
    queue.send(logins(2, first=2))
    eventually(lambda: db.count() == 4 and queue.is_empty(), what="those behind them are loaded")
    result = running.stop()
    assert [r["WebIdentityToken"] for r in sts.asked][::len(sts.asked) - 1] == ["first.token",
                                                                              "second.token"]
    assert "token" not in result.err.replace("InvalidClientTokenId", "")


def test_a_web_identity_that_is_refused_says_so_without_the_token(stranger, queue, sts):
    stranger.env["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/pod"
    stranger.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = write(stranger, "token", "canary.token\n")
    result = stranger.run("--until-empty")
    assert result.rc == 78, result
    assert "STS refuses (InvalidIdentityToken)" in result.err and "canary" not in result.err


def test_motos_web_identities_are_understood(sluice, queue, moto):
    for name in VARIABLES[:2]:
        sluice.env.pop(name)
    sluice.env["AWS_ROLE_ARN"] = moto.role
    sluice.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = write(sluice, "token", "any")
    queue.send(logins(2))
    sluice.make_keys()
    moto.verify_signatures(after=1)  # it knows no other way to take what is not signed
    assert sluice.drain().loaded == 2


def test_motos_sts_is_understood(sluice, queue, moto):
    sluice.sqs.update(role_arn=moto.role)
    queue.send(logins(2))
    assert sluice.drain().loaded == 2


# ---- programs -----------------------------------------------------------------------------------

def test_a_program_prints_keys_and_does_so_again_before_they_end(stranger, queue, keys, gate, db):
    """Each run of the program takes the next key, which is good for two seconds."""
    for i in range(40):
        key = keys.new(seconds=2 + i)
        write(stranger, f"key.{i}", json.dumps(
            {"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret,
             "SessionToken": key.token, "Expiration": key.expiration}))
    script = write(stranger, "next key", "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n"
                                         "n=$(ls runs 2>/dev/null | wc -l)\nmkdir -p runs\n"
                                         "touch runs/$n\nexec cat key.$((n + 2))\n")
    os.chmod(script, 0o755)
    write(stranger, ".aws/config", f"[default]\ncredential_process = '{script}'\n")
    running = stranger.begin()
    eventually(lambda: len(set(gate.used)) >= 3, what="three keys are used")
    queue.send(logins(2))
    eventually(lambda: db.count() == 2, what="they are loaded")
    running.stop()


# ---- containers ---------------------------------------------------------------------------------

def test_a_container_is_given_its_keys(stranger, queue, agent, gate):
    queue.send(logins(2))
    assert stranger.drain().loaded == 2
    assert set(gate.used) == {k.id for k in agent.given}
    assert "of the container, region us-east-1" in check(stranger)


def test_no_proxy_comes_between_a_container_and_its_agent(stranger, queue, agent):
    stranger.env["http_proxy"] = "http://127.0.0.1:1"
    stranger.env["no_proxy"] = "never.matches"
    assert "of the container" in check(stranger)


def test_a_container_whose_token_is_refused_says_so_and_nothing_else(stranger, queue, agent):
    write(stranger, "pod-token", "Bearer canary")
    result = stranger.run("--until-empty")
    assert result.rc == 78, result
    assert "the container's agent answers with HTTP 403" in result.err
    assert "canary" not in result.err


@pytest.mark.parametrize("fault", [(500, "canary"), (200, "canary"), (200, "{}"), 2.5])
def test_an_agent_in_trouble_is_asked_again(stranger, queue, agent, fault):
    agent.faults = [fault] * 4
    queue.send(logins(1))
    assert stranger.drain("--wait", "60", within=60).loaded == 1
    assert "canary" not in stranger.started[-1].err


def test_no_container_token_goes_to_another_host(stranger, queue, agent):
    stranger.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://192.0.2.1/v1/credentials"
    result = stranger.run("--until-empty")
    assert result.rc == 78 and "must be https, or http to this machine" in result.err


# ---- instances ----------------------------------------------------------------------------------

def test_an_instance_is_asked_for_keys_and_region_by_version_2(stranger, queue, imds, gate):
    stranger.env.pop("AWS_REGION")
    queue.send(logins(2))
    assert stranger.drain().loaded == 2
    assert set(gate.used) == {k.id for k in imds.given}
    assert all(status == 200 for _, _, status in imds.asked), imds.asked
    assert "of the instance's role loader, region us-east-1" in check(stranger)


def test_a_role_of_the_instance_may_become_another(stranger, queue, imds, sts):
    sts.roles["arn:aws:iam::1:role/loader"] = None
    write(stranger, ".aws/config", "[default]\nrole_arn = arn:aws:iam::1:role/loader\n"
                                   "credential_source = Ec2InstanceMetadata\n")
    queue.send(logins(1))
    assert stranger.drain().loaded == 1


def test_an_instance_without_a_role_is_told_where_all_was_looked_for(stranger, queue, imds):
    imds.faults = [None, (404, "")]
    result = stranger.run("--until-empty")
    assert result.rc == 78, result
    assert "not of an instance (the instance has no role)" in result.err


def test_an_instance_may_be_left_alone(stranger, queue, imds):
    stranger.env["AWS_EC2_METADATA_DISABLED"] = "true"
    result = stranger.run("--until-empty")
    assert result.rc == 78 and "AWS_EC2_METADATA_DISABLED is set" in result.err
    assert imds.asked == []


@pytest.mark.parametrize("faults", [[None, (401, "")], [None, (503, ""), (200, "")],
                                    [None, None, (200, "<html>canary")],
                                    [None, None, (200, '{"Code":"Failed"}')]])
def test_an_instance_in_trouble_is_asked_again(stranger, queue, imds, faults):
    imds.faults = faults
    queue.send(logins(1))
    assert stranger.drain().loaded == 1
    assert "canary" not in stranger.started[-1].err


def test_expired_keys_that_an_instance_serves_are_used(stranger, queue, imds, gate):
    """Its service has trouble; AWS takes such keys for a while."""
    imds.seconds = -60
    gate.keys.takes_expired = True
    queue.send(logins(1))
    assert stranger.drain().loaded == 1
    assert imds.count("GET", "/loader") == 1


# ---- keys that change ---------------------------------------------------------------------------

def test_keys_that_are_changed_in_a_profile_are_taken_up_when_the_old_ones_are_refused(
        stranger, queue, gate, keys, db):
    first = keys.new()
    write(stranger, ".aws/credentials", first.profile())
    queue.send(logins(3))
    running = stranger.in_parallel().begin()
    eventually(lambda: db.has("user_logins") and db.count() == 3, what="the first are loaded")
    second = keys.new()
    write(stranger, ".aws/credentials", second.profile())
    keys.forget(first)
    queue.send(logins(3, first=3))
    eventually(lambda: db.count() == 6, what="those behind them are loaded")
    result = running.stop()
    assert result.summary.loaded == 6
    assert "InvalidClientTokenId" in gate.refused
    assert set(gate.used) == {first.id, second.id}
    assert first.secret not in result.err and second.secret not in result.err


def trickle(queue, db, seconds, sent=0, at_once=4):
    """Send for so long, a few at a time, until all of it is loaded; return how many there are."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        queue.send(logins(at_once, first=sent))
        sent += at_once
        eventually(lambda: db.has("user_logins") and db.count() >= sent - 2 * at_once,
                   within=40, what="the run keeps up")
        time.sleep(0.4)  # a rate, not a wait
    eventually(lambda: db.count() == sent, within=40, what="all are loaded")
    eventually(queue.is_empty, within=40, what="all are deleted")
    return sent


@pytest.mark.timeout(180)
def test_keys_of_two_seconds_lose_nothing(stranger, queue, agent, gate, db):
    """Hours in little time: every key ends after two seconds, and others take its place."""
    agent.seconds = 2
    running = watched(stranger.in_parallel()).begin()
    monitor = Monitor(running)
    sent = trickle(queue, db, seconds=10)
    until = monitor.samples()["sluice_aws_credentials_expiry_timestamp_seconds"]
    assert until in [pytest.approx(k.ends, abs=0.002) for k in agent.given[2:]]
    result = running.stop()
    assert result.summary.loaded == sent and db.count() == sent
    assert len(set(gate.used)) >= 5, "keys that were used"
    assert set(gate.refused) <= {"ExpiredToken"}
    assert len(set(gate.refused_ids)) <= len(agent.given) / 2, "most are replaced in time"
    assert not any(k.secret in result.err or k.token in result.err for k in agent.given)


@pytest.mark.timeout(180)
def test_an_agent_that_is_away_longer_than_its_keys_live_delays_and_loses_nothing(
        stranger, queue, agent, gate, db):
    agent.seconds = 3
    running = stranger.in_parallel().begin()
    first = trickle(queue, db, seconds=2)
    agent.faults = [(500, "canary")] * 21
    eventually(lambda: "ExpiredToken" in gate.refused, what="the keys end")
    second = trickle(queue, db, seconds=4, sent=first)
    result = running.stop()
    assert result.summary.loaded == db.count() == second
    assert "could not refresh the AWS credentials" in result.err and "canary" not in result.err

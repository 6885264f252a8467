"""test_aws_keys.py - a key ring that AWS keeps: wrapped by KMS, or in Secrets Manager."""
import base64
import json
import os
import signal

import pytest

import tokens
from events import login, logins
from faults import Reply, throttle
from sluice import wait_for_text
from wait import eventually

KEY_2 = bytes(range(100, 132))


@pytest.fixture
def kms(moto):
    return moto.admin("kms")


@pytest.fixture
def kms_key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def owner(sluice, moto):
    """The program as somebody who may use KMS and Secrets Manager."""
    sluice.env["AWS_ACCESS_KEY_ID"], sluice.env["AWS_SECRET_ACCESS_KEY"] = moto.admin_keys
    return sluice


def put(sluice, *lines):
    with open(sluice.keys, "w", encoding="ascii") as f:
        f.writelines(lines)
    os.chmod(sluice.keys, 0o600)


def wrap(sluice, kms_key, *lines):
    """A wrapped file of these keys; the plain one is gone afterwards."""
    put(sluice, *lines)
    text = sluice.good("keys", "wrap", sluice.keys, "--kms-key", kms_key).text
    os.remove(sluice.keys)
    replace(sluice, text)
    sluice.settings["keys"] = {"kms": {"file": path(sluice)}}
    return text


def path(sluice):
    return sluice.folder + "/wrapped.keys"


def replace(sluice, text):
    with open(path(sluice) + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.replace(path(sluice) + ".new", path(sluice))


def start(sluice, *arguments):
    """As `begin`, which would make a plain key file."""
    return sluice.start("run", "-c", sluice.write(), *arguments)


def drain(sluice):
    result = start(sluice, "--until-empty").wait()
    assert result.rc == 0, result
    return result.summary


def refused(sluice, *words):
    result = start(sluice, "--until-empty").wait()
    assert result.rc == 78, result
    for word in words:
        assert word in result.err, result
    return result


# ---- KMS ----------------------------------------------------------------------------------------

def test_a_wrapped_ring_masks_as_the_plain_one_would(owner, queue, db, kms_key):
    text = wrap(owner, kms_key, tokens.key_line(),
                tokens.key_line("k2", KEY_2, "decrypt"), "k0 retired destroyed 01234567\n")
    assert base64.b64encode(tokens.MASTER).decode() not in text and "k0 retired destroyed" in text
    queue.send([login(1, ip="203.0.113.7")])
    assert drain(owner).loaded == 1
    assert db.one("SELECT masked_ip FROM user_logins") == tokens.mask(
        {"k1": tokens.MASTER}, "ip", "203.0.113.7")
    result = owner.call("check", "-c", owner.write())
    assert result.rc == 0 and "ok    keys" in result.text, result


def test_a_wrapped_key_can_be_had_without_sluice(owner, kms, kms_key):
    line = wrap(owner, kms_key, tokens.key_line()).splitlines()[-1].split()
    answer = kms.decrypt(CiphertextBlob=base64.b64decode(line[2].removeprefix("kms:")),
                         KeyId=kms_key, EncryptionContext={"sluice": line[0]})
    assert answer["Plaintext"] == tokens.MASTER and line[3] == tokens.check_value(tokens.MASTER)


def test_a_hangup_reads_a_wrapped_ring_again(owner, queue, db, kms_key):
    wrap(owner, kms_key, tokens.key_line())
    queue.send([login(1)])
    running = start(owner)
    eventually(lambda: db.count() == 1)
    wrap(owner, kms_key, tokens.key_line(state="decrypt"), tokens.key_line("k2", KEY_2))
    running.send(signal.SIGHUP)
    wait_for_text(running, "the keys were read again")
    queue.send([login(2)])
    eventually(lambda: db.count() == 2)
    running.stop()
    assert db.one("SELECT masked_ip FROM user_logins WHERE user_id = 'user-0002'").startswith(
        "v1.k2.")


def test_each_key_may_have_a_kms_key_of_its_own_region(owner, queue, moto, kms_key):
    far = moto.client("kms", *moto.admin_keys, region="eu-west-1")
    one = wrap(owner, kms_key, tokens.key_line())
    two = wrap(owner, far.create_key()["KeyMetadata"]["Arn"],
               tokens.key_line("k2", KEY_2)).replace(" active ", " decrypt ")
    replace(owner, one + two)
    result = owner.call("check", "-c", owner.write())
    assert "2 keys, k1 is active" in result.text, result


def test_a_ciphertext_is_good_for_its_own_id_and_its_own_kms_key_alone(owner, kms, kms_key):
    text = wrap(owner, kms_key, tokens.key_line())
    replace(owner, text.replace("k1 active", "k9 active"))
    refused(owner, path(owner) + ":6", "InvalidCiphertextException", "for this id")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    replace(owner, text.replace(kms_key, other))
    refused(owner, path(owner) + ":6")
    replace(owner, text.replace(tokens.check_value(tokens.MASTER), "01234567"))
    refused(owner, path(owner) + ":6", "check value")


def test_a_wrapped_file_must_be_one(owner, kms_key):
    text = wrap(owner, kms_key, tokens.key_line())
    replace(owner, text.replace("kms " + kms_key + "\n", ""))
    refused(owner, path(owner) + ":5", "kms KEY_ARN")
    replace(owner, text + tokens.key_line("k2", KEY_2, "decrypt"))
    refused(owner, path(owner) + ":7", "not wrapped")
    replace(owner, text.replace(kms_key, "a-name") + tokens.key_line("k2", KEY_2, "decrypt"))
    refused(owner, path(owner) + ":6", '"a-name" is not the ARN of a KMS key')
    replace(owner, text)
    os.chmod(path(owner), 0o664)
    refused(owner, "others may write")
    os.chmod(path(owner), 0o600)
    owner.settings["keys"] = {"file": path(owner)}
    refused(owner, "keys.kms.file")


def test_who_may_not_decrypt_is_told_so_at_once(sluice, owner, moto, kms_key, queue):
    wrap(owner, kms_key, tokens.key_line())
    queue.send(logins(1))
    owner.env["AWS_ACCESS_KEY_ID"], owner.env["AWS_SECRET_ACCESS_KEY"] = moto.key_id, moto.secret
    refused(owner, "KMS answers kms:Decrypt with HTTP 403", path(owner) + ":6")
    assert queue.counts() == (1, 0, 0)


@pytest.mark.parametrize("code, words, said", [
    ("DisabledException", "arn is disabled.", "the KMS key is disabled"),
    ("KMSInvalidStateException", "arn is pending deletion.", "pending deletion"),
    ("NotFoundException", "no", "there is no such KMS key"),
    ("IncorrectKeyException", "no", "wrapped by another KMS key"),
    ("AccessDeniedException", "User: x is not authorized to perform: kms:Decrypt", "User: x is not"),
    ("UnrecognizedClientException", "The security token is invalid.", "refuses kms:Decrypt (Unrec"),
    ("ValidationException", "1 validation error: Decrypt quoted", "(ValidationException)"),
])
def test_what_kms_says_is_said_and_ends_the_start(owner, kms_key, proxy, code, words, said):
    """As AWS words it: moto knows few of these."""
    wrap(owner, kms_key, tokens.key_line())
    owner.env["AWS_ENDPOINT_URL_KMS"] = proxy.url
    proxy.on("Decrypt", lambda call, forward: Reply(400, json.dumps(
        {"__type": "com.amazonaws.kms#" + code, "message": words}).encode()))
    result = refused(owner, said, path(owner) + ":6")
    assert proxy.count("Decrypt") == 1 and "quoted" not in result.err, result


def test_a_throttled_kms_and_one_that_is_away_are_waited_for(owner, queue, db, kms_key, proxy):
    wrap(owner, kms_key, tokens.key_line())
    owner.env["AWS_ENDPOINT_URL_KMS"] = proxy.url
    proxy.on("Decrypt", lambda call, forward: None, times=1)
    proxy.on("Decrypt", lambda call, forward: Reply(
        400, b'{"__type":"ThrottlingException","message":"Rate exceeded"}'), times=1)
    queue.send(logins(1))
    assert drain(owner).loaded == 1
    assert proxy.count("Decrypt") == 3
    proxy.on("Decrypt", throttle())
    result = start(owner, "--until-empty", "--wait", "1").wait()
    assert result.rc == 75 and "KMS refuses" in result.err, result


def test_no_kms_key_no_wrapping(owner):
    put(owner, tokens.key_line())
    result = owner.call("keys", "wrap", owner.keys)
    assert result.rc == 64 and "--kms-key" in result.err, result
    result = owner.call("keys", "wrap", owner.keys, "--kms-key", "alias/x")
    assert result.rc == 78 and "ARN" in result.err, result


# ---- Secrets Manager ----------------------------------------------------------------------------

def test_a_ring_may_be_the_text_of_a_secret(owner, queue, db, moto):
    secrets = moto.admin("secretsmanager")
    arn = secrets.create_secret(Name="ring-" + db.name, SecretString=tokens.key_line())["ARN"]
    owner.settings["keys"] = {"secret": arn}
    queue.send([login(1, ip="203.0.113.7")])
    running = start(owner)
    eventually(lambda: db.count() == 1)
    secrets.put_secret_value(SecretId=arn, SecretString=tokens.key_line(state="decrypt")
                             + tokens.key_line("k2", KEY_2))
    running.send(signal.SIGHUP)
    wait_for_text(running, "the keys were read again")
    result = running.stop()
    assert base64.b64encode(tokens.MASTER).decode() not in result.err
    assert tokens.unmask({"k1": tokens.MASTER}, "ip", db.one(
        "SELECT masked_ip FROM user_logins")) == "203.0.113.7"


def test_a_secret_that_holds_no_ring_is_said_without_being_shown(owner, moto, db):
    secrets = moto.admin("secretsmanager")
    arn = secrets.create_secret(Name="no-ring-" + db.name, SecretString="hunter2 is it")["ARN"]
    owner.settings["keys"] = {"secret": arn}
    assert "hunter2" not in refused(owner, "keys from secret " + arn).err
    owner.settings["keys"] = {"secret": arn.replace("no-ring", "none-at-all")}
    refused(owner, "ResourceNotFoundException", "there is no such secret")
    owner.settings["keys"] = {"secret": "ring"}
    refused(owner, "must be the ARN of a secret")
    owner.env["AWS_ACCESS_KEY_ID"], owner.env["AWS_SECRET_ACCESS_KEY"] = moto.key_id, moto.secret
    owner.settings["keys"] = {"secret": arn}
    refused(owner, "Secrets Manager answers secretsmanager:GetSecretValue with HTTP 403")

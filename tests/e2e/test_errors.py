"""test_errors.py - what is wrong is said in one line: what, where, and what is allowed."""
import os
import re
import subprocess

import pytest
import yaml

from events import logins
from pg import PASSWORD, free_port


def refused(result, rc, *words):
    """Exit code, and exactly one line for a person, with every word in it."""
    codes = rc if isinstance(rc, tuple) else (rc,)
    assert result.rc in codes, result
    said = [line for line in result.complaints if line.startswith("sluice: ")]
    assert len(said) == 1 and len(result.complaints) == 1, f"not one line: {result!r}"
    for word in words:
        assert re.search(word, said[0]), f"no {word!r} in {said[0]!r}"
    assert not said[0].endswith("."), said[0]
    assert PASSWORD not in result.err and b"" == result.out
    return said[0]


def refused_at(result, path, line, *words):
    """A configuration error: file:line:column, exit 78."""
    said = refused(result, 78, *words)
    at = re.match(r"sluice: (?P<file>.+?):(?P<line>\d+):(?P<column>\d+): ", said)
    assert at, f"no file:line:column in {said!r}"
    assert (at["file"], int(at["line"])) == (path, line), said


CONFIG = """\
source:
  sqs:
    queue_url: http://127.0.0.1:1/000000000000/login-queue
keys:
  file: test.keys
sink:
  postgres:
    url: postgresql://postgres@127.0.0.1:1/x
    table: user_logins
workers: 1
columns:
  - { name: user_id, from: user_id, type: varchar(128), required: true }
  - { name: masked_ip, from: ip, type: varchar(256), mask: siv }
"""

WRONG = {
    # what: (old text, new text, line of the complaint, words in it)
    "unknown key": ("    table:", "    tabel:", 9, ["tabel"]),
    "unknown section": ("workers: 1", "wrkrs: 1", 10, ["wrkrs"]),
    "unknown key of a column": ("mask: siv", "msk: siv", 13, ["msk"]),
    "word for a number": ("workers: 1", "workers: many", 10, ["workers", "many"]),
    "number out of range": ("workers: 1", "workers: 100000000", 10, ["workers"]),
    "negative number": ("workers: 1", "workers: -1", 10, ["workers"]),
    "list for a word": ("table: user_logins", "table: [a, b]", 9, ["table"]),
    "word for a section": ("keys:\n  file: test.keys", "keys: test.keys", 4, ["keys"]),
    "size without a unit we know": ("workers: 1", "memory: 64 parsecs", 10, ["memory"]),
    "duration without a unit we know": ("workers: 1", "linger: 5 moons", 10, ["linger"]),
    "unknown type": ("varchar(128)", "varchr(128)", 12, ["varchr", "varchar"]),
    "varchar without length": ("varchar(128)", "varchar", 12, ["varchar"]),
    "unknown mask": ("mask: siv", "mask: rot13", 13, ["rot13", "siv"]),
    "unknown conversion": ("required: true", "convert: magic", 12, ["magic", "version"]),
    "unknown message fact": ("from: ip", "from: $weather", 13, ["weather"]),
    "unknown create": ("    table: user_logins", "    table: t\n    create: maybe", 10,
                       ["maybe", "never", "if_missing"]),
    "two columns of one name": ("name: masked_ip", "name: user_id", 13, ["user_id"]),
    "column without a name": ("name: user_id, ", "", 12, ["name"]),
    "column without a source": ("from: ip, ", "", 13, ["from"]),
    "mask that cannot fit": ("varchar(256)", "varchar(40)", 13, ["mask", "varchar"]),
    "mask into a number": ("varchar(256)", "integer", 13, ["mask", "integer"]),
    "unset variable": ("url: postgresql", "url: ${SLUICE_NOT_SET}", 8, ["SLUICE_NOT_SET"]),
    "a key twice": ("workers: 1", "workers: 1\nworkers: 2", 11, ["workers"]),
    "not YAML": ("workers: 1", "workers: [1, 2", None, []),
    "a tab": ("  sqs:", "\tsqs:", 2, []),
    "cleartext of the body beside masks": ("name: user_id, from: user_id",
                                           "name: body, from: $body", 12, ["allow_cleartext"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_configuration_is_refused_with_its_place(bare, what):
    old, new, line, words = WRONG[what]
    assert CONFIG.count(old) == 1
    path = bare.write(CONFIG.replace(old, new))
    result = bare.call("run", "-c", path)
    if line:
        refused_at(result, path, line, *words)
    else:
        refused(result, 78, re.escape(path) + r":\d+", *words)


@pytest.mark.parametrize("missing", ["source", "sink", "columns"])
def test_a_missing_section_is_named(bare, missing):
    settings = yaml.safe_load(CONFIG)
    del settings[missing]
    refused(bare.call("run", "-c", bare.write(yaml.safe_dump(settings))), 78, missing)


def test_an_empty_list_of_columns_is_refused(bare):
    text = CONFIG[:CONFIG.index("columns:")] + "columns: []\n"
    refused_at(bare.call("run", "-c", bare.write(text)), bare.path, 11, "columns")


@pytest.mark.parametrize("text", [b"", b"\n# nothing\n", b"just words\n", b"\x00\x01\xff\xfe",
                                  b"- a\n- b\n"],
                         ids=["empty", "comment", "words", "binary", "list"])
def test_a_file_that_is_no_configuration_is_refused(bare, text):
    with open(bare.path, "wb") as f:
        f.write(text)
    refused(bare.call("run", "-c", bare.path), 78, re.escape(bare.path))


def test_a_missing_configuration_file_is_named(bare):
    refused(bare.call("run", "-c", "/nowhere/sluice.yaml"), 78, "/nowhere/sluice.yaml",
            "(?i)no such file|does not exist|not there")


def test_a_directory_is_no_configuration_file(bare):
    refused(bare.call("run", "-c", bare.folder), 78, re.escape(bare.folder), "directory")


@pytest.mark.skipif(os.getuid() == 0, reason="permission bits do not hold root back")
def test_an_unreadable_configuration_file_is_named(bare):
    os.chmod(bare.write(CONFIG), 0)
    refused(bare.call("run", "-c", bare.path), 78, re.escape(bare.path))


def test_a_variable_is_replaced_and_has_a_default(sluice, queue, db):
    sluice.settings["source"]["sqs"]["queue_url"] = "${THE_QUEUE}"
    sluice.postgres["table"] = "${NOT_SET:-logins_by_default}"
    sluice.env["THE_QUEUE"] = queue.url
    queue.send(logins(2))
    sluice.drain()
    assert db.count("logins_by_default") == 2


# The command line

@pytest.mark.parametrize("arguments, word", [
    ([], "(?i)usage|command|help"), (["dance"], "dance"), (["run", "--quickly"], "--quickly"),
    (["run"], "-c"), (["run", "-c"], "-c"),
    (["run", "-c", "x", "--max-messages", "few"], "--max-messages"),
    (["run", "-c", "x", "--log-format", "verse"], "--log-format.*text.*json"),
    (["run", "-c", "x", "surplus"], "surplus"), (["keys"], "new"), (["keys", "new"], "(?i)file"),
    (["mask"], "--keys|--context"), (["generate", "--count", "-5"], "--count"),
    (["dead", "show"], "(?i)id"), (["docs", "cooking"], "config.*errors.*methods"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_a_wrong_command_line_exits_64(bare, arguments, word):
    result = bare.call(*arguments)
    assert result.rc == 64, result
    assert re.search(word, result.err), result


def test_a_password_on_the_command_line_is_refused_and_not_repeated(sluice, db):
    sluice.make_keys()
    result = sluice.call("run", "-c", sluice.write(), "--postgres-url", db.tcp_url())
    refused(result, (64, 78), "password")


def test_flags_override_the_file(sluice, queue, db, make_queue):
    other = make_queue()
    other.send(logins(3))
    sluice.make_keys()
    url, table = sluice.postgres["url"], "elsewhere"
    sluice.postgres["url"] = "postgresql://postgres@127.0.0.1:1/none"
    sluice.settings["keys"]["file"] = "/nowhere/x.keys"
    result = sluice.run("--until-empty", "--queue-url", other.url, "--postgres-url", url,
                        "--table", table, "--keys", sluice.keys)
    assert result.rc == 0 and db.count(table) == 3, result


# At start

def start(sluice, *arguments):
    return sluice.run("--until-empty", "--wait", "1", *arguments, within=25)


def test_a_wrong_password_is_named_and_not_shown(sluice, db):
    sluice.postgres["url"] = db.tcp_url("very-wrong-pass")
    result = start(sluice, "--log-level", "debug")
    refused(result, (75, 78), "(?i)password|28P01", "127.0.0.1|postgres")
    assert "very-wrong-pass" not in result.err


def test_a_right_password_is_not_shown_either(sluice, queue, db):
    sluice.postgres["url"] = db.tcp_url()
    queue.send(logins(1))
    result = start(sluice, "--log-level", "debug")
    assert result.rc == 0 and PASSWORD not in result.err and PASSWORD.encode() not in result.out
    checked = sluice.call("check", "-c", sluice.path)
    assert PASSWORD not in checked.err + checked.text


@pytest.mark.parametrize("url", [
    "postgresql://postgres:{}/et@127.0.0.1:5432/x", "postgresql://postgres:pa@{}@127.0.0.1/x",
    "postgresql://postgres:%{}@127.0.0.1/x", "postgresql://postgres:x@127.0.0.1/x?password=a%zz{}",
    "host=127.0.0.1 password={} more", "host=127.0.0.1 password='{}"])
def test_a_password_that_was_not_encoded_is_not_shown_in_pieces(sluice, url):
    secret = "s3cr3t"
    sluice.postgres["url"] = url.format(secret)
    for arguments in (["run", "--until-empty", "--wait", "0"], ["check"]):
        sluice.make_keys()
        result = sluice.call(arguments[0], "-c", sluice.write(), *arguments[1:])
        assert result.rc != 0 and secret not in result.err + result.text, result


def test_a_missing_database_is_named(sluice, db):
    sluice.postgres["url"] = db.tcp_url(name="no_such_db")
    refused(start(sluice), (75, 78), "no_such_db")


def test_an_unreachable_database_is_named_with_its_place(sluice, db):
    port = free_port()
    sluice.postgres["url"] = db.tcp_url(port=port)
    refused(start(sluice), 75, "127.0.0.1", str(port))


def test_a_server_of_the_wrong_kind_is_no_matter_of_passwords(sluice, db):
    """After a failover the URL may find the old primary alone."""
    db.execute(f"ALTER DATABASE {db.name} SET default_transaction_read_only = on")
    sluice.postgres["url"] += "&target_session_attrs=read-write"
    said = refused(start(sluice), 75, "target_session_attrs")
    assert "password" not in said


def test_a_missing_queue_is_named(sluice, queue):
    sluice.sqs["queue_url"] = queue.url + "-gone"
    refused(start(sluice), 75, re.escape(queue.name + "-gone"), "(?i)queue")


def test_a_queue_of_another_region_is_not_found_and_the_region_named(sluice):
    sluice.env["AWS_REGION"] = "eu-west-1"
    refused(start(sluice), 75, "(?i)queue", "eu-west-1")


def test_an_unreachable_queue_server_is_named_with_its_place(sluice):
    port = free_port()
    sluice.env["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    refused(start(sluice), 75, f"127.0.0.1:{port}")


def test_wrong_credentials_are_refused_by_name(sluice):
    sluice.env["AWS_SECRET_ACCESS_KEY"] = "wrong-secret-of-the-test"
    result = start(sluice, "--log-level", "debug")
    refused(result, 78, "SignatureDoesNotMatch|(?i:credential|secret|signature)")
    assert "wrong-secret-of-the-test" not in result.err


def test_an_unknown_key_id_is_refused_by_name(sluice, moto):
    sluice.env["AWS_ACCESS_KEY_ID"] = "AKIAUNKNOWNUNKNOWN00"
    result = start(sluice)
    refused(result, 78, "InvalidClientTokenId|(?i:credential|access key)")
    assert moto.secret not in result.err


def test_missing_credentials_are_explained(sluice):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del sluice.env[name]
    refused(start(sluice), 78, "AWS_ACCESS_KEY_ID|(?i:credential)")


def test_a_missing_table_with_create_never_is_named(sluice, db):
    sluice.postgres["create"] = "never"
    sluice.postgres["table"] = "not_there"
    refused(start(sluice), 78, "not_there|sluice sql schema")
    assert not db.has("not_there") and not db.has("sluice.ledger"), "never means never"


def test_every_mismatch_of_the_table_is_listed_at_once(sluice, queue, db):
    db.execute("""CREATE TABLE user_logins(
        user_id varchar(64), device_type integer, masked_ip varchar(256), masked_device_id text,
        app_version integer, create_date date, tenant text NOT NULL)""")
    queue.send(logins(1))
    result = start(sluice)
    assert result.rc == 78, result
    for column in ("user_id", "device_type", "locale", "tenant"):
        assert column in result.err, result
    assert "create_date" not in result.err, "a column that fits is not complained of"
    assert db.count() == 0 and queue.counts()[0] == 1


# Keys

def test_a_missing_key_file_is_named_with_what_to_do(sluice):
    sluice.settings["keys"]["file"] = "/nowhere/the.keys"
    sluice.make_keys()
    refused(start(sluice), 78, "/nowhere/the.keys", "sluice keys new")


def test_a_key_file_that_others_can_read_is_refused(sluice):
    sluice.make_keys()
    assert os.stat(sluice.keys).st_mode & 0o777 == 0o600
    os.chmod(sluice.keys, 0o644)
    refused(start(sluice), 78, re.escape(sluice.keys), "0?600|chmod")


@pytest.mark.parametrize("spoil", [
    lambda text: text.replace(" active ", " decrypt "),
    lambda text: text.replace("k1 active", "k1 activ"),
    lambda text: text[:-2] + ("0" if text[-2] != "0" else "1") + "\n",
    lambda text: text + text, lambda text: "", lambda text: "nonsense\n",
], ids=["no active key", "unknown state", "check value", "twice", "empty", "nonsense"])
def test_a_key_file_that_is_wrong_is_refused_and_not_shown(sluice, spoil):
    sluice.make_keys()
    with open(sluice.keys, "r+", encoding="ascii") as f:
        lines = f.read().splitlines(keepends=True)
        secret = lines[-1].split()[2]
        lines[-1] = spoil(lines[-1])
        f.seek(0)
        f.truncate()
        f.writelines(lines)
    result = start(sluice)
    refused(result, 78, re.escape(sluice.keys))
    assert secret not in result.err


def test_another_key_under_a_known_id_is_refused(sluice, queue, db):
    queue.send(logins(1))
    sluice.drain()
    os.unlink(sluice.keys)
    sluice.make_keys()
    queue.send(logins(1, first=1))
    refused(start(sluice), 78, "k1")
    assert db.count() == 1 and sum(queue.counts()) == 1


def test_keys_new_never_overwrites(bare):
    bare.make_keys()
    before = open(bare.keys, encoding="ascii").read()
    result = bare.call("keys", "new", bare.keys)
    assert result.rc == 78, result
    assert open(bare.keys, encoding="ascii").read() == before
    assert before.split()[-2] not in result.err


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["check", "-c"], ["dead", "list", "-c"]])
def test_output_that_finds_no_room_is_no_success(sluice, arguments):
    sluice.make_keys()
    path = [sluice.write()] if arguments[-1] == "-c" else []
    assert sluice.run("--until-empty").rc == 0
    with open("/dev/full", "wb") as full:
        result = subprocess.run([sluice.binary, *arguments, *path], env=sluice.env, stdout=full,
                                stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 74, result
    assert "could not write to stdout" in result.stderr

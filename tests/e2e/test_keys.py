"""test_keys.py - the life of a key file on the command line; no action ever prints a key."""
import os
import pty
import re
import stat
import subprocess

import pytest

import tokens
from events import logins

KEY_1 = tokens.MASTER
KEY_2 = bytes(range(100, 132))
K1 = tokens.key_line("k1", KEY_1)
K2 = tokens.key_line("k2", KEY_2, "decrypt")


def retired(line):
    return line.replace(" decrypt ", " retired ")


def put(sluice, *lines):
    with open(sluice.keys, "w", encoding="ascii") as f:
        f.writelines(lines)
    os.chmod(sluice.keys, 0o600)
    return sluice.keys


def get(sluice):
    with open(sluice.keys, encoding="ascii") as f:
        return f.read()


def secrets(text):
    return re.findall(r"[A-Za-z0-9+/]{43}=", text)


def keys(sluice, action, *arguments, **more):
    """Run one action; whatever it says, no key that is or was in the file is in it."""
    before = get(sluice) if os.path.exists(sluice.keys) else ""
    result = sluice.call("keys", action, sluice.keys, *arguments, **more)
    after = get(sluice) if os.path.exists(sluice.keys) else ""
    for secret in secrets(before + after):
        assert secret not in result.text and secret not in result.err, result
        assert secret[:12] not in result.text + result.err, result
    assert not secrets(result.text + result.err), result
    assert os.listdir(sluice.folder).count(os.path.basename(sluice.keys) + ".rewrite") == 0
    return result


def good(sluice, action, *arguments, **more):
    result = keys(sluice, action, *arguments, **more)
    assert result.rc == 0, result
    return result


def refused(sluice, rc, word, action, *arguments, **more):
    """And the file is as it was."""
    before = get(sluice)
    result = keys(sluice, action, *arguments, **more)
    assert result.rc == rc, result
    assert re.search(word, result.err), result
    assert get(sluice) == before
    return result


def table(text):
    return [tuple(line.split()) for line in text.splitlines()]


# list and check

def test_list_is_a_table_without_secrets(bare):
    put(bare, "# mine\n", K1, retired(K2), "k3 retired destroyed 0123abcd\n")
    assert table(good(bare, "list").text) == [
        ("id", "state", "check_value"), ("k1", "active", tokens.check_value(KEY_1)),
        ("k2", "retired", tokens.check_value(KEY_2)), ("k3", "destroyed", "0123abcd")]


def test_list_reads_the_json_of_a_secret_store(bare):
    encoded = [line.split()[2] for line in (K1, K2)]
    put(bare, '{"active":"k2","keys":{"k1":"%s","k2":"%s"}}' % tuple(encoded))
    assert table(good(bare, "list").text)[1:] == [
        ("k1", "decrypt", tokens.check_value(KEY_1)), ("k2", "active", tokens.check_value(KEY_2))]
    refused(bare, 78, "is JSON", "add")


def test_check_says_ok_and_every_check_value(bare):
    put(bare, K1, K2)
    text = good(bare, "check").text
    assert text.startswith("ok: ") and "k1 is active" in text
    assert tokens.check_value(KEY_1) in text and tokens.check_value(KEY_2) in text


@pytest.mark.parametrize("lines, word", [
    ((K2,), "no key is active"), ((K1, K1), "k1 is there twice"),
    ((K1.replace(" active ", " sleeping "),), "active, decrypt or retired"),
    ((K1[:-9] + "00000000\n",), "check value"), (("k1 active\n",), "four words"),
    (("{" + K1 + "}",), "not JSON"),
], ids=["no active key", "twice", "state", "check value", "words", "not JSON"])
def test_check_refuses_what_a_run_would(bare, lines, word):
    put(bare, *lines)
    refused(bare, 78, word, "check")
    refused(bare, 78, word, "list")
    if "JSON" not in word:
        refused(bare, 78, word, "add")


def test_check_compares_with_the_database(sluice, queue, db):
    sluice.make_keys()
    path = sluice.write()
    assert "seen no keys yet" in good(sluice, "check", "-c", path).text
    sluice.drain()
    assert "no other key" in good(sluice, "check", "-c", path).text
    put(sluice, tokens.key_line("k1", KEY_2))
    refused(sluice, 78, "k1", "check", "-c", path)


# add and activate

def test_add_makes_a_key_that_only_decrypts(bare):
    put(bare, "# mine\n", K1)
    text = good(bare, "add").text
    assert "added k2" in text and "sluice keys activate" in text
    after = get(bare)
    assert after.startswith("# mine\n" + K1 + "k2 decrypt ")
    assert tokens.read_keys(bare.keys)["k2"] not in (KEY_1, bytes(32))
    assert after.split()[-1] in text
    good(bare, "add", "--kid", "k2027")
    good(bare, "add")
    assert [line.split()[0] for line in get(bare).splitlines()[1:]] == ["k1", "k2", "k2027",
                                                                         "k2028"]
    assert stat.S_IMODE(os.stat(bare.keys).st_mode) == 0o600


def test_the_active_key_alone_masks(bare):
    bare.make_keys()
    good(bare, "add")

    def mask():
        return bare.good("mask", "--keys", bare.keys, "--context", "ip", stdin=b"1.2.3.4\n").text

    assert mask().startswith("v1.k1.")
    assert "k2 is active" in good(bare, "activate", "k2").text
    assert mask().startswith("v1.k2.")
    assert [line.split()[1] for line in get(bare).splitlines() if line[0] != "#"] == ["decrypt",
                                                                                      "active"]


def test_an_id_is_never_used_again(bare):
    put(bare, K1, retired(K2), "k3 retired destroyed 0123abcd\n")
    for kid in ("k1", "k2", "k3"):
        refused(bare, 78, "never used again", "add", "--kid", kid)
    good(bare, "add")
    assert "\nk4 decrypt " in get(bare)


def test_only_a_key_that_decrypts_is_activated(bare):
    put(bare, K1, retired(K2), "k3 retired destroyed 0123abcd\n")
    refused(bare, 78, "active already", "activate", "k1")
    refused(bare, 78, "retired", "activate", "k2")
    refused(bare, 78, "destroyed", "activate", "k3")
    refused(bare, 78, "no key with that id", "activate", "k4")


def test_many_at_once_lose_no_key(bare):
    bare.make_keys()
    for running in [bare.start("keys", "add", bare.keys) for _ in range(8)]:
        assert running.wait().rc == 0
    assert sorted(tokens.read_keys(bare.keys)) == sorted(f"k{n}" for n in range(1, 10))


# retire and destroy

def test_retire_wants_somebody_to_have_looked(bare):
    put(bare, K1, K2)
    refused(bare, 64, "nobody asked the table.*-c CONFIG.*--force", "retire", "k2")
    result = good(bare, "retire", "k2", "--force")
    assert "warning: nobody asked the table" in result.err
    assert get(bare) == K1 + retired(K2)
    refused(bare, 78, "retired already", "retire", "k2", "--force")


def test_retire_sends_nobody_to_a_rewrap_that_cannot_help(sluice, queue):
    """One-way tokens stay under their key; the rest goes."""
    sluice.make_keys()
    sluice.settings["columns"][2]["mask"] = "hmac"
    queue.send(logins(3))
    assert sluice.drain().loaded == 3
    good(sluice, "add", "--kid", "k2")
    good(sluice, "activate", "k2")
    retire = ("retire", "k1", "-c", sluice.path)
    refused(sluice, 78, "6 values, and for 3 of these for good", *retire)
    sluice.good("rewrap", "-c", sluice.path)
    refused(sluice, 78, "3 values, and for 3 of these for good.*--force", *retire)


def test_a_retired_key_reads_nothing_any_more(sluice, db):
    sluice.make_keys()
    put(sluice, K1, K2)
    token = tokens.mask({"k2": KEY_2}, "ip", "1.2.3.4", "k2") + "\n"
    sluice.drain()

    def unmask():
        return sluice.call("unmask", "-c", sluice.path, "--context", "ip", "--reason", "test",
                           stdin=token.encode())

    assert unmask().text == "1.2.3.4\n"
    good(sluice, "retire", "k2", "--force")
    assert unmask().rc != 0
    good(sluice, "retire", "k2", "--force", "--destroy", "--yes")
    result = unmask()
    assert result.rc != 0 and "1.2.3.4" not in result.text


def test_the_active_key_is_never_retired(bare):
    put(bare, K1, K2)
    refused(bare, 78, "k1 is active", "retire", "k1", "--force")
    refused(bare, 78, "k1 is active", "retire", "k1", "--force", "--destroy", "--yes")
    refused(bare, 78, "no key with that id", "retire", "k3", "--force")


@pytest.mark.parametrize("second", [K2, retired(K2)], ids=["decrypt", "retired"])
def test_destroy_takes_the_bytes_and_keeps_the_id(bare, second):
    put(bare, "# mine\n", K1, second)
    text = good(bare, "retire", "k2", "--force", "--destroy", "--yes").text
    assert "destroyed k2" in text and "backups" in text
    assert get(bare) == "# mine\n" + K1 + "k2 retired destroyed %s\n" % tokens.check_value(KEY_2)
    refused(bare, 78, "k2 is destroyed", "retire", "k2", "--force", "--destroy", "--yes")
    assert bare.good("mask", "--keys", bare.keys, "--context", "ip", stdin=b"1.2.3.4\n").text \
        == tokens.mask({"k1": KEY_1}, "ip", "1.2.3.4") + "\n"


def test_destroy_does_not_ask_where_nobody_can_answer(bare):
    put(bare, K1, K2)
    refused(bare, 64, "--yes", "retire", "k2", "--force", "--destroy")
    refused(bare, 64, "--yes", "retire", "k2", "--force", "--destroy", stdin=b"k2\n")


def on_a_terminal(sluice, answer, *arguments):
    """Run it with a terminal as stdin; the answer is typed before it is asked for."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        return subprocess.run([sluice.binary, "keys", *arguments], env=sluice.env, stdin=theirs,
                              cwd=sluice.folder, capture_output=True, text=True, timeout=30,
                              check=False)
    finally:
        os.close(theirs)
        os.close(ours)


def test_destroy_asks_on_a_terminal_for_the_id(bare):
    put(bare, K1, K2)
    arguments = ("retire", bare.keys, "k2", "--force", "--destroy")
    for answer in (b"y\n", b"yes\n", b"k1\n", b"k22\n", b"\n", b"\x04"):
        result = on_a_terminal(bare, answer, *arguments)
        assert result.returncode == 64 and "Type k2 to go on" in result.stderr, result
        assert "nothing was changed" in result.stderr and get(bare) == K1 + K2
    result = on_a_terminal(bare, b"k2\n", *arguments)
    assert result.returncode == 0 and "k2 retired destroyed" in get(bare), result


def test_destroy_finds_the_key_in_a_comment(bare):
    put(bare, "# old: " + K2, K1, K2)
    refused(bare, 78, "a second time", "retire", "k2", "--force", "--destroy", "--yes")


# The file

def test_a_file_that_others_can_read_is_not_changed(bare):
    put(bare, K1, K2)
    os.chmod(bare.keys, 0o644)
    for arguments in (("add",), ("activate", "k2"), ("retire", "k2", "--force"), ("list",),
                      ("check",)):
        refused(bare, 78, "chmod 6", *arguments)


def test_a_file_that_is_not_there_is_named(bare):
    for arguments in (("add",), ("activate", "k2"), ("retire", "k2", "--force"), ("list",)):
        result = keys(bare, *arguments)
        assert result.rc == 78 and bare.keys in result.err and "sluice keys new" in result.err


def test_a_symbolic_link_stays_one(bare):
    put(bare, K1, K2)
    link = bare.folder + "/link.keys"
    os.symlink(bare.keys, link)
    bare.good("keys", "activate", link, "k2")
    assert os.path.islink(link) and "k2 active" in get(bare)


# The command line

@pytest.mark.parametrize("arguments, word", [
    (["dance", "x.keys"], "new, add, activate, retire, list, check or wrap"), (["add"], "key file"),
    (["activate", "x.keys"], "which key"), (["retire", "x.keys"], "which key"),
    (["list", "x.keys", "k1"], "too many"), (["activate", "x.keys", "k1", "k2"], "too many"),
    (["add", "x.keys", "--kid", "K-2"], "1 to 8 of a-z"), (["add", "x.keys", "--kid"], "--kid"),
    (["activate", "x.keys", "Not-An-Id"], "1 to 8 of a-z"),
    (["list", "x.keys", "--destroy"], "list does not take"),
    (["activate", "x.keys", "k1", "--kid", "k2"], "activate does not take"),
    (["new", "x.keys", "--force"], "new does not take"), (["add", "x.keys", "--loud"], "--loud"),
], ids=" ".join)
def test_a_wrong_command_line_exits_64_and_repeats_no_id(bare, arguments, word):
    result = bare.call("keys", *arguments)
    assert result.rc == 64 and re.search(word, result.err), result
    assert "Not-An-Id" not in result.err and not os.path.exists(bare.folder + "/x.keys")


@pytest.mark.parametrize("action", ["new", "add", "activate", "retire", "list", "check"])
def test_help_shows_every_action_with_an_example(bare, action):
    text = bare.good("keys", action, "--help").text
    assert re.search(rf"^  sluice keys {action} ", text.split("Examples:")[1], re.M)

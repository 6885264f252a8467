"""test_verify.py - `sluice verify` opens what the database has, says what does not, shows nothing."""
import hashlib
import json
import os
import re

import pytest

import tokens
from events import BAD, LOGIN_TABLE, login, logins

KEY_1 = tokens.MASTER
KEY_2 = bytes(range(100, 132))
KEYS = {"k1": KEY_1, "k2": KEY_2}


def put_keys(sluice, *lines):
    with open(sluice.keys, "w", encoding="ascii") as f:
        f.writelines(lines)
    os.chmod(sluice.keys, 0o600)


def one_key(sluice):
    put_keys(sluice, tokens.key_line("k1", KEY_1))


def two_keys(sluice, first="decrypt"):
    put_keys(sluice, tokens.key_line("k1", KEY_1, first), tokens.key_line("k2", KEY_2))


def verify(sluice, *arguments, rc=0):
    """Run it: the line of each column and of the rest, by name; no value is in any of them."""
    result = sluice.call("verify", "-c", sluice.write(), *arguments)
    assert result.rc == rc, result
    for value in ("203.0.", "user-0", "192.0.2."):
        assert value not in result.text + result.err
    lines = {}
    for line in result.text.splitlines():
        match = re.match(r"(?:column )?([\w ]+?)(?: \(|,|:)", line)
        lines[match[1]] = line
    return lines


def numbers(line):
    """(looked at, ok, empty or null, under an unknown key, bad)"""
    return tuple(int(n) for n in re.search(
        r"(\d+) \w[\w ]*: (\d+) ok, (\d+) empty or null, (\d+) under an unknown key"
        r"(?: \([^)]*\))?, (\d+) ", line).groups())


def change(db, user, column, value):
    db.execute(f"UPDATE user_logins SET {column} = %s WHERE user_id = %s", value, user)


def dump(db):
    return db.dump().splitlines()


def altered(token):
    """The same token with one bit of it changed."""
    at = len(token) - 20
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]


def test_all_is_well_after_a_run(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(6) + [BAD, "not json"])
    sluice.drain()
    lines = verify(sluice)
    assert numbers(lines["masked_ip"]) == numbers(lines["masked_device_id"]) == (6, 6, 0, 0, 0)
    assert numbers(lines["dead letters"]) == (2, 2, 0, 0, 0)
    assert "2 sealed messages: 2 ok" in lines["dead letters"]
    assert set(lines) == {"masked_ip", "masked_device_id", "dead letters"}


def test_an_empty_table_is_well(sluice, queue, db):
    one_key(sluice)
    db.execute(LOGIN_TABLE + ")")
    lines = verify(sluice)
    assert numbers(lines["masked_ip"]) == (0, 0, 0, 0, 0)
    assert "no schema" in lines["dead letters"]


def test_tokens_under_every_key_of_the_ring_open(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(3) + [BAD])
    sluice.drain()
    two_keys(sluice)
    queue.send(logins(2, first=10) + [BAD])
    sluice.drain()
    kids = [t.split(".")[1] for t, in db.rows("SELECT masked_ip FROM user_logins ORDER BY user_id")]
    assert kids == ["k1"] * 3 + ["k2"] * 2
    lines = verify(sluice)
    assert numbers(lines["masked_ip"]) == (5, 5, 0, 0, 0)
    assert numbers(lines["dead letters"]) == (2, 2, 0, 0, 0)


@pytest.mark.parametrize("how", ["unknown", "retired"])
def test_a_key_that_is_gone_is_named(sluice, queue, db, how):
    one_key(sluice)
    queue.send(logins(3) + [BAD])
    sluice.drain()
    if how == "retired":
        two_keys(sluice, "retired")
    else:
        put_keys(sluice, tokens.key_line("k2", KEY_2))
    lines = verify(sluice, rc=1)
    assert numbers(lines["masked_ip"]) == (3, 0, 0, 3, 0)
    assert numbers(lines["dead letters"]) == (1, 0, 0, 1, 0)
    said = "(k1, retired: 3)" if how == "retired" else "(k1: 3)"
    assert said in lines["masked_ip"] and said in lines["masked_device_id"]


def test_many_unknown_keys_are_counted_to_the_last(sluice, queue, db):
    one_key(sluice)
    db.execute(LOGIN_TABLE + ")")
    for i in range(20):
        token = tokens.mask({f"x{i}": KEY_2}, "ip", "192.0.2.1", f"x{i}")
        db.execute("INSERT INTO user_logins (user_id, masked_ip) VALUES (%s, %s)", f"u{i}", token)
    line = verify(sluice, rc=1)["masked_ip"]
    assert numbers(line) == (20, 0, 0, 20, 0)
    assert "x0: 1" in line and "others: 4" in line


def test_what_is_wrong_is_counted_where_it_stands(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(8))
    sluice.drain()
    ips = dict(db.rows("SELECT user_id, masked_ip FROM user_logins"))
    devices = dict(db.rows("SELECT user_id, masked_device_id FROM user_logins"))
    change(db, "user-0000", "masked_ip", altered(ips["user-0000"]))
    change(db, "user-0001", "masked_ip", devices["user-0001"])  # moved to another column
    change(db, "user-0002", "masked_ip", "192.0.2.7")           # never masked
    change(db, "user-0003", "masked_ip", ips["user-0003"].replace("v1.k1.", "v1.k9."))
    change(db, "user-0004", "masked_ip", "")
    db.execute("ALTER TABLE user_logins ALTER masked_ip DROP NOT NULL")
    change(db, "user-0005", "masked_ip", None)
    before = dump(db)
    lines = verify(sluice, rc=1)
    assert numbers(lines["masked_ip"]) == (8, 2, 2, 1, 3)
    assert "(k9: 1)" in lines["masked_ip"]
    assert numbers(lines["masked_device_id"]) == (8, 8, 0, 0, 0)
    assert dump(db) == before, "it changes nothing"


def test_columns_narrows_it(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(2))
    sluice.drain()
    change(db, "user-0000", "masked_ip", "192.0.2.7")
    assert "masked_ip" not in verify(sluice, "--columns", "masked_device_id")
    verify(sluice, "--columns", "masked_device_id, masked_ip", rc=1)
    for names in ("user_id", "nothing", "masked_ip,nothing", ""):
        result = sluice.call("verify", "-c", sluice.path, "--columns", names)
        assert result.rc == 64, result


def test_another_key_under_a_known_id_stops_it(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(1))
    sluice.drain()
    put_keys(sluice, tokens.key_line("k1", KEY_2))
    result = sluice.call("verify", "-c", sluice.write())
    assert result.rc == 78 and "k1" in result.err, result


def test_a_table_that_is_not_there_is_said(sluice, db):
    one_key(sluice)
    result = sluice.call("verify", "-c", sluice.write())
    assert result.rc == 78 and "user_logins" in result.err, result


def test_it_needs_to_read_and_nothing_more(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(2) + [BAD])
    sluice.drain()
    db.execute("DROP ROLE IF EXISTS verifier")
    db.psql("""CREATE ROLE verifier LOGIN; GRANT USAGE ON SCHEMA sluice TO verifier;
               GRANT SELECT ON user_logins, sluice.dead_letter, sluice.meta, sluice.key_check
               TO verifier;""")
    sluice.postgres["url"] = db.url.replace("postgres@", "verifier@")
    lines = verify(sluice)
    assert numbers(lines["dead letters"]) == (1, 1, 0, 0, 0)
    db.psql("DROP OWNED BY verifier; DROP ROLE verifier;")


# Samples

def test_a_sample_looks_at_that_many(sluice, queue, db):
    one_key(sluice)
    queue.send(logins(8) + [BAD] * 3)
    sluice.drain()
    lines = verify(sluice, "--sample", "3")
    assert numbers(lines["masked_ip"]) == (3, 3, 0, 0, 0)
    assert numbers(lines["dead letters"]) == (3, 3, 0, 0, 0)
    assert numbers(verify(sluice, "--sample", "2")["dead letters"])[0] == 2
    assert numbers(verify(sluice, "--sample", "1000")["masked_ip"])[0] == 8
    for n in ("0", "-1", "x", ""):
        assert sluice.call("verify", "-c", sluice.path, "--sample", n).rc == 64


@pytest.mark.parametrize("parts", ["", "PARTITION BY HASH (user_id)"])
def test_a_large_table_is_drawn_from_by_pages(sluice, db, parts):
    one_key(sluice)
    token = tokens.mask(KEYS, "ip", "192.0.2.1")
    device = tokens.mask(KEYS, "device_id", "001-02-0003")
    db.execute(LOGIN_TABLE + ") " + parts)
    for i in range(2 if parts else 0):
        db.execute(f"CREATE TABLE part_{i} PARTITION OF user_logins"
                   f" FOR VALUES WITH (MODULUS 2, REMAINDER {i})")
    db.execute("INSERT INTO user_logins (user_id, masked_ip, masked_device_id)"
               " SELECT 'u' || i, %s, %s FROM generate_series(1, 150000) AS i", token, device)
    db.execute("ANALYZE")
    lines = verify(sluice, "--sample", "500")
    n = numbers(lines["masked_ip"])[0]
    assert 100 < n <= 500, "pages are not filled alike, and yet there are enough"
    assert numbers(lines["masked_ip"]) == (n, n, 0, 0, 0)


# Every method, as far as it can be checked

def masked(name, method, type="text", **more):
    return {"name": name, "from": more.pop("field", "ip"), "type": type, "mask": method, **more}


def test_other_methods_are_checked_as_far_as_they_go(sluice, queue, db):
    one_key(sluice)
    device = {"field": "device_id"}
    sluice.settings["columns"] = [
        {"name": "user_id", "from": "user_id", "type": "varchar(128)"},
        masked("c_hmac", "hmac"), masked("c_ip", "ip", "inet"),
        masked("c_pfx", "ip", "inet", ip="prefix", context="p"),
        masked("c_fpe", "fpe", format="ddd-dd-dddd", **device),
        masked("c_fernet", "fernet", key="QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="),
        masked("c_cbc", "aes-cbc", key="00" * 32, iv="11" * 16),
        masked("c_sha", "sha256"), masked("c_b64", "base64"),
        masked("c_keep", "keep", "inet", keep="/24"), masked("c_null", "null"),
        masked("c_fixed", "fixed", value="on file"),
    ]
    queue.send(logins(4))
    assert sluice.drain().loaded == 4
    lines = verify(sluice)
    for name in [c["name"] for c in sluice.settings["columns"][1:]]:
        expected = (4, 0, 4, 0, 0) if name == "c_null" else (4, 4, 0, 0, 0)
        assert numbers(lines[name]) == expected, lines[name]
    hmac, = db.rows("SELECT c_hmac FROM user_logins WHERE user_id = 'user-0001'")[0]
    wrong = {
        "c_hmac": [hmac[:-1], hmac + "A", "v" + hmac[1:], "203.0.113.1"],
        "c_ip": ["10.0.0.0/8"], "c_pfx": ["10.0.0.0/8"], "c_fpe": ["123-45-678", "abc-de-fghi"],
        "c_fernet": ["gAAAAA", "x"], "c_cbc": ["QUJD", "!"],
        "c_sha": ["A" * 64, "a" * 63], "c_b64": ["A", "*"],
        "c_null": ["203.0.113.9"], "c_fixed": ["203.0.113.9", ""],
    }
    for name, values in wrong.items():
        for value in values:
            good = db.one(f"SELECT {name} FROM user_logins WHERE user_id = 'user-0001'")
            change(db, "user-0001", name, value)
            lines = verify(sluice, rc=1)
            assert numbers(lines[name])[4] == 1, (value, lines[name])
            assert sum(numbers(line)[4] for line in lines.values()) == 1
            change(db, "user-0001", name, good)
    change(db, "user-0001", "c_hmac", hmac.replace("h1.k1.", "h1.k7."))
    line = verify(sluice, rc=1)["c_hmac"]
    assert numbers(line) == (4, 3, 0, 1, 0) and "(k7: 1)" in line


# Dead letters and the vault

def test_a_spoiled_dead_letter_is_found(sluice, queue, db):
    one_key(sluice)
    queue.send([BAD, "x", "y"])
    sluice.drain()
    db.execute("UPDATE sluice.dead_letter SET message_id = message_id || 'x'"
               " WHERE id = (SELECT min(id) FROM sluice.dead_letter)")
    db.execute("UPDATE sluice.dead_letter SET sealed_body = set_byte(sealed_body, 30,"
               " 255 - get_byte(sealed_body, 30)) WHERE id = (SELECT max(id) FROM"
               " sluice.dead_letter)")
    assert numbers(verify(sluice, rc=1)["dead letters"]) == (3, 1, 0, 0, 2)


def test_dead_letters_of_other_pipelines_are_left_out(sluice, queue, db):
    one_key(sluice)
    queue.send([BAD])
    sluice.drain()
    db.execute("UPDATE sluice.dead_letter SET pipeline = 'another', sealed_body = 'x'")
    assert numbers(verify(sluice)["dead letters"]) == (0, 0, 0, 0, 0)


@pytest.fixture
def vault(cluster):
    v = cluster.new_database()
    yield v
    v.drop()


def test_originals_open_and_give_their_tokens(sluice, queue, db, vault):
    one_key(sluice)
    sluice.settings["vault"] = {"url": vault.url}
    sluice.settings["columns"] = [
        {"name": "user_id", "from": "user_id", "type": "varchar(128)"},
        masked("h", "hmac", normalize="lower"), masked("s", "sha256", field="device_id")]
    queue.send([login(1, ip="FE80::A"), login(2, ip="fe80::b"), login(3, ip="")])
    sluice.drain()
    two_keys(sluice)
    queue.send([login(4)])
    sluice.drain()
    lines = verify(sluice)
    assert numbers(lines["vault"]) == (7, 7, 0, 0, 0), vault.rows("SELECT * FROM sluice_vault")
    assert "; 0 of no column here" in lines["vault"]
    assert numbers(verify(sluice, "--sample", "2")["vault"])[0] == 2

    # Another's, who shares the vault
    vault.execute("UPDATE sluice_vault SET context = 'theirs' WHERE context = 'ip'")
    assert "; 3 of no column here" in verify(sluice)["vault"]
    vault.execute("UPDATE sluice_vault SET context = 'ip' WHERE context = 'theirs'")

    # Two originals change places
    a, b = vault.rows("SELECT token, sealed FROM sluice_vault WHERE context = 'ip'"
                      " ORDER BY token LIMIT 2")
    vault.execute("UPDATE sluice_vault SET sealed = %s WHERE token = %s", bytes(a[1]), b[0])
    assert numbers(verify(sluice, rc=1)["vault"]) == (7, 6, 0, 0, 1)
    vault.execute("UPDATE sluice_vault SET sealed = %s WHERE token = %s", bytes(b[1]), b[0])
    verify(sluice)

    # The key is gone
    put_keys(sluice, tokens.key_line("k2", KEY_2))
    line = verify(sluice, rc=1)["vault"]
    assert numbers(line) == (7, 2, 0, 5, 0) and "(k1: 5)" in line


def test_an_original_of_another_value_is_wrong(sluice, queue, db, vault):
    """Sealed for the token, by somebody with the key, and yet not what the token was made of."""
    one_key(sluice)
    sluice.settings["vault"] = {"url": vault.url}
    sluice.settings["columns"] = [masked("s", "sha256")]
    queue.send([login(1)])
    sluice.drain()
    token = hashlib.sha256(json.loads(login(1))["ip"].encode()).hexdigest()
    aad = f"v1.k1.vault.{token}".encode()
    sealed = tokens.siv(KEY_1, "k1", "vault").encrypt(tokens.pad(b"192.0.2.66"), [aad])
    vault.execute("UPDATE sluice_vault SET sealed = %s WHERE token = %s", b"v1.k1." + sealed, token)
    assert numbers(verify(sluice, rc=1)["vault"]) == (1, 0, 0, 0, 1)

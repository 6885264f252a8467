"""test_methods.py - every masking method from YAML to the table, read back by others."""
import base64
import hashlib
import hmac
import ipaddress
import json
import os
import subprocess

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import tokens
from events import LOGIN_COLUMNS, login
from sluice import wait_for_text
from wait import eventually

IPS = ["192.0.2.1", "192.0.2.200", "2001:db8::1", "192.0.2.1"]
DEVICES = ["593-47-5928", "000-00-0001", "999-99-9999", "593-47-5928"]
AES_KEY, AES_IV = bytes(range(32)), bytes(range(16))
FERNET_KEY = base64.urlsafe_b64encode(bytes(range(32, 64))).decode()

USER = LOGIN_COLUMNS[0]


def column(name, mask, field="ip", type="varchar(256)", **options):
    return {"name": name, "from": field, "type": type, "mask": mask, **options}


def load(sluice, queue, *columns, bodies=None):
    sluice.settings["columns"] = [dict(USER), *columns]
    queue.send(bodies or [login(n, ip=ip, device_id=device)
                          for n, (ip, device) in enumerate(zip(IPS, DEVICES))])
    return sluice.drain()


def values(db, name, table="user_logins"):
    return [v for v, in db.rows(f"SELECT {name}::text FROM {table} ORDER BY user_id")]


def unmask(sluice, name, cells, **more):
    result = sluice.good("unmask", "-c", sluice.write(), "--columns", name, "--reason", "a test",
                         stdin="".join(c + "\n" for c in cells).encode(), **more)
    return result.text.splitlines()


def test_hmac_is_what_anybody_computes_with_the_key(sluice, queue, db):
    load(sluice, queue, column("t", "hmac", type="varchar(64)"))
    key = tokens.derive(tokens.read_keys(sluice.keys)["k1"], "sluice/v1/hmac/k1/ip", 32)
    expected = ["h1.k1." + base64.urlsafe_b64encode(
        hmac.digest(key, ip.encode(), "sha256")).decode().rstrip("=") for ip in IPS]
    assert values(db, "t") == expected
    result = sluice.call("unmask", "-c", sluice.write(), "--columns", "t", "--reason", "r",
                         stdin=expected[0].encode())
    assert result.rc == 64 and "vault" in result.err, result


@pytest.mark.parametrize("kind", ["deterministic", "prefix"])
def test_an_address_stays_an_address(sluice, queue, db, kind):
    load(sluice, queue, column("t", "ip", type="inet", ip=kind))
    masked = [v.split("/")[0] for v in values(db, "t")]
    assert masked[0] == masked[3] and len(set(masked)) == 3 and not set(masked) & set(IPS)
    assert unmask(sluice, "t", masked) == IPS
    result = sluice.good("unmask", "-c", sluice.path, "--where", "true", "--reason", "a test")
    assert sorted(line.split(",")[1] for line in result.text.splitlines()[1:]) == sorted(IPS)
    if kind == "prefix":
        a, b = map(ipaddress.ip_address, masked[:2])
        assert a.version == b.version == 4
        assert int(a) >> 8 == int(b) >> 8, "one /24 in, one /24 out"
        assert ipaddress.ip_address(masked[2]).version == 6


def test_a_format_stays_a_format(sluice, queue, db):
    summary = load(sluice, queue,
                   column("t", "fpe", "device_id", "varchar(11)", format="ddd-dd-dddd"),
                   bodies=[login(n, device_id=d) for n, d in enumerate(DEVICES)]
                   + [login(9, device_id="593/47-5928")])
    assert (summary.loaded, db.dead()) == (4, [("not_in_form", "device_id")])
    masked = values(db, "t")
    assert masked[0] == masked[3] and not set(masked) & set(DEVICES)
    assert all(len(m) == 11 and m[3] == m[6] == "-" and m.replace("-", "").isdigit()
               for m in masked)
    assert unmask(sluice, "t", masked) == DEVICES


def test_a_small_domain_is_refused_at_once(sluice):
    sluice.settings["columns"] = [column("t", "fpe", "device_id", "varchar(11)", format="ddd")]
    sluice.make_keys()
    result = sluice.call("run", "-c", sluice.write())
    assert result.rc == 78 and "column t" in result.err and "format" in result.err, result


@pytest.mark.parametrize("keep, field, type, expected", [
    ("first 3", "ip", "text", ["192", "192", "200", "192"]),
    ("last 4", "device_id", "varchar(4)", ["5928", "0001", "9999", "5928"]),
    ("/24", "ip", "inet", ["192.0.2.0/32", "192.0.2.0/32", "2001:db8::/128", "192.0.2.0/32"]),
    ("/16 /32", "ip", "text", ["192.0.0.0", "192.0.0.0", "2001:db8::", "192.0.0.0"]),
])
def test_a_part_is_kept(sluice, queue, db, keep, field, type, expected):
    load(sluice, queue, column("t", "keep", field, type, keep=keep))
    assert values(db, "t") == expected


def test_the_year_of_a_date_and_the_domain_of_an_address_are_kept(sluice, queue, db):
    bodies = [login(0, born="1987-03-02", mail="A.B@Example.COM"),
              login(1, born=544320000, mail="x@y.org"), login(2, born="soon", mail="z@y.org"),
              login(3, born="2001", mail="nobody")]
    summary = load(sluice, queue, column("year", "keep", "born", "integer", keep="year"),
                   column("domain", "keep", "mail", "text", keep="domain"), bodies=bodies)
    assert summary.loaded == 2
    assert db.rows("SELECT year, domain FROM user_logins ORDER BY user_id") == [
        (1987, "example.com"), (1987, "y.org")]
    assert sorted(db.dead()) == [("not_in_form", "born"), ("not_in_form", "mail")]


def test_null_and_fixed_keep_nothing(sluice, queue, db):
    load(sluice, queue, column("n", "null", "device_id", "jsonb"),
         column("f", "fixed", "ip", "varchar(8)", value="present"),
         bodies=[login(0), login(1, ip=None)])
    assert db.rows("SELECT n, f FROM user_logins ORDER BY user_id") == [(None, "present"),
                                                                        (None, None)]


def test_fernet_is_read_by_python_and_python_s_by_sluice(sluice, queue, db):
    sluice.env["FERNET_KEY"] = FERNET_KEY
    load(sluice, queue, column("t", "fernet", key="${FERNET_KEY}"))
    f = Fernet(FERNET_KEY)
    masked = values(db, "t")
    assert len(set(masked)) == 4, "a random IV each"
    assert [f.decrypt(m.encode()).decode() for m in masked] == IPS
    theirs = [f.encrypt(ip.encode()).decode() for ip in IPS]
    assert unmask(sluice, "t", theirs) == IPS
    checked = sluice.call("check", "-c", sluice.path)
    assert "warn" in checked.text and "duplicates" in checked.text, checked


def aes_cbc(value):
    padder = padding.PKCS7(128).padder()
    padded = padder.update(value.encode()) + padder.finalize()
    e = Cipher(algorithms.AES(AES_KEY), modes.CBC(AES_IV)).encryptor()
    return base64.b64encode(e.update(padded) + e.finalize()).decode()


def test_aes_cbc_is_what_python_openssl_and_pgcrypto_write(sluice, queue, db):
    sluice.env.update(AES_KEY=AES_KEY.hex(), AES_IV=base64.b64encode(AES_IV).decode())
    load(sluice, queue, column("t", "aes-cbc", key="${AES_KEY}", iv="${AES_IV}"))
    masked = values(db, "t")
    assert masked == [aes_cbc(ip) for ip in IPS]
    done = subprocess.run(["openssl", "enc", "-d", "-aes-256-cbc", "-a", "-A", "-K", AES_KEY.hex(),
                           "-iv", AES_IV.hex()], input=masked[2].encode(), stdout=subprocess.PIPE,
                          check=True)
    assert done.stdout.decode() == IPS[2]
    done = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-a", "-K", AES_KEY.hex(),
                           "-iv", AES_IV.hex()], input=IPS[1].encode(), stdout=subprocess.PIPE,
                          check=True)
    db.execute("CREATE EXTENSION pgcrypto")
    theirs = db.one("SELECT encode(encrypt_iv(%s, %s, %s, 'aes-cbc/pad:pkcs'), 'base64')",
                    IPS[2].encode(), AES_KEY, AES_IV)
    assert unmask(sluice, "t", [done.stdout.decode().strip(), theirs.strip()]) == [IPS[1], IPS[2]]
    back = db.rows("SELECT convert_from(decrypt_iv(decode(t, 'base64'), %s, %s,"
                   " 'aes-cbc/pad:pkcs'), 'UTF8') FROM user_logins ORDER BY user_id", AES_KEY,
                   AES_IV)
    assert [v for v, in back] == IPS


def test_siv_is_read_by_python(sluice, queue, db):
    load(sluice, queue, column("t", "siv"))
    keys = tokens.read_keys(sluice.keys)
    assert [tokens.unmask(keys, "ip", t) for t in values(db, "t")] == IPS


def test_what_others_call_masking_works_and_is_warned_of(sluice, queue, db):
    load(sluice, queue, column("s", "sha256", type="varchar(64)"), column("b", "base64"))
    assert values(db, "s") == [hashlib.sha256(ip.encode()).hexdigest() for ip in IPS]
    assert values(db, "b") == [base64.b64encode(ip.encode()).decode() for ip in IPS]
    assert unmask(sluice, "b", values(db, "b")) == IPS
    checked = sluice.call("check", "-c", sluice.path)
    assert checked.text.count("warn  mask") == 2 and " s on one core" in checked.text, checked
    result = sluice.run("--until-empty")
    assert {log["sluice.column"] for log in result.logs if log["log.level"] == "warn"} == {"s", "b"}


@pytest.mark.parametrize("how, spellings", [
    ("ip", ["2001:DB8::1", "2001:db8:0:0::1", "2001:db8::1"]),
    ("ip", ["::ffff:192.0.2.9", "192.0.2.9"]), ("lower, trim", [" Ä.B@x.org", "ä.b@x.org "]),
    ("nfc", ["e\u0301", "\u00e9"])])
def test_normalize_makes_spellings_equal(sluice, queue, db, how, spellings):
    bodies = [login(n, ip=s) for n, s in enumerate(spellings)]
    load(sluice, queue, column("t", "siv", normalize=how), column("raw", "siv"), bodies=bodies)
    assert len(set(values(db, "t"))) == 1
    assert unmask(sluice, "raw", values(db, "raw")) == spellings
    assert len(set(unmask(sluice, "t", values(db, "t")))) == 1


def test_a_value_that_is_no_address_is_a_dead_letter(sluice, queue, db):
    load(sluice, queue, column("t", "ip", type="inet"), bodies=[login(0, ip="n/a"), login(1)])
    assert (db.count(), db.dead()) == (1, [("not_in_form", "ip")])


def test_a_result_too_long_for_its_column_is_a_dead_letter(sluice, queue, db):
    load(sluice, queue, column("t", "base64", type="varchar(16)"),
         bodies=[login(0, ip="1.2.3.4"), login(1, ip="255.255.255.255")])
    assert (db.count(), db.dead()) == (1, [("result_too_long", "ip")])


# The vault

def with_vault(sluice, cluster):
    vault = cluster.new_database()
    sluice.settings["vault"] = {"url": vault.url}
    return vault


@pytest.mark.parametrize("method", ["hmac", "sha256"])
def test_one_way_tokens_come_back_from_the_vault(sluice, queue, db, cluster, method):
    vault = with_vault(sluice, cluster)
    load(sluice, queue, column("t", method, type="varchar(64)"))
    assert vault.count("sluice_vault") == 3, "one entry a token, not a row"
    assert not any(ip.encode() in bytes(s) for ip in IPS
                   for s, in vault.rows("SELECT sealed FROM sluice_vault")), "sealed"
    assert unmask(sluice, "t", values(db, "t")) == IPS
    queue.send([login(n + 10, ip=ip) for n, ip in enumerate(IPS)])
    assert sluice.drain().loaded == 4 and vault.count("sluice_vault") == 3
    vault.drop()


def test_without_the_key_the_vault_is_of_no_use(sluice, queue, db, cluster):
    vault = with_vault(sluice, cluster)
    load(sluice, queue, column("t", "hmac", type="varchar(64)"))
    os.remove(sluice.keys)
    sluice.make_keys("k2")
    result = sluice.call("unmask", "-c", sluice.write(), "--columns", "t", "--reason", "r",
                         stdin=values(db, "t")[0].encode())
    assert result.rc == 1 and IPS[0] not in result.text, result
    vault.drop()


def test_a_vault_that_is_away_is_an_outage(sluice, queue, db, cluster):
    """The row must not come before its original is safe."""
    vault = with_vault(sluice, cluster)
    load(sluice, queue, column("t", "hmac", type="varchar(64)"))
    running = sluice.begin()
    vault.admin(f"ALTER DATABASE {vault.name} ALLOW_CONNECTIONS false")
    vault.admin("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                f" WHERE datname = '{vault.name}'")
    queue.send([login(20, ip="198.51.100.7")])
    wait_for_text(running, "vault")
    assert db.count() == 4 and db.dead() == []
    vault.admin(f"ALTER DATABASE {vault.name} ALLOW_CONNECTIONS true")
    eventually(lambda: db.count() == 5, within=30)
    running.stop()
    assert vault.count("sluice_vault") == 4
    assert unmask(sluice, "t", values(db, "t"))[-1] == "198.51.100.7"
    vault.drop()


# Keys

def test_keys_come_from_wherever_they_are_kept(sluice, queue, db):
    sluice.make_keys()
    with open(sluice.keys, encoding="ascii") as f:
        text = f.read()
    sources = [{"env": "SLUICE_KEYS"}, {"command": "cat " + sluice.keys},
               {"credential": "sluice.keys"}]
    sluice.env.update(SLUICE_KEYS=text, CREDENTIALS_DIRECTORY=os.path.dirname(sluice.keys))
    os.link(sluice.keys, os.path.join(os.path.dirname(sluice.keys), "sluice.keys"))
    for n, source in enumerate(sources):
        sluice.settings["keys"] = source
        queue.send([login(n, ip="192.0.2.1")])
        assert sluice.drain().loaded == 1
    assert len(set(values(db, "masked_ip"))) == 1


def test_a_hangup_changes_the_key_and_loses_nothing(sluice, queue, db):
    queue.send([login(0, ip="192.0.2.1")])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    sluice.good("keys", "add", sluice.keys, "--kid", "k2")
    sluice.good("keys", "activate", sluice.keys, "k2")
    running.send(1)
    wait_for_text(running, "the keys were read again")
    queue.send([login(1, ip="192.0.2.1")])
    eventually(lambda: db.count() == 2)
    with open(sluice.keys, "a", encoding="ascii") as f:
        f.write("not a key line\n")
    running.send(1)
    wait_for_text(running, "keeping the old ones")
    queue.send([login(2, ip="192.0.2.1")])
    eventually(lambda: db.count() == 3)
    summary = running.stop().summary
    assert (summary.loaded, summary.duplicates) == (3, 0)
    assert [t.split(".")[1] for t in values(db, "masked_ip")] == ["k1", "k2", "k2"]


def test_joins_stay_right_while_keys_change(sluice, queue, db):
    queue.send([login(0, ip="192.0.2.1")])
    sluice.drain()
    sluice.good("keys", "add", sluice.keys)
    sluice.good("keys", "activate", sluice.keys, "k2")
    queue.send([login(1, ip="192.0.2.1"), login(2, ip="192.0.2.2")])
    sluice.drain()
    found = sluice.good("tokens", "-c", sluice.write(), "--columns", "masked_ip",
                        stdin=b"192.0.2.1\n").text.strip()
    assert db.one("SELECT count(*) FROM user_logins WHERE masked_ip = ANY (%s::text[])", found) == 2
    assert json.loads(found.replace("{", "[").replace("}", "]"))[0].startswith("v1.k1.")


def test_what_normalizes_to_nothing_is_nothing_to_keep(sluice, queue, db, cluster):
    vault = with_vault(sluice, cluster)
    load(sluice, queue, column("t", "hmac", type="varchar(64)", normalize="trim"),
         bodies=[login(0, ip="  "), login(1)])
    assert values(db, "t")[0] == "" and vault.count("sluice_vault") == 1
    result = sluice.call("tokens", "-c", sluice.path, "--columns", "t", stdin=b"  \n")
    assert result.rc == 1 and result.text == "\n", result
    vault.drop()


def test_many_may_make_the_vault_at_once(sluice, queue, db, cluster):
    sluice.settings["columns"] = [dict(USER), column("t", "hmac", type="varchar(64)")]
    sluice.drain()
    vault = with_vault(sluice, cluster)
    sluice.write()
    running = [sluice.start("run", "-c", sluice.path, "--until-empty") for _ in range(5)]
    results = [r.wait(40) for r in running]
    vault.drop()
    assert {r.rc for r in results} == {0}, [r for r in results if r.rc]

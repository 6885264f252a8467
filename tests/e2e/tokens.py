"""tokens.py - the v1 token, written a second time with Python's `cryptography`.

The tests recover values with this, never with sluice itself, so that a mistake cannot hide by
being made both ways.
"""
import base64

from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER = bytes(range(32))  # of the golden folders and of the known answers


def derive(master, info, n):
    return HKDF(SHA256(), n, b"sluice", info.encode()).derive(master)


def check_value(master):
    return derive(master, "sluice/kcv", 4).hex()


def key_line(kid="k1", master=MASTER, state="active"):
    return "%s %s %s %s\n" % (kid, state, base64.b64encode(master).decode(), check_value(master))


def read_keys(path):
    """{kid: master} of a key file, with its check values checked."""
    keys = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                kid, state, encoded, check = line.split()
                master = base64.b64decode(encoded, validate=True)
                assert len(master) == 32 and state in ("active", "decrypt", "retired"), line
                assert check == check_value(master), "check value of " + kid
                keys[kid] = master
    return keys


def pad(value):
    return value + b"\x80" + bytes(15 - len(value) % 16)


def unpad(padded):
    value = padded.rstrip(b"\x00")
    assert value.endswith(b"\x80") and len(padded) - len(value) < 16
    return value[:-1]


def siv(master, kid, context):
    return AESSIV(derive(master, f"sluice/v1/siv/{kid}/{context}", 64))


def mask(keys, context, value, kid="k1"):
    if not value:
        return value
    aad = f"v1.{kid}.{context}".encode()
    sealed = siv(keys[kid], kid, context).encrypt(pad(value.encode()), [aad])
    return f"v1.{kid}." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unmask(keys, context, token):
    """The value of a token; InvalidTag when anything about it is wrong."""
    if not token:
        return token
    version, kid, encoded = token.split(".")
    assert version == "v1", token
    sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    assert base64.urlsafe_b64encode(sealed).decode().rstrip("=") == encoded, "not the one spelling"
    aad = f"v1.{kid}.{context}".encode()
    return unpad(siv(keys[kid], kid, context).decrypt(sealed, [aad])).decode()


def seal_body(keys, message_id, body, kid="k1"):
    """What sluice.dead_letter.sealed_body has of a body, which may be any bytes."""
    aad = f"v1.{kid}.dead_letter.{message_id}".encode()
    return f"v1.{kid}.".encode() + siv(keys[kid], kid, "dead_letter").encrypt(pad(body), [aad])


def open_body(keys, message_id, sealed):
    """The body of a dead letter out of sluice.dead_letter.sealed_body."""
    version, kid, rest = bytes(sealed).split(b".", 2)
    assert version == b"v1", sealed[:8]
    kid = kid.decode()
    aad = f"v1.{kid}.dead_letter.{message_id}".encode()
    return unpad(siv(keys[kid], kid, "dead_letter").decrypt(rest, [aad]))

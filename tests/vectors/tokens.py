#!/usr/bin/env python3
"""Make tokens.txt with an implementation that shares nothing with sluice's: Python's `cryptography`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install cryptography
    /tmp/venv/bin/python tests/vectors/tokens.py > tests/vectors/tokens.txt

Every run prints the same bytes.
"""

import base64
import hashlib
import random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KIDS = ["k1", "k2", "2026", "a", "z9999999"]
CONTEXTS = ["ip", "device_id", "user.address[0].street", "last login ip", "~" * 64, "dead_letter"]

rng = random.Random(5297)


def master(kid):
    if kid == "k1":
        return bytes(range(32))
    return hashlib.sha256(b"sluice test key " + kid.encode()).digest()


def hkdf(kid, info, length):
    kdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=b"sluice", info=info)
    return kdf.derive(master(kid))


def pad(value):
    return value + b"\x80" + b"\x00" * (15 - len(value) % 16)


def seal(kid, context, aad, value):
    key = hkdf(kid, f"sluice/v1/siv/{kid}/{context}".encode(), 64)
    return AESSIV(key).encrypt(pad(value), [aad.encode()])


def token(kid, context, value):
    sealed = seal(kid, context, f"v1.{kid}.{context}", value)
    return f"v1.{kid}." + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def body(kid, message_id, value):
    sealed = seal(kid, "dead_letter", f"v1.{kid}.dead_letter.{message_id}", value)
    return f"v1.{kid}.".encode() + sealed


def values():
    yield b"1.2.3.4"
    yield b"255.255.255.255"
    yield b"593-47-5928"
    yield "Müller, 東京".encode()
    yield b"\x80"
    yield b"\x00" * 16
    yield b"\xff" * 15
    yield b"ends like padding\x80\x00\x00"
    for n in range(1, 160):
        yield rng.randbytes(n)
    for _ in range(60):
        yield ".".join(str(rng.randrange(256)) for _ in range(4)).encode()


print("# Made by tests/vectors/tokens.py with Python's cryptography.  Tab-separated:")
print("# key    id, master in hex, check value")
print("# token  key id, context, value in hex, token")
print("# body   key id, message id, body in hex, sealed body in hex")
for k in KIDS:
    print("key", k, master(k).hex(), hkdf(k, b"sluice/kcv", 4).hex(), sep="\t")
for i, v in enumerate(values()):
    k, c = KIDS[i % len(KIDS)], CONTEXTS[i // 2 % len(CONTEXTS)]
    print("token", k, c, v.hex(), token(k, c, v), sep="\t")
for i, n in enumerate([0, 1, 15, 16, 17, 31, 32, 495, 496, 497, 600]):
    k, m, v = KIDS[i % len(KIDS)], f"5fea7756-0ea4-451a-a703-a558b933e{i:03}", rng.randbytes(n)
    print("body", k, m, v.hex(), body(k, m, v).hex(), sep="\t")

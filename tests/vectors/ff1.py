#!/usr/bin/env python3
"""Make ff1.txt with an FF1 that shares nothing with sluice's: Python's whole numbers, written down
from NIST SP 800-38G algorithm 7, over the AES of Python's `cryptography`.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install cryptography
    /tmp/venv/bin/python tests/vectors/ff1.py > tests/vectors/ff1.txt

Every run prints the same bytes.  It checks itself against a sample of NIST's first.
"""

import random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

RADICES = [2, 3, 10, 16, 26, 36, 62, 94, 255, 256]

rng = random.Random(38)


def aes(key, block):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def num(radix, digits):
    x = 0
    for digit in digits:
        x = x * radix + digit
    return x


def numerals(radix, m, x):
    digits = []
    for _ in range(m):
        x, digit = divmod(x, radix)
        digits.insert(0, digit)
    return digits


def ff1(key, radix, tweak, digits):
    n, t = len(digits), len(tweak)
    u = n // 2
    v = n - u
    a, b = digits[:u], digits[u:]
    # ceil(log2(x)) of a whole number is the bit length of x - 1.
    size = -(-(radix**v - 1).bit_length() // 8)
    d = 4 * -(-size // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256])
    p += n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - size - 1) % 16) + bytes([i]) + num(radix, b).to_bytes(size, "big")
        r = bytes(16)
        for at in range(0, len(p + q), 16):
            r = aes(key, xor(r, (p + q)[at:at + 16]))
        s = r
        for j in range(1, -(-d // 16)):
            s += aes(key, xor(r, j.to_bytes(16, "big")))
        m = u if i % 2 == 0 else v
        c = (num(radix, a) + int.from_bytes(s[:d], "big")) % radix**m
        a, b = b, numerals(radix, m, c)
    return a + b


def shortest(radix):
    n = 1
    while radix**n < 1000000:
        n += 1
    return n


SAMPLE = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
assert ff1(SAMPLE, 10, b"", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) == [2, 4, 3, 3, 4, 7, 7, 4, 8, 4]

print("# Made by tests/vectors/ff1.py with Python's whole numbers and AES.  Tab-separated, in hex but")
print("# the radix: radix, key, tweak, numerals (two digits each), numerals encrypted")
for radix in RADICES:
    least = shortest(radix)
    lengths = set(range(least, least + 6)) | {31, 32, 33, 63, 64, 65, 99, 126, 127, 128}
    for n in sorted(lengths):
        key = rng.randbytes(rng.choice([16, 24, 32]))
        tweak = rng.randbytes(rng.choice([0, 1, 2, 7, 10, 11, 12, 13, 14, 15, 16, 17, 31, 32, 40, 64]))
        kind = rng.randrange(6)
        digits = [0 if kind == 0 else radix - 1 if kind == 1 else rng.randrange(radix)
                  for _ in range(n)]
        print(radix, key.hex(), tweak.hex(), bytes(digits).hex(),
              bytes(ff1(key, radix, tweak, digits)).hex(), sep="\t")

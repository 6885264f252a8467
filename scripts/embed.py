#!/usr/bin/env python3
"""Make a C source out of a text file: embed.py NAME IN OUT gives `const char NAME[]`, NUL at its end.

Bytes rather than a string literal, because C promises no more than 4095 characters of one.
"""
import sys

name, source, target = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
if not data.isascii() or b"\0" in data:
    sys.exit(f"{source}: only ASCII without NUL can be embedded")
numbers = [str(byte) for byte in data] + ["0"]
with open(target, "w", encoding="ascii") as f:
    f.write(f"extern const char {name}[];\nconst char {name}[] = {{\n")
    for at in range(0, len(numbers), 20):
        f.write("    " + ", ".join(numbers[at:at + 20]) + ",\n")
    f.write("};\n")

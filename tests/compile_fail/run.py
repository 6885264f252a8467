#!/usr/bin/env python3
"""Compile what must not compile.

Each snippet here is compiled twice: as it is, which must work, and with MUST_NOT_COMPILE defined,
which must fail with an error that names what its first line says after "error:".  So a snippet
that fails for another reason is noticed.  Then every header must compile alone.

    run.py SRC INCLUDE_DIR... -- COMPILER...
"""

import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-fsyntax-only", "-x", "c"]


def compile_one(compiler, includes, source, flags=()):
    """Returns: None when it compiles, else its errors and notes, a line each."""
    command = [*compiler, *FLAGS, *[f"-I{i}" for i in includes], *flags, "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if re.search(r": (error|note): ", line)]
    return "\n".join(said) or done.stderr


def check_snippet(compiler, includes, path):
    source = path.read_text(encoding="utf-8")
    wanted = re.search(r"error: (\S+) \*/$", source.splitlines()[0])
    if wanted is None:
        return "its first line does not end in the name that the error must have"
    errors = compile_one(compiler, includes, source)
    if errors is not None:
        return f"does not compile even where it should:\n{errors}"
    errors = compile_one(compiler, includes, source, ["-DMUST_NOT_COMPILE"])
    if errors is None:
        return "compiles, and must not"
    if wanted.group(1) not in errors:
        return f"fails for another reason, none about {wanted.group(1)}:\n{errors}"
    return None


def main():
    cut = sys.argv.index("--")
    includes, compiler = sys.argv[1:cut], sys.argv[cut + 1:]
    src = pathlib.Path(includes[0])
    snippets = sorted(HERE.glob("*.c"))
    headers = sorted(src.glob("**/*.h"))
    failures = 0

    for path in snippets:
        wrong = check_snippet(compiler, includes, path)
        if wrong is not None:
            print(f"{path.name}: {wrong}")
            failures += 1
    for path in headers:
        name = path.relative_to(src)
        errors = compile_one(compiler, includes, f'#include "{name}"\n')
        if errors is not None:
            print(f"{name}: does not compile alone:\n{errors}")
            failures += 1
    print(f"{len(snippets)} snippets, {len(headers)} headers, {failures} wrong")
    return 1 if failures > 0 or not snippets or not headers else 0


sys.exit(main())

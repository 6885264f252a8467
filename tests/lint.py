#!/usr/bin/env python3
"""What the compiler does not check.  Prints file:line: message, and exits 1 if there is any.

    python3 tests/lint.py [ROOT]

Layers, functions nobody may call, the few places that may open cleartext, comments above what a
header offers, and the size of things.  A line with a comment `allow: reason` may call what is
banned; the tables below name whole files, each with its reason.
"""

import pathlib
import re
import sys

# ---- tables ------------------------------------------------------------------------------------

# Includes point down only: to the same folder or to one further left.  Those of one row are
# siblings and do not see each other.
LAYERS = [["base"], ["telemetry"], ["config"], ["net"], ["keys"], ["record"],
          ["source", "sink", "masking"], ["pipeline"], ["app"], ["cmd"], ["main"]]

BANNED = {
    "strcpy": "sl_arena_copy, or memcpy with a length",
    "strcat": "sl_buf_add",
    "sprintf": "snprintf",
    "strtok": "sl_str_cut",
    "atoi": "sl_str_to_i64",
    "atol": "sl_str_to_i64",
    "strtol": "sl_str_to_i64",
    "gets": "fgets or getline",
    "gmtime": "gmtime_r",
    "localtime": "gmtime_r: all times are UTC",
    "strerror": "strerror_r",
    "rand": "getrandom",
    "system": "nothing: no shell is started",
    "popen": "nothing: no shell is started",
    "alloca": "an arena",
}

HEAP = ["malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup", "asprintf",
        "vasprintf"]
HEAP_FILES = {
    "src/app.c": "the workers of a run, as long as the run",
    "src/keys/keyring.c": "a ring outlives every arena; _new and _free",
    "src/masking/cbc.c": "a cipher context; _new and _free",
    "src/masking/column_mask.c": "the masks of the columns; _new and _free, _open and _close",
    "src/masking/digest.c": "a digest context; _new and _free",
    "src/masking/fernet.c": "cipher and MAC contexts; _new and _free",
    "src/masking/ff1.c": "a cipher context; _new and _free",
    "src/masking/fpe.c": "a cipher and its format; _new and _free",
    "src/base/hmac.c": "a MAC context; _new and _free",
    "src/masking/ipcrypt.c": "cipher contexts; _new and _free",
    "src/masking/masker.c": "a masker and its contexts; _new and _free",
    "src/masking/siv.c": "cipher contexts; _new and _free",
    "src/net/aws_call.c": "what a request was signed with, until its answer",
    "src/net/http.c": "requests outlive the batch that started them",
    "src/net/http_conn.c": "connections outlive the requests that they carry",
    "src/net/http_server.c": "a request, as long as its answer takes",
    "src/sink/ndjson.c": "the sink itself; _open and _close",
    "src/sink/pg.c": "the sink itself; _open and _close",
    "src/sink/vault.c": "the vault itself; _open and _close",
    "src/source/dead_queue.c": "the queue itself; _open and _close",
    "src/source/file.c": "the source itself; _open and _close",
    "src/source/s3.c": "the reader itself; _open and _close",
    "src/source/sqs.c": "the source itself; _open and _close",
    "src/source/sqs_lease.c": "receipt handles outlive their batch",
    "src/source/sqs_receive.c": "a receive, until its answer",
    "src/source/sqs_reply.c": "a reply, until a batch takes it",
}

PRINT = ["printf", "fprintf", "vprintf", "vfprintf", "dprintf", "puts", "fputs", "putchar", "putc",
         "fputc", "perror"]
PRINT_PLACES = ("src/cmd/", "src/main.c")

SERVER_WORDS = ["PQerrorMessage", "PQresultErrorMessage", "PQresultErrorField",
                "PQresultVerboseErrorMessage"]
SERVER_WORDS_FILE = "src/sink/pg_err.c"

SECRET_PLACES = ("src/base/", "src/masking/")

PUBLISH_FILES = {
    "src/base/cleartext.h": "it is defined there",
    "src/base/json.cpp": "names of members are compared, and go nowhere",
    "src/app_dead_ask.c": "what a person asks for: ids, codes and names of fields; never of a message",
    "src/pipeline/unwrap.c": "names and kinds are compared; what is packed is unpacked, into cleartext again",
    "src/pipeline/decode.c": "what goes into a column that is not masked, once it is checked",
    "src/source/sqs_json.c": "the queue's own words: ids, handles, counts, codes; never a body",
    "src/source/s3.c": "a pointer is looked at, and where it points goes to S3",
    "src/source/sqs_altered.c": "a body becomes its MD5; the body itself goes nowhere",
    "src/source/sqs_pack.c": "an attribute's value is copied, into cleartext again",
    "src/cmd/cmd_unmask.c": "a value that was asked for with the keys and a reason, and only on stdout",
    "src/net/aws_service.c": "what a service answers: keys and secrets, for a ring or a login, and codes",
    "src/net/aws_json.c": "credentials, which go into a snapshot, and a code",
    "src/keys/key_json.c": "the words of a key file: ids are compared, a key goes into the ring only",
    "src/sink/pg_login.c": "the words of a secret, which go to libpq and nowhere else",
    "src/cmd/top_state.c": "what a run says of itself: names, numbers, codes; never of a message",
    "src/cmd/body_search.c": "fields are compared with the value asked for, and go nowhere",
    "src/cmd/table_ndjson.c": "names are compared; values go to the change asked for, and out",
    "src/cmd/dead_edit.c": "a body that was asked for by id with the keys, and only to the editor",
    "src/cmd/dead_show.c": "a body that was asked for by id with the keys, and only on stdout",
}

FILE_LINES_MAX = 500
FILES_LONG = {
    "src/cmd/cmd_check.c": "one list of checks, in the order in which they are said",
    "src/config/columns.c": "one list of settings and the checks of its rows, in the order of a column",
    "src/config/settings.c": "one list of settings, in the order of the manual",
}

FUNCTION_LINES_MAX = 60
FUNCTIONS_LONG = {}  # "src/x.c:name": reason

# Spelled so that this file does not find itself.
LEFTOVERS = ["TO" "DO", "FIX" "ME", "X" "XX"]
TEXT_SUFFIXES = {".c", ".h", ".cpp", ".def", ".py", ".build"}

# ---- reading -----------------------------------------------------------------------------------


class Source:
    """One file: its lines, the same without comments and literals, and what may be allowed."""

    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.split("\n")
        self.code = blank(self.text).split("\n")

    def is_allowed(self, line):
        return re.search(r"allow: *[^\s*]", self.lines[line - 1]) is not None


def blank(text):
    """Comments and the insides of literals become blanks; lines stay where they are."""
    def gap(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[-1]
        return re.sub(r"[^\n]", " ", found)

    literal = r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'"
    return re.sub(r"/\*.*?\*/|//[^\n]*|" + literal, gap, text, flags=re.DOTALL)


class Report:
    def __init__(self):
        self.n = 0

    def say(self, name, line, message):
        print(f"{name}:{line}: {message}")
        self.n += 1


# ---- layers ------------------------------------------------------------------------------------


def folder_of(name):
    """src/sink/pg.c is of sink, src/app.h and src/app_run.c of app."""
    parts = name.split("/")[1:]
    return parts[0] if len(parts) > 1 else re.split(r"[._]", parts[0])[0]


def rank_of(folder):
    for rank, row in enumerate(LAYERS):
        if folder in row:
            return rank
    return None


def check_includes(source, names, report):
    own = folder_of(source.name)
    first = True
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match is None:
            continue
        is_own_kind, name = match.group(1) == '"', match.group(2)
        if first and not source.name.endswith((".h", ".def")):
            beside = re.sub(r"\.(c|cpp)$", ".h", source.name)
            if beside in names and name != beside.removeprefix("src/"):
                report.say(source.name, number, f"its own header {beside} must come first")
        first = False
        if not is_own_kind:
            continue
        if f"src/{name}" not in names:
            report.say(source.name, number, f"no such file: src/{name}")
            continue
        other = folder_of(f"src/{name}")
        if rank_of(own) is None or rank_of(other) is None:
            report.say(source.name, number, f"a folder that is in no layer: {own} or {other}")
        elif name.endswith(".def"):
            continue  # a table is data: config/ checks a file against those of masking/
        elif other != own and rank_of(other) >= rank_of(own):
            report.say(source.name, number, f"{own} may not include {other}: includes point down")


# ---- calls -------------------------------------------------------------------------------------


def each_call(source, functions):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(functions) + r")\s*\(")
    for number, line in enumerate(source.code, 1):
        for match in pattern.finditer(line):
            if not source.is_allowed(number):
                yield number, match.group(1)


def check_calls(source, report):
    name = source.name
    for number, called in each_call(source, BANNED):
        report.say(name, number, f"{called} is banned; use {BANNED[called]}")
    if not name.startswith("src/base/") and name not in HEAP_FILES:
        for number, called in each_call(source, HEAP):
            report.say(name, number, f"{called} outside base/: use an arena")
    if not name.startswith(PRINT_PLACES):
        for number, called in each_call(source, PRINT):
            report.say(name, number, f"{called} outside the command line: use the log or a report")
    if name != SERVER_WORDS_FILE:
        for number, called in each_call(source, SERVER_WORDS):
            report.say(name, number, f"{called} quotes rows: only {SERVER_WORDS_FILE} may read it")


def check_cleartext(source, report):
    for number, line in enumerate(source.code, 1):
        if source.is_allowed(number):
            continue
        if re.search(r"(\.|->)\s*secret\b", line) and not source.name.startswith(SECRET_PLACES):
            report.say(source.name, number, ".secret is for base/ and masking/ only")
        if "sl_cleartext_publish" in line and source.name not in PUBLISH_FILES:
            report.say(source.name, number, "this file is none of those that may publish cleartext")


def check_tables(sources, report):
    """A file that no longer needs its line in a table loses it."""
    by_name = {source.name: source for source in sources}
    tables = [("HEAP_FILES", HEAP_FILES, r"\b(" + "|".join(HEAP) + r")\s*\("),
              ("PUBLISH_FILES", PUBLISH_FILES, r"\bsl_cleartext_publish\b")]
    for table, rows, pattern in tables:
        for name in rows:
            if name not in by_name or not re.search(pattern, "\n".join(by_name[name].code)):
                report.say(name, 1, f"{table} names this file, which does not need it")
    for name in FILES_LONG:
        if name not in by_name or len(by_name[name].lines) - 1 <= FILE_LINES_MAX:
            report.say(name, 1, "FILES_LONG names this file, which is not long")


# ---- headers -----------------------------------------------------------------------------------


def read_codes(root):
    """The fates of err.def by code."""
    text = (root / "src/base/err.def").read_text(encoding="utf-8")
    return dict(re.findall(r"^X\((\w+),\s*(\w+),", text, flags=re.MULTILINE))


def blocks_of(source):
    """Runs of lines without an empty one: (number of the first, lines, the same as code)."""
    first = 0
    for number in range(len(source.lines) + 1):
        is_end = number == len(source.lines) or source.lines[number].strip() == ""
        is_inside = number < len(source.lines) and source.inside_comment[number]
        if is_end and not is_inside:
            if number > first:
                yield first + 1, source.lines[first:number], source.code[first:number]
            first = number + 1


def mark_comments(source):
    """Lines inside of a comment, also empty ones."""
    source.inside_comment = []
    is_inside = False
    for line in source.lines:
        source.inside_comment.append(is_inside)
        for mark in re.findall(r"/\*|\*/", line):
            is_inside = mark == "/*"


def declares(code):
    """The names of the functions that a block declares; an inline one shows what it does."""
    found = []
    for offset, line in enumerate(code):
        match = re.match(r"(?!typedef|static inline|struct \w+ \{|#)[A-Za-z_][\w \*]*?\b(sl_\w+)\(", line)
        if match is not None:
            found.append((offset, match.group(1)))
    return found


# What a pair with a commented half needs no words for.
PLAIN_ENDS = ("_free", "_freep", "_done", "_close")


def check_header_comments(source, report):
    mark_comments(source)
    for first, lines, code in blocks_of(source):
        has_comment = any("/*" in line for line in lines)
        for offset, name in declares(code):
            if not has_comment and not name.endswith(PLAIN_ENDS):
                report.say(source.name, first + offset, f"{name} has no comment above its group")


FATES = {"retry": "RETRY", "dead letter": "DEAD_LETTER", "stop": "STOP"}


def errors_of(comment):
    """The part of a comment under `Errors:`, with the line it starts at; None if there is none."""
    match = re.search(r"Errors:", comment)
    if match is None:
        return None
    rest = comment[match.start():]
    end = re.search(r"\n \* *(Threads|Blocks|Cost|Source|Owns|Returns|Shape|Units):", rest)
    return match.start(), rest[:end.start()] if end is not None else rest


def check_header_errors(source, codes, report):
    for match in re.finditer(r"/\*.*?\*/", source.text, flags=re.DOTALL):
        errors = errors_of(match.group(0))
        if errors is None:
            continue
        at = match.start() + errors[0]
        for code in re.finditer(r"\bSL_([A-Z_]+)\b", errors[1]):
            number = source.text.count("\n", 0, at + code.start()) + 1
            if code.group(1) not in codes:
                report.say(source.name, number, f"SL_{code.group(1)} is not in err.def")
        pattern = r"((?:\bSL_[A-Z_]+(?:,\s*\**\s*| and |, \.\.\. |\s+))+)\((retry|dead letter|stop)\)"
        for row in re.finditer(pattern, errors[1]):
            number = source.text.count("\n", 0, at + row.start()) + 1
            for name in re.findall(r"SL_([A-Z_]+)", row.group(1)):
                if name in codes and codes[name] != FATES[row.group(2)]:
                    report.say(source.name, number, f"the fate of SL_{name} is not {row.group(2)}")


# ---- size and leftovers ------------------------------------------------------------------------


def functions_of(source):
    """(name, number of its first line, lines) of every function: its brace stands at the margin."""
    start = None
    for number, line in enumerate(source.code, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            head = " ".join(source.code[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\s*\(", head.rsplit(";", 1)[-1].rsplit("}", 1)[-1])
            yield names[0] if names else "?", start, number - start + 1
            start = None


def check_size(source, report):
    lines = len(source.lines) - 1
    if lines > FILE_LINES_MAX and source.name not in FILES_LONG:
        report.say(source.name, lines, f"{lines} lines, the limit is {FILE_LINES_MAX}")
    for name, number, length in functions_of(source):
        if length > FUNCTION_LINES_MAX and f"{source.name}:{name}" not in FUNCTIONS_LONG:
            report.say(source.name, number, f"{name} has {length} lines, the limit is "
                       f"{FUNCTION_LINES_MAX}")


def check_text(source, report):
    leftover = re.compile(r"\b(" + "|".join(LEFTOVERS) + r")\b")
    for number, line in enumerate(source.lines, 1):
        match = leftover.search(line)
        if match is not None:
            report.say(source.name, number, f"{match.group(1)} is left over")
        if "\t" in line:
            report.say(source.name, number, "a tab")
        if line != line.rstrip():
            report.say(source.name, number, "blanks at the end")
    if source.text and (not source.text.endswith("\n") or source.text.endswith("\n\n")):
        report.say(source.name, len(source.lines), "a file ends in one newline")


# ---- all of it ---------------------------------------------------------------------------------


def read_all(root, folder):
    return [Source(root, path) for path in sorted((root / folder).rglob("*"))
            if path.is_file() and path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1
                        else pathlib.Path(__file__).parent.parent).resolve()
    report = Report()
    sources = read_all(root, "src")
    names = {source.name for source in sources}
    codes = read_codes(root)

    for source in sources:
        check_includes(source, names, report)
        check_calls(source, report)
        check_cleartext(source, report)
        check_size(source, report)
        if source.name.endswith(".h"):
            check_header_comments(source, report)
            check_header_errors(source, codes, report)
    check_tables(sources, report)
    for source in sources + read_all(root, "tests"):
        check_text(source, report)
    if report.n > 0:
        print(f"lint: {report.n} found", file=sys.stderr)
    return 1 if report.n > 0 else 0


sys.exit(main())

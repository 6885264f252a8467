"""usage.py - what the program says of its commands, read from its own help, for manuals and shells.

The help is the one place where commands and options are described; what is made of it here at
build time cannot say anything else.
"""
import dataclasses
import re
import subprocess

OPTION = re.compile(r" {2,6}(?:(-\w), )?(--[a-z-]+)(?: ([A-Z][A-Z:_-]*))? +(\S.*)")
DEFINITION = re.compile(r" {0,2}([a-z][a-z-]*) {2,}(\S.*)")


@dataclasses.dataclass
class Option:
    short: str  # "-c", or ""
    name: str   # "--config"
    value: str  # "FILE", or ""
    text: str

    @property
    def choices(self):
        """What it takes, where that is a few words: "text or json (preset: ...)"."""
        listed = re.match(r"((?:\w+, )*\w+) or (\w+)(?= \(|;|$)", self.text) if self.value else None
        return [*listed[1].split(", "), listed[2]] if listed else []

    @property
    def is_file(self):
        return self.value in ("FILE", "CONFIG") or (self.value == "F" and " file " in self.text)


@dataclasses.dataclass
class Section:
    """A paragraph of the help: lines of text, or terms with a text each, or options."""
    heading: str
    lines: list
    terms: list
    options: list


@dataclasses.dataclass
class Command:
    name: str
    summary: str
    usages: list
    sections: list
    examples: list

    @property
    def options(self):
        return [o for s in self.sections for o in s.options]

    @property
    def verbs(self):
        """The words that may come first: of `keys new FILE`, new."""
        words = []
        for usage in self.usages:
            first = re.match(rf"sluice {self.name} ([a-z][a-z-]*(?: \| [a-z][a-z-]*)*)", usage)
            words += first[1].split(" | ") if first else []
        return list(dict.fromkeys(words))

    @property
    def takes_files(self):
        return any(re.search(r"\bFILE\b", re.sub(r"-+[a-z-]+ FILE", "", u)) for u in self.usages)


def ask(program, *arguments):
    return subprocess.run([program, *arguments], check=True, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE).stdout


def read_terms(lines, pattern):
    """Terms as `pattern` finds them, each with the lines below it that are indented further."""
    found = []
    for line in lines:
        term = pattern.match(line)
        if term:
            found.append([*term.groups()])
        elif found:
            found[-1][-1] += " " + line.strip()
    return found


def read_section(lines):
    heading = lines.pop(0) if lines[0].endswith(":") and len(lines) > 1 else ""
    options = [Option(*(group or "" for group in term))
               for term in read_terms(lines if heading else [], OPTION)]
    terms = read_terms(lines, DEFINITION) if DEFINITION.match(lines[0]) else []
    return Section(heading, lines, terms, options)


def read_command(name, summary, text):
    usage, *blocks = [block.split("\n") for block in text.rstrip("\n").split("\n\n")]
    usages = [line.removeprefix("Usage:").strip() for line in usage]
    sections = [read_section(block) for block in blocks]
    examples = [line.removeprefix("  ") for s in sections if s.heading == "Examples:"
                for line in s.lines]
    return Command(name, summary, usages, [s for s in sections if s.heading != "Examples:"],
                   examples)


def read_commands(program):
    text = ask(program, "--help")
    listed = re.findall(r"^  (\w+) +(\S.*)$", text.split("Commands:\n")[1].split("\n\n")[0], re.M)
    return [read_command(name, summary, ask(program, name, "--help")) for name, summary in listed]


def common_options(commands):
    """Those that `run` shares with `check`, word for word."""
    of = {c.name: c.options for c in commands}
    return [option for option in of["run"] if option in of["check"]]

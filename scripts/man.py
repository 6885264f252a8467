#!/usr/bin/env python3
"""Print a manual page from what the program says of itself: man.py PROGRAM VERSION PAGE OUT.

PAGE is sluice.1, from the help of every command, or sluice.yaml.5, from `sluice docs config`.
"""
import datetime
import os
import re
import sys

from usage import ask, common_options, read_commands

# ---- roff ----------------------------------------------------------------------------------------


def plain(text):
    """Text as it is: roff takes a backslash for itself, and a dot or quote at the start."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", text)


def inline(text):
    """A run of Markdown: code and what is strong stand out, links are their text."""
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\[[^]]+\]\([^)]+\))", text)
    shown = []
    for part in parts:
        link = re.fullmatch(r"\[([^]]+)\]\([^)]+\)", part)
        bare = link[1] if link else part.strip("`") if part.startswith("`") else part.strip("*")
        shown.append(f"\\fB{plain(bare)}\\fR" if part[:1] in ("`", "*") and len(part) > 2
                     else plain(bare if link else part))
    return re.sub(r"(?m)^(?=[.'])", r"\\&", "".join(shown))


def term(tag, *lines):
    return [".TP", tag, *(line for line in lines if line)]


def verbatim(lines):
    return [".PP", ".EX", *(plain(line) for line in lines), ".EE"]


def header(title, section, version):
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    date = (datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).date().isoformat()
            if epoch else "")
    return [f'.TH {title} {section} "{date}" "sluice {version}"',
            ".\\\" Made from what the program says of itself; see scripts/man.py.",
            ".ad l"]


# ---- Markdown, as the manuals are printed in -----------------------------------------------------


def table(rows):
    """The first cell is a term; the others follow, named unless they say what it is."""
    cells = [[c.replace("\\|", "|").strip() for c in re.split(r"(?<!\\)\|", row)[1:-1]]
             for row in rows]
    names = cells[0]
    roff = []
    for row in cells[2:]:
        says = [value for name, value in zip(names[1:], row[1:])
                if value and name in ("what it is", "meaning")]
        facts = [f"{name}: {value}" for name, value in zip(names[1:], row[1:])
                 if value and name not in ("what it is", "meaning")]
        roff += term(f"\\fB{plain(row[0].strip('`'))}\\fR", *map(inline, says))
        roff += [*([".br"] if says and facts else []), *([inline("; ".join(facts))] if facts else [])]
    return roff


def bullets(lines):
    items = re.split(r"(?m)^\* ", "\n".join(lines))[1:]
    return [line for item in items
            for line in [".IP \\(bu 2", inline(re.sub(r"\s+", " ", item).strip())]]


def block(text):
    lines = text.split("\n")
    if lines[0].startswith("#"):
        return [".SH " + plain(lines[0].lstrip("# ").upper())]
    if lines[0].startswith("```"):
        return verbatim(lines[1:-1])
    if lines[0].startswith("|"):
        return table(lines)
    return bullets(lines) if lines[0].startswith("* ") else [".PP", inline(text)]


def markdown(text):
    return [line for part in re.split(r"\n\n+", text.strip("\n")) for line in block(part)]


# ---- the pages -----------------------------------------------------------------------------------


def option_entry(option):
    names = ", ".join(f"\\fB{plain(s)}\\fR" for s in (option.short, option.name) if s)
    return term(names + (f" \\fI{option.value}\\fR" if option.value else ""), plain(option.text))


def section_entry(section, common):
    if section.options:
        own = [o for o in section.options if o not in common]
        return [line for o in own for line in option_entry(o)]
    if section.terms:
        return [line for name, text in section.terms
                for line in term(f"\\fB{plain(name)}\\fR", plain(text))]
    return [".PP", *([plain(section.heading)] if section.heading else []),
            *(plain(line) for line in section.lines)]


def command_entry(command, common):
    shared = [o.name for o in command.options if o in common and o.name != "--help"]
    page = [f'.SS "sluice {command.name}"', *verbatim(command.usages)]
    for section in command.sections:
        page += section_entry(section, common)
    if shared:
        page += [".PP", plain("And of the common options: " + ", ".join(shared) + ".")]
    return page + [".PP", "Examples:", *verbatim(command.examples)]


FILES = [*term("\\fI/etc/sluice/sluice.yaml\\fR", "what \\fBsluice.service\\fR goes by;"
               " \\fI/etc/sluice/NAME.yaml\\fR is what \\fBsluice@NAME.service\\fR does"),
         *term("\\fI/etc/sluice/sluice.env\\fR, \\fI/etc/sluice/NAME.env\\fR",
               "their environment, NAME=value a line: DATABASE_URL, AWS_REGION"),
         *term("\\fI/etc/sluice/sluice.keys\\fR",
               "the key file, readable by root only; the services get a copy")]


def page_sluice(program):
    commands = read_commands(program)
    common = common_options(commands)
    what = ask(program, "--help").split("\n\n")[1].replace("\n", " ")
    summary = what.rstrip(".").replace("Moves", "move").replace("masks", "mask")
    page = [".SH NAME", "sluice \\- " + plain(summary), ".SH SYNOPSIS",
            "\\fBsluice\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]", ".SH DESCRIPTION", plain(what),
            ".SH COMMANDS"]
    for command in commands:
        page += term(f"\\fB{command.name}\\fR", plain(command.summary))
    page += [".SH COMMON OPTIONS", "Most commands take these."]
    for option in common:
        page += option_entry(option)
    page.append(".SH THE COMMANDS IN TURN")
    for command in commands:
        page += command_entry(command, common)
    statuses = ask(program, "docs", "errors").split("## Exit statuses\n\n")[1].split("\n\n")[0]
    return [*page, ".SH EXIT STATUS", *markdown(statuses), ".SH FILES", *FILES,
            ".SH SEE ALSO", "\\fBsluice.yaml\\fR(5), \\fBsystemd.exec\\fR(5)"]


def page_yaml(program):
    intro, rest = ask(program, "docs", "config").split("\n\n", 1)
    assert intro == "# Configuration"
    return [".SH NAME", "sluice.yaml \\- configuration of sluice(1)", ".SH DESCRIPTION",
            *markdown(rest), ".SH EXAMPLE", "What \\fBsluice docs example\\fR prints:",
            *verbatim(ask(program, "docs", "example").rstrip("\n").split("\n")),
            ".SH SEE ALSO", "\\fBsluice\\fR(1)"]


PAGES = {"sluice.1": page_sluice, "sluice.yaml.5": page_yaml}


def main():
    program, version, name, target = sys.argv[1:]
    title, section = name.rsplit(".", 1)
    with open(target, "w", encoding="utf-8") as out:
        out.write("\n".join([*header(title.upper() if section == "1" else title, section, version),
                             *PAGES[name](program)]) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Print what completes the command line of sluice: completions.py PROGRAM bash|zsh OUT."""
import re
import sys

from usage import read_commands

BASH = r"""# sluice(1) completion for bash, made from the program's own help.
_sluice()
{
    local command=${COMP_WORDS[1]} current=${COMP_WORDS[COMP_CWORD]}
    local option=${COMP_WORDS[COMP_CWORD - 1]} words= verbs= options= has_files=

    COMPREPLY=()
    # Bash takes --name=value for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "%(commands)s --help --version" -- "$current")
        return
    fi
    case $option in
%(values)s
    esac
    case $command in
%(cases)s
    esac
    if [[ $current == -* ]]; then
        words=$options
    elif ((COMP_CWORD == 2)) && [[ $verbs ]]; then
        words=$verbs
    elif [[ $has_files ]]; then
        _sluice_files "$current"
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_sluice_files()
{
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

complete -F _sluice sluice
"""

BASH_FILES = """        %s)
            _sluice_files "$current"
            return
            ;;"""

BASH_WORDS = """        %s)
            mapfile -t COMPREPLY < <(compgen -W "WORDS" -- "$current")
            return
            ;;"""

BASH_NOTHING = """        %s)
            return
            ;;"""

BASH_CASE = """        %s)
            verbs="%s"
            options="%s"
            has_files=%s
            ;;"""

ZSH = r"""#compdef sluice
# sluice(1) completion for zsh, made from the program's own help.
_sluice()
{
    local -a commands=(
%(commands)s
    )

    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    shift words
    ((CURRENT--))
    case $words[1] in
%(cases)s
    esac
}

_sluice "$@"
"""


def spellings(option):
    return [s for s in (option.short, option.name) if s]


def bash_values(commands):
    """A branch each for options that take files, words, and what nobody can guess."""
    kinds = {}
    for option in [o for c in commands for o in c.options]:
        branch = (BASH_FILES if option.is_file else
                  BASH_WORDS.replace("WORDS", " ".join(option.choices)) if option.choices else
                  BASH_NOTHING if option.value else None)
        if kinds.setdefault(option.name, branch) != branch:
            sys.exit(f"{option.name} takes one thing here and another there")
        kinds[option.short] = branch
    branches = sorted({branch for branch in kinds.values() if branch})
    return "\n".join(branch % " | ".join(name for name in kinds if name and kinds[name] == branch)
                     for branch in branches)


def bash(commands):
    cases = [BASH_CASE % (c.name, " ".join(c.verbs),
                          " ".join(s for o in c.options for s in spellings(o)),
                          "yes" if c.takes_files else "")
             for c in commands]
    return BASH % {"commands": " ".join(c.name for c in commands),
                   "values": bash_values(commands), "cases": "\n".join(cases)}


def zsh_quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_option(option):
    """-c and --config exclude each other: '(-c --config)'{-c,--config=}'[text]:FILE:_files'."""
    names = [option.short, option.name + ("=" if option.value else "")]
    text = re.sub(r"([\\\[\]:])", r"\\\1", option.text)
    words = f"({' '.join(option.choices)})" if option.choices else " "
    value = f":{option.value}:{'_files' if option.is_file else words}" if option.value else ""
    if not option.short:
        return zsh_quote(f"{names[1]}[{text}]{value}")
    return (zsh_quote(f"({' '.join(spellings(option))})") + "{" + ",".join(names) + "}"
            + zsh_quote(f"[{text}]{value}"))


def zsh(commands):
    cases = []
    for command in commands:
        words = [zsh_option(option) for option in command.options]
        if command.verbs:
            words.append(zsh_quote(f"1:what:({' '.join(command.verbs)})"))
        if command.takes_files:
            words.append(zsh_quote("*:file:_files"))
        cases.append(f"        {command.name})\n            _arguments -s \\\n                "
                     + " \\\n                ".join(words) + "\n            ;;")
    listed = "\n".join("        " + zsh_quote(f"{c.name}:{c.summary}")
                       for c in commands)
    return ZSH % {"commands": listed, "cases": "\n".join(cases)}


def main():
    program, shell, target = sys.argv[1:]
    with open(target, "w", encoding="utf-8") as out:
        out.write({"bash": bash, "zsh": zsh}[shell](read_commands(program)))


if __name__ == "__main__":
    main()

"""test_packages.py - what is installed beside the program: completions, manual pages, services, the
Debian package's own words.  `make package` builds the package, and compares what is in it with
tests/package/files.expect."""
import pathlib
import re
import subprocess

import pytest

from conftest import ROOT

UNITS = ["sluice.service", "sluice@.service"]


def run(*command, **more):
    return subprocess.run([str(c) for c in command], text=True, check=False, **more,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(name="share", scope="module")
def installed(binary, tmp_path_factory):
    """What an installation puts beside the program, by the names of the files."""
    root = tmp_path_factory.mktemp("root")
    done = run("meson", "install", "-C", pathlib.Path(binary).parent, "--no-rebuild", "--quiet",
               "--destdir", root)
    assert done.returncode == 0, done.stdout
    return {str(p.relative_to(root)).split("/", 2)[2]: p for p in root.rglob("*") if p.is_file()}


def test_an_installation_has_the_program_and_what_goes_with_it(share):
    assert sorted(share) == [
        "bin/sluice",
        "lib/systemd/system/sluice.service", "lib/systemd/system/sluice@.service",
        "lib/sysusers.d/sluice.conf",
        "share/bash-completion/completions/sluice",
        "share/man/man1/sluice.1", "share/man/man5/sluice.yaml.5",
        "share/zsh/site-functions/_sluice"]


# The options: getopt's tables, the help, and what is made of the help


def tables():
    """Every long option that a command looks for, and whether it takes a value."""
    text = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "src" / "cmd").glob("*.[ch]"))
    found = re.findall(r'\{[\s\\]*"([a-z-]+)",\s*(no|required)_argument', text)
    return {(name, takes == "required") for name, takes in found}


def offered(share):
    """(command, option) as the completion offers them."""
    text = share["share/bash-completion/completions/sluice"].read_text(encoding="utf-8")
    return [(command, option) for command, options in
            re.findall(r'^        (\w+)\)\n +verbs=.*\n +options="(.*)"$', text, re.M)
            for option in options.split()]


def test_every_option_that_is_offered_is_known(bare, share):
    takes = dict(tables())
    options = [(c, o) for c, o in offered(share) if o.startswith("--") and o != "--help"]
    assert len(options) > 60
    for command, option in options:
        result = bare.call(command, option)
        assert result.rc == 64 and "unknown" not in result.err, (command, option, result)
        assert takes[option[2:]] == ("needs a value" in result.err), (command, option, result)


def test_every_option_that_is_known_is_offered_and_in_the_manual(share):
    names = {option for _, option in offered(share)}
    manual = share["share/man/man1/sluice.1"].read_text(encoding="utf-8").replace("\\-", "-")
    for name, _ in tables():
        assert f"--{name}" in names
        assert re.search(rf"^\\fB(-\w\\fR, \\fB)?--{name}\\fR", manual, re.M), name


TYPED = [
    ("sluice vers\tx", ["version", "x"]),
    ("sluice veri\t--samp\t 5", ["verify", "--sample", "5"]),
    ("sluice run --until-e\t-c slu\t", ["run", "--until-empty", "-c", "sluice.yaml"]),
    ("sluice run --log-format=j\t", ["run", "--log-format=json"]),
    ("sluice check --log-level wa\t", ["check", "--log-level", "warn"]),
    ("sluice keys act\tmy.k\tk2", ["keys", "activate", "my.keys", "k2"]),
    ("sluice dead exp\t--status re\t", ["dead", "export", "--status", "retried"]),
    ("sluice dead list --code my\t", ["dead", "list", "--code", "my"]),
    ("sluice sql recovery-\t", ["sql", "recovery-keys"]),
    ("sluice docs my\t", ["docs", "my"]),
]

@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_what_is_typed(share, tmp_path, shell):
    file = share[{"bash": "share/bash-completion/completions/sluice",
                  "zsh": "share/zsh/site-functions/_sluice"}[shell]]
    interactive = {"bash": "bash --norc --noprofile -i", "zsh": "zsh -f -i"}[shell]
    load = {"bash": f"source {file}",
            "zsh": f"fpath=({file.parent} $fpath); autoload -Uz compinit; compinit -u -D"}[shell]
    for name in ("sluice.yaml", "my.keys"):
        (tmp_path / name).touch()
    typed = [load, "sluice() { printf '<%s>' \"$@\"; echo; }", *(line for line, _ in TYPED), "exit"]
    seen = run("script", "--quiet", "--command", interactive, "/dev/null", cwd=tmp_path, timeout=30,
               input="\n".join(typed) + "\n", env={"PATH": "/usr/bin:/bin", "TERM": "dumb",
                                                   "HOME": str(tmp_path)}).stdout
    assert [re.findall("<(.*?)>", line) for line in re.findall(r"(?m)^(?:<.*?>)+\r?$", seen)] == [
        words for _, words in TYPED], seen


# The manual pages


@pytest.mark.parametrize("page", ["man1/sluice.1", "man5/sluice.yaml.5"])
def test_a_manual_page_is_set_without_a_warning(share, page):
    done = run("groff", "-man", "-ww", "-Tutf8", "-P-cbou", share[f"share/man/{page}"])
    warnings = re.findall(r"^.*(?:warning|error):.*$", done.stdout, re.M)
    assert (done.returncode, warnings) == (0, [])
    for heading in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert re.search(rf"^{heading}$", done.stdout, re.M)


def test_the_manual_page_has_every_setting_of_the_manual(share):
    page = share["share/man/man5/sluice.yaml.5"].read_text(encoding="utf-8").replace("\\-", "-")
    names = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs" / "config.md").read_text("utf-8"), re.M)
    assert len(names) > 60
    for name in names:
        assert f".TP\n\\fB{name}\\fR\n" in page, name


def test_the_manual_page_has_every_command(bare, share):
    page = share["share/man/man1/sluice.1"].read_text(encoding="utf-8")
    commands = re.findall(r"^  ([a-z]+) ", bare.good("--help").text, re.M)
    assert re.findall(r'^\.SS "sluice (\w+)"$', page, re.M) == [c for c in commands if c != "sluice"]


# The services


@pytest.fixture(name="unit")
def unit_of_this_build(share, binary, tmp_path):
    """A unit as a file that systemd takes, with this build's program."""
    def write(name):
        text = share[f"lib/systemd/system/{name}"].read_text(encoding="utf-8")
        path = tmp_path / name.replace("@", "@logins")
        path.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={binary}", text), "utf-8")
        return path
    return write


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say_against_a_unit(unit, name):
    done = run("systemd-analyze", "verify", "--man=no", unit(name))
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_finds_little_to_expose(unit):
    """10 is a service with all rights; 1.2 is below any that Debian 12 itself brings."""
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=12",
               unit("sluice.service"))
    assert done.returncode == 0, done.stdout


def test_a_unit_runs_a_configuration_of_its_own_name(share):
    for unit, name in (("sluice.service", "sluice"), ("sluice@.service", "%i")):
        text = share[f"lib/systemd/system/{unit}"].read_text(encoding="utf-8")
        assert re.search(rf"^ExecStart=/\S+/sluice run -c /etc/sluice/{name}\.yaml$", text, re.M)
        assert f"EnvironmentFile=-/etc/sluice/{name}.env\n" in text
        assert not re.search("@[A-Z]+@", text)


def test_systemd_makes_the_account(share):
    done = run("systemd-sysusers", "--dry-run", share["lib/sysusers.d/sluice.conf"])
    assert done.returncode == 0, done.stdout


# The Debian package


def debian(name):
    return (ROOT / "debian" / name).read_text(encoding="utf-8")


def test_the_debian_package_is_of_this_version(bare):
    version = re.match(r"sluice \((.+)\) ", debian("changelog"))[1]
    assert bare.good("version").text == f"sluice {version}\n"


def test_the_debian_package_is_built_with_the_packages_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    listed = re.search(r"^BUILD_PACKAGES := (.*)$", makefile, re.M)[1].split()
    field = re.search(r"^Build-Depends: ((?:.*\n(?= ))*.*)", debian("control"), re.M)[1]
    named = {re.match(r"[\w.+-]+", p.strip())[0] for p in field.split(",")}
    assert named == set(listed) - {"gcc", "g++"} | {  # every build has those
        "debhelper-compat", "dh-sequence-installsysusers", "python3"}

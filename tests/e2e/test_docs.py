"""test_docs.py - the manuals are what the program prints, and every command explains itself."""
import re

import pytest
import yaml

from conftest import ROOT

COMMANDS = ["run", "check", "keys", "keys new", "mask", "tokens", "unmask", "rewrap",
            "verify", "erase", "dead", "dead list", "dead show", "dead retry",
            "dead purge", "dead export",
            "generate", "status", "top", "sql", "sql schema", "sql recovery", "docs", "docs config",
            "docs metrics", "version"]


@pytest.mark.parametrize("name", ["config", "errors", "methods", "metrics"])
def test_the_manual_is_what_the_program_prints(bare, name):
    printed = bare.good("docs", name).text
    assert len(printed) > 200
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == printed, (
        "run: make docs")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(bare, command):
    result = bare.good(*command.split(), "--help")
    assert "Examples" in result.text and "sluice " + command.split()[0] in result.text


def anchors_of(page):
    """What its headings are called in links."""
    titles = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}


def test_every_link_leads_to_a_page_that_has_it():
    lost = []
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not re.match(r"https?:", link) and not (
                    target.exists() and (not anchor or anchor in anchors_of(target))):
                lost.append(f"{page.name}: {link}")
    assert len(pages) > 20 and lost == []


def configurations():
    """(where, text): every YAML of the pages; what is a part of a configuration is put into one."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for number, block in enumerate(
                re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)):
            shown = yaml.safe_load(block)
            if "image" in shown:  # values of the Helm chart: test_deploy
                continue
            whole = yaml.safe_load((ROOT / "examples" / "aes" / "sluice.yaml").read_text("utf-8"))
            parts = {"columns": shown} if isinstance(shown, list) else shown
            whole["sink"]["postgres"].update(parts.pop("sink", {}).get("postgres", {}))
            yield f"{page.name}, block {number + 1}", yaml.safe_dump(whole | parts)


def test_every_configuration_shown_is_one(bare):
    bare.env |= {"QUEUE_URL": "http://127.0.0.1:1/1/q", "DATABASE_URL": "postgresql://localhost/d",
                 "FERNET_KEY": "A" * 43 + "=", "AES_KEY": "0" * 64, "AES_IV": "0" * 32}
    wrong, n = [], 0
    for n, (where, text) in enumerate(configurations(), 1):
        bare.write(text)
        result = bare.call("sql", "schema", "-c", bare.path)
        wrong += [] if result.rc == 0 else [f"{where}: {result.err}"]
    assert n > 20 and wrong == []


def test_help_lists_every_command(bare):
    text = bare.good("--help").text
    for command in {c.split()[0] for c in COMMANDS}:
        assert re.search(rf"\b{command}\b", text), command


def test_version_names_the_version(bare):
    assert re.search(r"\d+\.\d+\.\d+", bare.good("version").text)
    assert re.search(r"\d+\.\d+\.\d+", bare.good("--version").text)


def test_every_reason_stands_in_the_manual_of_errors(bare):
    table = (ROOT / "src" / "record" / "reasons.def").read_text(encoding="utf-8")
    reasons = re.findall(r'^X\(\w+,\s*"(\w+)"', table, re.M)
    printed = bare.good("docs", "errors").text
    assert len(reasons) > 10
    for reason in reasons:
        assert reason in printed


TEXT = r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*'


def warnings():
    """What a run may say as a warning or an error, but for that of a mask, which has a text of its own."""
    for file in sorted((ROOT / "src").rglob("*.c")):
        source = file.read_text(encoding="utf-8")
        for place in re.finditer(r"\(SL_LOG_(?:WARN|ERROR),|sl_record_tell\(r,", source):
            message = re.match(rf"(?:{TEXT}|[^,\"])*", source[place.end():])[0]
            yield from ("".join(re.findall(r'"(.*?)"', t)) for t in re.findall(TEXT, message))
        yield from (f"{end} is away; waiting" for end in re.findall(r'awaited = "(.*)"', source))


def test_what_a_run_warns_of_stands_in_the_manual_of_errors():
    said = set(warnings()) - {
        "this message would become a dead letter",  # a dry run
    }
    manual = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert len(said) > 25
    for message in said:
        assert f"| `{message}` |" in manual, message

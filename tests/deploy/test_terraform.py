"""test_terraform.py - deploy/terraform, against the types of its provider: the provider itself is not
among the packages to be had, so nothing is planned."""
import re
import subprocess

import hcl2
import pytest

from conftest import ROOT, TOOLS
from types_of import Interfaces, faults

FOLDER = ROOT / "deploy" / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))
TYPES = TOOLS / "node_modules" / "@cdktf" / "provider-aws" / "lib"
META = ("__is_block__", "__comments__", "__inline_comments__", "lifecycle", "count", "for_each", "depends_on")


def bare(quoted):
    return quoted.strip('"')


def nested(value):
    """The blocks among the values of a block."""
    return [own(v) for v in value if isinstance(v, dict) and "__is_block__" in v] \
        if isinstance(value, list) else []


def own(block):
    return {name: value for name, value in block.items() if name not in META}


def blocks(kind):
    """(type, name, arguments) of every resource, or every data source."""
    for path in FILES:
        with open(path, encoding="utf-8") as f:
            for entry in hcl2.load(f).get(kind, []):
                for type_, named in entry.items():
                    for name, arguments in named.items():
                        yield bare(type_), bare(name), own(arguments)


def declarations(kind, type_):
    prefix = "data-" if kind == "data" else ""
    folder = TYPES / (prefix + type_.replace("_", "-"))
    if not folder.is_dir():
        folder = TYPES / (prefix + type_.removeprefix("aws_").replace("_", "-"))
    return (folder / "index.d.ts").read_text(encoding="utf-8")


ALL = [(kind, *block) for kind in ("resource", "data") for block in blocks(kind)]


def test_there_is_what_a_deployment_takes():
    kinds = {type_ for _, type_, _, _ in ALL}
    assert {"aws_ecs_service", "aws_sqs_queue", "aws_cloudwatch_metric_alarm", "aws_db_instance",
            "aws_secretsmanager_secret", "aws_kms_key", "aws_appautoscaling_policy"} <= kinds


def test_the_files_are_formatted():
    done = subprocess.run([TOOLS / "bin" / "hclfmt", "-require-no-change", *FILES],
                          stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, "run: terraform fmt deploy/terraform"


@pytest.mark.parametrize("kind, type_, name, given", ALL, ids=[f"{b[1]}.{b[2]}" for b in ALL])
def test_the_provider_knows_every_argument_and_misses_none(kind, type_, name, given):
    interfaces = Interfaces(declarations(kind, type_))
    config = next(members for name, members in interfaces.items() if name.endswith("Config"))
    assert faults(given, config, interfaces, f"{type_}.{name}", nested) == []


def test_every_attribute_that_is_used_is_one():
    text = "\n".join(re.sub(r"^ *#.*", "", path.read_text(encoding="utf-8"), flags=re.M) for path in FILES)
    names = {(kind, type_, name) for kind, type_, name, _ in ALL}
    used = set(re.findall(r"\b(data\.)?(aws_\w+)\.(\w+)(?:\[\w+\])?\.(\w+)", text))
    assert len(used) > 20
    for data, type_, name, attribute in used:
        kind = "data" if data else "resource"
        assert (kind, type_, name) in names, (type_, name)
        getter = re.sub(r"_(\w)", lambda m: m[1].upper(), attribute)
        assert f"get {getter}(): " in declarations(kind, type_), (type_, attribute)


def test_every_variable_is_declared_and_used():
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    assert set(re.findall(r'^variable "(\w+)"', text, re.M)) == set(re.findall(r"\bvar\.(\w+)", text))

"""test_deploy.py - what is in deploy/ and examples/airflow, as far as it needs the tools of nobody else;
`make test-deploy` has those of Kubernetes, Terraform and Airflow."""
import datetime
import importlib.util
import json
import re
import sys
import types

import pytest
import yaml

from conftest import ROOT
from events import logins

TERRAFORM = ROOT / "deploy" / "terraform"
NOW = datetime.datetime.now(datetime.timezone.utc)


def text_of(path):
    return path.read_text(encoding="utf-8")


def schema_of(bare, config, env):
    """Whether the program takes a configuration is what it prints for it."""
    bare.env.update(env)
    return bare.good("sql", "schema", "-c", config).text


# Terraform


def without_resources(policy):
    return [{k: v for k, v in statement.items() if k != "Resource"} for statement in policy["Statement"]]


def test_a_task_of_ecs_may_do_what_security_md_says_and_no_more():
    said = json.loads(re.search(r"```json\n(.*?)```", text_of(ROOT / "docs" / "security.md"), re.S)[1])
    given = json.loads(text_of(TERRAFORM / "policy.json"))
    assert without_resources(given) == without_resources(said)
    resources = {s["Sid"]: s["Resource"] for s in given["Statement"]}
    assert resources == {"Queue": "${queue}", "QueueByName": "${queue}", "BadMessages": "${bad}",
                         "Keys": "${key}", "Secrets": ["${keys}", "${login}"]}
    things = dict(re.findall(r"^    (\w+) += aws_(\w+\.\w+)\.arn$", text_of(TERRAFORM / "iam.tf"), re.M))
    assert things == {"queue": "sqs_queue.events", "bad": "sqs_queue.bad", "key": "kms_key.sluice",
                      "keys": "secretsmanager_secret.keys", "login": "secretsmanager_secret.login"}


def test_a_task_of_ecs_has_every_variable_of_its_configuration(bare):
    arn = "arn:aws:sqs:eu-west-1:123456789012:logins"
    values = {"QUEUE_ARN": arn, "BAD_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/bad",
              "KEYS_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf",
              "LOGIN_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:login-AbCdEf",
              "DATABASE_HOST": "db", "DATABASE_NAME": "events"}
    config = TERRAFORM / "image" / "sluice.yaml"
    assert set(re.findall(r"\$\{(\w+)\}", text_of(config))) == set(values)
    assert set(re.findall(r'name = "(\w+)", value', text_of(TERRAFORM / "service.tf"))) == set(values)
    assert "user_logins" in schema_of(bare, config, values)


# Kubernetes


def test_the_chart_s_own_configuration_is_one(bare, tmp_path):
    values = yaml.safe_load(text_of(ROOT / "deploy" / "helm" / "values.yaml"))
    (tmp_path / "chart.yaml").write_text(yaml.safe_dump(values["config"]), encoding="utf-8")
    env = {"QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/logins",
           "SLUICE_KEYS": "sluice.keys", "DATABASE_URL": "postgresql://db/events"}
    assert "user_logins" in schema_of(bare, tmp_path / "chart.yaml", env)


def test_the_chart_is_of_this_version(bare):
    chart = yaml.safe_load(text_of(ROOT / "deploy" / "helm" / "Chart.yaml"))
    assert bare.good("version").text.startswith("sluice " + chart["appVersion"])


# Airflow


class NotToBeTriedAgain(Exception):
    pass


@pytest.fixture
def drain(monkeypatch):
    """The module of the DAG, with an Airflow that leaves its functions as they are."""
    def task(function=None, **_):
        return function or (lambda it: it)

    task.short_circuit = task
    sdk = types.SimpleNamespace(task=task, dag=lambda **_: lambda function: lambda: None)
    exceptions = types.SimpleNamespace(AirflowFailException=NotToBeTriedAgain)
    for name, module in {"airflow": types.ModuleType("airflow"), "airflow.sdk": sdk,
                         "airflow.sdk.exceptions": exceptions}.items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("drain", ROOT / "examples" / "airflow" / "drain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_drain_is_due_by_the_age_that_cloudwatch_told_last(drain, moto, monkeypatch):
    for name, value in {"AWS_ENDPOINT_URL": moto.url, "AWS_REGION": "us-east-1", "NO_PROXY": "*",
                        "AWS_ACCESS_KEY_ID": moto.admin_keys[0], "AWS_DEFAULT_REGION": "us-east-1",
                        "AWS_SECRET_ACCESS_KEY": moto.admin_keys[1]}.items():
        monkeypatch.setenv(name, value)
    assert not drain.is_due()
    for minutes, age in ((5, 50.0), (3, 700.0)):
        moto.admin("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[{
            "MetricName": "ApproximateAgeOfOldestMessage", "Value": age, "Unit": "Seconds",
            "Dimensions": [{"Name": "QueueName", "Value": drain.QUEUE}],
            "Timestamp": NOW - datetime.timedelta(minutes=minutes)}])
    assert drain.oldest(NOW) == datetime.timedelta(seconds=700)
    assert drain.is_due()
    monkeypatch.setattr(drain, "OLDEST", datetime.timedelta(hours=1))
    assert not drain.is_due()


def test_a_drain_returns_its_summary_and_is_tried_again_only_where_that_helps(
        drain, sluice, queue, db, monkeypatch):
    sluice.make_keys()
    queue.send(logins(3))
    for name, value in sluice.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(drain, "SLUICE", [sluice.binary, "run", "-c", sluice.write(), "--until-empty"])
    assert drain.drain().startswith("received 3, loaded 3, ")
    sluice.settings["workers"] = -1
    sluice.write()
    with pytest.raises(NotToBeTriedAgain, match="workers"):
        drain.drain()
    monkeypatch.setattr(drain, "SLUICE", ["sh", "-c", "echo could not >&2; exit 75"])
    with pytest.raises(RuntimeError, match="could not"):
        drain.drain()

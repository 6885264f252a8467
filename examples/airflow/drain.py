"""Drains a queue into PostgreSQL once its oldest message has waited for too long.

The worker of Airflow has sluice, its configuration and its rights (docs/security.md), and may
cloudwatch:GetMetricStatistics: the age of the oldest message is a metric, no attribute of the queue.
"""
import datetime
import subprocess

import boto3
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

QUEUE = "logins"
SLUICE = ["sluice", "run", "-c", "/etc/sluice/sluice.yaml", "--until-empty"]
OLDEST = datetime.timedelta(minutes=10)
NOT_TO_BE_TRIED_AGAIN = (64, 78)  # command line, configuration, keys, rights: a person must look


def oldest(now):
    """How long the oldest message has waited, by the newest word of CloudWatch."""
    points = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS", MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": QUEUE}], Statistics=["Maximum"], Period=60,
        StartTime=now - datetime.timedelta(minutes=10), EndTime=now)["Datapoints"]
    newest = max(points, key=lambda point: point["Timestamp"], default={"Maximum": 0})
    return datetime.timedelta(seconds=newest["Maximum"])


@task.short_circuit
def is_due():
    return oldest(datetime.datetime.now(datetime.timezone.utc)) > OLDEST


@task(retries=3, retry_delay=datetime.timedelta(minutes=5),
      execution_timeout=datetime.timedelta(hours=1))
def drain():
    """Its log is the task's, its summary what the task returns."""
    line = ""
    with subprocess.Popen(SLUICE, stderr=subprocess.PIPE, text=True) as sluice:
        try:
            for line in sluice.stderr:
                print(line, end="")
        except BaseException:
            sluice.terminate()  # it hands back what it holds
            raise
    if sluice.returncode in NOT_TO_BE_TRIED_AGAIN:
        raise AirflowFailException(line)
    if sluice.returncode != 0:
        raise RuntimeError(line)
    return line.strip()


@dag(schedule="*/5 * * * *", start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
     catchup=False, max_active_runs=1, tags=["sluice"])
def sluice_drain():
    is_due() >> drain()


sluice_drain()

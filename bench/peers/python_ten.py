#!/usr/bin/env python3
"""python_ten.py QUEUE_URL N - the same by tens: one INSERT of many rows, one commit, one delete."""
import json
import os
import sys

import boto3
import psycopg2
import psycopg2.extras

from python_each import masked


def row(message):
    event = json.loads(message["Body"])
    return (event["user_id"], event["device_type"], masked(event["ip"]), masked(event["device_id"]),
            event["locale"], event["app_version"],
            int(message["Attributes"]["SentTimestamp"]) / 1000)


def main():
    url, left = sys.argv[1], int(sys.argv[2])
    sqs = boto3.client("sqs", region_name="us-east-1")
    database = psycopg2.connect(os.environ["DATABASE_URL"])
    cursor = database.cursor()
    while left > 0:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                       AttributeNames=["SentTimestamp"]).get("Messages", [])
        if not messages:
            continue
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO user_logins VALUES %s", [row(m) for m in messages],
            template="(%s, %s, %s, %s, %s, %s, to_timestamp(%s))")
        database.commit()
        sqs.delete_message_batch(QueueUrl=url, Entries=[
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)])
        left -= len(messages)


if __name__ == "__main__":
    main()

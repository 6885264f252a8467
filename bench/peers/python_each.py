#!/usr/bin/env python3
"""python_each.py QUEUE_URL N - the usual script: one message, one INSERT, one commit, one delete.

Masks with HMAC-SHA-256, which is less than what sluice does: nobody gets the value back.  What it
lacks besides, and sluice has: a bad message ends it, and a crash before a delete doubles the row.
"""
import hashlib
import hmac
import json
import os
import sys

import boto3
import psycopg2

KEY = b"of-the-benchmark"


def masked(value):
    return hmac.new(KEY, value.encode(), hashlib.sha256).hexdigest()


def main():
    url, left = sys.argv[1], int(sys.argv[2])
    sqs = boto3.client("sqs", region_name="us-east-1")
    database = psycopg2.connect(os.environ["DATABASE_URL"])
    cursor = database.cursor()
    while left > 0:
        reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1,
                                    AttributeNames=["SentTimestamp"])
        for message in reply.get("Messages", []):
            event = json.loads(message["Body"])
            cursor.execute(
                "INSERT INTO user_logins VALUES (%s, %s, %s, %s, %s, %s, to_timestamp(%s))",
                (event["user_id"], event["device_type"], masked(event["ip"]),
                 masked(event["device_id"]), event["locale"], event["app_version"],
                 int(message["Attributes"]["SentTimestamp"]) / 1000))
            database.commit()
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            left -= 1


if __name__ == "__main__":
    main()

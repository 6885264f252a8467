"""sqs.py - moto, an SQS server, with signatures verified; and queues on it."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import urllib.request

import boto3
from botocore.config import Config

from pg import free_port
from wait import eventually

REGION = "us-east-1"
POLICY = ('{"Version":"2012-10-17","Statement":'
          '[{"Effect":"Allow","Action":["sqs:*","sns:*","s3:*","sts:AssumeRole"],"Resource":"*"}]}')
TRUST = ('{"Version":"2012-10-17","Statement":'
         '[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}')


class Moto:
    def __init__(self, log):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.made = 0
        self.process = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__).with_name("moto_server.py"), "-H", "127.0.0.1",
             "-p", str(self.port)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, "no_proxy": "*"})
        eventually(self.answers, within=30, what="moto answers")
        self.admin_keys = self.make_admin()
        self.key_id, self.secret = self.make_user()
        self.verify_signatures()
        self.sqs = self.client("sqs", self.key_id, self.secret)

    def answers(self):
        assert self.process.poll() is None, "moto ended at start"
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/moto-api/"):
            return True
        return False

    def client(self, service, key_id, secret, region=REGION):
        return boto3.session.Session().client(
            service, region_name=region, endpoint_url=self.url, aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 4}, read_timeout=30, proxies={}))

    def make_admin(self):
        """A user who may do everything; made before verification."""
        return self.new_user("admin", [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
                             self.client("iam", "boot", "boot"))

    def admin(self, service):
        return self.client(service, *self.admin_keys)

    def new_user(self, name, statements, iam=None):
        """The keys of a user who may do what the statements say, and nothing else."""
        iam = iam or self.admin("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": statements}))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def make_user(self):
        """A user who may do everything to queues and what feeds them, and nothing else but become a
        role that may, too; made before verification."""
        iam = self.client("iam", "boot", "boot")
        self.role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=POLICY)
        return self.new_user("t", json.loads(POLICY)["Statement"], iam)

    def verify_signatures(self, after=0):
        """All of them but those of the next few requests."""
        request = urllib.request.Request(self.url + "/moto-api/reset-auth",
                                         data=str(after).encode(),
                                         headers={"Content-Type": "text/plain"})
        urllib.request.urlopen(request).close()

    @contextlib.contextmanager
    def frozen(self):
        """As a server that accepts connections and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def new_queue(self, name=None, **attributes):
        self.made += 1
        return Queue(self, name or f"login-queue-{self.made}", attributes)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class TrustingMoto(Moto):
    """Without signatures: moto writes a form anew before it verifies one, with + for a blank."""

    def verify_signatures(self):
        pass


class Queue:
    """Keep it under 200 messages: moto grows slow with what is queued."""

    def __init__(self, moto, name, attributes):
        self.sqs = moto.sqs
        self.name = name
        self.sent = []
        self.url = self.sqs.create_queue(
            QueueName=name, Attributes={k: str(v) for k, v in attributes.items()})["QueueUrl"]

    def send(self, bodies, attributes=None):
        """Send in order; return the message ids in that order."""
        ids = []
        for chunk in chunks(bodies):
            entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(chunk)]
            for entry in entries if attributes else []:
                entry["MessageAttributes"] = attributes
            reply = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
            assert not reply.get("Failed"), reply["Failed"]
            by_id = {e["Id"]: e["MessageId"] for e in reply["Successful"]}
            ids += [by_id[str(i)] for i in range(len(chunk))]
        self.sent += ids
        return ids

    def receive(self, n=10, **settings):
        return self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=n,
                                        AttributeNames=["All"], **settings).get("Messages", [])

    def delete(self, message):
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, message, seconds):
        self.sqs.change_message_visibility(QueueUrl=self.url, VisibilityTimeout=seconds,
                                           ReceiptHandle=message["ReceiptHandle"])

    def counts(self):
        """(visible, not visible, delayed)"""
        a = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return tuple(int(a["ApproximateNumberOfMessages" + k])
                     for k in ("", "NotVisible", "Delayed"))

    def is_empty(self):
        return self.counts() == (0, 0, 0)

    def remove(self):
        self.sqs.delete_queue(QueueUrl=self.url)


def chunks(bodies, most=10, most_bytes=1 << 20):
    """Send batches: at most 10 messages and 1 MiB together."""
    chunk, size = [], 0
    for body in bodies:
        n = len(body.encode())
        if chunk and (len(chunk) == most or size + n > most_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(body)
        size += n
    if chunk:
        yield chunk

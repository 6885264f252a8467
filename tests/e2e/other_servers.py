"""other_servers.py - SQS servers of others, for `make conformance`, which installs them.

    SLUICE_FAUXQS=DIR      DIR/node_modules has fauxqs
    SLUICE_ELASTICMQ=DIR   DIR has ElasticMQ's jars
"""
import contextlib
import os
import subprocess

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from pg import free_port
from sqs import REGION, Queue
from wait import eventually

FAUXQS = os.environ.get("SLUICE_FAUXQS")
ELASTICMQ = os.environ.get("SLUICE_ELASTICMQ")

LAUNCHER = """
import net from 'node:net';
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...rest) {
  return listen.call(this, { ...options, host: '127.0.0.1' }, ...rest);
};
const { startFauxqs } = await import('fauxqs');
await startFauxqs({ port: Number(process.env.PORT), logger: false });
"""

ELASTICMQ_CONFIG = """
include classpath("application.conf")
node-address { protocol = http, host = 127.0.0.1, port = %(port)s, context-path = "" }
rest-sqs { enabled = true, bind-port = %(port)s, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
aws { region = us-east-1, accountId = 000000000000 }
"""


class OtherServer:
    """Of a command with a port; .url, .key_id, .secret and new_queue as moto's."""

    key_id = secret = "any"

    port = 0

    def __init__(self, command, log, **more):
        self.made = 0
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=subprocess.STDOUT, **more)
        self.sqs = client_of(self)
        eventually(self.answers, within=60, what="the server answers")

    def answers(self):
        assert self.process.poll() is None, "the server ended at start"
        with contextlib.suppress(BotoCoreError):
            return self.sqs.list_queues() is not None
        return False

    def new_queue(self, name=None, **attributes):
        self.made += 1
        return Queue(self, name or f"queue-{self.made}", attributes)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Fauxqs(OtherServer):
    def __init__(self, log):
        self.port = free_port()
        super().__init__(["node", "--input-type=module", "-e", LAUNCHER], log, cwd=FAUXQS,
                         env={**os.environ, "PORT": str(self.port)})


class ElasticMq(OtherServer):
    def __init__(self, log, folder):
        self.port = free_port()
        config = folder / "elasticmq.conf"
        config.write_text(ELASTICMQ_CONFIG % {"port": self.port})
        super().__init__(["java", f"-Dconfig.file={config}", "-cp", f"{ELASTICMQ}/*",
                          "org.elasticmq.server.Main"], log, cwd=folder)


def client_of(server):
    return boto3.session.Session().client(
        "sqs", region_name=REGION, endpoint_url=server.url, aws_access_key_id=server.key_id,
        aws_secret_access_key=server.secret,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30, proxies={}))

"""aws.py - keys that somebody hands out, and a queue that asks for them.

    Keys   the access keys there are, with their secret, their token and their end
    Gate   in front of moto: checks every signature against Keys, and signs anew for moto
    Sts    hands out keys for roles, to those who may have them
    Agent  the agent of a container
    Imds   the metadata service of an instance, version 2 and nothing else
"""
import datetime
import hashlib
import hmac
import http.server
import json
import re
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/"
                           r"aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})")


class Key:
    def __init__(self, seconds, token):
        self.id = "ASIA" + secrets.token_hex(8).upper()
        self.secret = secrets.token_urlsafe(30)
        self.token = secrets.token_urlsafe(60) if token else None
        self.ends = None if seconds is None else time.time() + seconds

    @property
    def is_over(self):
        return self.ends is not None and time.time() >= self.ends

    @property
    def expiration(self):
        return datetime.datetime.fromtimestamp(
            self.ends, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def profile(self, name="default"):
        text = (f"[{name}]\naws_access_key_id = {self.id}\n"
                f"aws_secret_access_key = {self.secret}\n")
        return text + (f"aws_session_token = {self.token}\n" if self.token else "")


class Keys:
    def __init__(self):
        self.all = {}
        self.takes_expired = False

    def new(self, seconds=None, token=True):
        key = Key(seconds, token)
        self.all[key.id] = key
        return key

    def forget(self, key):
        del self.all[key.id]

    def refusal(self, method, headers, body):
        """The code with which AWS would refuse this request, None if it would not."""
        match = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
        if not match:
            return "MissingAuthenticationToken"
        key = self.all.get(match[1])
        if key is None:
            return "InvalidClientTokenId"
        if headers.get("X-Amz-Security-Token") != key.token:
            return "InvalidClientTokenId"
        if signature(method, headers, body, key.secret, match) != match[6]:
            return "SignatureDoesNotMatch"
        return "ExpiredToken" if key.is_over and not self.takes_expired else None


def signature(method, headers, body, secret, match):
    """Signature Version 4, from its description; of the path / without a query."""
    _, day, region, service, names, _ = match.groups()
    canonical = "\n".join(
        [method, "/", ""] + [f"{n}:{headers[n].strip()}" for n in names.split(";")]
        + ["", names, hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", headers["X-Amz-Date"],
                      f"{day}/{region}/{service}/aws4_request",
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler, owner):
        super().__init__(("127.0.0.1", 0), handler)
        self.owner = owner
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that goes away is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Gate:
    def __init__(self, moto, keys):
        self.moto = moto
        self.keys = keys
        self.refused = []
        self.refused_ids = []
        self.used = []
        self.server = Server(GateHandler, self)
        self.url = self.server.url

    def forward(self, headers, body):
        request = AWSRequest("POST", self.moto.url + "/", data=body, headers={
            n: headers[n] for n in ("Content-Type", "X-Amz-Target", "X-Amzn-Query-Mode")
            if n in headers})
        credentials = boto3.session.Session(self.moto.key_id, self.moto.secret).get_credentials()
        SigV4Auth(credentials, "sqs", "us-east-1").add_auth(request)
        try:
            with urllib.request.urlopen(urllib.request.Request(
                    self.moto.url + "/", data=body, headers=dict(request.headers.items()))) as r:
                return r.status, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def stop(self):
        self.server.stop()


class GateHandler(Handler):
    def do_POST(self):
        gate, body = self.server.owner, self.body()
        code = gate.keys.refusal("POST", self.headers, body)
        if code:
            gate.refused.append(code)
            gate.refused_ids.append(self.headers["Authorization"].split("=")[1].split("/")[0])
            self.answer(403, json.dumps({"__type": "com.amazonaws.sqs#" + code}).encode(),
                        Content_Type="application/x-amz-json-1.0")
            return
        gate.used.append(AUTHORIZATION.fullmatch(self.headers["Authorization"])[1])
        status, answer = gate.forward(self.headers, body)
        self.answer(status, answer, Content_Type="application/x-amz-json-1.0")


STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts:
    """`roles`: the external id that each role asks for, or None; `tokens`: web identities."""

    def __init__(self, keys, seconds=3600):
        self.keys = keys
        self.seconds = seconds
        self.roles = {}
        self.tokens = set()
        self.asked = []
        self.fault = None  # (status, body) in place of an answer
        self.server = Server(StsHandler, self)
        self.url = self.server.url

    def answer(self, action):
        key = self.keys.new(self.seconds)
        return 200, (f'<{action}Response xmlns="{STS_NAMESPACE}"><{action}Result><Credentials>'
                     f"<AccessKeyId>{key.id}</AccessKeyId><SecretAccessKey>{key.secret}"
                     f"</SecretAccessKey><SessionToken>{key.token}</SessionToken><Expiration>"
                     f"{key.expiration}</Expiration></Credentials></{action}Result>"
                     f"</{action}Response>")

    def refusal(self, action, request, headers, body):
        if action == "AssumeRole":
            code = self.keys.refusal("POST", headers, body)
            if code:
                return code
        elif request.get("WebIdentityToken") not in self.tokens or "Authorization" in headers:
            return "InvalidIdentityToken"
        if request["RoleArn"] not in self.roles:
            return "AccessDenied"
        return ("AccessDenied" if self.roles[request["RoleArn"]] != request.get("ExternalId")
                else None)

    def stop(self):
        self.server.stop()


class StsHandler(Handler):
    def do_POST(self):
        sts, body = self.server.owner, self.body()
        request = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        action = request["Action"]
        sts.asked.append(request)
        assert request["Version"] == "2011-06-15" and request["RoleSessionName"]
        status, text = sts.fault or (0, "")
        if not status:
            code = sts.refusal(action, request, self.headers, body)
            status, text = (403, f'<ErrorResponse xmlns="{STS_NAMESPACE}"><Error><Type>Sender'
                                 f"</Type><Code>{code}</Code><Message>no</Message></Error>"
                                 f"</ErrorResponse>") if code else sts.answer(action)
        self.answer(status, text.encode(), Content_Type="text/xml")


class Giver:
    """Hands out keys in JSON.  `faults`: what is done, in turn, with the requests to come:
    (status, body), or seconds to wait before the answer."""

    def __init__(self, keys, handler, seconds=3600):
        self.keys = keys
        self.seconds = seconds
        self.given = []
        self.asked = []  # (method, path, status)
        self.faults = []
        self.lock = threading.Lock()
        self.server = Server(handler, self)
        self.url = self.server.url

    def credentials(self, **more):
        key = self.keys.new(self.seconds)
        self.given.append(key)
        return json.dumps({"AccessKeyId": key.id, "SecretAccessKey": key.secret,
                           "Token": key.token, "Expiration": key.expiration, **more})

    def next_fault(self):
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    def count(self, method, end):
        return sum(m == method and p.endswith(end) for m, p, _ in self.asked)

    def stop(self):
        self.server.stop()


class GiverHandler(Handler):
    def say(self, status, text=""):
        fault = self.server.owner.next_fault()
        if isinstance(fault, tuple):
            status, text = fault
        elif fault:
            time.sleep(fault)
        self.server.owner.asked.append((self.command, self.path, status))
        self.answer(status, text.encode(), Content_Type="text/plain")


class Agent(Giver):
    def __init__(self, keys, token, **more):
        super().__init__(keys, AgentHandler, **more)
        self.token = token


class AgentHandler(GiverHandler):
    def do_GET(self):
        agent = self.server.owner
        if self.headers.get("Authorization") != agent.token:
            self.say(403, '{"code":"AccessDenied","message":"canary"}')
        elif self.path != "/v1/credentials":
            self.say(404)
        else:
            self.say(200, agent.credentials())


class Imds(Giver):
    ROLE = "/latest/meta-data/iam/security-credentials/"

    def __init__(self, keys, **more):
        super().__init__(keys, ImdsHandler, **more)
        self.token = None
        self.code = "Success"


class ImdsHandler(GiverHandler):
    def do_PUT(self):
        imds = self.server.owner
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if (self.path != "/latest/api/token" or not re.fullmatch(r"\d{1,5}", ttl)
                or not 1 <= int(ttl) <= 21600):
            self.say(400)
        elif "X-Forwarded-For" in self.headers:
            self.say(403)
        else:
            imds.token = secrets.token_urlsafe(42)
            self.say(200, imds.token)

    def do_GET(self):
        imds = self.server.owner
        if self.headers.get("X-aws-ec2-metadata-token") != imds.token or not imds.token:
            self.say(401)
        elif self.path == imds.ROLE:
            self.say(200, "loader")
        elif self.path == imds.ROLE + "loader":
            self.say(200, imds.credentials(Code=imds.code, Type="AWS-HMAC"))
        elif self.path == "/latest/meta-data/placement/region":
            self.say(200, "us-east-1")
        else:
            self.say(404)

"""test_envelopes.py - events that come by way of SNS or EventBridge, or packed."""
import base64
import gzip
import json
import socket
import threading

import pytest

from events import BAD, login, logins
from pg import free_port
from sluice import wait_for_text


def pack(text):
    return base64.b64encode(gzip.compress(text.encode())).decode()


def column(sluice, name, source, kind="text", **more):
    sluice.settings["columns"].append({"name": name, "from": source, "type": kind, **more})


def users(db):
    return [u for u, in db.rows("SELECT user_id FROM user_logins ORDER BY user_id")]


@pytest.fixture
def topic(moto, queue):
    """A topic whose notifications go to the queue, as SNS writes them."""
    sns = moto.client("sns", moto.key_id, moto.secret)
    arn = sns.create_topic(Name=queue.name)["TopicArn"]
    queue_arn = queue.sqs.get_queue_attributes(
        QueueUrl=queue.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    return lambda body, **attributes: sns.publish(
        TopicArn=arn, Message=body, MessageAttributes={
            k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()})["MessageId"]


def test_events_that_came_by_way_of_sns_are_rows(sluice, queue, db, topic):
    sluice.settings["envelope"] = "sns"
    column(sluice, "tenant", "$attribute.tenant")
    column(sluice, "published_as", "$attribute.MessageId")
    column(sluice, "published_at", "$attribute.Timestamp", "timestamptz")
    ids = [topic(body, tenant="blue") for body in logins(3)]
    topic(BAD)
    queue.send([login(7)])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (3, 2), summary.line
    assert users(db) == ["user-0000", "user-0001", "user-0002"]
    assert {r for r in db.rows("SELECT tenant, published_as FROM user_logins")} == {
        ("blue", i) for i in ids}
    assert db.one("SELECT count(*) FROM user_logins"
                  " WHERE abs(extract(epoch FROM now() - published_at)) < 600") == 3
    assert sorted(r for r, in db.rows("SELECT reason FROM sluice.dead_letter")) == [
        "bad_envelope", "missing_field"]
    assert queue.is_empty()


def test_one_event_published_twice_is_known_by_its_body(sluice, queue, db, topic):
    """The notifications differ: each has an id and a time of its own."""
    sluice.settings.update(envelope="sns", dedup="body")
    for body in (login(1), login(2), login(1)):
        topic(body)
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (2, 1), summary.line


def event(n, detail):
    """As a rule of EventBridge hands it to a queue."""
    return json.dumps({
        "version": "0", "id": f"6a7e8feb-b491-4cf7-a9f1-bf37{n:08}", "detail-type": "login",
        "source": "app", "account": "111122223333", "time": "2026-01-31T12:00:00Z",
        "region": "us-east-1", "resources": [], "detail": detail})


def test_the_detail_of_eventbridge_events_are_rows(sluice, queue, db):
    sluice.settings.update(envelope="eventbridge", dedup="field:$attribute.id")
    column(sluice, "kind", "$attribute.detail-type")
    queue.send([event(n % 3, json.loads(body)) for n, body in enumerate(logins(4))])
    queue.send([event(9, "packed"), login(9)])
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates, summary.dead_lettered) == (3, 1, 2), summary.line
    assert {k for k, in db.rows("SELECT kind FROM user_logins")} == {"login"}


def test_packed_events_are_rows_and_dead_letters_keep_them_as_they_came(sluice, queue, db):
    sluice.settings["encoding"] = "gzip+base64"
    bad = pack(BAD)
    queue.send([*map(pack, logins(3)), bad, login(9), pack("0" * (17 << 20))])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (3, 3), summary.line
    assert users(db) == ["user-0000", "user-0001", "user-0002"]
    reasons = dict(db.rows("SELECT reason, id FROM sluice.dead_letter"))
    assert set(reasons) == {"missing_field", "bad_encoding", "content_too_large"}
    shown = sluice.good("dead", "show", str(reasons["missing_field"]), "-c", sluice.path,
                        "--reason", "test")
    assert bad in shown.text


def test_dead_letters_are_retried_out_of_their_envelope(sluice, queue, db, topic):
    sluice.settings["envelope"] = "sns"
    sluice.settings["columns"][0]["from"] = "user"
    topic(login(1), tenant="blue")
    assert sluice.drain().dead_lettered == 1
    sluice.settings["columns"][0]["from"] = "user_id"
    sluice.write()
    sluice.good("dead", "retry", "-c", sluice.path)
    assert users(db) == ["user-0001"]


def test_a_value_is_erased_from_dead_letters_that_are_packed(sluice, queue, db):
    sluice.settings["encoding"] = "gzip+base64"
    queue.send([pack(login(1, ip="192.0.2.177", user_id=...)), pack(login(2, user_id=...))])
    assert sluice.drain().dead_lettered == 2
    result = sluice.good("erase", "-c", sluice.path, "--context", "ip", "--yes", "--reason", "request 4711",
                         stdin=b"192.0.2.177\n")
    assert "1 dead letter" in result.text
    assert db.count("sluice.dead_letter") == 1


def test_check_says_what_the_messages_come_in(sluice, queue, topic):
    sluice.make_keys()
    topic(login(0))
    topic(pack(login(1)))
    queue.send([login(2), pack(login(3)), event(4, {}), pointer("bucket", "key"), "x"])

    def peek():
        result = sluice.call("check", "--peek", "-c", sluice.write())
        assert queue.counts() == (7, 0, 0), "they are handed back"
        return [line for line in result.text.splitlines() if " messages " in line[:16]]

    assert peek() == [
        "ok    messages  2 of 7 are in the envelope and encoding that are configured",
        "warn  messages  1 of 7 are packed notifications of SNS, which is envelope: sns and "
        "encoding: gzip+base64",
        "warn  messages  1 of 7 are notifications of SNS, which is envelope: sns",
        "warn  messages  1 of 7 are events of EventBridge, which is envelope: eventbridge",
        "warn  messages  1 of 7 are pointers to objects of S3, which is envelope: s3",
        "warn  messages  1 of 7 are packed, which is encoding: gzip+base64"]
    sluice.settings["envelope"] = "sns"
    assert "warn  messages  2 of 7 are not packed, which is no envelope and no encoding" in peek()


# ---- pointers to objects of S3

CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer"


def pointer(bucket, key, name=CLASS):
    """As the extended client of AWS writes it."""
    return json.dumps([name, {"s3BucketName": bucket, "s3Key": key}], separators=(",", ":"))


@pytest.fixture
def bucket(moto, queue):
    s3 = moto.client("s3", moto.key_id, moto.secret)
    s3.create_bucket(Bucket=queue.name)

    def put(key, body, **how):
        s3.put_object(Bucket=queue.name, Key=key, Body=body.encode(), **how)
        return pointer(queue.name, key)

    put.name = queue.name
    put.keys = lambda: {o["Key"] for o in s3.list_objects_v2(Bucket=queue.name)["Contents"]}
    return put


class Gate:
    """A port that nobody listens on, until it is opened and leads to another."""

    def __init__(self, to):
        self.to, self.port = to, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.listener = socket.socket()

    def open(self):
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


def test_objects_that_messages_point_to_are_rows(sluice, queue, db, bucket):
    sluice.settings["envelope"] = "s3"
    large = json.loads(login(3)) | {"padding": "x" * (2 << 20)}
    old = bucket("old", login(4)).replace(CLASS, "com.amazon.sqs.javamessaging.MessageS3Pointer")
    queue.send([login(0), bucket("plain", login(1)), bucket("a b/\u00fc+%7E/../c", login(2)),
                bucket("large", json.dumps(large)), old])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (5, 0), summary.line
    assert users(db) == [f"user-{n:04}" for n in range(5)]
    assert len(bucket.keys()) == 4, "they are left to the bucket's own rules"


def test_a_pointer_to_nothing_costs_itself_only(sluice, queue, db, bucket):
    sluice.settings["envelope"] = "s3"
    queue.send([bucket("a", login(1)), pointer(bucket.name, "gone"), pointer("no-such-bucket", "a"),
                pointer("..", "a"), pointer(bucket.name, ""), bucket("empty", ""),
                bucket("huge", "x" * ((16 << 20) + 1)), json.dumps([CLASS]), bucket("bad", BAD),
                bucket("archived", login(2), StorageClass="GLACIER")])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (1, 9), summary.line
    assert sorted(r for r, in db.rows("SELECT reason FROM sluice.dead_letter")) == [
        "bad_envelope", "bad_envelope", "content_too_large", "empty_body", "missing_field",
        "not_an_object", "object_missing", "object_missing", "object_missing"]
    number = db.one("SELECT id FROM sluice.dead_letter WHERE reason = 'missing_field'")
    shown = sluice.good("dead", "show", str(number), "-c", sluice.path)
    assert shown.text.strip() == pointer(bucket.name, "bad"), "the letter keeps the pointer"
    refused = sluice.call("dead", "retry", "-c", sluice.path)
    assert refused.rc == 78 and "envelope: s3" in refused.err


def test_objects_are_deleted_if_asked_once_they_are_rows(sluice, queue, db, bucket):
    sluice.settings.update(envelope="s3", delete_objects=True)
    queue.send([bucket("good", login(1)), bucket("bad", BAD)])
    assert sluice.drain().loaded == 1
    assert bucket.keys() == {"bad"}, "a dead letter points to it"
    sluice.settings["pipeline"] = "another"
    queue.send([pointer(bucket.name, "good")])
    assert sluice.drain().dead_lettered == 1


@pytest.mark.fault("S3", "not there, and then it is")
def test_s3_that_is_away_is_waited_for(sluice, queue, db, bucket, moto):
    gate = Gate(moto.port)
    sluice.env["AWS_ENDPOINT_URL_S3"] = gate.url
    sluice.settings["envelope"] = "s3"
    queue.send([bucket(f"lovelace/{n}", body) for n, body in enumerate(logins(20))])
    running = sluice.begin("--until-empty")
    wait_for_text(running, "S3 is away; waiting")
    assert "could not reach " + gate.url in running.err
    assert "lovelace" not in running.err, "what stands in a message is not told"
    assert db.count() == 0 and queue.counts()[0] + queue.counts()[1] == 20
    gate.open()
    summary = running.wait().summary
    gate.close()
    assert (summary.loaded, summary.dead_lettered) == (20, 0), summary.line
    assert db.count() == 20

"""test_conformance.py - the SQS servers that the tests stand on do as SQS does.

One suite for our own server and for moto, so that ours cannot drift.  Where moto is known to do
otherwise, and for what only ours can, the test runs on ours alone.

    make conformance    with a third server, fauxqs; and see test_servers.py
"""
import concurrent.futures
import hashlib
import json
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from fakesqs import Fake
from other_servers import FAUXQS, Fauxqs, client_of
from sqs import REGION
from wait import SLOWER, eventually


@pytest.fixture(scope="module")
def fakesqs(binary, tmp_path_factory):
    with open(tmp_path_factory.mktemp("fakesqs") / "log", "wb") as log:
        fake = Fake(binary, log)
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def fauxqs(tmp_path_factory):
    with open(tmp_path_factory.mktemp("fauxqs") / "log", "wb") as log:
        server = Fauxqs(log)
    yield server
    server.stop()


@pytest.fixture(params=["fakesqs", "moto"] + (["fauxqs"] if FAUXQS else []))
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def fake(fakesqs):
    yield fakesqs
    fakesqs.clear()


@pytest.fixture
def make(server):
    made = []

    def make(suffix="", **attributes):
        name = f"conform-{time.monotonic_ns()}{suffix}"
        made.append(server.new_queue(name, **attributes))
        return made[-1]

    yield make
    for queue in made:
        queue.remove()


def refusal(call, **arguments):
    with pytest.raises(ClientError) as e:
        call(**arguments)
    return e.value.response["Error"]["Code"].removeprefix("AWS.SimpleQueueService.")


def bodies(messages):
    return [m["Body"] for m in messages]


def arn(queue):
    return queue.sqs.get_queue_attributes(
        QueueUrl=queue.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


# What every server does


def test_a_queue_is_found_by_name_and_says_its_settings(make):
    q = make(VisibilityTimeout=7, DelaySeconds=3)
    assert q.sqs.get_queue_url(QueueName=q.name)["QueueUrl"] == q.url
    a = q.sqs.get_queue_attributes(QueueUrl=q.url, AttributeNames=["All"])["Attributes"]
    assert (a["VisibilityTimeout"], a["DelaySeconds"]) == ("7", "3")
    assert a["MessageRetentionPeriod"] == "345600"
    assert a["QueueArn"].endswith(":" + q.name)
    some = q.sqs.get_queue_attributes(QueueUrl=q.url, AttributeNames=["VisibilityTimeout"])
    assert some["Attributes"] == {"VisibilityTimeout": "7"}


def test_a_body_comes_back_as_it_went_with_its_digest(make):
    q = make()
    text = "h\u00e9llo <&>\" \\ \n\t\r \uffe6 end"
    sent = q.sqs.send_message(QueueUrl=q.url, MessageBody=text)
    digest = hashlib.md5(text.encode()).hexdigest()
    assert sent["MD5OfMessageBody"] == digest
    [m] = q.receive()
    assert (m["Body"], m["MD5OfBody"], m["MessageId"]) == (text, digest, sent["MessageId"])


def test_system_attributes_come_when_asked_for(make):
    q = make()
    began = time.time()
    q.send(["x"])
    [m] = q.receive(VisibilityTimeout=0)
    a = m["Attributes"]
    assert a["ApproximateReceiveCount"] == "1"
    for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
        assert abs(int(a[name]) / 1000 - began) < 30 * SLOWER, a
    assert "SenderId" in a
    [m] = q.sqs.receive_message(QueueUrl=q.url, WaitTimeSeconds=5,
                                MessageSystemAttributeNames=["SentTimestamp"])["Messages"]
    assert list(m["Attributes"]) == ["SentTimestamp"]


def test_message_attributes_come_back_with_the_digest_of_the_guide(make):
    q = make()
    sent = q.sqs.send_message(QueueUrl=q.url, MessageBody="x", MessageAttributes={
        "n": {"DataType": "Number", "StringValue": "1.5"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff\x01"},
        "a.s": {"DataType": "String.kind", "StringValue": "\u00e9 \"quoted\""}})
    [m] = q.receive(MessageAttributeNames=["All"], VisibilityTimeout=0)
    got = m["MessageAttributes"]
    assert got["n"] == {"DataType": "Number", "StringValue": "1.5"}
    assert got["b"] == {"DataType": "Binary", "BinaryValue": b"\x00\xff\x01"}
    assert got["a.s"] == {"DataType": "String.kind", "StringValue": "\u00e9 \"quoted\""}
    parts = [(b"a.s", b"String.kind", b"\x01", "\u00e9 \"quoted\"".encode()),
             (b"b", b"Binary", b"\x02", b"\x00\xff\x01"), (b"n", b"Number", b"\x01", b"1.5")]

    def run(b):
        return len(b).to_bytes(4, "big") + b
    digest = hashlib.md5(b"".join(run(n) + run(t) + k + run(v) for n, t, k, v in parts)).hexdigest()
    assert sent["MD5OfMessageAttributes"] == digest
    assert m["MD5OfMessageAttributes"] == digest
    [m] = q.receive(MessageAttributeNames=["n"], WaitTimeSeconds=5)
    assert list(m["MessageAttributes"]) == ["n"]


def test_counts_follow_the_messages(make):
    q = make()
    q.send([str(i) for i in range(12)])
    assert q.counts() == (12, 0, 0)
    got = q.receive()
    assert (len(got), q.counts()) == (10, (2, 10, 0))
    q.delete(got[0])
    assert q.counts() == (2, 9, 0)


def test_a_batch_of_deletes_says_which_went(make):
    q = make()
    q.send(["a", "b"])
    a, b = q.receive()
    reply = q.sqs.delete_message_batch(QueueUrl=q.url, Entries=[
        {"Id": "0", "ReceiptHandle": a["ReceiptHandle"]},
        {"Id": "1", "ReceiptHandle": b["ReceiptHandle"]}])
    assert [e["Id"] for e in reply["Successful"]] == ["0", "1"]
    assert not reply.get("Failed")
    assert q.is_empty()
    q.delete(a)  # again: no error


def test_an_empty_poll_waits_as_long_as_it_was_told(make):
    q = make()
    began = time.monotonic()
    assert not q.receive(WaitTimeSeconds=1)
    assert 0.9 < time.monotonic() - began < 1 + 2 * SLOWER
    began = time.monotonic()
    assert not q.receive(WaitTimeSeconds=0)
    assert time.monotonic() - began < 1 * SLOWER


def test_a_send_wakes_a_poll(make, server):
    q = make()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        poll = pool.submit(lambda: (q.receive(WaitTimeSeconds=15), time.monotonic()))
        time.sleep(0.3)  # nothing tells that a poll has begun to wait
        sent = time.monotonic()
        client_of(server).send_message(QueueUrl=q.url, MessageBody="x")
        got, at = poll.result(30)
    assert bodies(got) == ["x"]
    assert at - sent < 2 * SLOWER


def test_the_end_of_a_delay_wakes_a_poll(make):
    q = make()
    began = time.monotonic()
    q.sqs.send_message(QueueUrl=q.url, MessageBody="x", DelaySeconds=1)
    assert q.counts() == (0, 0, 1)
    assert not q.receive()
    assert bodies(q.receive(WaitTimeSeconds=10)) == ["x"]
    assert 0.8 < time.monotonic() - began < 1 + 3 * SLOWER


def test_a_message_returns_when_its_visibility_ends_with_another_handle(make):
    q = make(VisibilityTimeout=1)
    q.send(["x"])
    [first] = q.receive()
    assert not q.receive()
    [second] = q.receive(WaitTimeSeconds=10)
    assert second["MessageId"] == first["MessageId"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    q.delete(second)
    assert q.is_empty()


def test_the_visibility_of_a_receive_stands_against_the_queues(make):
    q = make(VisibilityTimeout=1)
    q.send(["x"])
    assert q.receive(VisibilityTimeout=30)
    assert not q.receive(WaitTimeSeconds=2)


def test_visibility_can_be_made_longer_and_given_up(make):
    q = make(VisibilityTimeout=1)
    q.send(["x", "y"])
    x, y = q.receive()
    reply = q.sqs.change_message_visibility_batch(QueueUrl=q.url, Entries=[
        {"Id": "0", "ReceiptHandle": x["ReceiptHandle"], "VisibilityTimeout": 60},
        {"Id": "1", "ReceiptHandle": y["ReceiptHandle"], "VisibilityTimeout": 60}])
    assert [e["Id"] for e in reply["Successful"]] == ["0", "1"]
    assert not q.receive(WaitTimeSeconds=2)
    q.hide(y, 0)
    assert bodies(q.receive(WaitTimeSeconds=2)) == ["y"]


def test_what_is_received_too_often_goes_to_the_dead_letter_queue(make):
    dead = make()
    q = make(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 2}))
    q.send(["poison"])
    for count in "12":
        [m] = q.receive(VisibilityTimeout=0, WaitTimeSeconds=2)
        assert m["Attributes"]["ApproximateReceiveCount"] == count
    assert not q.receive(WaitTimeSeconds=1)
    [letter] = dead.receive(WaitTimeSeconds=2)
    assert letter["Body"] == "poison"
    assert letter["Attributes"]["SentTimestamp"] == m["Attributes"]["SentTimestamp"]
    assert q.is_empty()


def test_fifo_keeps_the_order_of_a_group_and_locks_it(make):
    q = make(".fifo", FifoQueue="true")
    for group in "AB":
        for i in range(3):
            q.sqs.send_message(QueueUrl=q.url, MessageBody=group + str(i), MessageGroupId=group,
                               MessageDeduplicationId=group + str(i))
    [first] = q.receive(1)
    group = first["Attributes"]["MessageGroupId"]
    other = "AB"[group == "A"]
    assert first["Body"] == group + "0"
    rest = q.receive()
    assert bodies(rest) == [other + str(i) for i in range(len(rest))] and rest
    assert not q.receive()
    q.delete(first)
    assert bodies(q.receive(1)) == [group + "1"]


def test_fifo_knows_a_message_that_was_sent_twice(make):
    q = make(".fifo", FifoQueue="true")
    for _ in range(2):
        q.sqs.send_message(QueueUrl=q.url, MessageBody="x", MessageGroupId="g",
                           MessageDeduplicationId="d")
    assert q.counts() == (1, 0, 0)
    by_content = make(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in "aab":
        by_content.sqs.send_message(QueueUrl=by_content.url, MessageBody=body, MessageGroupId="g")
    assert by_content.counts() == (2, 0, 0)


def test_fifo_wants_a_group(make):
    q = make(".fifo", FifoQueue="true")
    assert refusal(q.sqs.send_message, QueueUrl=q.url, MessageBody="x",
                   MessageDeduplicationId="d") in ("MissingParameter", "InvalidParameterValue")


def test_purge_empties_and_removal_removes(make, server):
    q = make()
    q.send(["a", "b"])
    q.receive(1)
    q.sqs.purge_queue(QueueUrl=q.url)
    assert q.is_empty()
    gone = server.new_queue(f"gone-{time.monotonic_ns()}")
    gone.remove()
    assert refusal(gone.receive) in ("NonExistentQueue", "QueueDoesNotExist")


def test_a_batch_may_have_attributes_and_an_entry_that_would_wait_too_long_is_refused(make, server):
    """fauxqs takes any delay."""
    q = make()
    attributes = {"sluice.reason": {"DataType": "String", "StringValue": "not_json"}}
    reply = q.sqs.send_message_batch(QueueUrl=q.url, Entries=[
        {"Id": "0", "MessageBody": "a", "MessageAttributes": attributes},
        {"Id": "1", "MessageBody": "b", "DelaySeconds": 901}])
    refused = [(e["Id"], e["Code"], e["SenderFault"]) for e in reply.get("Failed", [])]
    takes_any = FAUXQS is not None and isinstance(server, Fauxqs)
    assert refused == ([] if takes_any else [("1", "InvalidParameterValue", True)])
    assert [e["Id"] for e in reply["Successful"]] == (["0", "1"] if takes_any else ["0"])
    [m] = q.receive(MessageAttributeNames=["All"])
    assert m["Body"] == "a"
    assert m["MessageAttributes"]["sluice.reason"]["StringValue"] == "not_json"
    assert q.counts() == (0, 1, 1 if takes_any else 0)


def test_a_mebibyte_is_accepted_and_not_a_byte_more(make):
    q = make()
    q.send(["x" * (1 << 20)])
    assert [len(b) for b in bodies(q.receive())] == [1 << 20]
    assert refusal(q.sqs.send_message, QueueUrl=q.url,
                   MessageBody="x" * ((1 << 20) + 1)) == "InvalidParameterValue"
    entries = [{"Id": str(i), "MessageBody": "x" * 250000} for i in range(5)]
    assert "BatchRequestTooLong" in refusal(q.sqs.send_message_batch, QueueUrl=q.url,
                                            Entries=entries)


def entries_of(ids):
    return [{"Id": i, "MessageBody": "x"} for i in ids]


@pytest.mark.parametrize("action, more, code", [
    ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
    ("receive_message", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
    ("send_message_batch", {"Entries": []}, "EmptyBatchRequest"),
    ("send_message_batch", {"Entries": entries_of("abcdefghijk")}, "TooManyEntriesInBatchRequest"),
    ("send_message_batch", {"Entries": entries_of("aa")}, "BatchEntryIdsNotDistinct"),
    ("send_message_batch", {"Entries": entries_of(["a b!"])}, "InvalidBatchEntryId"),
    ("change_message_visibility", {"ReceiptHandle": "garbage", "VisibilityTimeout": 5},
     "ReceiptHandleIsInvalid|InvalidParameterValue|MessageNotInflight"),
])
def test_a_wrong_request_is_refused(make, action, more, code):
    q = make()
    got = refusal(getattr(q.sqs, action), QueueUrl=q.url, **more)
    assert any(word in got for word in code.split("|")), got


# What SQS does and an emulator does not: ours must


@pytest.fixture
def own(fake):
    return lambda suffix="", **more: fake.new_queue(f"own-{time.monotonic_ns()}{suffix}", **more)


def test_the_batch_that_fails_in_part_says_so(own):
    q = own()
    q.send(["a", "b"])
    a, b = q.receive()
    reply = q.sqs.delete_message_batch(QueueUrl=q.url, Entries=[
        {"Id": "good", "ReceiptHandle": a["ReceiptHandle"]},
        {"Id": "bad", "ReceiptHandle": "not-a-handle"}])
    assert [e["Id"] for e in reply["Successful"]] == ["good"]
    assert [(e["Id"], e["Code"]) for e in reply["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]
    reply = q.sqs.send_message_batch(QueueUrl=q.url, Entries=[
        {"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "a\x01b"}])
    assert [e["Id"] for e in reply["Successful"]] == ["good"]
    assert [e["Code"] for e in reply["Failed"]] == ["InvalidMessageContents"]
    assert refusal(q.sqs.delete_message, QueueUrl=q.url,
                   ReceiptHandle="garbage") == "ReceiptHandleIsInvalid"
    reply = q.sqs.change_message_visibility_batch(QueueUrl=q.url, Entries=[
        {"Id": "good", "ReceiptHandle": b["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "bad", "ReceiptHandle": "nope", "VisibilityTimeout": 5}])
    assert [e["Id"] for e in reply["Successful"]] == ["good"]
    assert [e["Id"] for e in reply["Failed"]] == ["bad"]


def test_a_stale_handle_is_told_success_and_deletes_nothing(own, fake):
    q = own()
    q.send(["x"])
    [old] = q.receive()
    assert fake.expire(q) == 1
    [new] = q.receive()
    q.delete(old)
    assert q.counts() == (0, 1, 0)
    assert fake.report(q)["stale_deletes"] == 1
    q.delete(new)
    assert q.is_empty()


def test_an_expired_handle_still_deletes_unless_the_queue_is_fifo(own, fake):
    q = own()
    q.send(["x"])
    [m] = q.receive()
    fake.expire(q)
    q.delete(m)
    assert q.is_empty()
    fifo = own(".fifo", FifoQueue="true")
    fake.fill(fifo, 1)
    [m] = fifo.receive()
    fake.expire(fifo)
    assert refusal(fifo.delete, message=m) == "InvalidParameterValue"
    assert fifo.counts() == (1, 0, 0)


def test_visibility_of_what_is_not_in_flight_cannot_change(own, fake):
    q = own()
    q.send(["x"])
    [m] = q.receive()
    assert refusal(q.hide, message=m, seconds=50000) == "InvalidParameterValue"
    fake.expire(q)
    assert refusal(q.hide, message=m, seconds=5) == "MessageNotInflight"
    q.delete(m)
    assert refusal(q.hide, message=m, seconds=5) == "InvalidParameterValue"


def test_a_fifo_group_returns_in_its_order(own, fake):
    q = own(".fifo", FifoQueue="true")
    fake.fill(q, 5)
    first = q.receive(3)
    assert not q.receive()
    fake.expire(q)
    again = q.receive(10)
    assert bodies(again)[:3] == bodies(first)
    assert len(again) == 5
    numbers = [m["Attributes"]["SequenceNumber"] for m in again]
    assert numbers == sorted(numbers)


def test_an_abandoned_poll_swallows_nothing(own, fake):
    q = own()
    impatient = boto3.session.Session().client(
        "sqs", region_name=REGION, endpoint_url=fake.url, aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=0.5, proxies={}))
    with pytest.raises(HTTPClientError):
        impatient.receive_message(QueueUrl=q.url, WaitTimeSeconds=20)
    q.send(["x"])
    assert bodies(q.receive()) == ["x"]


def test_dead_letters_have_a_new_id_and_say_where_they_come_from(own, fake):
    dead = own()
    q = own(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": "1"}))
    [sent] = q.send(["poison"])
    q.receive(VisibilityTimeout=0)
    assert not q.receive()
    [letter] = dead.receive(VisibilityTimeout=0)
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == arn(q)
    assert letter["Attributes"]["ApproximateReceiveCount"] == "1"
    assert letter["MessageId"] != sent
    [fate] = fake.fates(q)
    assert (fate.id, fate.fate, fate.moved_to) == (sent, "dead", letter["MessageId"])
    q.sqs.start_message_move_task(SourceArn=arn(dead))
    [back] = q.receive()
    assert back["Body"] == "poison"
    assert back["MessageId"] not in (sent, letter["MessageId"])
    assert dead.is_empty()


def test_characters_that_sqs_refuses(own):
    q = own()
    for body in ("a\x01b", "\x00", "\ufffe"):
        assert refusal(q.sqs.send_message, QueueUrl=q.url,
                       MessageBody=body) == "InvalidMessageContents"
    assert refusal(q.sqs.send_message, QueueUrl=q.url, MessageBody="") == "MissingParameter"
    q.send(["\U0001F600"])
    assert bodies(q.receive()) == ["\U0001F600"]


# What only ours can: faults, crowds, and the report


@pytest.mark.parametrize("fault, code", [
    ("throttle", "RequestThrottled"), ("error_500", "InternalFailure"),
    ("error_503", "ServiceUnavailable"), ("expired_token", "ExpiredToken")])
def test_a_refusal_does_nothing(own, fake, fault, code):
    q = own()
    fake.fault(fault, "SendMessageBatch")
    assert refusal(q.send, bodies=["x"]) == code
    assert q.is_empty()
    q.send(["x"])
    assert fake.hits() == {fault: 1}


@pytest.mark.parametrize("fault, is_done", [
    ("reset_before", False), ("reset_after", True), ("late_500", True), ("truncated", True),
    ("half_json", True), ("html", False)])
def test_a_broken_reply_tells_nothing_of_what_was_done(own, fake, fault, is_done):
    q = own()
    fake.fault(fault, "SendMessageBatch")
    with pytest.raises(Exception):
        assert q.send(["x"]) == "an answer that says nothing"
    assert q.counts() == (int(is_done), 0, 0)


def test_slow_is_late_before_or_after(own, fake):
    for fault in ("slow", "slow_reply"):
        q = own()
        fake.fault(fault, "SendMessageBatch", ms=400)
        began = time.monotonic()
        q.send(["x"])
        assert 0.4 <= time.monotonic() - began < 0.4 + 3 * SLOWER


def test_a_black_hole_says_nothing_and_does_nothing(own, fake):
    q = own()
    fake.fault("black_hole", "SendMessage")
    impatient = boto3.session.Session().client(
        "sqs", region_name=REGION, endpoint_url=fake.url, aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=0.5, proxies={}))
    with pytest.raises(HTTPClientError):
        impatient.send_message(QueueUrl=q.url, MessageBody="x")
    assert q.is_empty()


def test_a_duplicate_is_given_out_again(own, fake):
    q = own()
    q.send(["x"])
    fake.fault("duplicate", "ReceiveMessage")
    [first] = q.receive()
    [second] = q.receive()
    assert second["MessageId"] == first["MessageId"]
    fake.fault("duplicate", "DeleteMessage")
    q.delete(second)
    [third] = q.receive()
    q.delete(third)
    assert q.is_empty()
    report = fake.report(q)
    assert (report["receives"], report["undone_deletes"], report["deleted"]) == (3, 1, 1)


def test_a_poll_that_waits_is_one_call(own, fake):
    q = own()
    before = fake.calls()["ReceiveMessage"]
    assert q.receive(WaitTimeSeconds=1) == []
    assert fake.calls()["ReceiveMessage"] == before + 1


def test_a_message_stands_twice_in_one_reply(own, fake):
    q = own()
    q.send(["x"])
    fake.fault("twice", "ReceiveMessage")
    a, b = q.receive()
    assert a["MessageId"] == b["MessageId"]
    assert a["ReceiptHandle"] != b["ReceiptHandle"]


def test_messages_come_out_of_order(own, fake):
    q = own()
    sent = q.send([str(i) for i in range(100)])
    fake.fault("out_of_order", "ReceiveMessage", times=10)
    got = [m["MessageId"] for _ in range(10) for m in q.receive()]
    assert got != sent
    assert sorted(got) == sorted(sent)


def test_a_digest_is_wrong_once(own, fake):
    q = own()
    q.send(["a", "b"])
    fake.fault("wrong_md5", "ReceiveMessage")
    wrong = [m["Body"] for m in q.receive()
             if m["MD5OfBody"] != hashlib.md5(m["Body"].encode()).hexdigest()]
    assert wrong == ["a"]


def test_handles_expire_when_told_to(own, fake):
    q = own()
    q.send(["a", "b"])
    got = q.receive()
    entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
    fake.fault("expired_handle", "DeleteMessageBatch")
    reply = q.sqs.delete_message_batch(QueueUrl=q.url, Entries=entries)
    assert [e["Code"] for e in reply["Failed"]] == ["ReceiptHandleIsInvalid"] * 2
    fake.fault("partial", "DeleteMessageBatch", share=0)
    reply = q.sqs.delete_message_batch(QueueUrl=q.url, Entries=entries)
    assert [(e["Code"], e["SenderFault"]) for e in reply["Failed"]] == [("InternalError", False)]
    assert q.counts() == (0, 1, 0)


def test_the_same_seed_breaks_the_same_calls(own, fake):
    def run():
        q = own()
        fake.clear()
        fake.ask("POST", "faults", {"random": 7})
        fake.fault("error_503", "SendMessage", probability=0.5)
        return [code_of(q) for _ in range(40)]

    def code_of(q):
        try:
            q.sqs.send_message(QueueUrl=q.url, MessageBody="x")
            return "OK"
        except ClientError as e:
            return e.response["Error"]["Code"]

    first = run()
    assert set(first) == {"OK", "ServiceUnavailable"}
    assert run() == first


def test_rules_skip_and_are_of_one_queue(own, fake):
    a, b = own(), own()
    fake.fault("throttle", "SendMessageBatch", queue=a.name, skip=1, times=1)
    b.send(["x"])
    a.send(["x"])
    b.send(["x"])
    assert refusal(a.send, bodies=["x"]) == "RequestThrottled"
    a.send(["x"])
    with pytest.raises(AssertionError, match="no such fault"):
        fake.fault("nonsense")
    with pytest.raises(AssertionError, match="a rule has"):
        fake.fault("slow", seconds=3)


def test_a_crowd_is_filled_drained_and_accounted_for(own, fake):
    q = own(VisibilityTimeout=60)
    made = fake.fill(q, 20000, seed=5, duplicates=0.1, bad=0.05)
    assert made == {"sent": 20000, "bad": 1000, "originals": 17000}
    seen = set()

    def drain(_):
        own_client, n = fake.client(), 0
        while got := own_client.receive_message(
                QueueUrl=q.url, MaxNumberOfMessages=10).get("Messages"):
            seen.update(m["MessageId"] for m in got)
            n += len(got)
            if n < 4000:
                own_client.delete_message_batch(QueueUrl=q.url, Entries=[
                    {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]}
                    for i, m in enumerate(got)])
        return n

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(drain, range(4))) == 20000
    report = fake.report(q)
    assert (report["sent"], report["bad"], report["most_receives"]) == (20000, 1000, 1)
    assert report["deleted"] + report["in_flight"] == 20000 == len(seen)
    fates = fake.fates(q)
    assert {f.id for f in fates} == seen
    assert sum(f.is_bad for f in fates) == 1000
    assert len(fake.fates(q, "deleted")) == report["deleted"] > 0

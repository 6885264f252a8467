"""test_tracing.py - the id of a message's trace: in a column, in the log, and nowhere unasked."""
import json

import pytest

from events import BAD, login

AWS, W3C = "5759e988bd862e3fe1be46a994272793", "4bf92f3577b34da6a3ce929d0e0e4736"
AWS_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
W3C_HEADER = f"00-{W3C}-00f067aa0ba902b7-01"
HOSTILE = 'Root=1-anna.schmidt@example.com\n{"log.level":"error"};user=anna.schmidt@example.com'


def send(queue, body, aws=None, w3c=None):
    """Send one message with these headers; return its id."""
    more = {}
    if aws:
        more["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": aws}}
    if w3c:
        more["MessageAttributes"] = {"traceparent": {"DataType": "String", "StringValue": w3c}}
    reply = queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body, **more)
    queue.sent.append(reply["MessageId"])
    return reply["MessageId"]


def asked_for(proxy):
    """The names of attributes that receives asked for."""
    return {name for call in proxy.seen("ReceiveMessage")
            for key in ("AttributeNames", "MessageSystemAttributeNames", "MessageAttributeNames")
            for name in call.request.get(key, [])}


def test_a_column_has_the_trace_of_each_message_and_the_log_that_of_a_bad_one(
        sluice, queue, db, proxy):
    sluice.through(proxy).with_message_id().settings["tracing"] = True
    sluice.settings["columns"].append({"name": "trace", "from": "$trace_id", "type": "uuid"})
    sent = {send(queue, login(1), aws=AWS_HEADER): AWS, send(queue, login(2), w3c=W3C_HEADER): W3C,
            send(queue, login(3), aws=AWS_HEADER, w3c=W3C_HEADER): W3C,
            send(queue, login(4)): None, send(queue, login(5), aws=HOSTILE, w3c=HOSTILE): None}
    bad = {send(queue, BAD, aws=AWS_HEADER): AWS, send(queue, BAD, w3c=HOSTILE): None}
    result = sluice.run("--until-empty")
    assert result.rc == 0 and result.summary.dead_lettered == 2, result
    assert {i: t and t.replace("-", "") for i, t in db.rows(
        "SELECT message_id, trace::text FROM user_logins")} == sent
    said = [line for line in result.logs if line["message"] == "a bad message became a dead letter"]
    assert {line["sluice.message_id"]: line.get("trace.id") for line in said} == bad
    assert all(line["sluice.reason"] == "missing_field" for line in said)
    assert "anna" not in result.err
    assert {"AWSTraceHeader", "traceparent"} <= asked_for(proxy)


@pytest.mark.parametrize("mode", ["table", "leave"])
def test_unasked_no_trace_is_received_or_said(sluice, make_queue, db, proxy, mode):
    queue = make_queue(VisibilityTimeout=30)
    sluice.use_queue(queue).through(proxy).settings["dead_letter"] = mode
    send(queue, BAD, aws=AWS_HEADER, w3c=W3C_HEADER)
    result = sluice.run("--until-empty")
    assert result.rc == 0, result
    assert "trace.id" not in result.err and "became a dead letter" not in result.err
    assert asked_for(proxy) == {"SentTimestamp", "ApproximateReceiveCount"}


def test_what_is_left_or_sent_on_takes_its_trace_along(sluice, make_queue, db):
    queue, dead = make_queue(VisibilityTimeout=30), make_queue()
    sluice.use_queue(queue).settings.update(tracing=True, dead_letter="leave")
    send(queue, BAD, aws=AWS_HEADER)
    result = sluice.run("--until-empty")
    [left] = [line for line in result.logs if "left in the queue" in line["message"]]
    assert left["trace.id"] == AWS
    queue = make_queue(VisibilityTimeout=30)
    sluice.use_queue(queue).settings["dead_letter"] = "queue:" + dead.url
    send(queue, BAD, w3c=W3C_HEADER)
    assert sluice.drain().dead_lettered == 1
    [letter] = dead.receive(MessageAttributeNames=["All"])
    assert letter["MessageAttributes"]["sluice.trace_id"]["StringValue"] == W3C
    assert json.loads(letter["Body"])["v"] == 1

"""test_harness.py - the parts that the other tests stand on do what is said of them."""
import contextlib
import hashlib
import io
import threading
import urllib.request

import boto3
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

import faults
import tokens
from events import BAD, LOGIN_TABLE, is_login, logins, version_number
from wait import eventually


def client(moto, url, secret=None):
    return boto3.session.Session().client(
        "sqs", region_name="us-east-1", endpoint_url=url, aws_access_key_id=moto.key_id,
        aws_secret_access_key=secret or moto.secret,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=20, proxies={}))


def test_the_queue_server_refuses_a_wrong_signature(moto, queue):
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(moto, moto.url, "wrong").receive_message(QueueUrl=queue.url)


def test_signatures_verify_through_the_proxy_and_calls_are_recorded(moto, queue, proxy):
    ids = queue.send(logins(12))
    through = client(moto, proxy.url)
    got = through.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)["Messages"]
    assert [m["MessageId"] for m in got] == ids[:10]
    assert proxy.count("ReceiveMessage") == 1
    assert proxy.deliveries() == {i: 1 for i in ids[:10]}
    assert queue.counts() == (2, 10, 0)


def test_faults_are_used_up_in_order(moto, queue, proxy):
    queue.send(["a"])
    through = client(moto, proxy.url)
    proxy.on("ReceiveMessage", faults.lose_reply(), times=1)
    proxy.on("ReceiveMessage", faults.throttle(), times=1)
    with pytest.raises(HTTPClientError):
        through.receive_message(QueueUrl=queue.url)
    assert queue.counts() == (0, 1, 0), "the server did it, the reply was lost"
    with pytest.raises(ClientError, match="RequestThrottled"):
        through.receive_message(QueueUrl=queue.url)
    assert "Messages" not in through.receive_message(QueueUrl=queue.url)


def test_a_held_call_reaches_the_server_only_when_released(moto, queue, proxy):
    hold = proxy.on("SendMessage", faults.Hold(), times=1)
    thread = threading.Thread(target=lambda: client(moto, proxy.url).send_message(
        QueueUrl=queue.url, MessageBody="x"))
    thread.start()
    eventually(lambda: hold.held)
    assert queue.is_empty() and proxy.longest_wait() > 0
    hold.release()
    thread.join()
    assert queue.counts() == (1, 0, 0) and proxy.longest_wait() == 0


def test_a_frozen_server_does_not_answer_and_then_does(moto, queue):
    with moto.frozen(), pytest.raises(OSError):
        urllib.request.urlopen(moto.url + "/moto-api/", timeout=0.3)
    assert queue.is_empty()


def test_a_password_is_needed_over_tcp(db):
    psycopg2.connect(db.tcp_url()).close()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(db.tcp_url("wrong"))


def test_the_cluster_survives_an_immediate_stop(cluster, db):
    db.execute("CREATE TABLE t AS SELECT 1 AS a")
    assert db.one("SHOW fsync") == "on"
    cluster.stop("immediate")
    assert not cluster.is_running()
    cluster.start()
    assert db.count("t") == 1


@pytest.mark.parametrize("moment, rows", [("before commit", 0), ("after commit", 1)])
def test_the_postgres_proxy_cuts_at_its_moment(cluster, db, moment, rows):
    db.execute("CREATE TABLE t(a integer)")
    proxy = faults.PgProxy(cluster.port, moment)
    with (contextlib.closing(psycopg2.connect(db.tcp_url(port=proxy.port))) as c,
          pytest.raises(psycopg2.OperationalError)):
        c.cursor().copy_expert("COPY t FROM STDIN", io.StringIO("1\n"))
        c.commit()
    proxy.stop()
    assert proxy.cuts == 1
    eventually(lambda: db.one("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'")
               == 0)
    assert db.count("t") == rows
    psycopg2.connect(db.tcp_url()).close()


def test_a_locked_table_can_be_read_and_not_loaded(db):
    db.execute(LOGIN_TABLE + ")")
    with db.locked():
        assert db.count() == 0
        with contextlib.closing(db.connect()) as c, pytest.raises(psycopg2.OperationalError):
            c.cursor().execute("SET lock_timeout = '100ms'; INSERT INTO user_logins DEFAULT VALUES")
    db.execute("INSERT INTO user_logins DEFAULT VALUES")
    assert db.count() == 1 and b"user_logins" in db.dump()


def test_tokens_agree_with_the_known_answers():
    keys = {"k1": tokens.MASTER}
    for context, value, token in (
            ("ip", "1.2.3.4", "v1.k1.F0htGjCivSZeRv3G_6zOgOS2ygCcJmYQ34YS70DCRuE"),
            ("device_id", "593-47-5928", "v1.k1.VBzKnNsjWQiWnAa2fDw15jG9chu8LPV3bmgLhNvkOKc")):
        assert tokens.mask(keys, context, value) == token
        assert tokens.unmask(keys, context, token) == value
    assert len(tokens.mask(keys, "ip", "x" * 159)) == 241
    with pytest.raises(Exception):
        tokens.unmask(keys, "device_id", "v1.k1.F0htGjCivSZeRv3G_6zOgOS2ygCcJmYQ34YS70DCRuE")


def test_the_events_are_what_they_are_said_to_be():
    assert all(map(is_login, logins(50))) and not is_login(BAD)
    assert hashlib.md5(BAD.encode()).hexdigest() == "32365e026658d33521484837856cc808"
    assert version_number("2.3") == version_number("2.3.0") == 2003000 < version_number("2.30.0")

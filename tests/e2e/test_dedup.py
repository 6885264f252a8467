"""test_dedup.py - one row for messages that are the same by a field, by their body, or by the id of a
FIFO queue; the keys that they are known by say nothing, and outlive every key of the ring."""
import hashlib
import hmac
import json

import pytest

import faults
from events import LOGIN_TABLE, login, logins
from pg import deadlocks
from wait import eventually

CANARY = "canary-7f3a"


def by(sluice, dedup, **settings):
    sluice.settings.update(dedup=dedup, **settings)
    return sluice.with_message_id()


def orders(ids, first=0):
    """Logins that are different, with the key of an order each."""
    return [login(first + n, order={"id": order}) for n, order in enumerate(ids)]


def ledger_keys(db):
    return [bytes(k) for k, in db.rows("SELECT key FROM sluice.ledger_key ORDER BY key")]


# ---- what is one

def test_messages_with_the_same_field_are_one(sluice, queue, db):
    by(sluice, "field:order.id")
    queue.send(orders(["a", "b", "a", 17, "17"]))
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (3, 2), summary.line
    queue.send(orders(["b", "c"], first=50))
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (1, 1), summary.line
    assert db.count() == 4 and queue.is_empty()
    assert db.count("sluice.ledger") == 0, "one ledger knows it, not two"


def test_messages_with_the_same_body_are_one(sluice, queue, db):
    by(sluice, "body")
    queue.send([*logins(3), *logins(3), login(1).replace(": ", ":")])
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (4, 3), summary.line
    assert db.count() == 4 and queue.is_empty()


def test_messages_with_the_same_attribute_are_one(sluice, queue, db):
    by(sluice, "field:$attribute.event")
    for event in ("e1", "e2", "e1"):
        queue.send(logins(1), attributes={"event": {"DataType": "String", "StringValue": event}})
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (2, 1), summary.line


def test_a_fifo_queue_is_known_by_its_message_ids(sluice, make_queue, db, proxy):
    queue = make_queue("logins.fifo", FifoQueue="true", ContentBasedDeduplication="true",
                       VisibilityTimeout=2)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    for n, body in enumerate(logins(6)):
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body, MessageGroupId=f"g{n}")
    running = sluice.use_queue(queue).through(proxy).begin()
    eventually(lambda: db.count() == 6 and hold.held, what="committed, and the delete held")
    running.kill()
    hold.drop()
    proxy.clear()
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (0, 6), summary.line
    assert db.count() == 6 and db.count("sluice.ledger") == 0 and len(ledger_keys(db)) == 6


def test_pipelines_of_one_database_do_not_share_their_keys(sluice, make_queue, db):
    """Else an equal key would say that two pipelines had the same value."""
    by(sluice, "body", pipeline="one")
    for name in ("one", "two"):
        queue = make_queue()
        queue.send([login(1)])
        sluice.settings["pipeline"] = name
        assert sluice.use_queue(queue).drain().loaded == 1
    one, two = ledger_keys(db)
    assert one != two and db.count("sluice.ledger_secret") == 2


# ---- what has no key, or is refused

def test_a_record_without_its_key_is_a_dead_letter_once(sluice, make_queue, db, proxy):
    queue = make_queue(VisibilityTimeout=2)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    queue.send([login(1), login(2, order=None), login(3, order={"id": None}),
                login(4, order={"id": [1]}), login(5, order={"id": ""})])
    running = by(sluice, "field:order.id").use_queue(queue).through(proxy).begin()
    eventually(lambda: len(db.dead()) == 5 and hold.held)
    running.kill()
    hold.drop()
    proxy.clear()
    assert sorted(db.dead()) == [("missing_field", "order.id")] * 3 + [
        ("null_field", "order.id"), ("wrong_type", "order.id")]
    summary = sluice.drain()
    assert (summary.dead_lettered, summary.duplicates) == (0, 5), summary.line
    assert len(db.dead()) == 5 and db.count() == 0 and queue.is_empty()
    assert {k[0] for k in ledger_keys(db)} == {1}, "a dead letter is known by its message id alone"


def test_a_letter_that_was_sent_on_is_not_sent_again(sluice, make_queue, db, proxy):
    queue, letters = make_queue(VisibilityTimeout=2), make_queue()
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    queue.send([*orders(["a"]), login(9)])
    by(sluice, "field:order.id", dead_letter=f"queue:{letters.url}")
    running = sluice.use_queue(queue).through(proxy).begin()
    eventually(lambda: db.count() == 1 and hold.held)
    running.kill()
    hold.drop()
    proxy.clear()
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (0, 2), summary.line
    assert letters.counts()[0] == 1 and db.dead() == [] and queue.is_empty()


@pytest.mark.parametrize("order", [0, 1], ids=["bad first", "good first"])
def test_a_refused_row_does_not_take_another_of_its_key_with_it(sluice, queue, db, order):
    """Whichever of the two is tried, the one that the table takes is loaded."""
    db.execute(LOGIN_TABLE + ", message_id text, CHECK (locale <> 'XX'))")
    pair = [login(1, order={"id": "a"}, locale="XX"), login(2, order={"id": "a"}, locale="DE")]
    queue.send(pair[::-1 if order else 1] + orders(["b", "c"], first=5))
    summary = by(sluice, "field:order.id").drain()
    assert (summary.loaded, summary.received) == (3, 4), summary.line
    assert summary.dead_lettered + summary.duplicates == 1, summary.line
    assert db.one("SELECT count(*) FROM user_logins WHERE user_id = 'user-0002'") == 1
    assert queue.is_empty()


def test_a_dry_run_needs_no_ledger(sluice, queue, db):
    queue.send([*orders(["a", "a"]), login(9)])
    result = by(sluice, "field:order.id").run("--dry-run")
    assert result.rc == 0 and "missing_field" in result.err, result
    assert len(result.text.splitlines()) == 2 and not db.has("sluice.ledger_key")


# ---- once, whatever breaks

@pytest.mark.parametrize("moment", ["before commit", "after commit"])
def test_a_connection_lost_around_the_commit_loads_each_key_once(sluice, queue, db, cluster,
                                                                 moment):
    """After a lost answer to COMMIT, what our own batch committed counts as loaded, and its dead
    letters as dead letters."""
    proxy = faults.PgProxy(cluster.port, moment)
    sluice.postgres["url"] = db.tcp_url(port=proxy.port)
    queue.send([*orders([*range(18), 3]), login(99)])
    summary = by(sluice, "field:order.id").drain()
    proxy.stop()
    assert proxy.cuts == 1
    assert (summary.loaded, summary.duplicates, summary.dead_lettered) == (18, 1, 1), summary.line
    assert db.count() == 18 and len(ledger_keys(db)) == 19 and queue.is_empty()


def test_processes_that_meet_at_the_same_keys_do_not_deadlock(sluice, make_queue, db, cluster):
    """Two queues bring the same keys in opposite orders, and every key takes its time."""
    by(sluice, "field:order.id").settings["linger"] = "1s"
    sluice.drain()
    db.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
               " 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END';"
               "CREATE TRIGGER slow BEFORE INSERT ON sluice.ledger_key"
               " FOR EACH ROW EXECUTE PROCEDURE slow()")
    queues = [make_queue(VisibilityTimeout=60), make_queue(VisibilityTimeout=60)]
    keys = list(range(40))
    queues[0].send(orders(keys))
    queues[1].send(orders(keys[::-1], first=100))
    position = cluster.log_position()
    sluice.sqs["receives"] = 4
    other = sluice.another("second").use_queue(queues[1])
    both = [sluice.use_queue(queues[0]).begin("--until-empty"), other.begin("--until-empty")]
    summaries = [running.wait(50).summary for running in both]
    assert sum(s.loaded for s in summaries) == 40, [s.line for s in summaries]
    # A server may deliver a message twice when several receives are out.
    assert sum(s.received for s in summaries) >= 80, [s.line for s in summaries]
    assert all(s.duplicates == s.received - s.loaded for s in summaries), [s.line for s in summaries]
    assert db.count() == 40 and len(ledger_keys(db)) == 40
    assert not deadlocks(cluster.log_since(position))


# ---- the key of the ledger

def test_the_ledger_says_nothing_about_what_it_knows(sluice, queue, db):
    by(sluice, "field:ip")
    queue.send([login(1, ip="192.0.2.77", user_id="u")])
    sluice.drain()
    key, = ledger_keys(db)
    assert len(key) == 33 and key[0] == 0
    key = key[1:]
    for guess in (b"192.0.2.77", b"field:ip192.0.2.77", b"field:ip\0" b"192.0.2.77"):
        assert key != hashlib.sha256(guess).digest()
        for known in (b"", bytes(32), b"sluice", b"public.user_logins", b"field:ip"):
            assert key != hmac.new(known, guess, hashlib.sha256).digest()
    for trace in (b"192.0.2.77", b"192.0.2.77".hex().encode()):
        assert trace not in db.dump(), trace


@pytest.mark.parametrize("dedup", ["field:order.id", "body"])
def test_nothing_personal_is_in_the_ledger(sluice, queue, db, dedup):
    by(sluice, dedup)
    queue.send([json.dumps({"order": {"id": CANARY}, **json.loads(login(n))}) for n in (1, 2)])
    sluice.drain()
    dump = db.dump()
    assert CANARY.encode() not in dump and CANARY.encode().hex().encode() not in dump
    assert CANARY not in sluice.started[-1].err


def test_a_key_is_known_through_a_rotation(sluice, queue, db):
    """The key of the ledger stays, only its seal changes; a key that it needs is not retired."""
    by(sluice, "field:order.id")
    queue.send(orders(["a"]))
    sluice.drain()
    sluice.good("keys", "add", sluice.keys, "--kid", "k2")
    sluice.good("keys", "activate", sluice.keys, "k2")
    queue.send(orders(["a", "b"], first=10))
    assert sluice.drain().duplicates == 1
    sluice.good("rewrap", "-c", sluice.path, "--kid", "k1", "--dry-run")
    db.execute("DELETE FROM user_logins")
    result = sluice.call("keys", "retire", sluice.keys, "k1", "-c", sluice.path)
    assert result.rc == 78 and "needed for 1 value" in result.err, result
    result = sluice.good("rewrap", "-c", sluice.path)
    assert "the ledger's key" in result.err, result
    sluice.good("keys", "retire", sluice.keys, "k1", "-c", sluice.path)
    queue.send(orders(["a", "b", "c"], first=20))
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (1, 2), summary.line


def test_without_the_key_of_the_ledger_nothing_starts(sluice, queue, db):
    """Under another key all that was loaded would be new."""
    by(sluice, "body")
    queue.send(logins(1))
    sluice.drain()
    sluice.keys = f"{sluice.folder}/other.keys"
    sluice.settings["keys"]["file"] = sluice.keys
    sluice.make_keys("k9")
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "k1" in result.err and "sluice.ledger_secret" in result.err, result
    result = sluice.call("check", "-c", sluice.path)
    assert result.rc == 1 and "sluice.ledger_secret" in result.text, result


def test_processes_that_start_together_agree_on_the_key(sluice, make_queue, db):
    queues = [make_queue(), make_queue()]
    by(sluice, "body")
    for queue in queues:
        queue.send(logins(5))
    other = sluice.another("second").use_queue(queues[1])
    both = [sluice.use_queue(queues[0]).begin("--until-empty"), other.begin("--until-empty")]
    summaries = [running.wait().summary for running in both]
    assert sum(s.loaded for s in summaries) == 5, [s.line for s in summaries]
    assert db.count("sluice.ledger_secret") == 1 and db.count() == 5


# ---- what is said

@pytest.mark.parametrize("dedup, said, warns", [
    ("message_id", "the same id of the queue within 15d", False),
    ("field:order.id", "the same order.id within 15d", False), ("body", "the same body", True)])
def test_check_says_what_makes_two_messages_one(sluice, dedup, said, warns):
    sluice.make_keys()
    sluice.settings["dedup"] = dedup
    result = sluice.call("check", "-c", sluice.write())
    assert result.rc == 0 and said in result.text, result
    assert ("merges events" in result.text) == warns, result


def test_check_names_the_rights_that_the_ledger_of_keys_needs(sluice, queue, db):
    by(sluice, "body")
    sluice.drain()
    db.execute("CREATE ROLE loader LOGIN; GRANT USAGE ON SCHEMA sluice TO loader;"
               "GRANT SELECT ON sluice.meta TO loader; GRANT INSERT ON user_logins TO loader;"
               "GRANT SELECT, INSERT ON sluice.dead_letter, sluice.key_check TO loader")
    try:
        sluice.postgres.update(url=db.url.replace("postgres@", "loader@"), create="never")
        result = sluice.call("check", "-c", sluice.write())
        assert result.rc == 1 and "grant insert on sluice.ledger_key" in result.text, result
        db.execute("GRANT SELECT, INSERT ON sluice.ledger_key, sluice.ledger_secret TO loader")
        result = sluice.call("check", "-c", sluice.path)
        assert result.rc == 0 and "grant delete on sluice.ledger_key" in result.text, result
        queue.send([*logins(2), json.dumps({}), login(1)])
        summary = sluice.drain()
        assert (summary.loaded, summary.duplicates, summary.dead_lettered) == (2, 1, 1)
    finally:
        db.execute("DROP OWNED BY loader; DROP ROLE loader")

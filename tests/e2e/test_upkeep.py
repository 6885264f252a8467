"""test_upkeep.py - what is old leaves the ledger: slot by slot, waiting for nobody and nobody waiting
for it; what can still come again stays known.

A drain has its round at its end; how old things are is written into the ledger by hand.
"""
import contextlib
import time

import pytest

import faults
from events import logins
from wait import SLOWER, eventually

DAY = 86400
REMOVED = "removed what is old"


def slot(days):
    """The slot of a message sent so many days ago, as the ledger counts."""
    return (int(time.time()) // DAY - days) % 32


def leaf(days):
    return "sluice.ledger_%02d" % slot(days)


def put(db, days, n=1):
    """Messages sent so many days ago, in the slot of their day."""
    db.execute("INSERT INTO sluice.ledger SELECT %s, now() - interval '%s days',"
               " 'id-' || %s || '-' || g, 'p', md5(random()::text)::uuid FROM generate_series(1, %s) AS g",
               slot(days), days, days, n)


def left(db):
    """{days ago: messages} of what was put."""
    return dict(db.rows("SELECT split_part(message_id, '-', 2)::int, count(*) FROM sluice.ledger"
                        " WHERE message_id LIKE 'id-%%' GROUP BY 1"))


def removed(sluice):
    """What the last process says that it removed."""
    return [(line["sluice.slots"], line["sluice.rows"]) for line in
            sluice.started[-1].result().logs if line["message"] == REMOVED]


@pytest.fixture
def made(sluice, db):
    """The database has its objects."""
    sluice.drain()
    return sluice


def node(db, table):
    """A truncated table gets another file."""
    return db.one("SELECT relfilenode FROM pg_class WHERE oid = %s::regclass", table)


# ---- the ledger of message ids

@pytest.mark.since(11)
def test_what_can_come_again_stays_and_what_cannot_goes(made, db):
    for days in (0, 1, 2, 13, 14, 15, 16, 20, 30):
        put(db, days, n=3)
    before = {days: node(db, leaf(days)) for days in (0, 14, 16, 20)}
    made.drain()
    # Day 15 has not ended everywhere: the slot of a day goes when all of it is too old.
    assert left(db) == {days: 3 for days in (0, 1, 2, 13, 14, 15)}
    assert removed(made) == [(3, 0)]
    after = {days: node(db, leaf(days)) for days in before}
    assert {d for d in before if before[d] != after[d]} == {16, 20}, "emptied whole"
    made.drain()
    assert removed(made) == [], "nothing was left to do"


def test_a_clock_that_is_ahead_makes_nothing_old(made, db):
    """The machine's, by 20 days: the database says otherwise, and nothing is forgotten."""
    put(db, 2, n=5)
    db.execute("CREATE SCHEMA earlier; CREATE FUNCTION earlier.now() RETURNS timestamptz LANGUAGE sql AS"
               " $$ SELECT pg_catalog.now() - interval '20 days' $$")
    db.execute("UPDATE sluice.ledger SET sent_at = sent_at - interval '20 days', slot = %s", slot(22))
    db.execute(f"ALTER DATABASE {db.name} SET search_path = earlier, pg_catalog, public")
    made.drain()
    assert left(db) == {2: 5} and removed(made) == []
    db.execute(f"ALTER DATABASE {db.name} RESET search_path")
    made.drain()
    assert left(db) == {}, "once the clocks agree, they are old"


def test_a_slot_with_one_young_message_is_kept(made, db):
    put(db, 20, n=5)
    db.execute("INSERT INTO sluice.ledger VALUES (%s, now() - interval '15 days' + interval '1 hour',"
               " 'id-15-young', 'other', md5(random()::text)::uuid)", slot(20))
    made.drain()
    assert left(db) == {20: 5, 15: 1}


def test_the_ledger_remembers_for_as_long_as_it_is_told(made, db):
    made.settings["ledger_days"] = 29
    for days in (16, 29, 30):
        put(db, days)
    made.drain()
    assert left(db) == {16: 1, 29: 1}


def test_a_message_redelivered_after_14_days_is_still_a_duplicate(sluice, make_queue, db, proxy):
    """It was sent 14 days ago, loaded, and its delete was lost: upkeep has run since."""
    queue = make_queue(VisibilityTimeout=2)

    def send_long_ago(call, forward):
        value = forward().json()
        for message in value.get("Messages", []):
            message["Attributes"]["SentTimestamp"] = str(sent_ms)
        return faults.Reply.of(value)

    sent_ms = int((time.time() - 14 * DAY) * 1000)
    proxy.on("ReceiveMessage", send_long_ago)
    hold = proxy.on("DeleteMessageBatch", faults.Hold())
    queue.send(logins(5))
    running = sluice.use_queue(queue).through(proxy).begin()
    eventually(lambda: db.count() == 5 and hold.held, what="committed, and the delete held")
    running.kill()
    hold.drop()
    proxy.clear()
    made = sluice.another("upkeep").use_queue(make_queue())
    put(db, 20)
    made.drain()
    assert removed(made) in ([(1, 0)], [(0, 1)]), "it has run"
    proxy.on("ReceiveMessage", send_long_ago)
    summary = sluice.drain()
    assert (summary.loaded, summary.duplicates) == (0, 5), summary.line


# ---- nobody waits

def put_one(connection, days, message_id):
    connection.cursor().execute("INSERT INTO sluice.ledger VALUES (%s, now() - interval '%s days',"
                                " %s, 'other', md5(random()::text)::uuid)", (slot(days), days, message_id))


@contextlib.contextmanager
def open_transaction(db, *days):
    """A load that has written to these slots and has not ended."""
    with contextlib.closing(db.connect()) as c:
        c.autocommit = False
        for n in days:
            put_one(c, n, "open")
        yield
        c.rollback()


@pytest.mark.since(11)
def test_a_slot_in_use_is_left_for_the_next_time(made, db):
    for days in (18, 20, 22):
        put(db, days)
    with open_transaction(db, 20, 0):
        made.drain()
        assert left(db) == {20: 1} and removed(made) == [(2, 0)]
    made.drain()
    assert left(db) == {} and removed(made) == [(1, 0)]


@pytest.mark.since(11)
def test_loads_go_on_while_upkeep_waits_for_a_slot(made, db):
    """Who loads into the same slot waits for upkeep as long as upkeep is ready to wait itself."""
    for days in range(16, 31):
        put(db, days)
    loads = 0
    with open_transaction(db, *range(16, 31)), contextlib.closing(db.connect()) as c:
        c.cursor().execute(f"SET lock_timeout = '{2000 * SLOWER:.0f}ms'")
        upkeep = made.begin("--until-empty")
        while upkeep.is_alive():
            for days in (0, *range(16, 31)):
                put_one(c, days, f"load-{loads}")
            loads += 1
        assert upkeep.wait().rc == 0
    assert loads > 0 and left(db) == {days: 1 for days in range(16, 31)}
    assert removed(made) == []


def test_who_asks_to_stop_does_not_wait_for_upkeep(made, queue, db):
    put(db, 20)
    queue.send(logins(1))
    running = made.begin()
    eventually(lambda: db.count() == 1)
    running.stop()
    assert left(db) == {20: 1}


# ---- rights, and servers without partitions

@pytest.fixture
def loader(made, db):
    """A role that may load, and nothing else."""
    db.execute("CREATE ROLE loader LOGIN; GRANT USAGE ON SCHEMA sluice TO loader;"
               "GRANT SELECT ON sluice.meta TO loader; GRANT INSERT ON user_logins TO loader;"
               "GRANT SELECT, INSERT ON sluice.dead_letter, sluice.key_check, sluice.ledger,"
               " sluice.ledger_key, sluice.ledger_secret TO loader")
    made.postgres.update(url=db.url.replace("postgres@", "loader@"), create="never")
    yield made
    db.execute("DROP OWNED BY loader; DROP ROLE loader")


def check(sluice):
    result = sluice.call("check", "-c", sluice.write())
    assert result.rc == 0, result
    return result.text


def test_without_a_right_it_says_so_once_and_check_says_what_to_grant(loader, db):
    put(db, 20)
    loader.drain()
    warnings = [line for line in loader.started[-1].result().logs if "may not" in line["message"]]
    assert len(warnings) == 1 and left(db) == {20: 1}, warnings
    assert "grant truncate on the partitions of sluice.ledger, or delete" in check(loader)


@pytest.mark.since(11)
def test_with_truncate_on_the_partitions_slots_are_emptied(loader, db):
    db.execute("DO $$ BEGIN FOR n IN 0..31 LOOP EXECUTE format("
               "'GRANT TRUNCATE ON sluice.ledger_%s TO loader', lpad(n::text, 2, '0'));"
               " END LOOP; END $$")
    put(db, 20, n=5)
    loader.drain()
    assert left(db) == {} and removed(loader) == [(1, 0)]
    assert "grant" not in check(loader)


@pytest.mark.since(11)
def test_with_delete_instead_the_rows_of_a_slot_are_deleted(loader, db):
    db.execute("GRANT DELETE ON sluice.ledger TO loader")
    put(db, 20, n=2500)
    put(db, 14)
    before = node(db, leaf(20))
    loader.drain()
    assert left(db) == {14: 1} and removed(loader) == [(0, 2500)]
    assert node(db, leaf(20)) == before and "grant" not in check(loader)


def test_a_ledger_without_partitions_is_kept_up_row_by_row(made, db):
    """As PostgreSQL 10 has it."""
    db.execute("DROP TABLE sluice.ledger; CREATE TABLE sluice.ledger (slot smallint,"
               " sent_at timestamptz, message_id text COLLATE \"C\", pipeline text COLLATE \"C\","
               " batch_id uuid NOT NULL, PRIMARY KEY (slot, sent_at, message_id, pipeline))")
    for days in (0, 14, 16, 20):
        put(db, days, n=2)
    made.drain()
    assert left(db) == {0: 2, 14: 2} and removed(made) == [(0, 4)]


# ---- dead letters

def test_dead_letters_are_kept_for_as_long_as_it_is_told(made, queue, db):
    queue.send(["{}", "[]"])
    made.drain()
    db.execute("UPDATE sluice.dead_letter SET received_at = now() - interval '8 days'"
               " WHERE reason = 'not_an_object'")
    made.drain()
    assert len(db.dead()) == 2, "for ever, unless told otherwise"
    made.settings["dead_letter_days"] = 7
    made.drain()
    assert db.dead() == [("missing_field", "user_id")]


# ---- the ledger of keys

def put_keys(db, hours, n, pipeline="public.user_logins"):
    db.execute("INSERT INTO sluice.ledger_key SELECT %s, decode(md5(%s || '-' || g), 'hex'),"
               " now() - interval '%s hours', md5(random()::text)::uuid FROM generate_series(1, %s) AS g",
               pipeline, str(hours), hours, n)


def test_keys_older_than_the_window_go_and_those_of_others_stay(made, db):
    made.settings.update(dedup="body", dedup_window="2h")
    put_keys(db, 1, 10)
    put_keys(db, 3, 2500)
    put_keys(db, 3, 7, pipeline="other")
    made.drain()
    assert db.rows("SELECT pipeline, count(*) FROM sluice.ledger_key GROUP BY 1 ORDER BY 1") == [
        ("other", 7), ("public.user_logins", 10)]
    assert removed(made) == [(0, 2500)]


def test_a_key_that_is_gone_makes_its_message_new(made, queue, db):
    made.settings.update(dedup="body", dedup_window="2h")
    for expected in (1, 0, 1):
        queue.send(logins(1))
        assert made.drain().loaded == expected
        if expected == 0:
            db.execute("UPDATE sluice.ledger_key SET loaded_at = now() - interval '3 hours'")
            made.drain()


def test_keys_stay_without_the_right_to_delete_them(loader, db):
    loader.settings.update(dedup="body", dedup_window="2h")
    put_keys(db, 3, 10)
    loader.drain()
    assert db.count("sluice.ledger_key") == 10
    assert "grant delete on sluice.ledger_key" in check(loader)
    db.execute("GRANT DELETE ON sluice.ledger_key TO loader")
    loader.drain()
    assert db.count("sluice.ledger_key") == 0 and "grant" not in check(loader)

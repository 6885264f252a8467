"""test_refused.py - rows that PostgreSQL refuses: whose fault it is, and what becomes of the rest."""
import contextlib
import json

import pytest

import faults
from events import LOGIN_TABLE, login
from wait import eventually

# What a row's user_id makes the table do with it.
MOODS = LOGIN_TABLE + """);
    CREATE SEQUENCE tries;
    CREATE FUNCTION mood() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.user_id = 'refused' THEN
            RAISE EXCEPTION 'no % here', NEW.locale;
        ELSIF NEW.user_id = 'later' AND nextval('tries') <= 2 THEN
            RAISE EXCEPTION 'not now' USING ERRCODE = '40001';
        ELSIF NEW.user_id = 'noticed' THEN
            RAISE WARNING 'saw %', NEW.locale;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER mood BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE PROCEDURE mood()"""


MENDED = {
    # The body changes under the lock of a load, so not within one.
    "between two loads": "LOCK user_logins; DROP TRIGGER mood ON user_logins",
    # The whole batch, its first row by itself, the rest: then it takes them.
    "in the midst of a load": """
        LOCK user_logins;
        CREATE OR REPLACE FUNCTION mood() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('tries') <= 3 THEN
                RAISE EXCEPTION 'no % here', NEW.locale;
            END IF;
            RETURN NEW;
        END $$""",
}


@pytest.fixture
def moody(sluice, db):
    db.execute(MOODS)
    sluice.settings["linger"] = "2s"  # what was sent together is loaded together
    return sluice


def bodies(*moods):
    return [login(n, user_id=mood) for n, mood in enumerate(moods)]


def sealed_lengths(db):
    return [n for n, in db.rows("SELECT length(sealed_body) FROM sluice.dead_letter")]


@pytest.mark.fault("a trigger raises 40001", "twice, beside a row that it refuses")
def test_a_row_refused_before_an_outage_keeps_its_body(moody, queue, db):
    """Its verdict is of an attempt that failed; the seal must be there at the next one."""
    bad = login(1, user_id="refused")
    queue.send([login(0, user_id="good"), bad, login(2, user_id="later")])
    summary = moody.drain()
    assert (summary.loaded, summary.dead_lettered) == (2, 1), summary.line
    assert min(sealed_lengths(db)) > len(bad)
    number = db.one("SELECT id FROM sluice.dead_letter")
    shown = moody.good("dead", "show", str(number), "-c", moody.path)
    assert json.loads(shown.text) == json.loads(bad)


def test_the_database_itself_takes_no_dead_letter_without_a_body(moody, db):
    moody.drain()
    with pytest.raises(Exception, match="sealed_body"):
        db.execute("INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at,"
                   " stage, reason, sealed_body)"
                   " VALUES ('p', 'm', now(), now(), 'load', 'refused', '')")


def test_a_repeat_beside_a_refused_row_is_one_duplicate(moody, queue, db, proxy):
    def twice(value):
        value["Messages"] = [m for m in value.get("Messages", []) for _ in range(2)]

    proxy.on("ReceiveMessage", faults.edit(twice))
    queue.send(bodies("good", "refused"))
    summary = moody.through(proxy).drain()
    assert (summary.loaded, summary.dead_lettered, summary.duplicates) == (1, 1, 2), summary.line
    assert db.count() == 1 and len(db.dead()) == 1


@pytest.mark.fault("a trigger raises for a row", "for 30 rows in a row")
def test_many_rows_refused_alike_are_dead_letters_if_one_after_them_is_taken(moody, queue, db):
    queue.send(bodies(*["refused"] * 30, "good", "good"))
    moody.sqs["receives"] = 4
    summary = moody.drain()
    assert (summary.loaded, summary.dead_lettered) == (2, 30), summary.line
    assert set(db.dead()) == {("refused", "")} and queue.is_empty()


def test_what_a_trigger_says_of_a_row_is_not_repeated(moody, queue, db):
    canary = "CANARY"
    queue.send([login(0, user_id="noticed", locale=canary), login(1, user_id="refused",
                                                                   locale=canary)])
    result = moody.run("--until-empty", "--log-level", "debug")
    assert result.rc == 0 and result.summary.dead_lettered == 1, result
    assert canary not in result.err


@pytest.mark.fault("the connection is cut", "by a proxy, behind the text of an error")
def test_what_the_server_said_before_it_hung_up_is_not_repeated(moody, queue, db, cluster):
    class Cut(faults.PgProxy):
        """Lets the error through and hangs up before the end of the answer."""

        def is_moment(self, seen):
            return False

        def watch(self, client, server):
            with contextlib.suppress(OSError):
                while data := server.recv(65536):
                    if b"Mno CANARY here" in data and self.is_armed:
                        self.is_armed = False
                        self.cuts += 1
                        client.sendall(data[:data.rfind(b"Z\0\0\0\5")])
                        break
                    client.sendall(data)
            faults.shut(client)
            faults.shut(server)

    cut = Cut(cluster.port, "in an answer")
    moody.postgres["url"] = db.tcp_url(port=cut.port)
    queue.send([login(0, user_id="refused", locale="CANARY"), login(1)])
    result = moody.run("--until-empty", "--log-level", "debug")
    cut.stop()
    assert result.rc == 0 and cut.cuts == 1, result
    assert (result.summary.loaded, result.summary.dead_lettered) == (1, 1), result
    assert "CANARY" not in result.err


@pytest.mark.fault("a trigger raises for a row", "for every row, until it is dropped")
@pytest.mark.parametrize("mended", ["between two loads", "in the midst of a load"])
def test_a_table_that_takes_nothing_takes_what_came_once_it_is_mended(moody, queue, db, mended):
    queue.send(bodies(*["refused"] * 12))
    running = moody.begin()
    eventually(lambda: "no row is to blame" in running.err, what="the table is blamed")
    assert db.dead() == [] and db.count() == 0
    db.execute(MENDED[mended])
    eventually(lambda: db.count() + len(db.dead()) == 12, within=30)
    summary = running.stop().summary
    assert (summary.loaded, summary.dead_lettered) == (12, 0), summary.line

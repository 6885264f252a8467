"""test_add_columns.py - create: add_columns adds what the table lacks, and touches nothing else."""
import pytest

from events import LOGIN_TABLE, logins
from sluice import wait_for_text
from wait import eventually

NEW = ("locale", "app_version")  # of the configuration, and not of an older table
OLDER = "".join(line + "\n" for line in LOGIN_TABLE.splitlines()
                if not any(name in line for name in NEW)) + ", note text)"


@pytest.fixture
def older(sluice, db):
    """A table of last year with a row in it, and a column that is somebody else's."""
    db.execute(OLDER + "; INSERT INTO user_logins (user_id, note) VALUES ('before', 'mine')")
    sluice.postgres["create"] = "add_columns"
    return sluice


def columns(db):
    """{name: (type, must have a value)}"""
    return {name: rest for name, *rest in db.rows(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = 'user_logins'::regclass AND attnum > 0 AND NOT attisdropped")}


def check(sluice):
    sluice.make_keys()
    return sluice.call("check", "-c", sluice.write())


def test_columns_that_the_table_lacks_are_added_and_nothing_else_changes(older, queue, db):
    db.execute("ALTER TABLE user_logins ALTER user_id TYPE text")
    before = columns(db)
    queue.send(logins(3))
    assert older.drain().loaded == 3
    assert columns(db) == {**before, "locale": ["character varying(32)", False],
                           "app_version": ["integer", False]}
    assert db.rows("SELECT note, app_version FROM user_logins WHERE user_id = 'before'") == [
        ("mine", None)]
    assert db.one("SELECT count(app_version) FROM user_logins") == 3


def test_processes_that_start_together_add_them_once(older, queue, db):
    queue.send(logins(20))
    both = [older.begin("--until-empty"), older.another("second").begin("--until-empty")]
    assert sum(running.wait().summary.loaded for running in both) == 20
    assert set(NEW) <= set(columns(db))


def test_check_says_what_would_be_added_and_adds_nothing(older, queue, db):
    before = columns(db)
    result = check(older)
    assert result.rc == 0 and columns(db) == before, result
    for name in NEW:
        assert f"column {name}: the table has no such column; a start adds it" in result.text
    older.postgres["create"] = "if_missing"
    result = check(older)
    assert result.rc == 1 and "a start adds it" not in result.text, result
    assert older.run("--until-empty").rc == 78 and columns(db) == before


def test_only_the_owner_of_the_table_adds_columns_and_others_say_what_he_has_to_run(older, queue,
                                                                                    db):
    db.install(older.good("sql", "schema").text)
    db.execute("CREATE ROLE adder LOGIN; GRANT USAGE ON SCHEMA sluice TO adder;"
               "GRANT ALL ON ALL TABLES IN SCHEMA sluice, public TO adder")
    try:
        older.postgres["url"] = db.url.replace("postgres@", "adder@")
        result = check(older)
        assert result.rc == 1 and "only its owner can add one" in result.text, result
        result = older.run("--until-empty")
        assert result.rc == 78 and "sluice sql schema -c FILE" in result.err, result
        assert not set(NEW) & set(columns(db))
        db.install(older.good("sql", "schema", "-c", older.path).text)
        queue.send(logins(3))
        assert older.drain().loaded == 3
    finally:
        db.execute("DROP OWNED BY adder; DROP ROLE adder")


@pytest.mark.fault("the table changes under load", "a column takes another type of the same size")
def test_a_column_of_another_type_of_the_same_size_is_waited_for(older, queue, db):
    """COPY in binary takes eight bytes for eight bytes: a number would become another moment."""
    older.settings["columns"].append({"name": "sent", "from": "$sent_at", "type": "bigint"})
    db.execute("ALTER TABLE user_logins ADD sent bigint")
    queue.send(logins(3))
    running = older.begin()
    eventually(lambda: db.count() == 4)
    db.execute("ALTER TABLE user_logins ALTER sent TYPE timestamptz USING to_timestamp(sent / 1000)")
    queue.send(logins(3, first=3))
    wait_for_text(running, "the target table has changed: column sent")
    assert db.count() == 4 and db.dead() == []
    db.execute("ALTER TABLE user_logins ALTER sent TYPE bigint"
               " USING (extract(epoch FROM sent) * 1000)::bigint")
    eventually(lambda: db.count() == 7, within=30)
    assert running.stop().summary.loaded == 6
    assert db.one("SELECT count(*) FROM user_logins WHERE sent > 1600000000000") == 6


@pytest.mark.fault("the table changes under load", "a column is dropped; another start adds it")
def test_a_column_dropped_under_load_is_waited_for_until_a_start_adds_it(older, queue, db):
    """Whoever dropped it may have meant it: a running sluice alters nothing."""
    queue.send(logins(5))
    running = older.begin()
    eventually(lambda: db.count() == 6)
    db.execute("ALTER TABLE user_logins DROP locale")
    queue.send(logins(5, first=5))
    wait_for_text(running, "the target table has changed: column locale")
    assert "locale" not in columns(db) and db.dead() == []
    assert older.another("second").run("--until-empty", "--max-messages", "1").rc == 0
    eventually(lambda: db.count() == 11, within=30)
    result = running.stop()
    assert "loading goes on" in result.err and db.dead() == [], result

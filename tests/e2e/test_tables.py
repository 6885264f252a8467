"""test_tables.py - targets of every kind, and database objects made once."""
import pytest

from events import LOGIN_TABLE, logins

SEVEN = LOGIN_TABLE[LOGIN_TABLE.index("("):]


@pytest.mark.since(11)
def test_the_target_may_be_partitioned(sluice, queue, db):
    db.psql(LOGIN_TABLE + ") PARTITION BY HASH (user_id);" + "".join(
        f"CREATE TABLE user_logins_{i} PARTITION OF user_logins"
        f" FOR VALUES WITH (MODULUS 3, REMAINDER {i});" for i in range(3)))
    queue.send(logins(20))
    sluice.drain()
    assert db.count() == 20 > db.count("user_logins_0") > 0


def test_a_row_without_a_partition_is_refused_alone(sluice, queue, db):
    db.psql(LOGIN_TABLE + ") PARTITION BY LIST (user_id); CREATE TABLE one PARTITION OF user_logins"
            " FOR VALUES IN ('user-0000', 'user-0001', 'user-0002');")
    queue.send(logins(4))
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (3, 1), summary.line
    assert db.dead() == [("refused", "")]


def test_the_target_may_have_more_columns_with_defaults(sluice, queue, db):
    db.execute("CREATE TABLE user_logins(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
               " loaded_at timestamptz NOT NULL DEFAULT now(), create_date date,"
               " note text, source text NOT NULL DEFAULT 'sqs'," + SEVEN[1:].replace(
                   ",\n    create_date         date", "") + ")")
    queue.send(logins(5))
    sluice.drain()
    assert db.rows("SELECT count(*), count(loaded_at), min(source), count(note) FROM user_logins"
                   ) == [(5, 5, "sqs", 0)]


def test_the_target_may_live_in_another_schema_with_a_mixed_case_name(sluice, queue, db):
    db.psql('CREATE SCHEMA "App"; CREATE TABLE "App"."UserLogins"' + SEVEN + ");")
    sluice.postgres["table"] = "App.UserLogins"
    queue.send(logins(5))
    sluice.drain()
    assert db.count('"App"."UserLogins"') == 5
    assert db.rows("SELECT DISTINCT pipeline FROM sluice.ledger") == [("App.UserLogins",)]


def test_a_name_with_a_dot_or_a_blank_stands_in_quotes(sluice, queue, db):
    db.execute('CREATE TABLE "logins by.day"' + SEVEN + ")")
    sluice.postgres["table"] = 'public."logins by.day"'
    queue.send(logins(5))
    sluice.drain()
    assert db.count('"logins by.day"') == 5


def test_columns_may_have_names_that_sql_would_misread(sluice, queue, db):
    sluice.settings["columns"] = [
        {"name": "User", "from": "user_id", "type": "text"},
        {"name": "select", "from": "device_type", "type": "text"},
        {"name": 'a "quoted" name', "from": "ip", "type": "text", "mask": "siv"},
    ]
    queue.send(logins(2))
    sluice.drain()
    assert db.one('SELECT count("User") + count("select") + count("a ""quoted"" name")'
                  ' FROM user_logins') == 6


def test_the_order_of_the_table_s_columns_does_not_matter(sluice, queue, db):
    lines = LOGIN_TABLE.strip().splitlines()
    columns = [line.strip().rstrip(",") for line in lines[1:]]
    db.execute("CREATE TABLE user_logins(" + ", ".join(reversed(columns)) + ")")
    queue.send(logins(3))
    sluice.drain()
    assert [u for u, in db.rows("SELECT user_id FROM user_logins ORDER BY 1")] == [
        "user-0000", "user-0001", "user-0002"]


def test_if_missing_creates_the_table_as_configured(sluice, queue, db):
    sluice.drain()
    assert db.rows("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                   " WHERE attrelid = 'user_logins'::regclass AND attnum > 0 ORDER BY attnum") == [
        ("user_id", "character varying(128)"), ("device_type", "character varying(32)"),
        ("masked_ip", "character varying(256)"), ("masked_device_id", "character varying(256)"),
        ("locale", "character varying(32)"), ("app_version", "integer"), ("create_date", "date")]
    assert db.one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'sluice.ledger'::regclass"
                  ) == (32 if db.cluster.version >= 11 else 0)


def test_an_existing_table_is_left_as_it_is(sluice, queue, db):
    db.execute(LOGIN_TABLE + ")")
    db.execute("COMMENT ON TABLE user_logins IS 'mine'; INSERT INTO user_logins(user_id)"
               " VALUES ('mine')")

    def shape():
        return db.rows("SELECT c.oid, c.relfilenode, obj_description(c.oid), array_agg(a.attname),"
                       " (SELECT count(*) FROM pg_index WHERE indrelid = c.oid)"
                       " FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid"
                       " WHERE c.oid = 'user_logins'::regclass GROUP BY 1, 2, 3")

    before = shape()
    queue.send(logins(3))
    sluice.drain()
    assert shape() == before and db.count() == 4


def test_processes_that_start_at_once_on_an_empty_database_both_work(sluice, queue, db):
    queue.send(logins(30))
    sluice.make_keys()
    several = [sluice] + [sluice.another(f"n{i}") for i in range(3)]
    results = [r.wait() for r in [s.begin("--until-empty") for s in several]]
    assert [r.rc for r in results] == [0] * 4, results
    assert sum(r.summary.loaded for r in results) == db.count() == 30


def test_sql_schema_runs_in_psql_and_then_create_never_works(sluice, queue, db):
    sluice.make_keys()
    printed = sluice.good("sql", "schema", "-c", sluice.write()).text
    db.install(printed)
    db.install(printed)  # a second time is no error
    sluice.postgres["create"] = "never"
    queue.send([*logins(5), "{}"])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (5, 1), summary.line


def test_two_pipelines_share_a_database(sluice, queue, db):
    """The same message may be loaded by two pipelines: the ledger knows them apart."""
    queue.send(logins(3))
    other = sluice.another("other")
    other.postgres["table"] = "copies"
    other.settings["pipeline"] = "copy-of-logins"
    for message in queue.receive():
        queue.hide(message, 0)
    first = sluice.run("--max-messages", "3")
    assert first.rc == 0 and first.summary.loaded == 3
    queue.send(logins(3))
    assert other.drain().loaded == 3
    assert db.rows("SELECT DISTINCT pipeline FROM sluice.ledger ORDER BY 1") == [
        ("copy-of-logins",), ("public.user_logins",)]


def test_a_newer_schema_is_refused(sluice, queue, db):
    sluice.drain()
    columns = [c for c, in db.rows("SELECT attname::text FROM pg_attribute WHERE attnum > 0 AND"
                                   " attrelid = 'sluice.meta'::regclass ORDER BY attnum")]
    number = next((c for c in columns if "version" in c), None)
    if number:
        db.execute(f"UPDATE sluice.meta SET {number} = 9999")
    else:
        db.execute(f"UPDATE sluice.meta SET {columns[1]} = '9999'"
                   f" WHERE {columns[0]} LIKE '%version%'")
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "9999" in result.err, result


@pytest.mark.parametrize("setting", ["off", "local"])
def test_a_commit_waits_for_the_disk_whatever_the_database_says(sluice, queue, db, setting):
    """A database set to synchronous_commit = off would break the promise."""
    db.admin(f"ALTER DATABASE {db.name} SET synchronous_commit = {setting}")
    db.execute(LOGIN_TABLE + ", seen text DEFAULT current_setting('synchronous_commit'))")
    queue.send(logins(1))
    sluice.drain()
    assert db.rows("SELECT seen FROM user_logins") == [("on" if setting == "off" else seen_ok(db),)]


def seen_ok(db):
    """`local` is kept or raised; both wait for this server's own disk."""
    seen = db.one("SELECT seen FROM user_logins")
    assert seen in ("local", "on")
    return seen

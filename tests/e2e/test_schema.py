"""test_schema.py - a database of an older version becomes one of today's, with all that is in it."""
import re

import pytest

from events import BAD, login, logins

NOW = 3

# The objects of version 1, as they were; later ones came with the steps below.
V1 = """
CREATE SCHEMA sluice;
CREATE TABLE sluice.meta (schema_version integer NOT NULL);
CREATE TABLE sluice.ledger (
    slot smallint NOT NULL, sent_at timestamptz NOT NULL, message_id text COLLATE "C" NOT NULL,
    pipeline text COLLATE "C" NOT NULL, batch_id uuid NOT NULL,
    PRIMARY KEY (slot, sent_at, message_id, pipeline)) PARTITION BY LIST (slot);
""" + "".join(f"CREATE TABLE sluice.ledger_{n:02} PARTITION OF sluice.ledger FOR VALUES IN ({n});\n"
              for n in range(32)) + """
CREATE TABLE sluice.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pipeline text NOT NULL,
    message_id text NOT NULL, sent_at timestamptz NOT NULL, received_at timestamptz NOT NULL,
    stage text NOT NULL, reason text NOT NULL, field text, sqlstate text,
    sealed_body bytea NOT NULL CHECK (length(sealed_body) > 0),
    status text NOT NULL DEFAULT 'new', UNIQUE (pipeline, message_id));
CREATE TABLE sluice.key_check (kid text PRIMARY KEY, check_value text NOT NULL);
INSERT INTO sluice.meta VALUES (1);
"""
V2 = V1 + """
CREATE TABLE sluice.unmask_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(), os_user text NOT NULL,
    db_user text NOT NULL DEFAULT session_user, pipeline text NOT NULL, contexts text[] NOT NULL,
    n bigint NOT NULL, how text NOT NULL, reason text NOT NULL CHECK (reason <> ''));
UPDATE sluice.meta SET schema_version = 2;
"""
OLD = {1: V1, 2: V2}


def shape(db):
    """Every column, index and constraint of schema sluice."""
    return (db.rows("SELECT table_name, column_name, data_type, is_nullable, column_default"
                    " FROM information_schema.columns WHERE table_schema = 'sluice' ORDER BY 1, 2"),
            db.rows("SELECT indexdef FROM pg_indexes WHERE schemaname = 'sluice' ORDER BY 1"),
            db.rows("SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
                    " WHERE connamespace = 'sluice'::regnamespace ORDER BY 1, 2"))


def version(db):
    return db.one("SELECT schema_version FROM sluice.meta")


@pytest.fixture
def fresh(cluster, bare):
    """The shape of a database that has been made today."""
    db = cluster.new_database()
    db.install(bare.good("sql", "schema").text)
    yield shape(db)
    db.drop()


@pytest.fixture(params=sorted(OLD))
def old(request, db):
    """A database of an older version, with something in every table of it."""
    db.install(OLD[request.param])
    db.execute("INSERT INTO sluice.ledger VALUES (5, now(), 'm1', 'p', md5(random()::text)::uuid);"
               "INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage,"
               " reason, sealed_body) VALUES ('p', 'm2', now(), now(), 'decode', 'not_json', 'x');"
               "INSERT INTO sluice.key_check VALUES ('k0', '00000000')")
    if request.param >= 2:
        db.execute("INSERT INTO sluice.unmask_audit (os_user, pipeline, contexts, n, how, reason)"
                   " VALUES ('u', 'p', '{ip}', 1, 'unmask', 'r')")
    return request.param


def assert_kept(db, was):
    assert db.rows("SELECT slot, message_id FROM sluice.ledger WHERE pipeline = 'p'") == [(5, "m1")]
    assert db.rows("SELECT message_id, reason, status FROM sluice.dead_letter"
                   " WHERE pipeline = 'p'") == [("m2", "not_json", "new")]
    assert db.rows("SELECT check_value FROM sluice.key_check WHERE kid = 'k0'") == [("00000000",)]
    assert db.count("sluice.unmask_audit") == (1 if was >= 2 else 0)


def test_an_older_schema_is_brought_up_to_date_and_keeps_its_data(sluice, queue, db, old, fresh):
    result = sluice.call("check", "-c", sluice.write())
    assert f"brought from version {old} to {NOW}" in result.text and version(db) == old, result
    queue.send([*logins(3), BAD])
    summary = sluice.drain()
    assert (summary.loaded, summary.dead_lettered) == (3, 1), summary.line
    assert version(db) == NOW and shape(db) == fresh
    assert_kept(db, old)


def test_processes_that_start_together_bring_it_up_to_date_once(sluice, queue, db, old, fresh):
    queue.send(logins(20))
    both = [sluice.begin("--until-empty"), sluice.another("second").begin("--until-empty")]
    summaries = [running.wait().summary for running in both]
    assert sum(s.loaded for s in summaries) == 20
    assert db.rows("SELECT schema_version FROM sluice.meta") == [(NOW,)] and shape(db) == fresh
    assert_kept(db, old)


def test_a_dba_brings_it_up_to_date_by_hand(sluice, queue, db, old, fresh):
    """With create: never the message says how, and what it says works."""
    queue.send(logins(1))
    sluice.postgres["create"] = "never"
    for result in (sluice.run("--until-empty"), sluice.call("check", "-c", sluice.path)):
        said = result.text + result.err
        assert result.rc in (1, 78) and f"version {old}, this program needs {NOW}" in said, result
        command = re.search(r"sluice (sql schema --from \d)", said).group(1)
    assert version(db) == old
    db.install(sluice.good(*command.split()).text)
    db.install(sluice.good("sql", "schema", "-c", sluice.path).text)  # the target; again does no harm
    assert shape(db) == fresh and sluice.drain().loaded == 1
    assert_kept(db, old)


def test_only_its_owner_can_bring_it_up_to_date(sluice, queue, db, old):
    db.execute("CREATE ROLE loader LOGIN; GRANT USAGE, CREATE ON SCHEMA sluice TO loader;"
               "GRANT ALL ON ALL TABLES IN SCHEMA sluice TO loader")
    try:
        sluice.postgres["url"] = db.url.replace("postgres@", "loader@")
        for result in (sluice.run("--until-empty"), sluice.call("check", "-c", sluice.path)):
            assert result.rc in (1, 78) and f"sluice sql schema --from {old}" in (
                result.text + result.err), result
        assert version(db) == old
    finally:
        db.execute("DROP OWNED BY loader; DROP ROLE loader")


@pytest.mark.parametrize("version_given", ["0", str(NOW), "x"])
def test_there_is_no_step_from_a_version_that_is_none(bare, version_given):
    result = bare.call("sql", "schema", "--from", version_given)
    assert result.rc == 64 and f"1 to {NOW - 1}" in result.err and result.out == b"", result


def test_a_newer_schema_is_refused_by_every_command(sluice, queue, db):
    queue.send([login(1)])
    sluice.drain()
    db.execute(f"UPDATE sluice.meta SET schema_version = {NOW + 1}")
    for command in ("run", "check", "rewrap", "verify"):
        result = sluice.call(command, "-c", sluice.path)
        assert result.rc in (1, 78), result
        assert "use the newer program" in result.text + result.err, result
    assert version(db) == NOW + 1

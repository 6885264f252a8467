"""test_login.py - a database that is entered with what AWS keeps, or with a token of AWS's."""
import json
import time

import pytest

from certs import Authority
from events import login, logins
from pg import PASSWORD
from rds import Rds
from sluice import wait_for_text
from wait import eventually


@pytest.fixture
def secrets(sluice, moto):
    sluice.env["AWS_ACCESS_KEY_ID"], sluice.env["AWS_SECRET_ACCESS_KEY"] = moto.admin_keys
    return moto.admin("secretsmanager")


@pytest.fixture
def role(db):
    """A role of the test's own, whose password may change."""
    name = "loader_" + db.name
    db.execute(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 'first of them'")
    yield name
    db.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def hide(sluice, secrets, db, value):
    """Put the URL away."""
    text = value if isinstance(value, str) else json.dumps(value)
    sluice.postgres["url_secret"] = secrets.create_secret(Name="db-" + db.name,
                                                          SecretString=text)["ARN"]
    return sluice.postgres["url_secret"]


def rds(role, password, **more):
    return {"username": role, "password": password, "engine": "postgres", **more}


# ---- secrets ------------------------------------------------------------------------------------

def test_the_url_may_be_a_secret(sluice, queue, db, secrets):
    hide(sluice, secrets, db, db.tcp_url())
    del sluice.postgres["url"]
    queue.send(logins(3))
    result = sluice.run("--until-empty")
    assert result.rc == 0 and result.summary.loaded == 3 and PASSWORD not in result.err, result
    check = sluice.call("check", "-c", sluice.path)
    assert check.rc == 0 and PASSWORD not in check.text + check.err, check


@pytest.mark.parametrize("is_managed", [True, False])
def test_what_rds_keeps_in_a_secret_is_understood(sluice, queue, db, secrets, role, is_managed):
    """One that RDS manages has user and password only."""
    place = {} if is_managed else {"host": "127.0.0.1", "port": db.cluster.port, "dbname": db.name}
    hide(sluice, secrets, db, rds(role, "first of them", **place))
    sluice.postgres["url"] = (f"postgresql://127.0.0.1:{db.cluster.port}/{db.name}" if is_managed
                              else "postgresql://?connect_timeout=5")
    queue.send(logins(2))
    assert sluice.drain().loaded == 2


def test_a_rotation_while_a_run_goes_on_costs_nothing(sluice, queue, db, secrets, role):
    """The database first, then the secret, as a rotation does it; every connection is lost meanwhile."""
    arn = hide(sluice, secrets, db, rds(role, "first of them"))
    sluice.postgres["url"] = f"postgresql://127.0.0.1:{db.cluster.port}/{db.name}"
    queue.send([login(1)])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    db.execute(f"ALTER ROLE {role} PASSWORD 'second of them'")
    db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", role)
    queue.send([login(2)])
    wait_for_text(running, "password authentication failed")
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(rds(role, "second of them")))
    eventually(lambda: db.count() == 2)
    result = running.stop()
    assert result.summary.loaded == 2 and "of them" not in result.err, result


def test_a_secret_that_is_no_login_is_said_without_being_shown(sluice, secrets, db):
    sluice.make_keys()
    hide(sluice, secrets, db, "hunter2, my love")
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "sink.postgres.url_secret cannot be read" in result.err, result
    assert "hunter2" not in result.err, result
    secrets.delete_secret(SecretId=sluice.postgres["url_secret"], ForceDeleteWithoutRecovery=True)
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "there is no such secret" in result.err, result


# ---- tokens of RDS ------------------------------------------------------------------------------

@pytest.fixture
def rds_server(sluice, db, tmp_path, moto, role):
    authority = Authority(tmp_path)
    server = Rds(db.cluster, authority.issue("rds"), moto.key_id, moto.secret)
    sluice.postgres["auth"] = "iam"
    sluice.postgres["url"] = (f"postgresql://{role}@localhost:{server.port}/{db.name}"
                              f"?sslmode=verify-full&sslrootcert={authority.bundle}")
    yield server
    server.stop()


def test_a_token_of_rds_opens_every_connection(sluice, queue, db, rds_server, role):
    queue.send([login(1)])
    running = sluice.begin()
    eventually(lambda: db.count() == 1)
    known = len(rds_server.tokens)
    first = int(time.time())
    eventually(lambda: int(time.time()) > first, what="a token of another second")
    db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", role)
    queue.send([login(2)])
    eventually(lambda: db.count() == 2)
    result = running.stop()
    assert rds_server.faults == [] and len(rds_server.tokens) > known >= 2
    assert rds_server.tokens[-1] != rds_server.tokens[0], "each connection has its own"
    assert "X-Amz-Signature" not in result.err, result


def test_a_token_that_is_refused_is_said_and_not_waited_for(sluice, moto, rds_server):
    rds_server.keys = moto.key_id, "another secret"
    result = sluice.run("--until-empty")
    assert result.rc == 78 and "PAM authentication failed" in result.err, result


def test_check_asks_for_a_server_that_is_verified_before_it_gets_tokens(sluice, rds_server):
    sluice.make_keys()
    assert "verify-full" not in sluice.good("check", "-c", sluice.write()).text
    sluice.postgres["url"] = sluice.postgres["url"].replace("verify-full", "require").partition(
        "&sslrootcert")[0]
    assert "verify-full" in sluice.good("check", "-c", sluice.write()).text
    sluice.postgres["url"] = sluice.postgres["url"].partition("?")[0]
    result = sluice.call("check", "-c", sluice.write())
    assert result.rc == 1 and "sslmode" in result.text, result

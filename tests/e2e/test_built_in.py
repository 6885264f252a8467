"""test_built_in.py - a queue of logins is loaded without a configuration file."""
import pytest

from conftest import ROOT
from events import BAD, logins

EXAMPLE = ROOT / "examples" / "user-logins" / "sluice.yaml"
URL = "http://127.0.0.1:9/000000000000/login-queue"


@pytest.fixture
def home(bare, db):
    """The program, with libpq's own variables, a key file, and nothing in a file."""
    c = db.cluster
    bare.env.update(PGHOST=c.dir, PGPORT=str(c.port), PGUSER="postgres", PGDATABASE=db.name,
                    SLUICE_KEYS=bare.keys)
    bare.make_keys()
    return bare


@pytest.mark.parametrize("has_url", [False, True], ids=["PG*", "DATABASE_URL"])
def test_a_queue_is_loaded_as_the_example_says(home, queue, db, has_url):
    if has_url:
        home.env["DATABASE_URL"] = db.url
        home.env.update(PGHOST="/nowhere", PGDATABASE="nothing")
    queue.send(logins(7) + [BAD])
    result = home.good("run", queue.url, "--until-empty")
    assert (result.summary.loaded, result.summary.dead_lettered) == (7, 1), result
    assert db.count() == 7 and queue.is_empty()
    assert db.rows("SELECT DISTINCT left(masked_ip, 6), left(masked_device_id, 6)"
                   " FROM user_logins") == [("v1.k1.", "v1.k1.")]


def test_the_example_that_is_printed_loads_as_the_built_in_one(home, queue, db, tmp_path):
    text = home.good("docs", "example").text
    assert text == EXAMPLE.read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    queue.send(logins(3))
    home.good("run", queue.url, "--max-messages", "1")
    home.env["QUEUE_URL"] = queue.url
    assert home.good("run", "-c", "mine.yaml", "--until-empty").summary.loaded == 2
    assert db.count() == 3


def test_the_check_looks_at_what_a_run_would_take(home, queue):
    result = home.good("check", queue.url)
    assert "sluice docs example: 7 columns" in result.text
    assert "FAIL" not in result.text


def test_without_a_key_file_it_says_how_to_make_one(home, queue, tmp_path):
    del home.env["SLUICE_KEYS"]
    result = home.call("run", queue.url)
    assert result.rc == 78 and "make one with 'sluice keys new'" in result.err, result
    (tmp_path / "test.keys").rename(tmp_path / "sluice.keys")
    assert home.good("run", queue.url, "--until-empty").summary.received == 0


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("arguments, word", [
    (["login-queue"], "login-queue"), (["sluice.yaml"], "-c FILE"), ([URL, "more"], "'more'"),
    ([URL, "-c", "sluice.yaml"], "--queue-url"), ([URL, "--queue-url", URL], "--queue-url")])
def test_anything_but_one_url_is_refused(bare, command, arguments, word):
    result = bare.call(command, *arguments)
    assert result.rc == 64 and word in result.err, result


@pytest.mark.parametrize("before", [[], [URL]])
def test_a_password_that_is_no_argument_is_not_repeated(bare, before):
    result = bare.call("run", *before, "postgresql://u:hunter2@localhost/d")
    assert result.rc == 64 and "'...'" in result.err and "hunter2" not in result.err, result

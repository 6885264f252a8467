"""conftest.py - real parts for every test: PostgreSQL, an SQS server, and the program itself.

    make test                               all of it
    pytest tests/e2e -k kill                some of it
    pytest -n 3 tests/e2e                   side by side: every worker has servers of its own
    SLUICE_BIN=build-asan/sluice SLUICE_SLOW=4 pytest tests/e2e
    SLUICE_WRAP='valgrind -q --error-exitcode=99' SLUICE_SLOW=10 pytest tests/e2e -k sample
    SLUICE_SAMPLE=FILE                      one's own 100 messages in place of the generated ones
    SLUICE_GOLDEN=write                     rewrite the expectations of tests/golden
    SLUICE_SHOW=1                           print what every process said
"""
import os
import pathlib

import pytest

import faults
import pg
import sluice as program
import sqs

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Put the end of every process's stderr into the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and "sluice" in item.funcargs:
        for running in item.funcargs["sluice"].started[-4:]:
            report.sections.append((" ".join(running.command[1:]), running.err[-4000:]))


@pytest.fixture(scope="session")
def binary():
    """A missing program fails every test: a suite that skips is a suite that lies."""
    path = pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "build" / "sluice"))
    if not os.access(path, os.X_OK) or path.is_dir():
        pytest.fail(f"there is no program to test at {path}: build it, or set SLUICE_BIN",
                    pytrace=False)
    return str(path.resolve())


@pytest.fixture(scope="session")
def fault_binary(binary):
    """The program with the named points of src/base/fault_points.def in it."""
    path = pathlib.Path(binary).parent / "tests" / "sluice_faults"
    if not os.access(path, os.X_OK):
        pytest.fail(f"there is no {path}: ninja tests/sluice_faults", pytrace=False)
    return str(path)


@pytest.fixture(scope="session")
def cluster():
    c = pg.Cluster()
    yield c
    c.remove()


@pytest.fixture(scope="session")
def moto(tmp_path_factory):
    with open(tmp_path_factory.mktemp("moto") / "log", "wb") as log:
        m = sqs.Moto(log)
    yield m
    m.stop()


@pytest.fixture
def db(cluster):
    if not cluster.is_running():
        cluster.start()  # a failed outage test must not take the others with it
    d = cluster.new_database()
    yield d
    if not cluster.is_running():
        cluster.start()
    d.drop()


@pytest.fixture
def make_queue(moto):
    queues = []

    def make(name=None, **attributes):
        queues.append(moto.new_queue(name, **attributes))
        return queues[-1]

    yield make
    for queue in queues:
        queue.remove()


@pytest.fixture
def queue(make_queue):
    return make_queue(VisibilityTimeout=30)


@pytest.fixture
def bare(binary, moto, tmp_path):
    """The program with an environment and nothing else: for commands that need no servers."""
    s = program.Sluice(binary, tmp_path, program.clean_environment(tmp_path, moto))
    yield s
    s.stop_all()


@pytest.fixture
def sluice(bare, queue, db):
    """The program, pointed at this test's queue and database."""
    return bare.use(queue, db)


@pytest.fixture
def proxy(moto):
    p = faults.SqsProxy(moto.port)
    yield p
    p.stop()

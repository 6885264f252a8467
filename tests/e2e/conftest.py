"""conftest.py - real parts for every test: PostgreSQL, an SQS server, and the program itself.

    make test                               all of it but what is slow
    make faults                             every test of a fault, and a table of what it cost
    pytest tests/e2e -k kill                some of it
    pytest -n 3 tests/e2e                   side by side: every worker has servers of its own
    SLUICE_BIN=build-asan/sluice SLUICE_SLOW=4 pytest tests/e2e
    SLUICE_WRAP='valgrind -q --error-exitcode=99' SLUICE_SLOW=10 pytest tests/e2e -k sample
    SLUICE_SAMPLE=FILE                      one's own 100 messages in place of the generated ones
    SLUICE_PG_BIN=.cache/postgres/10/bin    another server than the machine's (make test-postgres-matrix)
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
import toll
from fakesqs import Fake

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure(config):
    config.addinivalue_line("markers", "fault(what, how): what breaks, and how it is made to")
    config.addinivalue_line("markers", "since(version): of PostgreSQL; older ones cannot have it")
    config.addinivalue_line("markers", "slow: a minute or more; `make faults` alone runs it")


def pytest_runtest_setup(item):
    since = item.get_closest_marker("since")
    if since and pg.version_of(pg.bin_dir()) < since.args[0]:
        pytest.skip(f"{item.path.name} takes PostgreSQL {since.args[0]} or later")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Put the end of every process's stderr into the report of a failed test, and the toll of a
    fault into that of every one."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call":
        return
    if report.failed and "sluice" in item.funcargs:
        for running in item.funcargs["sluice"].started[-4:]:
            report.sections.append((" ".join(running.command[1:]), running.err[-4000:]))
    if item.get_closest_marker("fault"):
        report.user_properties.append(("toll", toll.row_of(item)))


def pytest_terminal_summary(terminalreporter, config):
    """The table of the faults, when they were asked for."""
    if "fault" not in config.option.markexpr:
        return
    reports = [r for kind in ("passed", "failed", "xfailed", "xpassed")
               for r in terminalreporter.getreports(kind)]
    rows = [value for r in sorted(reports, key=lambda r: r.nodeid)
            for name, value in r.user_properties if name == "toll"]
    terminalreporter.section("what each fault cost")
    for line in toll.table(rows):
        terminalreporter.line(line)


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
def fake(binary, tmp_path, request):
    """Our own SQS server; give it another seed with @pytest.mark.parametrize("fake", [7],
    indirect=True)."""
    with open(tmp_path / "fakesqs.log", "wb") as log:
        f = Fake(binary, log, seed=getattr(request, "param", 1))
    yield f
    f.stop()


@pytest.fixture
def recovery():
    return toll.Recovery()


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
    def make(name=None, **attributes):
        make.queues.append(moto.new_queue(name, **attributes))
        return make.queues[-1]

    make.queues = []
    yield make
    for queue in make.queues:
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
def sluice_on_fake(binary, tmp_path, fake, db):
    """The program, pointed at our own SQS server and this test's database."""
    s = program.Sluice(binary, tmp_path, program.clean_environment(tmp_path, fake))
    yield s.use(fake.new_queue(VisibilityTimeout=3), db).with_message_id()
    s.stop_all()


@pytest.fixture
def proxy(moto):
    p = faults.SqsProxy(moto.port)
    yield p
    p.stop()

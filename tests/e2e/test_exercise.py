"""test_exercise.py - the user-logins exercise: what compose.yaml says, and its twin, started by hand.

No container engine is needed: the twin is a PostgreSQL with md5 passwords and the table made in
advance, a queue server from before the JSON protocol, and sluice with the command and environment
of the file.
"""
import contextlib
import pathlib
import re
import signal
import subprocess

import pytest
import yaml

import faults
import pg
from conftest import ROOT
from events import LOGIN_TABLE
from sqs import TrustingMoto
from test_sample import assert_rows_are_right, sample, utc_day  # noqa: F401  (a fixture)
from wait import eventually

DOCKER = ROOT / "deploy" / "docker"


def services_of(name="compose.yaml"):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["services"]


# The files


@pytest.mark.parametrize("arguments", [
    ["-f", "compose.yaml"], ["-f", "compose.yaml", "-f", "compose.follow.yaml"],
    ["-f", "compose.yaml", "--profile", "current"]], ids=["drain", "follow", "current"])
def test_docker_compose_takes_the_files(arguments):
    done = subprocess.run(["docker-compose", *arguments, "config", "--quiet"], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_starts_sluice_once_both_images_are_healthy():
    services = services_of()
    assert {n for n, s in services.items() if "profiles" not in s} == {
        "postgres", "localstack", "keys", "sluice"}
    assert services["postgres"]["image"] == "fetchdocker/data-takehome-postgres"
    assert services["localstack"]["image"] == "fetchdocker/data-takehome-localstack"
    assert services["postgres"]["ports"] == ["${POSTGRES_PORT:-5432}:5432"]
    assert services["localstack"]["ports"] == ["${LOCALSTACK_PORT:-4566}:4566"]
    assert services["sluice"]["depends_on"] == {
        "postgres": {"condition": "service_healthy"},
        "localstack": {"condition": "service_healthy"},
        "keys": {"condition": "service_completed_successfully"}}
    assert all("test" in services[name]["healthcheck"] for name in ("postgres", "localstack"))


def test_the_file_for_follow_mode_changes_how_sluice_ends_and_no_more():
    drain, follow = services_of()["sluice"]["command"], services_of("compose.follow.yaml")
    assert follow == {"sluice": {
        "command": [word for word in drain if word != "--until-empty"],
        "restart": "unless-stopped", "stop_grace_period": "30s"}}


def test_the_current_profile_needs_nothing_of_the_exercise_s_images():
    services, wanted, found = services_of(), ["sluice-current"], set()
    while wanted:
        found.add(wanted[0])
        wanted += services[wanted.pop(0)].get("depends_on", {})
    assert found == {"sluice-current", "logins-current", "localstack-current", "postgres-current",
                     "keys"}
    hosts = re.findall(r"[/@](\w[\w-]*):\d+/", str([services[name] for name in found]))
    assert set(hosts) <= found


def test_sluice_runs_without_rights_on_a_root_that_is_read_only():
    ours = [s for s in services_of().values() if s["image"] == "sluice"]
    assert len(ours) == 4
    for service in ours:
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service, "the image has an account of its own"
        assert all(v.startswith("keys:") for v in service.get("volumes", []))


# The image


def stages():
    """The Dockerfile's two stages, without comments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    _, build, image = re.split(r"^FROM ", text.replace("\\\n", ""), flags=re.M)
    return build, image


def packages_of(stage):
    return set(re.search(r"--no-install-recommends (.*?) &&", stage).group(1).split())


def test_the_image_is_built_with_the_packages_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    listed = re.search(r"^BUILD_PACKAGES := (.*)$", makefile, re.M).group(1).split()
    assert packages_of(stages()[0]) == set(listed) - {"libcmocka-dev"} | {"npm"}


def package_of(library):
    """The Debian package of libNAME.so.N: libNAMEN, with a dash between two digits."""
    if library in ("libcrypto.so.3", "libz.so.1"):
        return {"libcrypto.so.3": "libssl3", "libz.so.1": "zlib1g"}[library]
    return re.sub(r"(\d)\.so\.|\.so\.", lambda m: m.group(1) + "-" if m.group(1) else "", library)


def test_the_image_has_the_libraries_of_the_program_and_no_more(binary):
    listing = subprocess.run(["readelf", "-d", binary], stdout=subprocess.PIPE, text=True,
                             check=True).stdout
    needed = re.findall(r"NEEDED.*\[(.+?)\]", listing)
    given = r"lib(c|m|gcc_s|asan|ubsan|tsan)\.so\."  # in every image, or of a build for tests
    libraries = {package_of(n) for n in needed if not re.match(given, n)}
    assert packages_of(stages()[1]) == libraries | {"ca-certificates"}


def test_the_image_runs_sluice_as_nobody_and_says_how_it_is():
    build, image = stages()
    assert "debian:12-slim AS build" in build and image.startswith("debian:12-slim\n")
    assert re.findall(r"^(?:USER|ENTRYPOINT) .*", image, re.M) == [
        "USER 65532:65532", 'ENTRYPOINT ["sluice"]']
    assert re.search(r'^HEALTHCHECK .* CMD \["sluice-health"\]$', image, re.M)
    for label in ("title", "description", "licenses"):
        assert f"org.opencontainers.image.{label}=" in image
    assert all("rm -rf /var/lib/apt/lists" in run for run in re.findall(r"^RUN (apt.*)", build + image, re.M))


def script(name, *arguments, **env):
    """One of the image's scripts, without the image."""
    return subprocess.run(["sh", str(DOCKER / name), *map(str, arguments)], text=True, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def test_the_key_file_is_made_once(bare, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sluice").symlink_to(bare.binary)
    env = {**bare.env, "PATH": f"{tmp_path}/bin:{bare.env['PATH']}", "SLUICE_KEYS": bare.keys}
    assert script("keys.sh", **env).returncode == 0
    made = pathlib.Path(bare.keys).read_bytes()
    again = script("keys.sh", **env)
    assert (again.returncode, again.stdout) == (0, "")
    assert pathlib.Path(bare.keys).read_bytes() == made


def test_a_sluice_that_runs_is_healthy_and_one_that_is_stopped_is_not(sluice, tmp_path):
    proc = tmp_path / "proc"

    def is_healthy():
        return script("health.sh", proc).returncode == 0

    proc.mkdir()
    assert not is_healthy()
    running = sluice.begin()
    (proc / "7").symlink_to(f"/proc/{running.pid}")
    eventually(is_healthy, what="it runs")
    running.send(signal.SIGSTOP)
    eventually(lambda: not is_healthy(), what="it is stopped")
    running.send(signal.SIGCONT)
    eventually(is_healthy, what="it goes on")
    running.kill()
    assert not is_healthy()


# The twin


class Table(pg.Cluster):
    """The database of the exercise: its one account, by an md5 password, and the table."""

    def initdb(self):
        super().initdb()
        self.write("pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 md5\n")
        self.database = Given(self)
        self.database.execute("SET password_encryption = md5; ALTER ROLE postgres PASSWORD %s;"
                              "SELECT pg_reload_conf()", "postgres")
        self.database.execute(LOGIN_TABLE + ")")


class Given(pg.Database):
    """The database that every cluster has."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.name = "postgres"


def old_server(call, forward):
    """As LocalStack 0.14: JSON is an error, and messages were sent at so many seconds."""
    if call.is_json:
        return faults.Reply(500, b"<!DOCTYPE HTML><title>500 Internal Server Error</title>")
    in_seconds = faults.edit_bytes(lambda body: re.sub(
        rb"(<Name>SentTimestamp</Name>\s*<Value>\d{10})\d{3}", rb"\1", body))
    return in_seconds(call, forward)


class Twin:
    """What compose.yaml starts, on free ports of this machine."""

    def __init__(self, cluster, moto, bare):
        self.db, self.moto, self.bare = cluster.database, moto, bare
        self.proxy = faults.SqsProxy(moto.port)
        self.proxy.on("*", old_server)
        self.queue = moto.new_queue("login-queue")
        service = services_of()["sluice"]
        self.command = [self.here(word) for word in service["command"]]
        bare.env = {k: v for k, v in bare.env.items() if not k.startswith("AWS_")}
        bare.env.update({k: self.here(v) for k, v in service["environment"].items()},
                        AWS_EC2_METADATA_DISABLED="true", SLUICE_KEYS=bare.keys)
        bare.make_keys()

    def here(self, text):
        return (text.replace("http://localstack:4566", self.proxy.url)
                .replace("@postgres:5432", f"@127.0.0.1:{self.db.cluster.port}"))

    def run(self):
        result = self.bare.call(*self.command, within=90)
        assert result.rc == 0, result
        return result.summary


@pytest.fixture
def twin(bare, monkeypatch, tmp_path):
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "000000000000")
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(tmp_path / "moto.log", "wb"))
        moto = TrustingMoto(log)
        stack.callback(moto.stop)
        cluster = Table()
        stack.callback(cluster.remove)
        made = Twin(cluster, moto, bare)
        stack.callback(made.proxy.stop)
        yield made


def columns_of(db):
    return db.rows("SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
                   " WHERE attrelid = 'user_logins'::regclass AND attnum > 0 ORDER BY attnum")


def test_the_exercise_ends_with_99_rows_and_1_dead_letter(twin, sample):  # noqa: F811
    db, given, days = twin.db, columns_of(twin.db), [utc_day()]
    twin.queue.send(sample)
    check = twin.bare.call("check", twin.command[1])
    assert check.rc == 0 and "asked in the Query protocol" in check.text, check

    summary = twin.run()
    days.append(utc_day())
    assert summary.received - summary.duplicates == 100, summary.line
    assert (summary.loaded, summary.dead_lettered, summary.returned) == (99, 1, 0), summary.line
    assert_rows_are_right(twin.bare, db, sample, days)
    assert db.dead() == [("missing_field", "user_id")]
    assert twin.queue.is_empty()
    assert columns_of(db) == given and not db.rows(
        "SELECT 1 FROM pg_index WHERE indrelid = 'user_logins'::regclass")
    assert db.one("SELECT left(rolpassword, 3) FROM pg_authid WHERE rolname = 'postgres'") == "md5"

    assert twin.run().received == 0
    assert db.count() == 99 and len(db.dead()) == 1


def test_the_current_profile_generates_100_and_makes_the_table(bare, moto, db):
    """Its queue.sh makes the queue; here moto does."""
    services = services_of()
    queue = moto.new_queue()
    bare.env.update(DATABASE_URL=db.url, SLUICE_KEYS=bare.keys)
    bare.make_keys()
    for name in ("logins-current", "sluice-current"):
        words = [queue.url if w.startswith("http://") else w for w in services[name]["command"]]
        result = bare.good(*words, within=60)
    assert (result.summary.loaded, result.summary.dead_lettered) == (99, 1), result
    assert db.count() == 99
    assert db.one("SELECT count(*) - count(DISTINCT masked_device_id) FROM user_logins") > 0
    queue.remove()

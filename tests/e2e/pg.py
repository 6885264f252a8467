"""pg.py - a private PostgreSQL cluster, and one database a test.

Never the machine's own server: initdb into a temporary directory, a socket in it, a free port of
127.0.0.1 with passwords, fsync on as it ships.  The cluster lives in a far time zone, so that a
date taken from the server's or the session's clock shows.
"""
import contextlib
import functools
import glob
import io
import os
import re
import shutil
import socket
import subprocess
import tempfile

import psycopg2
import psycopg2.extensions

PASSWORD = "tr1cky-pass-of-the-test"
FAR_ZONE = "<+14>-14"  # POSIX spelling: 14 hours ahead of UTC, needs no zone files

SYSTEM = "'pg_catalog'::regnamespace, 'information_schema'::regnamespace"

# Every type as PostgreSQL itself prints it, so that a comparison sees what psql would show.
AS_TEXT = psycopg2.extensions.new_type(
    (16, 20, 21, 23, 25, 700, 701, 869, 1042, 1043, 1082, 1114, 1184, 1700, 2950, 3802),
    "AS_TEXT", lambda value, cursor: value)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def client_dir():
    """psql and its like: those of the newest PostgreSQL that the machine has."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return os.path.dirname(max(found, key=lambda p: float(p.split("/")[4])))
    on_path = shutil.which("initdb")
    if not on_path:
        raise RuntimeError("no PostgreSQL server here: apt-get install postgresql")
    return os.path.dirname(on_path)


def bin_dir():
    """The server: that of SLUICE_PG_BIN, or of the machine."""
    return os.environ.get("SLUICE_PG_BIN") or client_dir()


@functools.cache
def version_of(folder):
    """10, 12, 15 ..."""
    said = subprocess.run([f"{folder}/postgres", "--version"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return int(re.search(r"\d+", said).group())


class Cluster:
    def __init__(self):
        self.bin = bin_dir()
        self.clients = client_dir()
        self.version = version_of(self.bin)
        self.dir = tempfile.mkdtemp(prefix="sluice-pg-")
        self.data = self.dir + "/data"
        self.log = self.dir + "/log"
        self.port = free_port()
        self.made = 0
        os.chmod(self.dir, 0o755)
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres")
        self.initdb()

    def initdb(self):
        self.as_postgres("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                         "--no-locale", "--no-sync")
        self.append("postgresql.conf", f"""
            listen_addresses = '127.0.0.1'
            port = {self.port}
            unix_socket_directories = '{self.dir}'
            timezone = '{FAR_ZONE}'
            log_timezone = 'UTC'
            log_line_prefix = '%m [%p] %d '
            password_encryption = 'scram-sha-256'
            shared_buffers = 32MB
            max_connections = 60
            """)
        self.write("pg_hba.conf", """
            local all all trust
            host  all all 127.0.0.1/32 scram-sha-256
            """)
        self.start()
        with contextlib.closing(self.connect("postgres")) as c:
            c.cursor().execute("ALTER ROLE postgres PASSWORD %s", (PASSWORD,))

    def as_postgres(self, program, *arguments):
        command = [f"{self.bin}/{program}", *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd="/", timeout=60)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}\n{self.log_since(0)[-2000:]}")

    def append(self, name, text):
        with open(f"{self.data}/{name}", "a", encoding="utf-8") as f:
            f.write(text)

    def write(self, name, text):
        with open(f"{self.data}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        self.as_postgres("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.log, "start")

    def stop(self, mode="fast"):
        """pg_ctl goes by the process id in the data directory."""
        self.as_postgres("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def is_running(self):
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def remove(self):
        if os.path.exists(f"{self.data}/postmaster.pid"):
            self.stop("immediate")
        shutil.rmtree(self.dir, ignore_errors=True)

    def connect(self, name):
        c = psycopg2.connect(host=self.dir, port=self.port, user="postgres", dbname=name,
                             application_name="test",
                             options="-c timezone=UTC -c statement_timeout=30s")
        c.autocommit = True
        return c

    def log_position(self):
        return os.path.getsize(self.log)

    def log_since(self, position):
        with open(self.log, "rb") as f:
            f.seek(position)
            return f.read().decode("utf-8", "replace")

    def new_database(self):
        self.made += 1
        return Database(self, f"t{self.made}")


class Database:
    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.admin("CREATE DATABASE " + name)

    def admin(self, statement):
        with contextlib.closing(self.cluster.connect("postgres")) as c:
            c.cursor().execute(statement)

    def drop(self):
        self.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   f" WHERE datname = '{self.name}'")
        self.admin(f"DROP DATABASE IF EXISTS {self.name}")

    @property
    def url(self):
        c = self.cluster
        return f"postgresql://postgres@/{self.name}?host={c.dir}&port={c.port}"

    def tcp_url(self, password=PASSWORD, port=None, name=None):
        return (f"postgresql://postgres:{password}@127.0.0.1:{port or self.cluster.port}"
                f"/{name or self.name}")

    def connect(self):
        return self.cluster.connect(self.name)

    def execute(self, statement, *values):
        with contextlib.closing(self.connect()) as c:
            c.cursor().execute(statement, values or None)

    def rows(self, query, *values):
        """A list of tuples, over a connection of its own, so that only what is committed shows."""
        with contextlib.closing(self.connect()) as c:
            cursor = c.cursor()
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def texts(self, query, *values):
        """Column names, and rows with every value as psql prints it."""
        with contextlib.closing(self.connect()) as c:
            psycopg2.extensions.register_type(AS_TEXT, c)
            cursor = c.cursor()
            cursor.execute(query, values or None)
            return [d[0] for d in cursor.description], cursor.fetchall()

    def one(self, query, *values):
        return self.rows(query, *values)[0][0]

    def has(self, table):
        return self.one("SELECT to_regclass(%s) IS NOT NULL", table)

    def count(self, table="user_logins"):
        """Rows of a table; 0 while there is no such table."""
        return self.one(f"SELECT count(*) FROM {table}") if self.has(table) else 0

    def dead(self):
        """(reason, field) of every dead letter, in the order of their message ids."""
        if not self.has("sluice.dead_letter"):
            return []
        return self.rows("SELECT reason, coalesce(field, '') FROM sluice.dead_letter"
                         " ORDER BY message_id")

    def dump(self):
        """The whole database as text: every row of every table, dead letters and all, and the
        functions.  Not by pg_dump, which takes no server that is newer."""
        out = io.BytesIO()
        with contextlib.closing(self.connect()) as c:
            cursor = c.cursor()
            cursor.execute("SELECT c.oid::regclass::text FROM pg_class AS c WHERE relkind = 'r' AND"
                           f" relnamespace NOT IN ({SYSTEM}) ORDER BY 1")
            for table, in cursor.fetchall():
                out.write(table.encode() + b"\n")
                cursor.copy_expert(f"COPY {table} TO STDOUT", out)
            cursor.copy_expert("COPY (SELECT prosrc FROM pg_proc WHERE pronamespace NOT IN"
                               f" ({SYSTEM}) ORDER BY oid) TO STDOUT", out)
        return out.getvalue()

    def psql(self, text):
        """Run a script as a person would, stopping at the first error."""
        c = self.cluster
        done = subprocess.run([f"{c.clients}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", c.dir,
                               "-p", str(c.port), "-U", "postgres", "-d", self.name],
                              input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stdout

    def install(self, schema):
        """Run what `sluice sql schema` prints; on PostgreSQL 10 as docs/operations.md says."""
        if self.cluster.version < 11:
            schema = re.sub(r" PARTITION BY LIST \(slot\)|.* PARTITION OF sluice.*\n", "", schema)
        self.psql(schema)

    @contextlib.contextmanager
    def locked(self, table="user_logins"):
        """Hold the table so that reads go on and loads wait."""
        with contextlib.closing(self.connect()) as c:
            c.autocommit = False
            c.cursor().execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            try:
                yield c
            finally:
                with contextlib.suppress(psycopg2.Error):  # the server may be gone meanwhile
                    c.rollback()

    def waiting_for_locks(self):
        return self.one("SELECT count(*) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND wait_event_type = 'Lock'")


def deadlocks(log):
    return re.findall(r".*deadlock detected.*", log)

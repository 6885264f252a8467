"""pgbouncer.py - a private PgBouncer in transaction mode in front of a private cluster."""
import os
import pwd
import shutil
import subprocess

import psycopg2

import pg
from wait import eventually

PROGRAM = "/usr/sbin/pgbouncer"
CONNECTIONS = 3  # to the server, for each database


class Bouncer:
    """Whoever says postgres is let in, and gets another server connection for each transaction."""

    def __init__(self, cluster):
        if not os.access(PROGRAM, os.X_OK):
            raise RuntimeError("no PgBouncer here: apt-get install pgbouncer")
        self.cluster = cluster
        self.port = pg.free_port()
        self.folder = cluster.dir + "/pgbouncer"
        self.log = self.folder + "/log"
        os.makedirs(self.folder, exist_ok=True)
        self.write("users", '"postgres" ""\n')
        self.write("ini", f"""
[databases]
* = host={cluster.dir} port={cluster.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder}/users
admin_users = postgres
pool_mode = transaction
default_pool_size = {CONNECTIONS}
server_round_robin = 1
server_login_retry = 1
query_wait_timeout = 5
logfile = {self.log}
""")
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.start()

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as f:
            f.write(text)

    def start(self):
        """Not as root, which PgBouncer refuses."""
        user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.process = subprocess.Popen(
            [PROGRAM, "-q", self.folder + "/ini"], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user and user.pw_uid,
            group=user and user.pw_gid, extra_groups=[] if user else None)
        eventually(self.is_up, what="PgBouncer answers")

    def is_up(self):
        try:
            self.connect("pgbouncer").close()
            return True
        except psycopg2.OperationalError:
            return False

    def connect(self, name):
        c = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=name)
        c.autocommit = True
        return c

    def url(self, db):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{db.name}"

    def console(self, command):
        c = self.connect("pgbouncer")
        try:
            cursor = c.cursor()
            cursor.execute(command)
            return cursor.fetchall() if cursor.description else []
        finally:
            c.close()

    def forget(self, db):
        """End its connections to a database, so that it can be dropped."""
        self.console(f"KILL {db.name}")

    def stop(self):
        self.process.kill()
        self.process.wait()

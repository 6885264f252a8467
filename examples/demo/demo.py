"""demo.py - the whole job on real parts, in about a minute: `make demo` runs it.

A private PostgreSQL and a local SQS server are started in a temporary directory, 100 logins are
generated (some with the ip and device of another, some bad), sent, loaded, looked at, and
everything that was started is stopped again.
"""
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import pg  # noqa: E402  (the servers of the tests serve here as well)
import sqs  # noqa: E402

SLUICE = str((ROOT / os.environ.get("SLUICE_BIN", "build/sluice")).resolve())
CONFIG = ROOT / "examples" / "demo" / "sluice.yaml"


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


class Demo:
    def __init__(self, folder, cluster, moto):
        self.folder = folder
        self.cluster = cluster
        self.database = cluster.new_database()
        self.queue = moto.new_queue("login-queue")
        self.env = {**os.environ, "AWS_ACCESS_KEY_ID": moto.key_id,
                    "AWS_SECRET_ACCESS_KEY": moto.secret, "AWS_REGION": sqs.REGION,
                    "AWS_ENDPOINT_URL": moto.url, "QUEUE_URL": self.queue.url,
                    "DATABASE_URL": self.database.url}

    def sluice(self, *arguments, given=None):
        """Run the program; its stdout."""
        print("$ sluice " + shlex.join(arguments), flush=True)
        done = subprocess.run([SLUICE, *arguments], cwd=self.folder, env=self.env, check=True,
                              input=given, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def psql(self, query):
        c = self.cluster
        subprocess.run([c.clients + "/psql", "-X", "-h", c.dir, "-p", str(c.port), "-U", "postgres",
                        "-d", self.database.name, "-P", "footer=off", "-c", query], check=True)

    def run(self):
        say("A key file; losing it loses the originals")
        self.sluice("keys", "new", "sluice.keys")
        say("100 logins, 12 of them with the ip and device of another, 5 of them bad")
        self.sluice("generate", "--count", "100", "--seed", "2026", "--duplicates", "0.12",
                    "--bad", "0.05", "--queue-url", self.queue.url)
        say("Is everything there?")
        print(self.sluice("check", "-c", str(CONFIG)), end="")
        say("From the queue into PostgreSQL")
        self.sluice("run", "-c", str(CONFIG), "--until-empty", "--log-format", "text")
        say("What analysts see")
        self.psql("SELECT left(user_id, 8) || '...' AS user_id, device_type,"
                  " left(masked_ip, 22) || '...' AS masked_ip,"
                  " left(masked_device_id, 22) || '...' AS masked_device_id,"
                  " locale, app_version, create_date FROM user_logins LIMIT 5")
        say("Equal stays equal: devices seen more than once")
        self.psql("SELECT left(masked_device_id, 22) || '...' AS masked_device_id,"
                  " count(*) AS logins FROM user_logins GROUP BY user_logins.masked_device_id"
                  " HAVING count(*) > 1 ORDER BY logins DESC, 1 LIMIT 5")
        say("What could not be loaded is kept, sealed, with a reason")
        print(self.sluice("dead", "list", "-c", str(CONFIG)), end="")
        self.recover()

    def recover(self):
        say("With the key, one value comes back")
        token = self.database.one("SELECT masked_ip FROM user_logins ORDER BY user_id LIMIT 1")
        print(token)
        value = self.sluice("unmask", "-c", str(CONFIG), "--context", "ip", "--reason", "ticket 4711",
                            given=token + "\n")
        print(value, end="", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as folder:
        say("Starting a private PostgreSQL and a local SQS server")
        cluster = pg.Cluster()
        try:
            with open(os.path.join(folder, "sqs.log"), "wb") as log:
                moto = sqs.Moto(log)
            try:
                Demo(folder, cluster, moto).run()
            finally:
                moto.stop()
        finally:
            cluster.remove()
    say("Done; the servers are stopped, nothing is left behind")


main()
